# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stuck pods, explained. The messages are the real cluster's own."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.diagnosis import Observed, judge
from ansible_collections.packit.deployment.plugins.module_utils.cluster.objects import Event, parse_pod


def pending(message: str) -> Any:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return parse_pod({"metadata": {"name": "p", "namespace": "ns"}, "spec": {}, "status": {"phase": "Pending", "conditions": [condition]}})


def container(state: dict[str, Any], phase: str = "Pending", **status: Any) -> Any:
    statuses = [{"name": "filler", "state": state}]
    spec = {"containers": [{"name": "filler", "image": "img:1", "resources": {"limits": {"memory": "256Mi"}}}]}
    return parse_pod(
        {"metadata": {"name": "p", "namespace": "ns"}, "spec": spec, "status": {"phase": phase, "containerStatuses": statuses, **status}}
    )


@pytest.mark.parametrize(
    ("message", "words", "remedy"),
    [
        ('0/2 nodes are available: persistentvolumeclaim "x" not found.', "A claim is missing.", "Create the claim"),
        ("0/2 nodes are available: 2 Insufficient memory.", "not enough room", "resources.requests in repository_cache_filler smaller"),
        ("0/2 nodes are available: 1 node(s) had untolerated taint {a: b}.", "A taint of the node", "tolerations"),
        ("0/2 nodes are available: 1 node(s) were unschedulable.", "cordoned", "Uncordon"),
        ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", "another zone", "node_selector"),
        ("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", "No node matches", "node_selector"),
        (
            "0/2 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
            "only one pod",
            "in_use: holder",
        ),
        ("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "not bound", "storage class"),
    ],
)
def test_unschedulable(message: str, words: str, remedy: str) -> None:
    found = judge(Observed(pending(message)))
    assert words in found.sentence
    assert message.rstrip(".") in found.sentence
    assert remedy in found.remedy


def test_an_image_that_cannot_be_pulled() -> None:
    found = judge(Observed(container({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}})))
    assert found.sentence.startswith("The image img:1 cannot be pulled (ImagePullBackOff)")
    assert found.fatal


def test_a_root_image() -> None:
    message = "container has runAsNonRoot and image will run as root (pod: x, container: filler)"
    found = judge(Observed(container({"waiting": {"reason": "CreateContainerConfigError", "message": message}})))
    assert "runs as root, which a filler must not" in found.sentence
    assert "pod_security_context: {runAsUser: …, fsGroup: …}" in found.remedy


def test_killed_for_memory_names_the_limit_to_raise() -> None:
    found = judge(Observed(container({"terminated": {"reason": "OOMKilled", "exitCode": 137}}, "Failed")))
    assert "its limit is 256Mi" in found.sentence
    assert found.remedy == "Raise resources.limits.memory in repository_cache_filler."


def test_its_own_last_words_are_shown() -> None:
    found = judge(Observed(container({"terminated": {"reason": "Error", "exitCode": 3}}, "Failed"), log="no heartbeat for 120 seconds"))
    assert found.sentence == "Pod ns/p ended with code 3: no heartbeat for 120 seconds."


@pytest.mark.parametrize(("reason", "words"), [("DeadlineExceeded", "active deadline"), ("Evicted", "was evicted")])
def test_ended_by_the_cluster(reason: str, words: str) -> None:
    assert words in judge(Observed(container({}, "Failed", reason=reason))).sentence


def test_a_volume_that_is_attached_elsewhere_is_busy() -> None:
    event = Event("Warning", "FailedAttachVolume", 'Multi-Attach error for volume "pv" Volume is already used by pod(s) x', 1, "")
    found = judge(Observed(container({}), [event]))
    assert found.busy and found.fatal


def test_what_could_not_be_looked_at_is_said() -> None:
    found = judge(Observed(container({}), blind=["its events could not be read (forbidden)"]))
    assert "Not looked at: its events could not be read (forbidden)" in found.sentence


def test_at_most_three_events_are_shown() -> None:
    events = [Event("Warning", "Failed", f"message {number}", 1, str(number)) for number in range(5)]
    sentence = judge(Observed(container({}), events)).sentence
    assert "message 4" in sentence and "message 2" in sentence and "message 1" not in sentence
