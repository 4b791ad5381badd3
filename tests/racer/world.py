# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of volumes whose worker is ready, and tries: the sandbox's turn, with a stranger at a moment that a seed tells."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import steps
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.staged_project import (
    Work,
    publish_project,
    repository_on,
    stage_project,
)
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_git import GitTransfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_rsync import RSYNC
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.finished_packs import PackTransfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.from_worker import FromWorker
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_exec import ExecTransport
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.protocol import Transfer
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell

from ..bounds import BOUND
from ..repositories import make
from ..unit.cache.repository.driver import HeldDirectory, OwnClone, fill, project_of
from ..upstream.server import GitServer
from .hooks import HookedShell, Hooks
from .stranger import Stranger, victims

STAGES = ("first", "update", "verify", "mend", "replace", "rsync", "fetch", "removal")
LAYOUTS = ("bare", "bare", "bare", "non-bare")
LIMIT = 120.0
"""Seconds of a try, after which it hangs: far more than it needs, and than a few steps that stand still."""
STEP_SECONDS = 8.0
"""For a step that stands still."""
SANDBOX = Volume("s", "sandbox", Role.SANDBOX)


@dataclass(frozen=True)
class Try:
    """The outcome of one seed: what the stranger did, what the work said, and what must not be (empty: nothing)."""

    seed: int
    stage: str
    calls: int
    did: tuple[str, ...]
    error: str
    broken: str


