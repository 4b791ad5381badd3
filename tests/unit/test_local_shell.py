# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes on this machine end with all that they have started."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell, require_program
from ansible_collections.packit.deployment.plugins.module_utils.shell import STDERR_LIMIT
from ansible_collections.packit.deployment.tests.bounds import BOUND


def test_what_a_killed_process_has_left_is_not_waited_for() -> None:
    """It has the same pipes: an rsync's remote shell, when the machine has no memory left."""
    done = LocalShell().run(("sh", "-c", "sleep 100000 & kill -9 $$"), deadline=Deadline(BOUND, "this test"))
    assert done.returncode == -9


BACKGROUND = "exec 5<&0; sleep 100000 <&5 & echo $! >pid; echo said >&2; echo out"
"""Ends at once, and leaves a process that has all of its pipes: an ssh that keeps a connection for later."""


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An own working directory; the process that is left there ends with the test."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    with suppress(ProcessLookupError):  # gone by itself, as nobody reads what it says
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_process_in_the_background_does_not_hold_one_that_has_ended(at: Path) -> None:
    done = LocalShell().run(("sh", "-c", BACKGROUND), deadline=Deadline(BOUND, "this test"), stdin=b"x" * 1_000_000)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", "said\n")
    os.kill(int((at / "pid").read_text()), 0)  # it lives: it is the user's own


@pytest.mark.parametrize("way", ["download", "upload"])
def test_nor_does_it_where_data_is_streamed(at: Path, way: str) -> None:
    file = at / "file"
    file.write_bytes(b"data")
    done = getattr(LocalShell(), way)(("sh", "-c", BACKGROUND), file, deadline=Deadline(BOUND, "this test"))
    assert (done.returncode, done.stderr) == (0, "said\n")


def test_a_process_in_the_background_that_never_stops_talking_does_not_hold_either(at: Path) -> None:
    script = "yes >&2 & echo $! >pid; echo out"
    done = LocalShell().run(("sh", "-c", script), deadline=Deadline(BOUND, "this test"))
    assert (done.returncode, done.stdout) == (0, b"out\n")


def test_all_that_a_process_said_is_read_however_much_and_all_that_it_wants_is_given() -> None:
    data = os.urandom(3_000_000)
    done = LocalShell().run(("sh", "-c", "cat; head -c 50000 /dev/zero >&2"), deadline=Deadline(BOUND, "this test"), stdin=data)
    assert done.stdout == data
    assert len(done.stderr) == STDERR_LIMIT
    assert LocalShell().run(("true",), deadline=Deadline(BOUND, "this test"), stdin=data).returncode == 0


def test_what_cannot_be_started_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "git").write_text("no program")
    with pytest.raises(DeploymentError, match=r"git cannot be started on this machine: Permission denied\."):
        LocalShell().run((str(tmp_path / "git"),), deadline=Deadline(BOUND, "this test"))


def test_what_ends_a_thread_that_reads_or_writes_ends_the_wait_in_words() -> None:
    def progress(_line: str) -> None:
        raise MemoryError

    with pytest.raises(DeploymentError, match="an error that was not expected: MemoryError"):
        LocalShell().run(("sh", "-c", "echo 1% >&2; trap '' PIPE; sleep 600"), deadline=Deadline(BOUND, "this test"), progress=progress)


def test_a_program_that_this_machine_lacks_is_this_machines_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require_program("sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeploymentError, match=r"^rsync is not installed on this machine, the controller\. Install rsync here"):
        require_program("rsync")
