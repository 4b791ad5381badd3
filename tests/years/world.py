# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world for the decision code: volumes and upstreams are local directories, claims are in memory, git is the real one."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.compaction import Compact, CompactionOptions
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Pair, Ref, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Plan, Step, Wanted, make_plan
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project, matches
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Change, Record, parse, render, unchanged
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.rollout_options import Options
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import environment as our_git
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.mirror import Mirror
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.pack_maker import PackMaker
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.rollout import roll_out
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.snapshots import Snapshots
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_git import GIT, GitTransfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.finished_packs import PackTransfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_exec import ExecTransport
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.protocol import Transfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import METHODS
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.unit.cache.repository.driver import HeldDirectory

UPSTREAMS = ("one", "two", "three")


@contextmanager
def local_upstreams() -> Iterator[None]:
    """Our git may read upstreams that are directories, as long as this is open: a server would take most of the time."""
    before = our_git.OUR_CONFIG
    our_git.OUR_CONFIG = {**before, "protocol.file.allow": "always", "core.fsync": "none"}
    try:
        yield
    finally:
        our_git.OUR_CONFIG = before


@dataclass
class Claim:
    """One claim: who it is, what is written on it, and the directory of its volume."""

    directory: Path
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)
    annotation: str = ""

    @property
    def record(self) -> Record | None:
        return parse(self.annotation, self.uid, f"volume-{self.uid}")


class LocalSource:
    """Finished packs of a kept clone; see ``cache.transfer.finished_packs.PackSource``."""

    def __init__(self, mirror: Mirror, project: Project) -> None:
        self._mirror = mirror
        self._project = project

    def ready(self, snapshot: Snapshot, deadline: Deadline) -> PackMaker:
        self._mirror.fetch(self._project, snapshot, deadline)
        return self._mirror.maker()

    def maker(self, snapshot: Snapshot) -> PackMaker:
        return self._mirror.maker()

    def lost(self) -> None:
        return


@dataclass(frozen=True)
class Told:
    """A run: what check mode said it would do, and what it did."""

    plan: Plan
    results: tuple[PairResult, ...]

    @property
    def changed(self) -> list[str]:
        return [
            f"{volume.volume}/{project.project}: {project.action.value} {project.warnings}"
            for result in self.results
            for volume in (result.sandbox, result.worker)
            for project in volume.projects
            if project.changed
        ]

    @property
    def failed(self) -> dict[str, str]:
        return {
            f"{result.pair.name}/{volume.volume.role.value}/{project.project}": f"{project.error} {project.remedy}"
            for result in self.results
            for volume in (result.sandbox, result.worker)
            for project in volume.projects
            if project.failed
        }