class World:
    """An upstream that has moved since a pair was filled, and the worker's part of the next turn. A context manager."""

    def __init__(self, directory: Path) -> None:
        self._at = directory
        self._calls: dict[tuple[str, str], int] = {}

    def __enter__(self) -> World:
        upstream = self._at / "upstream"
        upstream.mkdir(parents=True)
        source = make.make(upstream / "one.git", commits=8, branches=("dev", "x/y"))
        with ExitStack() as opened:
            server = opened.enter_context(GitServer(upstream))
            self._project = project_of(server.url("one.git"))
            before = self._at / "before"
            before.mkdir()
            result = fill(before, self._project.url)
            assert not result.sandbox.failed and not result.worker.failed, result
            self._non_bare()
            make.commit(source, "main", 2)
            make.delete_branch(source, "x/y")
            make.git(source, "update-ref", "refs/heads/x", "refs/heads/main")
            deadline = Deadline(BOUND, "the racer's world")
            self._snapshot = read_snapshot(LocalShell(), self._project, deadline)
            work = self._work(GitTransfer(self._project.url), False)
            held = HeldDirectory(before / "worker", self._at / "scratch-worker", LocalShell())
            self._worker = stage_project(held, Volume("w", "worker", Role.WORKER), work, None, deadline)
            self._clone = OwnClone(self._at, self._project)
            self._clone.ready(self._snapshot, deadline)
            self._close = opened.pop_all().close
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _non_bare(self) -> None:
        """The same as people make it by hand."""
        source, made = self._at / "before/sandbox/one", self._at / "non-bare/one"
        made.mkdir(parents=True)
        shutil.copytree(source, made / ".git", symlinks=True)
        config = made / ".git/config"
        config.write_text(config.read_text().replace("bare = true", "bare = false"))

    def _work(self, transfer: Transfer, verify: bool) -> Work:
        scratch = self._at / "controller"
        scratch.mkdir(exist_ok=True)
        return Work(
            project=self._project,
            snapshot=self._snapshot,
            transfer=transfer,
            verify=verify,
            earlier=(),
            recorded=None,
            leftovers_age=3600.0,
            scratch=scratch,
            tell=lambda _phase, _line: None,
            suspect=lambda: None,
        )

    def undisturbed(self, stage: str, layout: str, shell: str) -> int:
        """Return how many programs a stage calls where nobody is there."""
        if (stage, layout) not in self._calls:
            with self._place(stage, layout) as place:
                done = self._run(place, stage, shell, (), None)
            assert not done.error, done
            self._calls[stage, layout] = done.calls
        return self._calls[stage, layout]

    def attempt(self, seed: int, shell: str) -> Try:
        """One try."""
        chance = random.Random(seed)
        stage, layout = chance.choice(STAGES), chance.choice(LAYOUTS)
        calls = self.undisturbed(stage, layout, shell)
        first = chance.randrange(1, calls + 1)
        moments = [first, first + chance.choice((1, 1, 2, 3, 5))] if chance.random() < 0.4 else [first]
        with self._place(stage, layout) as place:
            stranger = Stranger(place / "sandbox", place / "outside", chance, layout if stage != "first" else "bare")
            done = self._run(place, stage, shell, moments, stranger)
            return Try(seed, f"{stage}/{layout}", done.calls, tuple(stranger.does), done.error, done.broken)

    @contextmanager
    def _place(self, stage: str, layout: str) -> Iterator[Path]:
        place = self._at / "try"
        try:
            (place / "sandbox").mkdir(parents=True)
            if stage != "first":
                source = self._at / ("non-bare/one" if layout == "non-bare" else "before/sandbox/one")
                shutil.copytree(source, place / "sandbox/one", symlinks=True)
                git_dir = place / "sandbox/one" / (".git" if layout == "non-bare" else "")
                checkout = ["git", "-c", "safe.directory=*", "clone", "-q", "--no-checkout", f"--reference={git_dir}", f"file://{git_dir}"]
                subprocess.run([*checkout, str(place / "checkout")], check=True, capture_output=True, env=make.ENVIRONMENT, timeout=BOUND)
                for path in git_dir.glob("objects/pack/*"):
                    (place / "checkout/.git/objects/pack" / path.name).unlink(missing_ok=True)
                if stage == "mend":
                    (git_dir / "shallow").touch()
                if stage == "replace":
                    shutil.rmtree(git_dir / "refs")
                    shutil.rmtree(git_dir / "objects/pack")
            victims(place / "outside")
            yield place
        finally:
            for path in (place, *place.rglob("*")):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o700)
            shutil.rmtree(place)

    def _run(self, place: Path, stage: str, shell: str, moments: list[int] | tuple[()], stranger: Stranger | None) -> Try:
        before = tree(place / "outside")
        error = broken = ""
        deadline = Deadline(LIMIT, "a try")
        times = iter((False, True))

        def act(_moment: int) -> None:
            if stranger is not None:
                stranger.act(next(times))

        with Hooks(place / "hooks", moments, act) as hooks, mock.patch.object(steps, "SECONDS", STEP_SECONDS):
            hooked = HookedShell(hooks, shell)
            held = HeldDirectory(place / "sandbox", place / "scratch", hooked)
            try:
                self._turn(held, stage, hooked, deadline)
            except DeploymentError as failure:
                error = str(failure)
                if isinstance(failure, DeadlineExceeded):
                    broken = f"it took over {LIMIT:.0f} seconds: {failure}"
            except Exception as failure:  # noqa: BLE001  (that there is none is what is tried)
                error = broken = f"{type(failure).__name__}: {failure}"
        after = tree(place / "outside")
        if before != after:
            changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
            broken = f"changed outside: {changed[:5]}; {broken}"
        if (place / "sandbox/ran").exists() or (place / "ran").exists():
            broken = f"it ran; {broken}"
        if stage not in ("first", "mend", "replace", "removal") and (stranger is None or stranger.harmless):
            broken += _consumer(place / "checkout")
        return Try(0, stage, hooks.calls, (), error, broken)

    def _turn(self, held: HeldDirectory, stage: str, hooked: LocalShell, deadline: Deadline) -> None:
        if stage == "removal":
            repository_on(held, "one", 3600.0).remove(deadline)
            return
        transfer: Transfer
        if stage == "fetch":
            transfer = GitTransfer(self._project.url)
        elif stage == "rsync":
            transfer = PackTransfer(RSYNC, self._clone, ExecTransport(hooked))
        else:
            from_worker = FromWorker(self._worker.side, self._at / "from-worker", {})
            from_worker.prepare(self._snapshot, deadline, first=True)
            transfer = from_worker
        work = self._work(transfer, stage == "verify")
        staged = stage_project(held, SANDBOX, work, self._worker, deadline)
        publish_project(staged, self._worker, deadline)


def _consumer(checkout: Path) -> str:
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(checkout), "rev-list", "--objects", "--all", "--quiet"],
        capture_output=True, text=True, env=make.ENVIRONMENT, timeout=BOUND, check=False,
    )  # fmt: skip
    return f" a consumer is broken: {done.stderr.strip()[-200:]}" if done.returncode else ""


def tree(path: Path) -> dict[str, tuple[int, int, str]]:
    """Everything in a directory: mode, time of change, and content."""
    found = {}
    for file in sorted((path, *path.rglob("*"))):
        status = file.lstat()
        content = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        found[str(file.relative_to(path))] = (status.st_mode, int(status.st_mtime), content)
    return found
