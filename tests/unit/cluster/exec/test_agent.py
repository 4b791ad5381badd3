# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's script, with the shells that a pod may have."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.ours import POD_UID_VARIABLE, RUN_VARIABLE
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.agent import (
    OTHER_POD,
    Answer,
    Answers,
    OtherPod,
    message,
    run_message,
    served_argv,
    start_argv,
)
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.entrypoint import argv as pid1_argv
from ansible_collections.packit.deployment.plugins.module_utils.shell import OUTPUT_LIMIT
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.waiting import until

SHELLS = [name for name in ("dash", "bash") if shutil.which(name)]


class Agent:
    """The script behind pipes, as an exec gives it."""

    def __init__(self, shell: str, jobs: Path, environment: Mapping[str, str] | None = None) -> None:
        self.jobs = jobs
        words = start_argv(str(jobs), str(jobs.parent / "heartbeat"), "pod-1")
        self.process = subprocess.Popen(
            [shell, *words[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=environment
        )
        self.answers = Answers()

    def tell(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def answer(self) -> Answer:
        assert self.process.stdout is not None
        while select.select([self.process.stdout], [], [], BOUND)[0] and (data := self.process.stdout.read(65536)):
            for answer in self.answers.feed(data):
                return answer
        raise AssertionError("the agent has ended, or does not answer")

    def read_to_its_end(self) -> None:
        """Its connection ends; return when it has read all and has ended with what it started."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        while self.process.stdout.read(1000):  # open as long as one of its processes lives
            pass

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None and self.process.stderr is not None
        self.process.stdin.close()
        self.process.wait(BOUND)
        self.process.stdout.close()
        self.process.stderr.close()


def written(file: Path) -> str:
    """Return what a file says, once there is a whole line in it."""
    text = file.read_text() if file.exists() else ""
    return text.strip() if text.endswith("\n") else ""


def uptime() -> float:
    """The clock of heartbeats."""
    return float(Path("/proc/uptime").read_text().split()[0])


@pytest.fixture(params=SHELLS)
def agent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Agent]:
    made = Agent(request.param, tmp_path / "jobs")
    yield made
    made.close()


@pytest.mark.parametrize("word", ["", "two words", "$(id)", "'quoted'", "a\nb\n", "*", "-n", "\\t", "ünï", "tab\there", " edges "])
def test_words_arrive_as_they_were_sent(agent: Agent, word: str) -> None:
    agent.tell(run_message("1", ("printf", "%s", word), b""))
    answer = agent.answer()
    assert answer.completed is not None
    assert answer.completed.stdout.decode() == word


# The clock of the tests: a second of sleep ends when the test says so, by the file $OVER.
SLEEP = """#!/bin/sh
[ "$1" = 1 ] || exec REAL "$@"
until [ -e "$OVER" ]; do REAL 0.02; done
"""


def ended(process: str) -> bool:
    """Return whether a process is no more; one that nobody has waited for yet counts."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("shell", SHELLS)
def test_a_job_that_is_ended_is_asked_first_so_that_git_removes_its_locks(shell: str, tmp_path: Path) -> None:
    asked, over, sleep = tmp_path / "asked", tmp_path / "over", tmp_path / "bin/sleep"
    sleep.parent.mkdir()
    sleep.write_text(SLEEP.replace("REAL", str(shutil.which("sleep"))))
    sleep.chmod(0o755)
    agent = Agent(shell, tmp_path / "jobs", {**os.environ, "PATH": f"{sleep.parent}:{os.environ['PATH']}", "OVER": str(over)})
    try:
        script = f"trap 'touch {asked}; exit' TERM; echo $$ >{tmp_path}/one; while :; do sleep 0.1; done"
        agent.tell(run_message("1", ("sh", "-c", script), b""))
        stubborn = f"trap '' TERM; echo $$ >{tmp_path}/two; while :; do sleep 0.1; done"
        agent.tell(run_message("2", ("sh", "-c", stubborn), b""))
        processes = [until(partial(written, tmp_path / name), "both jobs to be there") for name in ("one", "two")]
        agent.tell(message("kill", "1") + message("kill", "2"))
        until(asked.exists, "the first to be asked")
        assert not ended(processes[1])
        over.touch()
        for process in processes:
            until(partial(ended, process), "both jobs to be made to end")
    finally:
        over.touch()
        agent.close()


SETSID = """#!/bin/sh
until [ -e "$OVER" ]; do sleep 0.02; done
exec REAL "$@"
"""


@pytest.mark.parametrize("by", ["its agent", "another agent"])
@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_job_that_is_ended_before_it_has_begun_never_begins(shell: str, forgotten: bool, by: str, tmp_path: Path) -> None:
    begun, over, setsid = tmp_path / "begun", tmp_path / "over", tmp_path / "bin/setsid"
    setsid.parent.mkdir()
    setsid.write_text(SETSID.replace("REAL", str(shutil.which("setsid"))))
    setsid.chmod(0o755)
    agent = Agent(shell, tmp_path / "jobs", {**os.environ, "PATH": f"{setsid.parent}:{os.environ['PATH']}", "OVER": str(over)})
    try:
        last = message("forget", "1") if forgotten else b""
        agent.tell(run_message("1", ("touch", str(begun)), b"") + message("wait", "2"))
        assert agent.answer().job == "2"  # all of that was read
        other = agent if by == "its agent" else Agent(shell, agent.jobs)
        other.tell(message("kill", "1") + last + message("wait", "3"))
        assert other.answer().job == "3"
        if other is not agent:
            other.close()
        over.touch()
        if not forgotten:
            completed = agent.answer().completed
            assert completed is not None and completed.returncode == 137
        agent.read_to_its_end()
        assert not begun.exists()
    finally:
        over.touch()
        agent.close()


def test_input_output_errors_and_the_exit_code_come_back(agent: Agent) -> None:
    data = bytes(range(256)) * 1000
    agent.tell(run_message("1", ("sh", "-c", "cat; echo trouble >&2; exit 7"), data))
    answer = agent.answer()
    assert answer.completed is not None
    assert (answer.completed.stdout, answer.completed.stderr, answer.completed.returncode) == (data, "trouble\n", 7)


def test_more_output_than_one_answer_may_have_stays_in_the_pod_and_its_size_is_told(agent: Agent) -> None:
    agent.tell(run_message("1", ("head", "-c", str(OUTPUT_LIMIT + 1), "/dev/zero"), b""))
    assert agent.answer() == Answer("1", None, OUTPUT_LIMIT + 1)
    agent.tell(message("forget", "1") + run_message("2", ("head", "-c", str(OUTPUT_LIMIT), "/dev/zero"), b""))
    answer = agent.answer()
    assert answer.completed is not None
    assert len(answer.completed.stdout) == OUTPUT_LIMIT


def test_a_job_goes_on_when_the_connection_is_cut_and_is_found_again(agent: Agent, tmp_path: Path) -> None:
    script = f"echo $$ >{tmp_path}/begun; until [ -e {tmp_path}/go ]; do sleep 0.02; done; echo once >>{tmp_path}/count; echo done"
    agent.tell(run_message("7", ("sh", "-c", script), b""))
    until(lambda: written(tmp_path / "begun"), "the job to begin")
    agent.process.kill()
    again = Agent("sh", agent.jobs)
    again.tell(message("wait", "7"))
    (tmp_path / "go").touch()
    answer = again.answer()
    again.close()
    assert answer.completed is not None
    assert answer.completed.stdout == b"done\n"
    assert (tmp_path / "count").read_text() == "once\n"


@pytest.fixture
def late(agent: Agent) -> Iterator[Agent]:
    """An agent that has not read yet what it was sent when its connection was cut: one that adds a line to `count`."""
    until(lambda: written(agent.jobs.parent / "heartbeat"), "the agent to begin")
    agent.process.send_signal(signal.SIGSTOP)
    try:
        agent.tell(counting(agent.jobs))
        yield agent
    finally:
        agent.process.send_signal(signal.SIGCONT)


def counting(jobs: Path) -> bytes:
    """The request of a job that adds a line to `count`, and ends once there is `go`."""
    count, go = jobs.parent / "count", jobs.parent / "go"
    return run_message("7", ("sh", "-c", f"echo once >>{count}; until [ -e {go} ]; do sleep 0.02; done; cat"), b"input")


def read_late(late: Agent) -> None:
    """Let the cut connection's agent go on, to its end."""
    late.process.send_signal(signal.SIGCONT)
    late.read_to_its_end()


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_job_that_was_sent_again_and_is_read_twice_is_done_once(late: Agent, forgotten: bool) -> None:
    again = Agent("sh", late.jobs)
    again.tell(message("wait", "7"))
    assert again.answer() == Answer("7", None)
    (late.jobs.parent / "go").touch()
    again.tell(counting(late.jobs))
    completed = again.answer().completed
    assert completed is not None and completed.stdout == b"input"
    if forgotten:
        again.tell(message("forget", "7") + message("wait", "8"))
        assert again.answer() == Answer("8", None)
    read_late(late)
    again.close()
    assert (late.jobs.parent / "count").read_text() == "once\n"


def test_a_job_that_another_agent_has_taken_first_is_answered_by_both(agent: Agent) -> None:
    agent.tell(counting(agent.jobs))
    until((agent.jobs / "7/out").exists, "the job to begin")
    again = Agent("sh", agent.jobs)
    again.tell(counting(agent.jobs))
    (agent.jobs.parent / "go").touch()
    answers = [each.answer().completed for each in (agent, again)]
    again.close()
    assert [answer and answer.stdout for answer in answers] == [b"input", b"input"]
    assert (agent.jobs.parent / "count").read_text() == "once\n"


def test_a_job_that_was_given_up_before_it_was_read_is_never_done(late: Agent) -> None:
    again = Agent("sh", late.jobs)
    again.tell(message("kill", "7") + message("forget", "7") + message("wait", "8"))
    assert again.answer() == Answer("8", None)
    (late.jobs.parent / "go").touch()
    read_late(late)
    again.close()
    assert not (late.jobs.parent / "count").exists()


def test_a_forgotten_job_leaves_nothing(agent: Agent) -> None:
    agent.tell(run_message("1", ("cat",), b"input"))
    agent.answer()
    agent.tell(message("forget", "1") + message("wait", "2"))
    agent.answer()
    assert [*agent.jobs.iterdir()] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_an_agent_whose_connection_has_ended_before_it_began_leaves_nothing(shell: str, tmp_path: Path) -> None:
    words = start_argv(str(tmp_path / "ours/jobs"), "", "uid")
    subprocess.run([shell, *words[1:]], stdin=subprocess.DEVNULL, timeout=BOUND, check=True)
    assert not (tmp_path / "ours").exists()


def test_a_job_that_was_cut_off_while_it_was_sent_is_unknown(agent: Agent) -> None:
    whole = run_message("9", ("cat",), b"x" * 100)
    agent.tell(whole[:-50])
    agent.close()
    again = Agent("sh", agent.jobs)
    again.tell(message("wait", "9"))
    assert again.answer() == Answer("9", None)
    again.tell(whole)
    answer = again.answer()
    again.close()
    assert answer.completed is not None
    assert answer.completed.stdout == b"x" * 100


CUT_OFF = {"input": run_message("9", ("cat",), b"x" * 10), "a word with a newline": run_message("9", ("echo", "one\ntwo"), b"")}


@pytest.mark.parametrize("request_", CUT_OFF.values(), ids=CUT_OFF)
@pytest.mark.parametrize("shell", SHELLS)
def test_wherever_a_request_is_cut_off_it_does_not_begin_and_leaves_no_file(shell: str, request_: bytes, tmp_path: Path) -> None:
    for length in range(1, len(request_)):
        agent = Agent(shell, tmp_path / "jobs")
        agent.tell(request_[:length])
        agent.close()
        assert [path for path in agent.jobs.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("word", ["\udcc3", "a\udce2\udc82", "a\n\udcc3"])
def test_a_word_may_end_within_a_character(shell: str, word: str, tmp_path: Path) -> None:
    agent = Agent(shell, tmp_path / "jobs", {**os.environ, "LC_ALL": "C.UTF-8"})
    agent.tell(run_message("1", ("printf", "%s", word), b""))
    completed = agent.answer().completed
    agent.close()
    assert completed is not None and completed.stdout == word.encode("utf-8", "surrogateescape")


def test_a_job_whose_exit_code_could_not_be_kept_has_not_succeeded(agent: Agent) -> None:
    """A full disk lets a file be made that has nothing in it."""
    agent.tell(run_message("1", ("sh", "-c", f"echo $$ >{agent.jobs.parent}/one; sleep 100"), b""))
    until(lambda: written(agent.jobs.parent / "one"), "the job to begin")
    again = Agent("sh", agent.jobs)
    (agent.jobs / "1/rc").touch()
    again.tell(message("wait", "1"))
    completed = again.answer().completed
    again.tell(message("kill", "1"))
    again.close()
    assert completed is not None and completed.returncode == 74
    assert completed.stderr == "error: the pod has no room left on its scratch, so how this process ended could not be kept"


def test_kill_ends_a_job_and_its_children(agent: Agent, tmp_path: Path) -> None:
    agent.tell(run_message("1", ("sh", "-c", f"sleep 100 & echo $! >{tmp_path}/child; wait"), b""))
    child = until(lambda: written(tmp_path / "child"), "the job's child")
    agent.tell(message("kill", "1"))
    answer = agent.answer()
    assert answer.completed is not None
    assert answer.completed.returncode == 137
    until(lambda: ended(child), "the job's child to end")


def test_a_beat_touches_the_heartbeat(agent: Agent) -> None:
    heartbeat = agent.jobs.parent / "heartbeat"
    first = float(until(lambda: written(heartbeat), "the first beat"))
    until(lambda: uptime() > first, "the clock to move")
    agent.tell(b"beat\n")
    agent.tell(run_message("1", ("true",), b""))
    agent.answer()
    assert float(heartbeat.read_text()) > first


@pytest.mark.parametrize("shell", SHELLS)
def test_a_filler_ends_itself_when_nobody_comes(shell: str, tmp_path: Path) -> None:
    words = pid1_argv(str(tmp_path / "heartbeat"), 100, 0)
    done = subprocess.run([shell, *words[1:]], capture_output=True, text=True, timeout=BOUND, check=False)
    assert done.returncode == 3
    assert "no controller came within 0 seconds" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_filler_ends_itself_when_the_heartbeat_stops(shell: str, tmp_path: Path) -> None:
    (tmp_path / "heartbeat").write_text(f"{uptime()}\n")
    words = pid1_argv(str(tmp_path / "heartbeat"), 1, 100)
    done = subprocess.run([shell, *words[1:]], capture_output=True, text=True, timeout=BOUND, check=False)
    assert done.returncode == 3
    assert "no heartbeat for 1 seconds" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_filler_ends_at_once_on_term(shell: str, tmp_path: Path) -> None:
    """Its pause has no end here."""
    pause = tmp_path / "bin/sleep"
    pause.parent.mkdir()
    pause.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pauses\nexec {shutil.which('sleep')} 100000\n")
    pause.chmod(0o755)
    environment = {**os.environ, "PATH": f"{pause.parent}:{os.environ['PATH']}"}
    words = pid1_argv(str(tmp_path / "heartbeat"), 100, 100)[1:]
    with subprocess.Popen([shell, *words], env=environment, start_new_session=True) as process:
        try:
            until(lambda: written(tmp_path / "pauses"), "the filler to pause")
            process.terminate()
            assert process.wait(BOUND) == 0
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("shell", SHELLS)
def test_an_agent_in_another_pod_says_whose_it_is_and_touches_nothing(shell: str, tmp_path: Path) -> None:
    other = Agent(shell, tmp_path / "jobs", {**os.environ, POD_UID_VARIABLE: "pod-2", RUN_VARIABLE: "run-b"})
    with pytest.raises(
        OtherPod, match=r"The pod is gone, and another one of run run-b has its name by now: this run was stopped, or cut off"
    ):
        other.answer()
    other.close()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_an_agent_in_the_pod_that_is_meant_says_first_whom_it_serves(shell: str, tmp_path: Path) -> None:
    agent = Agent(shell, tmp_path / "jobs", {**os.environ, POD_UID_VARIABLE: "pod-1", RUN_VARIABLE: "run-a"})
    assert agent.process.stdout is not None
    assert agent.process.stdout.readline() == b"ready run-a\n"
    agent.close()


def test_a_process_of_its_own_does_nothing_in_another_pod(tmp_path: Path) -> None:
    for uid, code, made in (("pod-2", OTHER_POD, False), ("pod-1", 0, True)):
        file = tmp_path / uid
        words = served_argv("pod-1", "/jobs", ("touch", str(file)))
        assert subprocess.run(words, env={**os.environ, POD_UID_VARIABLE: uid}, timeout=BOUND, check=False).returncode == code
        assert file.exists() is made
