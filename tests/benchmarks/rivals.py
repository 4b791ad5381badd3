# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what people do instead, each in a pod with the filler's own resources, and each until the data is on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubernetes import client, watch

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Pod, parse_claim
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.ours import SCRATCH
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import PodShell
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.filler import Filler
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import FillerSpec, Identity, Mount
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.overrides import PodOverrides
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from tests.clusters.base import PID1, SECURITY, USER
from tests.clusters.real import BINARIES, RealCluster

from .measure import timed

VOLUME = "/repository-cache"
_SEED = {"limits": {"cpu": "2", "memory": "768Mi"}}
_PORT = "9000"
_CLONE = 'git -c safe.directory="*" clone --quiet --mirror -- "$1" "$2" && sync -f "$2"'
# What comes on one connection goes into a file, and on disk; prints the seconds from the connection to then.
_RECEIVE = r"""
use IO::Socket::INET; use IO::Handle; use Time::HiRes "time";
my $l = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 1, ReuseAddr => 1) or die $!;
my $s = $l->accept or die $!; my $started = time;
open(my $file, ">", $ARGV[1]) or die $!;
while (sysread($s, my $data, 1 << 18)) { syswrite($file, $data) == length $data or die $! }
$file->sync or die $!; system("sync", $ARGV[2]);
printf "%.3f", time - $started;
"""
_SEND = r"""
use IO::Socket::INET;
my ($host, $port, @files) = @ARGV; my $s;
for (1 .. 100) { last if $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port); select(undef, undef, undef, 0.1) }
$s or die $!;
for (@files) { open(my $file, "<", $_) or die $!; while (sysread($file, my $data, 1 << 18)) { syswrite($s, $data) == length $data or die $! } }
"""


@dataclass(frozen=True)
class ReadyPod:
    """A pod that is Ready, its shell, and the seconds that its start took."""

    pod: Pod
    shell: PodShell
    attach: float


@dataclass(frozen=True)
class Place:
    """A volume and the cluster that it is on."""

    cluster: RealCluster
    namespace: str
    claim: str

    @property
    def path(self) -> Path:
        """The volume, as this machine sees it."""
        return self.cluster.volume_path(self.namespace, self.claim)