class World:
    """Everything that there is. Is its own ``cache.rollout.volume_access.VolumeAccess``."""

    def __init__(self, directory: Path, start: Path, pairs: int) -> None:
        self.directory = directory
        # By one name in each year of a process: what was filled once, with this URL in its records, begins many years.
        self.upstreams = start / f"live-{os.getpid()}"
        shutil.copytree(start / "upstreams", directory / "upstreams")
        self.upstreams.unlink(missing_ok=True)
        self.upstreams.symlink_to(directory / "upstreams")
        self.claims: dict[Volume, Claim] = {}
        self.pairs: list[Pair] = []
        for number in range(pairs):
            pair = Pair(
                Volume("work", f"worker-{number}", Role.WORKER, f"w{number}"),
                Volume("sand", f"sandbox-{number}", Role.SANDBOX, f"w{number}"),
            )
            self.pairs.append(pair)
            for volume in pair.volumes:
                self.claims[volume] = self.new_claim()
        self.projects: dict[str, Project] = {name: self.project(name) for name in UPSTREAMS[:2]}
        self.compaction = CompactionOptions(Compact.ALWAYS)
        self.now = datetime(2026, 1, 1, tzinfo=timezone.utc)
        self._runs = 0
        filled = start / f"filled-{pairs}"
        if filled.exists():
            shutil.copytree(filled / "volumes", directory / "volumes", symlinks=True, dirs_exist_ok=True)
            shutil.copytree(filled / "mirrors", directory / "mirrors", symlinks=True)
            for volume, (uid, name, annotation) in zip(self.claims, json.loads((filled / "claims").read_text()), strict=True):
                shutil.rmtree(self.claims[volume].directory)
                text = annotation.replace("live-of-the-start", self.upstreams.name)
                self.claims[volume] = Claim(directory / "volumes" / name, uid, text)

    def save(self, start: Path) -> None:
        """Many worlds begin as this one is now."""
        filled = start / f"filled-{len(self.pairs)}"
        self.directory.rename(filled)
        claims = [
            (claim.uid, claim.directory.name, claim.annotation.replace(self.upstreams.name, "live-of-the-start"))
            for claim in self.claims.values()
        ]
        (filled / "claims").write_text(json.dumps(claims))

    def new_claim(self) -> Claim:
        """A claim with an empty volume."""
        made = Claim(self.directory / "volumes" / uuid.uuid4().hex)
        made.directory.mkdir(parents=True)
        return made

    def project(self, upstream: str, name: str = "") -> Project:
        """A project of one of the upstreams."""
        return Project(name or upstream, f"file://{self.upstreams}/{upstream}.git")

    def snapshot(self, project: Project) -> Snapshot:
        """Return what upstream has, as ``upstream.read_snapshot`` reads it."""
        path = Path(project.url.removeprefix("file://"))
        if not path.exists():  # read before it was gone: what the run meets then is a fetch that fails
            path = path.with_suffix(".gone")
        head = (path / "HEAD").read_text().strip().removeprefix("ref: ")
        refs = {name: value for name, value in make.refs(path).items() if matches(project.refs, name)}
        return Snapshot(tuple(sorted(Ref(name, value) for name, value in refs.items())), head if head in refs else "")

    def run(self, verify: bool = False, dry: bool = False) -> Told:
        """One run of the listed projects, or with ``dry`` only its plan."""
        projects = tuple(self.projects.values())
        snapshots = {project.name: self.snapshot(project) for project in projects}
        records: Mapping[Volume, Record | None] = {volume: claim.record for volume, claim in self.claims.items()}
        plan = make_plan(Wanted(State.PRESENT, projects, snapshots, METHODS, self.now, verify, self.compaction), tuple(self.pairs), records)
        if dry or not plan.changes:
            return Told(plan, ())
        self._runs += 1
        scratch = self.directory / f"scratch-{self._runs}"
        scratch.mkdir()
        mirrors = {
            project.name: Mirror(
                LocalShell(), str(self.directory / "mirrors" / Path(project.url).name), str(scratch / "packs" / project.name), "", None
            )
            for project in projects
        }

        def transfer(step: Step) -> Transfer:
            if step.method is GIT:
                return GitTransfer(step.project.url)
            return PackTransfer(step.method, LocalSource(mirrors[step.project.name], step.project), ExecTransport(LocalShell()))

        shared = Snapshots(snapshots, self.snapshot)
        options = Options(timeout=300, max_hold=300, verify=verify, scratch=scratch, compaction=self.compaction, now=lambda: self.now)
        busy = replace(plan, pairs=tuple(pair for pair in plan.pairs if not pair.idle))
        try:
            return Told(plan, roll_out(busy, self, shared, transfer, options, 2, lambda _progress: None, threading.Event()))
        finally:
            shutil.rmtree(scratch)

    def prepare(self, volume: Volume, deadline: Deadline) -> None:
        deadline.left()

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        deadline.left()
        scratch = self.directory / f"filler-{volume.claim}"
        try:
            yield HeldDirectory(self.claims[volume].directory, scratch, LocalShell(), shared=volume.role is Role.WORKER)  # a worker's has a running pod
        finally:
            self.record(volume, news, deadline)
        shutil.rmtree(scratch, ignore_errors=True)

    def capacity(self, volume: Volume) -> int:
        return 0

    def recorded(self, volume: Volume) -> Record | None:
        return self.claims[volume].record

    def read_again(self, volume: Volume, deadline: Deadline) -> None:
        deadline.left()

    def record(self, volume: Volume, change: Change, deadline: Deadline) -> None:
        claim = self.claims[volume]
        before = claim.record or Record(claim.uid, f"volume-{claim.uid}")
        if (after := change(before)) != before:
            claim.annotation = render(after)
