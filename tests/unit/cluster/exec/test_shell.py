# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files into and out of a pod: whole, or an error that says whether the pod is to blame."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import PodLost, Unreachable
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec import pod_shell as module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.agent import OTHER_POD
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import ContainerAddress, PodShell
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import PlaceLost
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.unit.cluster.exec.test_rsync_peer import LocalExec


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> PodShell:
    monkeypatch.setattr(module, "open_exec", lambda *words, **_: LocalExec(words[4]))
    return PodShell(None, ContainerAddress("sand", "filler", "uid", "c"), job_directory="/tmp/jobs")  # type: ignore[arg-type]


def limit() -> Deadline:
    return Deadline(BOUND, "this test")


def test_a_file_that_cannot_be_had_is_told_in_the_programs_own_words(shell: PodShell, tmp_path: Path) -> None:
    done = shell.download(("sh", "-c", "echo no such file >&2; exit 3"), tmp_path / "to", deadline=limit())
    assert (done.returncode, done.stderr) == (3, "no such file\n")


def test_what_the_end_of_a_pod_kills_is_the_pods_loss_and_no_failure_of_the_program(
    shell: PodShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "from"
    source.write_bytes(b"x" * 100)
    monkeypatch.setattr(PodShell, "run", lambda *_words, **_options: None)  # the pod is there: something else has killed it
    for code in (137, OTHER_POD):  # a program may end with any code of its own
        assert shell.download(("sh", "-c", f"echo half; exit {code}"), tmp_path / "to", deadline=limit()).returncode == code

    def gone(*_words: object, deadline: Deadline) -> None:
        raise PodLost("The pod is gone.")

    monkeypatch.setattr(PodShell, "run", gone)
    with pytest.raises(PlaceLost, match="The pod is gone"):
        shell.download(("sh", "-c", "echo half; exit 137"), tmp_path / "to", deadline=limit())
    with pytest.raises(PlaceLost, match="The pod is gone"):
        shell.download(("sh", "-c", f"echo half; exit {OTHER_POD}"), tmp_path / "to", deadline=limit())
    with pytest.raises(PlaceLost, match="The pod is gone"):
        shell.upload(("sh", "-c", "cat >/dev/null; exit 137"), source, deadline=limit())


def test_a_process_of_its_own_waits_for_an_api_that_is_away(shell: PodShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """rsync's, a file's, and that of the last cleaning."""
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    away = [Unreachable("The API did not answer.")] * 10

    def open_exec(*words: object, **_: object) -> LocalExec:
        if away:
            raise away.pop()
        return LocalExec(words[4])  # type: ignore[arg-type]

    monkeypatch.setattr(module, "open_exec", open_exec)
    assert shell.run_apart(("sh", "-c", "exit 3"), limit()).returncode == 3