@contextmanager
def pod(cluster: RealCluster, namespace: str, claim: str = "", resources: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[ReadyPod]:
    """A pod as the fillers are, with a volume or without."""
    api, deadline = Client(cluster.api), Deadline(900, "a rival")
    uid = parse_claim(api.get("PersistentVolumeClaim", namespace, claim, deadline)).uid if claim else ""
    spec = FillerSpec(
        namespace,
        f"by-hand-{uid[:8] or 'source'}",
        Mount(claim, VOLUME) if claim else None,
        cluster.image,
        {"run": "by-hand"},
        overrides=PodOverrides(pull_policy="Never", resources=resources or {}),
        identity=Identity(False, {"runAsUser": USER, "fsGroup": USER}),
    )
    with Filler(api, spec, deadline) as filler, filler.shell() as shell:
        yield ReadyPod(filler.pod, shell, filler.attach)


@contextmanager
def bare_copier(cluster: RealCluster, namespace: str, files: list[Path]) -> Iterator[Callable[[Place], float]]:
    """A pod that has these files, with the seed pod's resources; and what copies them from there into a volume, in seconds.

    Bytes over one TCP connection between two pods: what the network and the disk themselves need.
    """
    deadline = Deadline(900, "the bare copy")
    with pod(cluster, namespace, resources=_SEED) as source:
        names = [f"{SCRATCH}/{path.name}" for path in files]
        for path, name in zip(files, names, strict=True):
            source.shell.upload(("sh", "-c", 'cat >"$1"', "put", name), path, deadline=deadline)

        def copy(place: Place) -> float:
            said: list[str] = []
            with pod(place.cluster, place.namespace, place.claim) as target:
                receive = ("perl", "-e", _RECEIVE, _PORT, f"{VOLUME}/bare", VOLUME)
                thread = threading.Thread(target=lambda: said.append(target.shell.run(receive, deadline=deadline).text()))
                thread.start()
                source.shell.run(("perl", "-e", _SEND, target.pod.address, _PORT, *names), deadline=deadline)
                thread.join()
            (place.path / "bare").unlink()
            return float(said[0])

        yield copy


def git_clone(place: Place, url: str) -> tuple[float, float]:
    """A pod, `git clone` in it, on disk, the pod gone: (the whole, the clone) in seconds."""
    deadline = Deadline(900, "by hand")
    started = time.monotonic()
    with pod(place.cluster, place.namespace, place.claim) as held:
        clone = timed(lambda: held.shell.run(("sh", "-c", _CLONE, "clone", url, f"{VOLUME}/one"), deadline=deadline))
    return time.monotonic() - started, clone


def kubectl_cp(place: Place, directory: Path) -> tuple[float, float]:
    """`kubectl cp` of a directory: (with the pod's start and end, alone) in seconds."""
    started = time.monotonic()
    with pod(place.cluster, place.namespace, place.claim) as held:
        name = held.pod.name
        target = f"{place.namespace}/{name}:{VOLUME}/theirs"
        alone = timed(lambda: _kubectl(place, "cp", str(directory), target), lambda: sync(place, name))
    return time.monotonic() - started, alone


def rsync_over_exec(place: Place, directory: Path, scratch: Path) -> float:
    """rsync with `kubectl exec` as its remote shell, without the pod's start and end."""
    with pod(place.cluster, place.namespace, place.claim) as held:
        return rsync_into(place, held.pod.name, directory, scratch)


def rsync_into(place: Place, name: str, directory: Path, scratch: Path) -> float:
    """The same, into a pod that is there."""
    shell = scratch / "rsh"
    words = f"{BINARIES / 'kubectl'} --kubeconfig={place.cluster.kubeconfig} -n {place.namespace} exec -i {name}"
    shell.write_text(f'#!/bin/sh\nshift\nexec {words} -- "$@"\n')
    shell.chmod(0o755)
    argv = ["rsync", "-s", "-r", f"--rsh={shell}", "--", f"{directory}/", f"pod:{VOLUME}/theirs"]
    return timed(lambda: subprocess.run(argv, check=True, capture_output=True), lambda: sync(place, name))


def k8s_cp(place: Place, directory: Path) -> float:
    """kubernetes.core.k8s_cp, without the pod's start and end and without ansible's own start."""
    with pod(place.cluster, place.namespace, place.claim) as held:
        arguments = {
            "namespace": place.namespace, "pod": held.pod.name, "state": "to_pod",
            "local_path": str(directory), "remote_path": f"{VOLUME}/theirs", "kubeconfig": str(place.cluster.kubeconfig),
        }  # fmt: skip
        alone = timed(lambda: _ansible("ansible.builtin.ping", {"data": "pong"}))
        return timed(lambda: _ansible("kubernetes.core.k8s_cp", arguments), lambda: sync(place, held.pod.name)) - alone


def bare_pod(place: Place) -> float:
    """A pod with the volume, by the API: created, Ready, deleted, gone. Seconds of the whole."""
    core = client.CoreV1Api(client.ApiClient(place.cluster.api.configuration))
    name, namespace = "by-hand-bare", place.namespace
    container = {
        "name": "bare",
        "image": place.cluster.image,
        "imagePullPolicy": "Never",
        "command": PID1,
        "securityContext": SECURITY,
        "volumeMounts": [{"name": "cache", "mountPath": VOLUME}],
    }
    spec = {
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsUser": USER, "fsGroup": USER},
        "containers": [container],
        "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": place.claim}}],
    }
    started = time.monotonic()
    version = core.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": spec}).metadata.resource_version
    changes = watch.Watch().stream(
        core.list_namespaced_pod, namespace, field_selector=f"metadata.name={name}", resource_version=version, timeout_seconds=60
    )
    asked = False
    for change in changes:
        conditions = change["object"].status.conditions or []
        if change["type"] == "DELETED":
            return time.monotonic() - started
        if not asked and any(item.type == "Ready" and item.status == "True" for item in conditions):
            core.delete_namespaced_pod(name, namespace)
            asked = True
    raise RuntimeError("the bare pod did not come, or did not go, within 60 seconds")


def filler_alone(place: Place) -> float:
    """Our filler, made and gone, nothing done in it."""
    started = time.monotonic()
    with pod(place.cluster, place.namespace, place.claim):
        pass
    return time.monotonic() - started


def _kubectl(place: Place, *words: str) -> None:
    argv = [str(BINARIES / "kubectl"), f"--kubeconfig={place.cluster.kubeconfig}", *words]
    subprocess.run(argv, check=True, capture_output=True, timeout=600)


def sync(place: Place, name: str) -> None:
    """Have what is on a volume written to its disk."""
    _kubectl(place, "exec", "-n", place.namespace, name, "--", "sync", "-f", VOLUME)


def _ansible(module: str, arguments: Mapping[str, str]) -> None:
    environment = {**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_LOCALHOST_WARNING": "false"}
    argv = [str(Path(sys.executable).parent / "ansible"), "localhost", "-m", module, "-a", json.dumps(dict(arguments))]
    subprocess.run(argv, check=True, capture_output=True, env=environment, timeout=600)
