# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filler whose first process has died holds nothing: work in it ends then, and not when its time is over."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ConnectionLost, PodLost
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Object, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec import pod_shell as module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import ContainerAddress, PodShell
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.filler import why_ended
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import CONTAINER, LABEL
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND

STATUS: Object = {
    "phase": "Running",
    "containerStatuses": [{"name": CONTAINER, "state": {"terminated": {"reason": "Error", "exitCode": 2}}}],
}


def pod(status: Object) -> Object:
    labels = {LABEL: "filler"}
    return {
        "metadata": {"name": "filler", "namespace": "sand", "uid": "u", "labels": labels},
        "spec": {"containers": [{"name": CONTAINER}]},
        "status": status,
    }


class CutStream:
    """An exec that is cut in the middle of its work."""

    closed, broken, exit_code, outgoing = False, False, None, 0

    def write(self, data: bytes) -> None:
        return

    def exchange(self, _seconds: float, _others: object = ()) -> tuple[list[tuple[int, bytes]], bool, bool]:
        raise ConnectionLost("it was cut")

    def close(self) -> None:
        return


def test_work_in_a_pod_that_has_ended_ends_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_exec(*_words: object, **_options: object) -> CutStream:
        opened.append(1)
        return CutStream()

    monkeypatch.setattr(module, "open_exec", open_exec)
    client: Any = None
    shell = PodShell(
        client,
        ContainerAddress("sand", "filler", "u", "filler"),
        job_directory="/jobs",
        reconnect_seconds=BOUND,
        ended=lambda _deadline: why_ended(parse_pod(pod(STATUS))),
    )
    with (
        shell,
        pytest.raises(
            PodLost, match=r"Pod sand/filler has ended while work was done in it: its first process ended with code 2 \(Error\)\."
        ),
    ):
        shell.run(("true",), deadline=Deadline(BOUND, "a hold"))
    assert opened == [1]


def test_why_a_pod_has_ended() -> None:
    assert why_ended(parse_pod(pod({"phase": "Running"}))) == ""
    assert why_ended(parse_pod(pod({"phase": "Failed", "reason": "Evicted"}))) == "it is Failed, Evicted"
