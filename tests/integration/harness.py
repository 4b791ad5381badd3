# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts that a scenario is made of: namespaces with workers and sandboxes, an upstream, the playbook, and the rules that must hold."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer import registry
from tests.bounds import BOUND
from tests.clusters.base import LANE, LOCAL, SANDBOX_PREFIX, WORKER_TEMPLATE, TestCluster
from tests.clusters.embedded import EmbeddedTestCluster
from tests.clusters.real import RealCluster
from tests.consumers.packit import Packit
from tests.modules import role
from tests.modules.launcher import Call, Launcher
from tests.playbooks.launcher import Playbooks
from tests.repositories import make
from tests.upstream.server import GitServer
from tests.waiting import until

from .runs import ModuleRun, PlaybookRun, Run, Started

ROOT = Path(__file__).parents[2]
PLAYBOOK = ROOT / "playbooks" / "populate-cache.yml"
WORK, SAND = f"packit--test{LANE}", f"packit--test{LANE}-sandbox"
METHODS = tuple(method.name for method in registry.METHODS if not method.needs_path)
_FOR_MODULES = {"--check", "--diff"}


@dataclass
class Scene:
    """One scenario's world."""

    cluster: TestCluster
    server: GitServer
    directory: Path
    launcher: Launcher
    playbooks: Playbooks
    packit: Packit
    through_playbook: bool
    pods: list[str] = field(default_factory=list)
    kubeconfig: Path = Path()
    started: list[Started] = field(default_factory=list)

    @property
    def embedded(self) -> EmbeddedTestCluster:
        """The cluster, in a test that is marked ``embedded``."""
        assert isinstance(self.cluster, EmbeddedTestCluster)
        return self.cluster

    @property
    def real(self) -> RealCluster:
        """The cluster, in a test that is marked ``real``."""
        assert isinstance(self.cluster, RealCluster)
        return self.cluster

    def deploy(
        self,
        workers: int = 1,
        *,
        size: str = "1G",
        sandbox_size: str = "",
        sandbox_sizes: tuple[str, ...] = (),
        nodes: tuple[str, ...] = ("node1",),
        running: bool = True,
        roles: tuple[str, ...] = ("repository-cache",),
        storage_class: str = LOCAL,
    ) -> None:
        """Workers, their sandboxes' claims (of one size, or of one each), and somebody with exactly the documented rights."""
        self.cluster.namespace(WORK)
        self.cluster.namespace(SAND)
        self.pods = self.cluster.workers(WORK, replicas=workers, nodes=nodes, size=size, running=running, storage_class=storage_class)
        sizes = sandbox_sizes or (sandbox_size or size,) * workers
        for number, (pod, own_size) in enumerate(zip(self.pods, sizes, strict=True)):
            self.cluster.sandboxes(SAND, [pod], size=own_size, nodes=[nodes[number % len(nodes)]], storage_class=storage_class)
        self.kubeconfig = self.cluster.deployer([WORK, SAND], self.directory, roles=roles)

    def repository(self, name: str = "one", **settings: Any) -> Path:
        """An upstream repository."""
        return make.make(self.server.root / f"{name}.git", **settings)

    def url(self, name: str = "one") -> str:
        """Its URL."""
        return self.server.url(f"{name}.git")

    def variables(self, *names: str, **more: Any) -> dict[str, Any]:
        """The playbook's variables for these projects; by method git unless ``method`` says otherwise."""
        return {
            "repository_cache_projects": [{"url": self.url(name)} for name in names or ("one",)],
            "repository_cache_worker_namespace": WORK,
            "repository_cache_sandbox_namespace": SAND,
            "repository_cache_image": self.cluster.image,
            "repository_cache_method": more.pop("method", "git"),
            "repository_cache_filler": {"pull_policy": "IfNotPresent", **more.pop("filler", {})},
            # A test that holds upstream back waits for a fact. However busy the machine is, the run does not give up before that.
            "repository_cache_stall_timeout": int(2 * BOUND),
            **{f"repository_cache_{key}": value for key, value in more.items()},
        }

    def start(
        self,
        *names: str,
        arguments: tuple[str, ...] = (),
        variables: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        stderr: int | None = None,
        **more: Any,
    ) -> Started:
        """Start the main job: the playbook in a test that is marked so, else the modules that the playbook's role would call.

        ``arguments`` are of ansible-playbook's command line. Without the playbook only those in ``_FOR_MODULES`` mean anything.
        """
        given = variables if variables is not None else self.variables(*names, **more)
        if self.through_playbook:
            shown = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", **(environment or {})}
            return self.start_playbook(PLAYBOOK, "-e", self.write_variables(given), "-vv", *arguments, environment=shown, stderr=stderr)
        assert {*arguments} <= _FOR_MODULES and stderr is None, "only a test that is marked `playbook` can ask for that"
        return self._start_modules(role.calls(given), environment, check="--check" in arguments, diff="--diff" in arguments)

    def _start_modules(self, calls: list[Call], environment: Mapping[str, str] | None = None, *, check: bool, diff: bool) -> ModuleRun:
        progress = Path(tempfile.mkdtemp(dir=self.directory)) / "progress"
        watched = [
            replace(call, arguments={**call.arguments, "progress_file": str(progress)}) if call.module == "repository_cache" else call
            for call in calls
        ]
        process = self.launcher.start(watched, self.directory, self._environment(environment or {}), check=check, diff=diff)
        run = ModuleRun(process, progress)
        self.started.append(run)
        return run

    def _environment(self, more: Mapping[str, str | None]) -> dict[str, str]:
        """Return ours with this scenario's cluster, and with no other that whoever runs the tests may have named."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("K8S_AUTH_")}
        settings = {**ours, "K8S_AUTH_KUBECONFIG": str(self.kubeconfig), **more}
        return {name: value for name, value in settings.items() if value is not None}

    def start_playbook(
        self, path: Path | str, *arguments: str, environment: Mapping[str, str | None] | None = None, stderr: int | None = None
    ) -> PlaybookRun:
        """Start a playbook as a user would, on this scenario's cluster; a variable of the environment that is None is not set.

        ``stderr``: an open file's number, where standard error is to go.
        """
        shown = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}
        settings = self._environment({**shown, **(environment or {})})
        apart = None if stderr is None else Path(f"/proc/{os.getpid()}/fd/{stderr}")
        run = PlaybookRun(self.playbooks.start([str(path), *arguments], self.directory, settings, apart))
        self.started.append(run)
        return run

    def play(self, tasks: list[dict[str, Any]], *arguments: str, **variables: Any) -> Run:
        """Run a playbook of a deployment's with these tasks and variables to its end."""
        path = Path(tempfile.mkdtemp(dir=self.directory)) / "play.yml"
        path.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]))
        return self.start_playbook(path, *arguments).finish()

    def write_variables(self, variables: dict[str, Any]) -> str:
        """Write a play's extra variables to a file; return the argument that names it."""
        path = Path(tempfile.mkdtemp(dir=self.directory)) / "vars.yml"
        path.write_text(yaml.safe_dump(variables))
        return f"@{path}"

    def run(self, *names: str, **more: Any) -> Run:
        """Run the main job to its end."""
        return self.start(*names, **more).finish()

    def module(self, name: str, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run one module; return its answer, and as ``printed`` what a person reads of it, in one line."""
        run = self._start_modules([Call(name, arguments)], check=check, diff=True)
        printed, answers = run.finish().text, run.answers()
        assert answers, printed
        return {**answers[0], "printed": printed}

    def succeed(self, *names: str, **more: Any) -> Run:
        """Run it; it must not fail."""
        done = self.run(*names, **more)
        assert done.code == 0, done.story
        return done

    def worker(self, number: int = 0) -> Path:
        """A worker's volume."""
        return self.cluster.volume_path(WORK, self.worker_claim(number))

    def sandbox(self, number: int = 0) -> Path:
        """A sandbox's volume."""
        return self.cluster.volume_path(SAND, self.sandbox_claim(number))

    def worker_claim(self, number: int = 0) -> str:
        """Its claim."""
        return f"{WORKER_TEMPLATE}-{self.pods[number]}"

    def sandbox_claim(self, number: int = 0) -> str:
        """Its claim."""
        return f"{SANDBOX_PREFIX}{self.pods[number]}"

    def fillers(self) -> list[str]:
        """Our pods."""
        return self.cluster.fillers(WORK, SAND)

    def sweep(self, *names: str, **more: Any) -> None:
        """Wait until what a killed run has left has ended, as nobody beats its heart, and have the next run remove it."""
        until(lambda: not any(map(self.cluster.counted_by_quota, (WORK, SAND))), "the end of the killed run's pods")
        self.succeed(*names, **more)

    def check(self, *names: str, volumes: int | None = None) -> None:
        """The rules: no pod is left; packit clones from each worker's volume; its checkout is whole with the sandbox's
        volume behind it; the sandbox's objects include the worker's; nothing else lies in the root."""
        for number in range(len(self.pods) if volumes is None else volumes):
            self.check_pair(number, *names)

    def check_pair(self, number: int, *names: str) -> None:
        """The same rules, of one pair."""
        assert self.fillers() == []
        worker, sandbox = self.worker(number), self.sandbox(number)
        for volume in (worker, sandbox):
            assert not [path.name for path in volume.iterdir() if path.name.startswith(".packit")]
        for name in names or ("one",):
            assert objects(worker / name) <= objects(sandbox / name)
            checkout = self.directory / f"checkout-{number}-{name}-{time.monotonic_ns()}" / "code"
            checkout.parent.mkdir()
            self.packit.clone(worker, self.url(name), checkout)
            self.packit.check_in_sandbox(sandbox, checkout)


def own(entry: Path, volume: Path) -> None:
    """As if a consumer's user had made it: the fillers' user may write there."""
    if os.geteuid() == 0:
        group = volume.stat().st_gid
        for path in (entry, *entry.rglob("*")):
            if not path.is_symlink():
                os.chown(path, 1000, group)
                path.chmod(path.stat().st_mode | (0o070 if path.is_dir() else 0o060))


def objects(entry: Path) -> set[str]:
    """Every object id in a cache's entry, reachable or not."""
    git_dir = entry / ".git" if (entry / ".git" / "HEAD").exists() else entry
    listed = make.git(git_dir, "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)")
    return set(listed.split())


def entry_refs(entry: Path) -> dict[str, str]:
    """All refs of a cache's entry."""
    return dict(make.refs(entry))
