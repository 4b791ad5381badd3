# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work inside somebody else's container leaves nothing there: no file, and no process, however it ended."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError, ConnectionLost, PodLost
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.agent import message, run_message, served_argv
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import ContainerAddress
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import guest as module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.guest import end_visit, guest
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.unit.cluster.exec.test_agent import Agent, ended, written
from ansible_collections.packit.deployment.tests.waiting import until

POD = parse_pod({"metadata": {"name": "worker", "namespace": "ns", "uid": "u"}, "spec": {"containers": []}, "status": {}})


class Container:
    """A container that is a directory of this machine, but for the agent."""

    where = "pod ns/worker"
    failure: Exception | None = None

    def __init__(self, *_arguments: object, job_directory: str, stop: threading.Event, **_options: object) -> None:
        self.jobs = Path(job_directory)
        self.stop = stop

    def __enter__(self) -> Container:
        self.jobs.mkdir(parents=True)
        return self

    def __exit__(self, *_error: object) -> None:
        return

    def run_apart(self, argv: Sequence[str], deadline: Deadline) -> Completed:
        if self.failure is not None:
            raise self.failure
        return LocalShell().run(argv, deadline=deadline)


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> type[Container]:
    class Own(Container):
        """Of this test alone."""

    monkeypatch.setattr(module, "PodShell", Own)
    return Own


@pytest.mark.usefixtures("container")
@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("error", [None, PlaceLost("the connection was lost"), KeyboardInterrupt()])
def test_no_file_of_ours_stays_whatever_ends_the_work(stopped: bool, error: BaseException | None) -> None:
    stop = threading.Event()
    places: list[Path] = []

    def work() -> None:
        with guest(None, POD, "c", stop) as visit:  # type: ignore[arg-type]
            places.append(Path(visit.scratch))
            (places[0] / "work/one").mkdir(parents=True)
            (places[0] / "work/one/gitconfig").write_text("[core]")
            if stopped:
                stop.set()
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work()
    assert not places[0].exists()


def test_what_is_ours_goes_also_where_the_lock_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    class Requiring(Container):
        """Asks before each command, as a pod's shell does."""

        def __init__(self, *arguments: object, require: Callable[[Deadline], None], **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._require = require

        def run_apart(self, argv: Sequence[str], deadline: Deadline) -> Completed:
            self._require(deadline)
            return super().run_apart(argv, deadline)

    def lost(_deadline: Deadline) -> None:
        raise PodLost("Claim ns/c is not this run's any more.")

    monkeypatch.setattr(module, "PodShell", Requiring)
    monkeypatch.setattr(module, "_require_container", lambda *_container: None)
    with guest(None, POD, "c", threading.Event(), require=lost) as visit:  # type: ignore[arg-type]
        place = Path(visit.scratch)
        (place / "work").mkdir(parents=True)
    assert not place.exists() and not visit.left


@pytest.mark.parametrize("deaf", ["", "trap '' TERM; "])
def test_no_process_of_ours_stays(tmp_path: Path, deaf: str) -> None:
    ours = tmp_path / "ours"
    agent = Agent("sh", ours / "jobs")
    agent.tell(run_message("1", ("sh", "-c", f"{deaf}echo $$ >{tmp_path}/child; while :; do sleep 0.1; done"), b""))
    job = until(lambda: written(ours / "jobs/1/pid"), "the job's number")
    child = until(lambda: written(tmp_path / "child"), "the job's child")
    agent.tell(message("wait", "1"))  # as after a reconnect: what waits for the job's end must end, too
    done = LocalShell().run(("sh", "-c", module.LEAVE, "leave", str(ours)), deadline=Deadline(BOUND, "this test"))
    assert done.returncode == 0, done.stderr
    assert not ours.exists()
    until(lambda: ended(job) and ended(child), "the end of the job and its child")
    assert agent.process.stdin is not None and agent.process.stdout is not None
    agent.process.stdin.close()
    while agent.process.stdout.read(1000):  # open as long as one of them lives
        pass
    agent.close()


def test_no_process_stays_that_was_started_beside_the_jobs(tmp_path: Path) -> None:
    """Packs come by an exec of their own, an rsync's server for example: nothing in its words leads to us, and its connection may be cut."""
    ours = tmp_path / "ours"
    script = f"setsid sh -c 'echo $$ >{tmp_path}/two; exec sleep 600' & echo $$ >{tmp_path}/one; exec sleep 600"
    with subprocess.Popen(served_argv("uid", f"{ours}/jobs", ("sh", "-c", script)), start_new_session=True) as process:
        try:
            both = [until(partial(written, tmp_path / name), "both to be there") for name in ("one", "two")]
            leave = served_argv("uid", f"{ours}/jobs", ("sh", "-c", module.LEAVE, "leave", str(ours)))
            done = LocalShell().run(leave, deadline=Deadline(BOUND, "this test"))
            assert done.returncode == 0, done.stderr
            for number in both:
                until(partial(ended, number), "the end of both")
        finally:
            process.kill()


def test_what_the_stranger_wrote_in_its_place_harms_nobody(tmp_path: Path) -> None:
    ours, his = tmp_path / "ours", tmp_path / "his"
    his.mkdir()
    (his / "file").write_text("his")
    for name, words in (("1", "-1"), ("2", "$(touch /tmp/never)"), ("3", "")):
        (ours / "jobs" / name).mkdir(parents=True)
        (ours / "jobs" / name / "pid").write_text(words)
    (ours / "jobs/4").symlink_to(his)
    (ours / "link").symlink_to(his)
    done = LocalShell().run(("sh", "-c", module.LEAVE, "leave", str(ours)), deadline=Deadline(BOUND, "this test"))
    assert done.returncode == 0, done.stderr
    assert not ours.exists() and (his / "file").read_text() == "his"


@pytest.mark.parametrize(
    ("failure", "words"),
    [(PodLost("gone"), ""), (ClusterError("the API is away"), "in pod ns/worker could not be removed: the API is away")],
)
def test_what_could_not_be_removed_is_told_unless_it_is_gone(container: type[Container], failure: Exception, words: str) -> None:
    container.failure = failure
    with guest(None, POD, "c", threading.Event()) as visit:  # type: ignore[arg-type]
        pass
    assert words in visit.left and bool(visit.left) is bool(words)
    LocalShell().run(("rm", "-rf", "--", visit.scratch), deadline=Deadline(BOUND, "this test"))


def test_a_connection_that_is_always_cut_is_told_when_the_time_is_over(container: type[Container]) -> None:
    """As such, so that who ends a dead run's work can say whose it was."""
    container.failure = ConnectionLost("it was cut")
    with pytest.raises(ConnectionLost):
        end_visit(None, ContainerAddress("ns", "pod", "uid", "c"), "x", Deadline(0.5, "a hold"))  # type: ignore[arg-type]


def test_what_was_cut_off_while_it_was_removed_is_removed_all_the_same(container: type[Container], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    cut, remove = [ConnectionLost("The connection was lost.")] * 3, container.run_apart

    def run_apart(self: Container, argv: Sequence[str], deadline: Deadline) -> Completed:
        if cut:
            raise cut.pop()
        return remove(self, argv, deadline)

    monkeypatch.setattr(container, "run_apart", run_apart)
    with guest(None, POD, "c", threading.Event()) as visit:  # type: ignore[arg-type]
        place = Path(visit.scratch)
    assert not place.exists() and not visit.left
