# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's script, with the shells that a pod may have."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.agent import Answer, Answers, message, run_message, start_argv
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pid1 import argv as pid1_argv

SHELLS = [name for name in ("dash", "bash") if shutil.which(name)]


class Agent:
    """The script behind pipes, as an exec gives it."""

    def __init__(self, shell: str, jobs: Path) -> None:
        self.jobs = jobs
        words = start_argv(str(jobs), str(jobs.parent / "heartbeat"))
        self.process = subprocess.Popen(
            [shell, *words[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self.answers = Answers()

    def tell(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def answer(self) -> Answer:
        assert self.process.stdout is not None
        while data := self.process.stdout.read(65536):
            for answer in self.answers.feed(data):
                return answer
        raise AssertionError("the agent has ended")

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None and self.process.stderr is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.process.stderr.close()


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


def test_a_job_that_is_ended_is_asked_first_so_that_git_removes_its_locks(agent: Agent, tmp_path: Path) -> None:
    asked, survived = tmp_path / "asked", tmp_path / "survived"
    script = f"trap 'touch {asked}; exit' TERM; touch {tmp_path}/ready; while :; do sleep 0.1; done"
    agent.tell(run_message("1", ("sh", "-c", script), b""))
    stubborn = f"trap '' TERM; touch {tmp_path}/ready2; sleep 2.5; touch {survived}"
    agent.tell(run_message("2", ("sh", "-c", stubborn), b""))
    for _try in range(100):
        if (tmp_path / "ready").exists() and (tmp_path / "ready2").exists():
            break
        time.sleep(0.05)
    agent.tell(message("kill", "1") + message("kill", "2"))
    time.sleep(3)
    assert asked.exists()
    assert not survived.exists()


def test_input_output_errors_and_the_exit_code_come_back(agent: Agent) -> None:
    data = bytes(range(256)) * 1000
    agent.tell(run_message("1", ("sh", "-c", "cat; echo trouble >&2; exit 7"), data))
    answer = agent.answer()
    assert answer.completed is not None
    assert (answer.completed.stdout, answer.completed.stderr, answer.completed.returncode) == (data, "trouble\n", 7)


def test_a_job_goes_on_when_the_connection_is_cut_and_is_found_again(agent: Agent, tmp_path: Path) -> None:
    agent.tell(run_message("7", ("sh", "-c", f"sleep 1; echo once >>{tmp_path}/count; echo done"), b""))
    time.sleep(0.3)
    agent.process.kill()
    again = Agent("sh", agent.jobs)
    again.tell(message("wait", "7"))
    answer = again.answer()
    again.close()
    assert answer.completed is not None
    assert answer.completed.stdout == b"done\n"
    assert (tmp_path / "count").read_text() == "once\n"


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


def test_kill_ends_a_job_and_its_children(agent: Agent, tmp_path: Path) -> None:
    agent.tell(run_message("1", ("sh", "-c", f"sleep 100 & echo $! >{tmp_path}/child; wait"), b""))
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        time.sleep(0.02)
    agent.tell(message("kill", "1"))
    answer = agent.answer()
    assert answer.completed is not None
    assert answer.completed.returncode == 137
    child = (tmp_path / "child").read_text().strip()
    end = time.monotonic() + 5
    status = Path(f"/proc/{child}/status")
    while status.exists() and "zombie" not in status.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_beat_touches_the_heartbeat(agent: Agent) -> None:
    heartbeat = agent.jobs.parent / "heartbeat"
    while not heartbeat.exists():
        time.sleep(0.02)
    first = float(heartbeat.read_text())
    time.sleep(0.05)
    agent.tell(b"beat\n")
    agent.tell(run_message("1", ("true",), b""))
    agent.answer()
    assert float(heartbeat.read_text()) > first


@pytest.mark.parametrize("shell", SHELLS)
def test_a_filler_ends_itself_when_nobody_comes(shell: str, tmp_path: Path) -> None:
    words = pid1_argv(str(tmp_path / "heartbeat"), 100, 0)
    done = subprocess.run([shell, *words[1:]], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 3
    assert "no controller came within 0 seconds" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_filler_ends_itself_when_the_heartbeat_stops(shell: str, tmp_path: Path) -> None:
    (tmp_path / "heartbeat").write_text(Path("/proc/uptime").read_text().split()[0])
    words = pid1_argv(str(tmp_path / "heartbeat"), 1, 100)
    done = subprocess.run([shell, *words[1:]], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 3
    assert "no heartbeat for 1 seconds" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_filler_ends_at_once_on_term(shell: str, tmp_path: Path) -> None:
    process = subprocess.Popen([shell, *pid1_argv(str(tmp_path / "heartbeat"), 100, 100)[1:]])
    time.sleep(0.2)
    process.terminate()
    assert process.wait(2) == 0
