# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that one thread closes while another waits for an answer: a seed that was lost is replaced like that."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.errors import ConnectionLost
from ansible_collections.packit.deployment.plugins.module_utils.cluster.link import AgentLink
from ansible_collections.packit.deployment.plugins.module_utils.cluster.shell import PodShell
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND


class SilentStream:
    """An exec whose other side never answers."""

    closed, broken, exit_code, outgoing = False, False, None, 0

    def write(self, data: bytes) -> None:
        return

    def exchange(self, seconds: float, _others: object = ()) -> tuple[list[tuple[int, bytes]], bool, bool]:
        time.sleep(min(seconds, 0.05))
        return [], False, False

    def close(self) -> None:
        return


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> PodShell:
    monkeypatch.setattr(PodShell, "_connect", lambda _self, _deadline: SilentStream())
    return PodShell(None, "ns", "pod", "uid", "container", job_directory="/jobs")  # type: ignore[arg-type]


def test_who_waits_is_told_at_once_that_the_connection_was_closed(shell: PodShell, monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[BaseException] = []
    waiting, wait_for_answer = threading.Event(), AgentLink.wait

    def told(link: AgentLink, seconds: float) -> Completed | None:
        waiting.set()
        return wait_for_answer(link, seconds)

    monkeypatch.setattr(AgentLink, "wait", told)

    def wait() -> None:
        try:
            shell.run(("true",), deadline=Deadline(BOUND, "a hold"))
        except BaseException as error:  # noqa: BLE001  (whatever it is, it is the result)
            caught.append(error)

    with shell:
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        assert waiting.wait(BOUND)
    thread.join(BOUND)
    assert [type(error) for error in caught] == [ConnectionLost]


def test_nothing_is_written_into_another_file_after_the_end(shell: PodShell, tmp_path: Path) -> None:
    with shell:
        pass
    files = [os.open(tmp_path / str(number), os.O_CREAT | os.O_RDWR) for number in range(8)]  # they get the pipe's numbers
    try:
        with pytest.raises(ConnectionLost):
            shell.run(("true",), deadline=Deadline(BOUND, "a hold"))
        shell._link.send(b"kill 1\n")
        assert [os.fstat(file).st_size for file in files] == [0] * 8
    finally:
        for file in files:
            os.close(file)
