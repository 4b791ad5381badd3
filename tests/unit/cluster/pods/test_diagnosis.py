# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stuck pods, explained. The messages are the real cluster's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Event, parse_claim, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.refusals import refused
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.diagnosis import Observed, judge, require_file_system
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.filler import is_left_behind


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
        (
            '0/2 nodes are available: persistentvolumeclaim "x" bound to non-existent persistentvolume "y".',
            "A claim is Lost: its volume is gone.",
            "make it again",
        ),
        ('0/2 nodes are available: persistentvolumeclaim "x" is being deleted.', "The claim is being deleted.", "Wait until it is gone"),
        ("0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.", "No volume fits", "persistent volume that fits"),
        ("0/2 nodes are available: 2 node(s) did not have enough free storage.", "The storage has no room", "Ask for less"),
        ("0/2 nodes are available: 1 node(s) exceed max volume count.", "as many volumes as it can have", "in_use: holder"),
        ("0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints.", "A rule of where pods may run", "not ours"),
        ("0/2 nodes are available: 1 node(s) had no available volume zone.", "another zone", "node_selector"),
        ("0/2 nodes are available: 2 node(s) had untolerated taint(s).", "A taint of the node", "tolerations"),
        (
            "0/2 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 1 node(s) had volume node affinity conflict.",
            "The node is not well",
            "kubectl describe node",
        ),
        ('0/2 nodes are available: persistentvolumeclaim "x" not found.', "A claim is missing.", "Create the claim"),
        ("0/2 nodes are available: 2 Insufficient memory.", "not enough room", "option `filler.resources.requests` smaller"),
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
    assert found.remedy == "Raise option `filler.resources.limits.memory`."


def test_its_own_last_words_are_shown() -> None:
    found = judge(Observed(container({"terminated": {"reason": "Error", "exitCode": 3}}, "Failed"), log="no heartbeat for 120 seconds"))
    assert found.sentence == "Pod ns/p ended with code 3: no heartbeat for 120 seconds."


def test_an_eviction_is_known_by_its_event_before_it_is_the_pods_state() -> None:
    event = Event("Warning", "Evicted", "The node was low on resource: memory. ", 1, "")
    ended = container({"terminated": {"reason": "Completed", "exitCode": 0}}, "Failed")
    found = judge(Observed(ended, [event], log="unable to retrieve container logs for containerd://33a8d655"))
    assert found.sentence == "Pod ns/p was evicted: The node was low on resource: memory."
    assert found.remedy == "Run again; raise option `filler.resources.requests` if it happens again."


@pytest.mark.parametrize(
    "message",
    [
        'Usage of EmptyDir volume "scratch" exceeds the limit "1Gi". ',
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
        'Container filler exceeded its local ephemeral storage limit "1Gi". ',
    ],
)
@pytest.mark.parametrize(
    ("purpose", "remedy"),
    [("seed", "Raise option `seed.size`, or name a claim (option `seed.claim`)."), ("filler", "Run again. If it happens again, look what writes")],
)
def test_a_pod_that_has_outgrown_its_own_limit_needs_another_limit_and_not_more_requests(message: str, purpose: str, remedy: str) -> None:
    pod = container({"terminated": {"reason": "Completed", "exitCode": 0}}, "Failed", reason="Evicted", message=message)
    found = judge(Observed(replace(pod, labels={"packit.dev/repository-cache-filler": purpose})))
    assert found.outgrown and found.remedy.startswith(remedy)


def test_a_node_that_has_no_disk_left_is_no_fault_of_the_pod() -> None:
    message = "The node was low on resource: ephemeral-storage. Container filler was using 3Gi, request is 1Gi. "
    found = judge(Observed(container({}, "Failed", reason="Evicted", message=message)))
    assert not found.outgrown and "raise option `filler.resources.requests`" in found.remedy


def test_what_the_kubelet_says_in_place_of_a_log_is_not_told_as_one() -> None:
    ended = container({"terminated": {"reason": "Completed", "exitCode": 0}}, "Failed")
    found = judge(Observed(ended, log="unable to retrieve container logs for containerd://33a8d655"))
    assert found.sentence == "Pod ns/p ended with code 0."


@pytest.mark.parametrize(("reason", "words"), [("DeadlineExceeded", "active deadline"), ("Evicted", "was evicted")])
def test_ended_by_the_cluster(reason: str, words: str) -> None:
    assert words in judge(Observed(container({}, "Failed", reason=reason))).sentence


