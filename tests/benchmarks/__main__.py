# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make benchmark`: ours against what people do by hand, on the real cluster, and the idle run on the embedded one.

Every time ends when the data is on disk. Prints a Markdown table; no figure is a test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from ansible_collections.packit.deployment.plugins.module_utils.cluster.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.cluster.filler import Filler
from ansible_collections.packit.deployment.plugins.module_utils.cluster.manifest import FillerSpec, Identity, Mount, Wishes
from ansible_collections.packit.deployment.plugins.module_utils.cluster.objects import parse_claim
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from tests.clusters.base import TestCluster
from tests.clusters.embedded import EmbeddedTestCluster
from tests.clusters.real import RealCluster
from tests.integration.harness import SAND, WORK, Run, Scene, _result
from tests.repositories import make
from tests.upstream.server import GitServer

MEGABYTES = 110
VOLUMES = 8
RUNS = 3
ROWS: list[tuple[str, str, str]] = []


def say(figure: str, value: str, goal: str) -> None:
    """A row of the table."""
    ROWS.append((figure, value, goal))
    print(f"   {figure}: {value} (goal {goal})", flush=True)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def watched(scene: Scene, **more: object) -> tuple[Run, float, float]:
    """A playbook: its result, its seconds, and the largest process of its tree in MB."""
    process = scene.start(**more)  # type: ignore[arg-type]
    largest = [0.0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            largest[0] = max([largest[0], *(_resident(number) for number in _tree(process.pid))])

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    output, _nothing = process.communicate(timeout=1800)
    seconds = time.monotonic() - started
    done.set()
    watcher.join()
    run = Run(process.returncode, output, _result(output))
    if run.code:
        raise RuntimeError(output[-4000:])
    return run, seconds, largest[0]


def _tree(root: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.split("\n")
    pairs = [tuple(map(int, line.split())) for line in listed if line.strip()]
    found, pending = [], [root]
    while pending:
        current = pending.pop()
        found.append(current)
        pending += [pid for pid, parent in pairs if parent == current]
    return found


def _resident(process: int) -> float:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return 0.0


def by_hand(cluster: TestCluster, namespace: str, claim: str, url: str) -> tuple[float, float]:
    """What people do: a pod, `git clone` in it, on disk, the pod gone. (the whole, the clone) in seconds."""
    api, deadline = Client(cluster.api), Deadline(900, "by hand")
    uid = parse_claim(api.get("PersistentVolumeClaim", namespace, claim, deadline)).uid
    spec = FillerSpec(
        namespace,
        f"by-hand-{uid[:8]}",
        (Mount(claim, uid, "/repository-cache"),),
        cluster.image,
        {"run": "by hand"},
        wishes=Wishes(pull_policy="Never"),
        identity=Identity(False, {"runAsUser": 1000, "fsGroup": 1000}),
    )
    started = time.monotonic()
    with Filler(api, spec, deadline) as filler, filler.shell() as shell:
        script = 'git -c safe.directory="*" clone --quiet --mirror -- "$1" /repository-cache/one && sync -f /repository-cache'
        clone = timed(lambda: shell.run(("sh", "-c", script, "clone", url), deadline=deadline))
    return time.monotonic() - started, clone


def lock_and_eight(scene: Scene) -> None:
    """The lock of one volume, and eight volumes."""
    pairs = VOLUMES // 2
    scene.deploy(pairs)
    url = scene.url("one")
    locks, hands = [], []
    for _round in range(RUNS):
        hands.append(by_hand(scene.cluster, SAND, scene.sandbox_claim(0), url)[0])
        _empty(scene)
        run, _seconds, _memory = watched(scene, select="[?worker.pod=='packit-worker-0']")
        sandbox = next(volume for volume in run.result["volumes"] if volume["role"] == "sandbox")
        locks.append(sandbox["held_seconds"])
        _empty(scene)
    ratio = median(locks) / median(hands)
    say(f"lock of one volume, git: ours ÷ `git clone` by hand ({median(locks):.1f} s ÷ {median(hands):.1f} s)", f"{ratio:.2f}", "≤ 1.15")

    volumes = [(SAND, scene.sandbox_claim(number)) for number in range(pairs)] + [
        (WORK, scene.worker_claim(number)) for number in range(pairs)
    ]
    sequential = timed(lambda: [by_hand(scene.cluster, namespace, claim, url) for namespace, claim in volumes])
    _empty(scene)
    _run, ours, memory = watched(scene)
    say(f"{VOLUMES} volumes: by hand, one after the other ÷ ours ({sequential:.1f} s ÷ {ours:.1f} s)", f"{sequential / ours:.2f}", "≥ 2")
    say("controller's memory, largest process of the tree", f"{memory:.0f} MB", "≤ 150 MB")


def _empty(scene: Scene) -> None:
    """All volumes are empty again, and nothing is known of them."""
    body = {"metadata": {"annotations": {"packit.dev/repository-cache": None}}}
    for number in range(len(scene.pods)):
        for namespace, claim in ((WORK, scene.worker_claim(number)), (SAND, scene.sandbox_claim(number))):
            subprocess.run(["rm", "-rf", str(scene.cluster.volume_path(namespace, claim) / "one")], check=True)
            scene.cluster.core.patch_namespaced_persistent_volume_claim(claim, namespace, body)


def rsync(scene: Scene) -> None:
    """pod_rsync against rsync over `kubectl exec`, 300 MB of random bytes."""
    from tests.integration.test_modules import filler, module  # noqa: PLC0415

    source = scene.directory / "source"
    source.mkdir()
    (source / "data").write_bytes(os.urandom(100_000_000) * 3)
    made = filler(scene, image=scene.cluster.image)
    kubectl = Path.home() / ".cache/packit-deployment/real-cluster/kubectl"
    shell = scene.directory / "rsh"
    shell.write_text(f'#!/bin/sh\nshift\nexec {kubectl} --kubeconfig={scene.cluster.kubeconfig} -n {SAND} exec -i {made["name"]} -- "$@"\n')
    shell.chmod(0o755)
    theirs, ours = [], []
    for _round in range(RUNS):
        argv = ["rsync", "-s", "-r", f"--rsh={shell}", "--", f"{source}/", "pod:/repository-cache/theirs"]
        theirs.append(timed(lambda argv=argv: subprocess.run(argv, check=True, capture_output=True)))  # type: ignore[misc]
        answer = module(scene, "pod_rsync", namespace=SAND, pod=made["name"], src=str(source), dest="/repository-cache/ours")
        ours.append(answer["seconds"])
        for name in ("theirs", "ours"):
            subprocess.run(["rm", "-rf", str(scene.sandbox() / name)], check=True)
    filler(scene, state="absent")
    say(
        f"pod_rsync, 300 MB: speed ÷ rsync over kubectl exec ({median(ours):.1f} s, {median(theirs):.1f} s)",
        f"{median(theirs) / median(ours):.2f}",
        "≥ 0.5",
    )


def idle(directory: Path) -> None:
    """Nothing to do on 100 pairs, on the embedded cluster."""
    cluster = EmbeddedTestCluster()
    root = directory / "idle"
    root.mkdir()
    try:
        with GitServer(root, cluster.upstream_host) as server:
            scene = Scene(cluster, server, directory)
            scene.deploy(100, running=False)
            scene.repository(commits=3)
            scene.succeed(concurrency=32, wait=600)
            before = cluster.requests(clear=True)
            run, seconds, _memory = watched(scene)
            asked = sum(number for what, number in cluster.requests().items() if not what.startswith("admin"))
            if run.result["changed"] or not before:
                raise RuntimeError("the second run had something to do")
            say(
                "nothing to do on 100 pairs",
                f"{seconds:.1f} s, {asked / 200:.2f} requests a claim, {len(scene.fillers())} pods",
                "≤ 5 s, ≤ 3, 0",
            )
    finally:
        cluster.close()


def main() -> int:
    """All figures."""
    with tempfile.TemporaryDirectory(prefix="packit-benchmark-") as name:
        directory = Path(name)
        idle(directory)
        cluster = RealCluster()
        cluster.reset()
        root = directory / "upstream"
        root.mkdir()
        try:
            with GitServer(root, cluster.upstream_host) as server:
                scene = Scene(cluster, server, directory)
                make.make_large(root / "one.git", MEGABYTES, commits=3000)
                size = sum(path.stat().st_size for path in (root / "one.git").rglob("*") if path.is_file()) / 1e6
                print(f"   the repository: {size:.0f} MB, 3,000 commits", flush=True)
                lock_and_eight(scene)
                rsync(scene)
        finally:
            cluster.close()
    print("\n| figure | here | goal |\n| --- | --- | --- |")
    for row in ROWS:
        print(f"| {' | '.join(row)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
