# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments between two steps of a script: each program that it calls is counted, and at chosen ones the stranger acts before it runs."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.progress import OnLine
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed

from ..shells import SHELLS

PROGRAMS = (
    "cat", "chmod", "comm", "cp", "csplit", "cut", "date", "dd", "df", "du", "env", "find", "git", "grep", "head", "id", "ln", "mkdir", "mv", "od",
    "openssl", "paste", "readlink", "rm", "rmdir", "rsync", "sed", "sha1sum", "sha256sum", "sort", "stat", "sync", "tail", "tee", "timeout", "touch",
    "tr", "uniq", "wc", "xargs",
)  # fmt: skip

# Nothing but what the shell itself can do, up to the moment. Who makes the file is the one that acts.
_HOOK = r"""#!/bin/sh
at=AT
echo >>"$at/calls"
n=0
while read -r _; do n=$((n + 1)); done <"$at/calls"
for moment in MOMENTS; do
    if [ "$n" -ge "$moment" ] && { set -C; true >"$at/$moment"; } 2>/dev/null; then
        set +C
        echo "$moment" >"$at/now"
        read -r _ <"$at/go-$moment"
    fi
done
exec PROGRAM "$@"
"""


class Hooks:
    """A directory of programs that go before those of the same names. ``moments``: before which calls ``act`` is called, in this process,
    with the number. A context manager: the stranger is there for as long as it is open."""

    def __init__(self, directory: Path, moments: Sequence[int], act: Callable[[int], None]) -> None:
        self._at = directory
        self._act = act
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self.bin = directory / "bin"
        self.bin.mkdir(parents=True)
        (directory / "calls").touch()
        os.mkfifo(directory / "now")
        self._moments = sorted(moments)
        for moment in self._moments:
            os.mkfifo(directory / f"go-{moment}")
        numbers = " ".join(map(str, self._moments))
        for name in PROGRAMS:
            if found := shutil.which(name):
                script = _HOOK.replace("AT", str(directory)).replace("MOMENTS", numbers).replace("PROGRAM", found)
                (self.bin / name).write_text(script)
                (self.bin / name).chmod(0o755)

    @property
    def calls(self) -> int:
        """Return how many programs were called."""
        return (self._at / "calls").stat().st_size

    def __enter__(self) -> Hooks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A program that was killed while it waited may have left the thread in either of the two.
        while self._thread.is_alive():
            for name, flags in (("now", os.O_WRONLY), *((f"go-{moment}", os.O_RDONLY) for moment in self._moments)):
                try:
                    end = os.open(self._at / name, flags | os.O_NONBLOCK)
                except OSError:
                    continue
                if name == "now":
                    os.write(end, b"end\n")
                os.close(end)
            self._thread.join(0.05)

    def _wait(self) -> None:
        while True:
            with (self._at / "now").open() as file:
                said = file.read().split()
            if not said or "end" in said:
                return
            for word in said:
                self._act(int(word))
                with suppress(BrokenPipeError), (self._at / f"go-{word}").open("w") as file:
                    file.write("go\n")


class HookedShell(LocalShell):
    """Runs processes with ``hooks`` before their programs, by the ``sh`` of this name."""

    def __init__(self, hooks: Hooks, shell: str) -> None:
        self._path = f"{hooks.bin}:{os.environ['PATH']}"
        self._shell = SHELLS[shell]
        # Some builds of busybox have programs of their own, which know few options, and never look at PATH.
        within = "".join(f'{path.name}() {{ {path} "$@"; }}\n' for path in sorted(hooks.bin.iterdir()))
        self._within = within if shell == "busybox" else ""

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: OnLine | None = None,
    ) -> Completed:
        return super().run(self._hooked(argv), deadline=deadline, stdin=stdin, env={**(env or {}), "PATH": self._path}, progress=progress)

    def download(self, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        return super().download(("env", f"PATH={self._path}", *self._hooked(argv)), to, deadline=deadline)

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        return super().upload(("env", f"PATH={self._path}", *self._hooked(argv)), source, deadline=deadline)

    def _hooked(self, argv: Sequence[str]) -> Sequence[str]:
        """The argv with its scripts run by our shell; one may be an argument of another."""
        words: list[str] = []
        for at, word in enumerate(argv):
            if word == "sh" and tuple(argv[at + 1 : at + 2]) == ("-c",):
                words += self._shell
            elif tuple(argv[max(0, at - 2) : at]) == ("sh", "-c"):
                words.append(self._within + word)
            else:
                words.append(word)
        return words
