# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills a sandbox's and a worker's volume, two local directories, as a pair is filled."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.compaction import NO_COMPACTION, Compact, CompactionOptions
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Pair, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Step, Wanted, make_plan
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project, parse_project
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Change, Record, parse, render, unchanged
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import HoldTimes, PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.rollout_options import Options
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.mirror import Mirror
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.pack_maker import PackMaker
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.fill_pair import FillPair
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.remove_pair import RemovePair
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.snapshots import Snapshots
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_git import GIT, GitTransfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.finished_packs import PackTransfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_exec import ExecTransport
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.protocol import Transfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import METHODS
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.bounds import BOUND

from .kill import watch_commands

BY_NAME = {method.name: method for method in METHODS if not method.by_seed and not method.needs_path}
"""The methods that ``fill`` has by their names: here is no seed pod."""


class HeldDirectory:
    """A directory as a held volume."""

    memory_bytes, cpus, tag = 512 * 1024 * 1024, 1.0, ""
    lock, held_seconds = HoldTimes(), 0.0
    warnings: tuple[str, ...] = ()
    wanted = None
    guest = False
    shared = False

    def __init__(self, root: Path, scratch: Path, shell: LocalShell, shared: bool | None = None) -> None:
        self.shell = shell
        if shared is not None:
            self.shared = shared
        self.root = str(root)
        self.scratch = str(scratch)


class LocalVolumeAccess:
    """Volumes are directories; records are in memory."""

    def __init__(self, directory: Path, shell: LocalShell | None = None) -> None:
        self.directory = directory
        self.shell = shell or LocalShell()
        self.records: dict[Volume, Record] = {}

    def prepare(self, volume: Volume, deadline: Deadline) -> None:
        deadline.left()

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        deadline.left()
        root = self.directory / volume.role.value
        root.mkdir(exist_ok=True)
        try:
            yield HeldDirectory(root, self.directory / f"scratch-{volume.role.value}", self.shell)
        finally:
            self.record(volume, news, Deadline(BOUND, "writing a record"))

    def capacity(self, volume: Volume) -> int:
        return 0

    def recorded(self, volume: Volume) -> Record | None:
        return self.records.get(volume)

    def read_again(self, volume: Volume, deadline: Deadline) -> None:
        deadline.left()

    def record(self, volume: Volume, change: Change, deadline: Deadline) -> None:
        deadline.left()
        before = self.records.get(volume) or Record(volume.claim, "local")
        if (after := change(before)) != before:
            self.records[volume] = after


class KeptRecords(LocalVolumeAccess):
    """Volumes on local directories whose records are in files, and so outlive the process."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        for volume in PAIR.volumes:
            file = self._file(volume)
            if file.exists() and (record := parse(file.read_text(), volume.claim, "local")) is not None:
                self.records[volume] = record

    def record(self, volume: Volume, change: Change, deadline: Deadline) -> None:
        super().record(volume, change, deadline)
        if volume in self.records:
            making = self._file(volume).with_suffix(".making")
            making.write_text(render(self.records[volume]))
            making.rename(self._file(volume))

    def _file(self, volume: Volume) -> Path:
        return self.directory / f"{volume.claim}.record"


def project_of(url: str, refs: list[str] | None = None) -> Project:
    """The project `one` of an upstream."""
    return parse_project({"url": url, "name": "one", **({} if refs is None else {"refs": refs})})


class OwnClone:
    """Finished packs of a clone on this machine; see ``cache.transfer.finished_packs.PackSource``."""

    def __init__(self, directory: Path, project: Project) -> None:
        self._project = project
        self._mirror = Mirror(LocalShell(), str(directory / "clone.git"), str(directory / "packs"), "", None)

    def ready(self, snapshot: Snapshot, deadline: Deadline) -> PackMaker:
        self._mirror.fetch(self._project, snapshot, deadline)
        return self._mirror.maker()

    def maker(self, snapshot: Snapshot) -> PackMaker:
        return self._mirror.maker()

    def lost(self) -> None:
        return


PAIR = Pair(Volume("w", "worker", Role.WORKER), Volume("s", "sandbox", Role.SANDBOX))


def fill(
    directory: Path,
    url: str,
    verify: bool = False,
    max_hold: float = BOUND,
    method: str = "git",
    access: LocalVolumeAccess | None = None,
    compaction: CompactionOptions = NO_COMPACTION,
    now: datetime | None = None,
    listed: bool = True,
) -> PairResult:
    """Bring the upstream's present snapshot to both directories; with the records of ``access``, or none. Else nobody lists the project."""
    at = now or datetime.now(timezone.utc)
    project = project_of(url)
    access = access or LocalVolumeAccess(directory)
    started = Deadline(BOUND, "the driver")

    def read(wanted: Project):  # type: ignore[no-untyped-def]
        return read_snapshot(LocalShell(), wanted, started)

    snapshots = {"one": read(project)} if listed else {}
    plan = make_plan(Wanted(State.PRESENT, (project,) if listed else (), snapshots, METHODS, at, verify, compaction), (PAIR,), access.records)
    scratch = directory / "scratch"
    scratch.mkdir(exist_ok=True)
    options = Options(timeout=BOUND, max_hold=max_hold, verify=verify, scratch=scratch, compaction=compaction, now=lambda: at)
    shared = Snapshots(snapshots, read)

    clone = OwnClone(directory, project)

    def transfer(step: Step) -> Transfer:
        chosen = BY_NAME.get(method, step.method)
        return GitTransfer(url) if chosen is GIT else PackTransfer(chosen, clone, ExecTransport(LocalShell()))

    return FillPair(plan.pairs[0], access, shared, transfer, options, lambda _progress: None, threading.Event()).run()


def remove(directory: Path, access: LocalVolumeAccess | None = None) -> PairResult:
    """Take the project off both directories."""
    project = project_of("https://example.org/one.git")
    plan = make_plan(Wanted(State.ABSENT, (project,), {}, METHODS, datetime.now(timezone.utc)), (PAIR,), {})
    options = Options(timeout=BOUND, max_hold=BOUND, verify=False, scratch=directory / "scratch")
    return RemovePair(plan.pairs[0], access or LocalVolumeAccess(directory), options, lambda _progress: None, threading.Event()).run()


def work(job: Mapping[str, Any]) -> int:
    """Fill in a process that a fork server has made; the seconds of its commands go to the file ``seconds``."""
    seconds = watch_commands(job["at"], job["after"])
    volumes = Path(job["volumes"])
    if "now" in job:
        now = datetime.fromtimestamp(job["now"], timezone.utc)
        options = CompactionOptions(Compact.ALWAYS, grace=job["grace"])
        result = fill(volumes, job["url"], method=job["method"], access=KeptRecords(volumes), compaction=options, now=now)
    else:
        result = fill(volumes, job["url"], method=job["method"])
    Path("seconds").write_text(json.dumps(seconds))
    words = [project.error for volume in (result.sandbox, result.worker) for project in volume.projects if project.error]
    print("\n".join(words))
    return 1 if words else 0
