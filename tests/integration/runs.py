# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the collection, in one of two ways.

A test that is marked ``playbook`` runs ansible-playbook, as a user does. Every other test runs the modules by their own entry,
which is the same code from the argument spec on and takes a tenth of the time.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

from ansible_collections.packit.deployment.plugins.module_utils.populate.progress_lines import Lines, read
from tests.bounds import BOUND
from tests.modules.documented import require_documented
from tests.modules.launcher import ModuleProcess
from tests.playbooks.launcher import PlaybookProcess
from tests.processes import kill_tree
from tests.waiting import until

_MAX_HOLD = 300.0
"""Seconds for which a sandbox's volume may be held: the option's default, which no scenario raises."""
_MOMENT = 0.1
"""Seconds for which a run goes on between two looks at where it is."""


@dataclass
class Run:
    """A run that has ended. ``result`` is the answer of the module ``repository_cache``."""

    code: int
    output: str
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Return what was printed, in one line, for looking for words."""
        return " ".join(self.output.split())

    @property
    def everything(self) -> str:
        """Return what was printed, and the whole answer of the module: where a secret may not be."""
        return self.output + json.dumps(self.result)

    @property
    def story(self) -> str:
        """Return what to read where it failed: what became of each volume first, as the end of the output may not say it."""
        errors = [
            f"{volume['claim']} {project['name']}: {project['error']}"
            for volume in self.result.get("volumes", [])
            for project in volume["projects"]
            if project["error"]
        ]
        return "\n".join([*errors, self.output[-6000:]])

    def require_short_holds(self) -> None:
        """No sandbox's volume may have been held for longer than the limit."""
        holds = [
            (volume["claim"], sum(lock.values()))
            for volume in self.result.get("volumes", [])
            for lock in volume["locks"]
            if volume["role"] == "sandbox"
        ]
        assert [hold for hold in holds if hold[1] > _MAX_HOLD] == [], self.story

    def actions(self) -> dict[str, dict[str, str]]:
        """claim → project → action."""
        return {
            volume["claim"]: {project["name"]: project["action"] for project in volume["projects"]}
            for volume in self.result.get("volumes", [])
        }

    def project(self, claim: str, name: str) -> dict[str, Any]:
        """The result of a project on a volume."""
        volume = next(item for item in self.result["volumes"] if item["claim"] == claim)
        found: dict[str, Any] = next(item for item in volume["projects"] if item["name"] == name)
        return found


class Started(ABC):
    """A run that has begun."""

    pid: int

    @abstractmethod
    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""

    @abstractmethod
    def wait(self, seconds: float) -> Run:
        """Wait for its end. Raises TimeoutExpired."""

    @abstractmethod
    def so_far(self) -> str:
        """Return what it has printed until now."""

    def finish(self) -> Run:
        """Wait for its end; a run that hangs is killed, and its output shown. Whatever else it did, no hold was too long."""
        try:
            ended = self.wait(BOUND)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"The run has not ended in {BOUND:.0f} seconds:\n{self.so_far()[-6000:]}") from None
        ended.require_short_holds()
        return ended

    def until_it_says(self, words: str) -> None:
        """Wait until it has printed these words. Raises AssertionError where it ends without them."""
        until(lambda: words in self.so_far() or self.poll() is not None, f"a run that says `{words}`")
        if self.poll() is not None:
            self.wait(BOUND)  # its last words may not be read yet
        assert words in self.so_far(), f"the run has ended without `{words}`:\n{self.so_far()[-6000:]}"

    def interrupt(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    @contextmanager
    def frozen_when(self, fact: Callable[[], object], what: str) -> Iterator[None]:
        """Let it run until something is so, and stop it there, as a debugger does. Only for a run without a playbook.

        It runs for a moment at a time, so that it cannot get far past that point, however late we are to look.
        """

        def goes_on() -> bool:
            assert self.poll() is None, f"the run has ended before {what}:\n{self.so_far()[-6000:]}"
            os.kill(self.pid, signal.SIGCONT)
            time.sleep(_MOMENT)
            os.kill(self.pid, signal.SIGSTOP)
            return False

        os.kill(self.pid, signal.SIGSTOP)
        try:
            until(lambda: fact() or goes_on(), what)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it and all below it at once, and wait for that."""
        kill_tree(self.pid)
        self.wait(BOUND)


class PlaybookRun(Started):
    """A process of ansible-playbook whose standard output, and standard error unless that goes elsewhere, is kept."""

    def __init__(self, process: PlaybookProcess) -> None:
        self.pid = process.pid
        self._process = process

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self, seconds: float) -> Run:
        code = self._process.wait(seconds)
        return Run(code, self.so_far(), _module_answer(self.so_far()))

    def so_far(self) -> str:
        return self._process.printed


class ModuleRun(Started):
    """A process that runs the modules of the role, their answers told in the words that a playbook's user reads."""

    def __init__(self, process: ModuleProcess, progress: Path) -> None:
        self.pid = process.process.pid
        self._modules = process
        self._progress = progress

    def poll(self) -> int | None:
        return self._modules.process.poll()

    def wait(self, seconds: float) -> Run:
        code = self._modules.process.wait(seconds)
        results = {call.module: answer for call, answer in zip(self._modules.calls, self.answers(), strict=False)}
        for module, answer in results.items():
            require_documented(module, answer)
        return Run(code, self.so_far(), results.get("repository_cache", {}))

    def answers(self) -> list[dict[str, Any]]:
        """Return what the modules that have ended answered, as it is."""
        return self._modules.answers()

    def so_far(self) -> str:
        answers = self.answers()
        told = [words for answer in answers for words in words_of(answer)]
        changed = sum(bool(answer.get("changed")) for answer in answers)
        return "\n".join([*self._progress_lines(), self._modules.process.printed, *told, f"changed={changed}"])

    def _progress_lines(self) -> list[str]:
        lines = Lines()
        whole = self._progress.read_text().split("\n")[:-1] if self._progress.exists() else []
        return [f"  {shown}" for shown in (lines.show(read(line)) for line in whole) if shown is not None]


def words_of(answer: dict[str, Any]) -> list[str]:
    """Return what a person reads of a module's answer: warnings, the difference, the summary, and why it failed."""
    warnings = [item if isinstance(item, str) else json.dumps(item) for item in answer.get("warnings", [])]
    told = [f"[WARNING]: {words}" for words in warnings]
    if answer.get("diff"):
        told.append(CallbackBase()._get_diff(answer["diff"]))
    told += answer.get("summary", [])
    told += answer.get("failures", [])
    if answer.get("failed"):
        told.append(f"fatal: {answer.get('msg', '')}")
    return told


def _module_answer(output: str) -> dict[str, Any]:
    """The module's own answer in what ansible-playbook printed with -vv; where there is none, what the play failed with."""
    decoder = json.JSONDecoder()
    failed: dict[str, Any] = {}
    for found in re.finditer(r"^(fatal|changed|ok): \[localhost\](?:: FAILED!)? => ", output, re.MULTILINE):
        try:
            data, _end = decoder.raw_decode(output, found.end())
        except ValueError:
            continue
        if "volumes" in data:
            return dict(data)
        if found[1] == "fatal" and "msg" in data:
            failed = data
    return failed