def test_a_volume_that_is_attached_elsewhere_is_busy() -> None:
    event = Event("Warning", "FailedAttachVolume", 'Multi-Attach error for volume "pv" Volume is already used by pod(s) x', 1, "")
    found = judge(Observed(container({}), [event]))
    assert found.busy and found.fatal


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("FailedAttachVolume", "AttachVolume.Attach failed for volume pv: rpc error: code = NotFound", "The volume cannot be attached"),
        ("FailedAttachVolume", "device name /dev/xvdaa is already in use", "The volume cannot be attached"),
        ("FailedMount", "MountVolume.SetUp failed: wrong fs type", "The volume cannot be mounted"),
        ("VolumePermissionChangeInProgress", "is taking longer than expected", "The kubelet changes the group of all files"),
        ("FailedCreatePodSandBox", "failed to set up sandbox container: plugin type=cni failed", "The node cannot make the pod's network"),
    ],
)
def test_what_the_kubelet_tries_again_is_said_and_waited_for(reason: str, message: str, words: str) -> None:
    found = judge(Observed(container({}), [Event("Warning", reason, message, 1, "")]))
    assert found.sentence == f"{words}: {message}." or found.sentence.startswith(f"{words} ")
    assert message in found.sentence and not found.busy and not found.fatal and found.remedy


@pytest.mark.parametrize(
    "words",
    [
        "Volume is already exclusively attached to one node",
        "disk is in use by node b",
        "already attached to i-1",
        "Invalid volume: its current status is in-use",
        "disk is still attached to node b",
        "volume attachment is being deleted",
        "rpc error: code = FailedPrecondition desc = volume v is detaching on node b",
    ],
)
def test_a_storage_drivers_own_words_for_a_volume_that_another_node_has(words: str) -> None:
    found = judge(Observed(container({}), [Event("Warning", "FailedAttachVolume", words, 1, "")]))
    assert found.busy and found.sentence == f"The volume is attached to another node: {words}."


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 2 had volume node affinity conflict", "The node is not well"),
        ("1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 2 node(s) had untolerated taint {dedicated: x}", "A taint of the node"),
        ("1 node(s) had untolerated taint {dedicated: x}, 2 node(s) had untolerated taint {node.kubernetes.io/not-ready: }", "A taint of the node"),
    ],
)
def test_one_sick_node_among_others_hides_no_other_cause(message: str, words: str) -> None:
    found = judge(Observed(pending(f"0/3 nodes are available: {message}.")))
    assert words in found.sentence and found.fatal and not found.busy


def test_a_container_that_could_not_be_started_is_explained_by_the_runtimes_words() -> None:
    state = {"terminated": {"reason": "StartError", "exitCode": 128, "message": 'exec: "sh": executable file not found in $PATH'}}
    found = judge(Observed(container(state, "Failed")))
    assert found.sentence == 'The container filler of pod ns/p could not be started (StartError): exec: "sh": executable file not found in $PATH.'
    assert "option `image`" in found.remedy


def test_a_node_that_can_never_run_it_is_not_tried_again() -> None:
    found = judge(Observed(container({}, "Failed", reason="SupplementalGroupsPolicyNotSupported", message="Strict")))
    assert found.sentence == "The node cannot run Pod ns/p: SupplementalGroupsPolicyNotSupported Strict." and not found.busy


def test_what_could_not_be_looked_at_is_said() -> None:
    found = judge(Observed(container({}), blind=["its events could not be read (forbidden)"]))
    assert "Not looked at: its events could not be read (forbidden)" in found.sentence


def test_at_most_three_events_are_shown() -> None:
    events = [Event("Warning", "Failed", f"message {number}", 1, str(number)) for number in range(5)]
    sentence = judge(Observed(container({}), events)).sentence
    assert "message 4" in sentence and "message 2" in sentence and "message 1" not in sentence


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("Terminated", "Pod was terminated in response to imminent node shutdown.", "as its node is shut down"),
        ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 100", "The node did not take Pod ns/p: OutOfcpu"),
        ("UnexpectedAdmissionError", "Allocate failed", "The node did not take Pod ns/p"),
        ("Preempting", "Preempted in order to admit critical pod", "made room for a pod with a higher priority"),
    ],
)
def test_what_a_node_ends_is_no_want_of_memory_and_passes(reason: str, message: str, words: str) -> None:
    killed = {"terminated": {"reason": "Error", "exitCode": 137}}
    found = judge(Observed(container(killed, "Failed", reason=reason, message=message)))
    assert words in found.sentence and "memory" not in found.sentence
    assert found.busy  # it goes away, and comes again


def beside(name: str, state: dict[str, Any], init: bool = False, own: dict[str, Any] | None = None) -> Any:
    """A pod of ours with a container that somebody else put into it."""
    status = {"phase": "Pending", "containerStatuses": [{"name": "filler", "state": own or {"waiting": {"reason": "PodInitializing"}}}]}
    spec: dict[str, Any] = {"containers": [{"name": "filler", "image": "img:1"}]}
    spec["initContainers" if init else "containers"] = [
        *spec.get("initContainers" if init else "containers", []),
        {"name": name, "image": "mesh:1"},
    ]
    kind = "initContainerStatuses" if init else "containerStatuses"
    status[kind] = [*status.get(kind, []), {"name": name, "state": state}]
    labels = {"packit.dev/repository-cache-filler": "filler"}
    return parse_pod({"metadata": {"name": "p", "namespace": "ns", "labels": labels}, "spec": spec, "status": status})


