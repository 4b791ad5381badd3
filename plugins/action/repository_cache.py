# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what M(packit.deployment.repository_cache) is doing while it does it.

A module's output is read only when it has ended. So the module appends what happens to a file, and a thread here shows it on
standard error: standard output belongs to the callback, which may write JSON or YAML there. On a terminal each pair that is at work
has one line, with how far it is, its rate and the time left; elsewhere, and where several hosts run this at once, each change of phase
has one. This needs the module to run on the controller; elsewhere it runs without live lines, and so it does with C(no_log). When it has
ended, the table of what was done is printed.

All lines go through descriptors of our own: an error of an output that reached Ansible's display from here would end the thread that
takes the results, and ansible-playbook would wait for ever (``ansible-playbook … | head``).
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible import constants

from ansible_collections.packit.deployment.plugins.action.deployment import ActionModule as DeploymentAction
from ansible_collections.packit.deployment.plugins.module_utils.background import Background
from ansible_collections.packit.deployment.plugins.module_utils.populate.board import Board
from ansible_collections.packit.deployment.plugins.module_utils.populate.progress_lines import Lines, Screen, own_copy, read
from ansible_collections.packit.deployment.plugins.module_utils.progress import Progress
from ansible_collections.packit.deployment.plugins.module_utils.signals import for_the_main_thread
from ansible_collections.packit.deployment.plugins.plugin_utils.option_names import worded

_INTERVAL = 0.5
"""Seconds between two looks at the file."""
_LAST_SECONDS = 5.0
"""Seconds in which the last lines are shown."""
_LIVE = sys.stderr is not None and sys.stderr.isatty()
"""True where somebody watches. Asked when this is imported, by the strategy: the worker that runs it has no streams of its own."""
_STDOUT = own_copy(1)
_STDERR = own_copy(2)
"""Descriptors on which lines are shown; kept for the worker in the same way."""
_READING_MS = 60_000
"""Milliseconds for which a reader of the table may stop at a page of it."""


class ActionModule(DeploymentAction):
    """Runs the module, and shows its progress file as it grows."""

    def execute(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any] | None) -> dict[str, Any]:
        if self._task.async_val:
            return super().execute(arguments, task_vars)  # nobody waits for it here
        if self._task.no_log or self._connection.transport != "local" or arguments.get("progress_file"):
            result = super().execute(arguments, task_vars)
            self._tell(result)
            return result
        with tempfile.TemporaryDirectory(prefix="packit-deployment-") as directory:
            progress = Path(directory) / "progress"
            progress.touch(mode=0o600)
            stop = threading.Event()
            screen = Screen(_STDERR)
            # Of several hosts each would draw over the others' lines.
            alone = len((task_vars or {}).get("ansible_play_batch", ())) < 2
            show = _watch if _LIVE and alone and os.environ.get("TERM") not in (None, "", "dumb") else _list
            # The run itself needs nobody who watches: it goes on, and the person is told that no more lines come.
            shower = Background("Showing what the run does", lambda: show(progress, screen, stop, self._variables()), lambda error: screen.show(f"  {error}"))
            with for_the_main_thread():  # Ansible's handlers end the module
                shower.start()
            try:
                result = super().execute({**arguments, "progress_file": str(progress)}, task_vars)
            finally:
                stop.set()
                shower.join(_LAST_SECONDS)
        self._tell(result)
        return result

    def _tell(self, result: Mapping[str, Any]) -> None:
        """Print the table, and what failed, as text: in a result they are cells of JSON. A callback that writes JSON has standard output for itself."""
        if self._task.no_log:
            return
        screen = Screen(_STDERR if "json" in str(constants.DEFAULT_STDOUT_CALLBACK) else _STDOUT, _READING_MS)
        for line in (*result.get("summary", ()), *result.get("failures", ())):
            screen.show_whole(line)
            self._display.display(line, log_only=True)


def _list(path: Path, screen: Screen, stop: threading.Event, variables: Mapping[str, str]) -> None:
    """Show a line for each change of phase."""
    lines = Lines()
    for happened in _read(path, stop, variables):
        for progress in happened:
            shown = lines.show(progress)
            if shown is not None:
                screen.show(f"  {shown}")


def _watch(path: Path, screen: Screen, stop: threading.Event, variables: Mapping[str, str]) -> None:
    """Show a line for each pair that is at work, which changes as it goes on; what somebody may want to read later stays."""
    board = Board()
    for happened in _read(path, stop, variables):
        staying = [f"  {line}" for progress in happened if (line := board.take(progress)) is not None]
        width, height = screen.size()
        screen.draw(staying, [f"  {line}" for line in board.lines(max(1, width - 3), max(1, height // 2))])
    screen.draw([], [])


def _read(path: Path, stop: threading.Event, variables: Mapping[str, str]) -> Iterator[list[Progress]]:
    """Read what has happened since the last look, now and then, until the run has ended."""
    with path.open(encoding="utf-8", errors="replace") as file:
        rest = ""
        ended = False
        while not ended:
            ended = stop.wait(_INTERVAL)
            *whole, rest = (rest + file.read()).split("\n")  # read after the event: nothing written before it is lost
            yield [
                replace(progress, phase=worded(progress.phase, variables), detail=worded(progress.detail, variables))
                for progress in _understood(whole)
            ]


def _understood(lines: Iterable[str]) -> Iterator[Progress]:
    for line in lines:
        with suppress(ValueError):  # a full disk has taken a part of it only
            yield read(line)


__all__ = ["ActionModule"]
