# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that wait for a held volume, and the network that is opened for a run."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import contention
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.consumers import waits_elsewhere
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import LABEL, RUN
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.network_policy import policies
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND


def pod(node: str, phase: str = "Pending", claim: str = "c", scheduled: str = "", **meta: Any) -> Any:
    conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": scheduled}] if scheduled else []
    return parse_pod(
        {
            "metadata": {"name": "consumer", "namespace": "ns", **meta},
            "spec": {"nodeName": node, "containers": [], "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]},
            "status": {"phase": phase, "conditions": conditions},
        }
    )


@pytest.mark.parametrize(
    "waiting",
    [
        pod("n2"),
        pod(
            "",
            scheduled="0/2 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
        ),
    ],
)
def test_a_pod_that_cannot_start_beside_the_filler_is_made_way_for(waiting: Any) -> None:
    assert waits_elsewhere([waiting], "c", "n1") is waiting


@pytest.mark.parametrize(
    "other",
    [
        pod("n1"),  # the same node: it starts beside the filler
        pod("", scheduled="0/2 nodes are available: 2 Insufficient memory."),  # not for want of the volume
        pod("n2", phase="Running"),
        pod("n2", claim="another"),
        pod("n2", labels={LABEL: "filler"}),
        pod("n2", deletionTimestamp="2026-01-01T00:00:00Z"),
    ],
)
def test_others_are_not(other: Any) -> None:
    assert waits_elsewhere([other], "c", "n1") is None


def test_a_policy_opens_one_port_of_the_runs_seed_to_the_runs_fillers_and_nothing_else() -> None:
    (into_namespace, into), (out_namespace, out) = policies("run1", "work", "sand", 8730)
    assert (into_namespace, out_namespace) == ("work", "sand")
    assert into["spec"]["podSelector"] == {"matchLabels": {LABEL: "seed", RUN: "run1"}}
    (rule,) = into["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8730}]
    (peer,) = rule["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "sand"}
    assert {"key": RUN, "operator": "In", "values": ["run1"]} in peer["podSelector"]["matchExpressions"]
    (rule,) = out["spec"]["egress"]
    assert rule["to"][0]["podSelector"] == {"matchLabels": {LABEL: "seed", RUN: "run1"}}
    assert into["metadata"]["labels"][RUN] == out["metadata"]["labels"][RUN] == "run1"


def test_a_lookout_that_has_ended_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contention, "_LOOK_EVERY", 0.01)
    told: queue.Queue[str] = queue.Queue()
    with contention.watching_contention(None, pod("n1"), "c", told.put, lambda _pod: None) as wanted:  # type: ignore[arg-type]
        words = told.get(timeout=BOUND)
    assert words.startswith("Looking for pods that wait for it ended by an error that was not expected: AttributeError")
    assert not wanted.is_set()


class Events:
    """An API that knows events only."""

    def __init__(self, *told: tuple[str, str, str]) -> None:
        """``told``: reason, message and time of each."""
        self._told = told

    def list(self, kind: str, namespace: str, deadline: Deadline, fields: str = "") -> Sequence[Any]:
        assert (kind, fields) == ("Event", "involvedObject.uid=u1")
        return [{"type": "Normal", "reason": reason, "message": message, "lastTimestamp": at} for reason, message, at in self._told]


SCHEDULED = ("Scheduled", "Successfully assigned ns/consumer to n2", "2026-01-01T00:00:00.123456Z")
ATTACHED = ("SuccessfulAttachVolume", 'AttachVolume.Attach succeeded for volume "pv-1"', "2026-01-01T00:00:14Z")
STARTED = ("Started", "Started container sandbox", "2026-01-01T00:00:17.250000Z")


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ((SCHEDULED,), None),
        ((SCHEDULED, ("SuccessfulAttachVolume", 'AttachVolume.Attach succeeded for volume "pv-2"', "2026-01-01T00:00:03Z")), None),
        ((SCHEDULED, ATTACHED, STARTED), 14.0),
        ((SCHEDULED, STARTED), 17.0),  # a volume that is attached nowhere, as a local one
    ],
)
def test_how_long_a_pod_has_waited_is_what_its_events_say(told: tuple[tuple[str, str, str], ...], seconds: float | None) -> None:
    waiting = pod("n2", uid="u1", creationTimestamp="2026-01-01T00:00:00Z")
    assert contention.seconds_waited(Events(*told), waiting, "pv-1", Deadline(BOUND)) == seconds  # type: ignore[arg-type]