def test_an_init_container_of_others_that_cannot_be_pulled_is_named() -> None:
    pod = beside("istio-init", {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}, init=True)
    found = judge(Observed(pod))
    assert found.sentence == (
        "The init container istio-init (image mesh:1), which is not ours, does not start (ImagePullBackOff): Back-off."
    )
    assert found.fatal and any(item.waiting == "ImagePullBackOff" for item in pod.needed)


def test_a_container_beside_ours_decides_nothing() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff"}}
    assert beside("proxy", waiting, own={"running": {}}).usable
    assert not any(item.waiting == "ImagePullBackOff" for item in beside("proxy", waiting).needed)
    ended = beside("proxy", {"running": {}}, own={"terminated": {"reason": "Completed", "exitCode": 0}})
    assert ended.ended and not ended.usable and is_left_behind(ended, datetime(2026, 1, 1, tzinfo=timezone.utc))
    assert not beside("proxy", {"terminated": {"exitCode": 1}}, own={"running": {}}).ended


@pytest.mark.parametrize(
    ("spec", "status", "words"),
    [
        ({"volumeMode": "Block"}, {"phase": "Bound"}, "is a block device"),
        ({"volumeName": "pv-1"}, {"phase": "Lost"}, "is Lost: the volume pv-1 that it was bound to is gone"),
    ],
)
def test_a_claim_that_no_filler_can_have_is_refused_by_itself(spec: dict[str, str], status: dict[str, str], words: str) -> None:
    claim = parse_claim({"metadata": {"name": "c", "namespace": "ns"}, "spec": spec, "status": status})
    with pytest.raises(ClusterError, match=words):
        require_file_system(claim)


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('pods "x" is forbidden: maximum memory usage per Container is 128Mi, but limit is 256Mi', "A LimitRange of the namespace"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot', "pod security level"),
        ('admission webhook "p" denied the request: no', "A policy of the cluster"),
        ('pods "x" is forbidden: failed quota: q: must specify limits.memory for: filler', "A quota of the namespace wants them given"),
        ('pods "x" is forbidden: error looking up service account ns/default: not found', "no such service account"),
        ("pods x is forbidden: pod node label selector conflicts with its namespace node label selector", "The namespace prescribes nodes"),
        ("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "A policy of the cluster"),
        ('pods "x" is forbidden: User "y" cannot create resource "pods"', "Grant the right"),
    ],
)
def test_what_admission_refuses_is_no_missing_right(message: str, remedy: str) -> None:
    assert remedy in refused(403, {"reason": "Forbidden", "message": message}, "create a pod", "host").remedy


def test_a_policy_that_refuses_with_another_status_is_told_as_well() -> None:
    message = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
    assert refused(422, {"reason": "Invalid", "message": message}, "create a pod", "host").remedy.startswith("A policy of the cluster")


def unplaced(reason: str, message: str, **claim: Any) -> Observed:
    """A filler that has no node, as its claim has no volume, with an event of the claim."""
    pod = parse_pod({"metadata": {"name": "p", "namespace": "ns"}, "spec": {}, "status": {"phase": "Pending"}})
    spec = {"dataSource": {"kind": "PersistentVolumeClaim", "name": "source"}, **claim}
    meta = {"name": "c", "namespace": "ns", "annotations": {"packit.dev/cloned-from": "source"}}
    event = Event("Warning", reason, message, 1, "2026-01-01T00:00:00Z")
    return Observed(pod, claim=parse_claim({"metadata": meta, "spec": spec}), claim_events=[event])


REFUSED = 'failed to provision volume with StorageClass "block": rpc error: code = Internal desc = clones are not made here'


def test_a_clone_that_the_storage_refuses_is_named_with_its_source() -> None:
    found = judge(unplaced("ProvisioningFailed", REFUSED))
    assert found.clone_refused and found.fatal
    assert found.sentence == f"The storage does not make claim c as a clone of source: {REFUSED}."
    assert found.remedy == "Delete the claim (kubectl delete pvc -n ns c), and run again."


@pytest.mark.parametrize(
    "observed",
    [
        unplaced("ProvisioningFailed", REFUSED.replace("Internal", "DeadlineExceeded")),
        unplaced("ProvisioningFailed", REFUSED, dataSource={}),
    ],
    ids=["may-go-on", "no-clone"],
)
def test_a_volume_that_is_not_made_is_waited_for_and_explained(observed: Observed) -> None:
    found = judge(observed)
    assert not found.clone_refused and not found.fatal
    assert found.sentence.startswith("The storage has not made the volume of claim c: failed to provision volume")


@pytest.mark.parametrize("observed", [unplaced("WaitForFirstConsumer", "waiting"), unplaced("ProvisioningFailed", REFUSED, volumeName="pv")])
def test_nothing_is_said_of_a_volume_that_is_there_or_about_to_be(observed: Observed) -> None:
    assert judge(observed).sentence == "Pod ns/p is Pending."
