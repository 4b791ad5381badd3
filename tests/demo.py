# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: the real playbook on an embedded cluster with two workers, on real repositories. Needs no root."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from tests.bounds import BOUND
from tests.clusters.embedded import EmbeddedTestCluster
from tests.embedded_cluster.__main__ import CANNOT, possible
from tests.repositories import make
from tests.upstream.server import GitServer

ROOT = Path(__file__).parents[1]
WORK, SAND = "packit-demo", "packit-demo-sandbox"


def main() -> int:
    """Run the demo."""
    if not possible():
        print(CANNOT, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="packit-demo-") as directory:
        cluster = EmbeddedTestCluster()
        try:
            return _play(cluster, Path(directory))
        finally:
            cluster.close()


def _play(cluster: EmbeddedTestCluster, directory: Path) -> int:
    say("An embedded cluster with two workers, two sandboxes' volumes, and a git server with three repositories")
    cluster.namespace(WORK)
    cluster.namespace(SAND)
    pods = cluster.workers(WORK, replicas=2, nodes=("node1", "node2"))
    cluster.sandboxes(SAND, pods, nodes=("node1", "node2"))
    upstream = directory / "upstream"
    upstream.mkdir()
    for number, name in enumerate(("packit", "ogr", "specfile")):
        make.make(upstream / f"{name}.git", commits=40 + number, branches=("stable", "feature/x"), tags=("v1", "v2"), seed=number)
    with GitServer(upstream) as server:
        variables = directory / "vars.yml"
        variables.write_text(
            yaml.safe_dump(
                {
                    "repository_cache_projects": [{"url": server.url(f"{name}.git")} for name in ("packit", "ogr", "specfile")],
                    "repository_cache_worker_namespace": WORK,
                    "repository_cache_sandbox_namespace": SAND,
                    "repository_cache_image": cluster.image,
                }
            )
        )
        kubeconfig = cluster.deployer([WORK, SAND], directory)
        for words in ("The first run fills every volume", "The second run finds nothing to do, and makes no pod"):
            say(f"{words}:\n   ansible-playbook playbooks/populate-cache.yml -e @vars.yml")
            started = time.monotonic()
            code = _playbook(kubeconfig, variables)
            if code:
                return code
            print(f"   took {time.monotonic() - started:.1f} seconds; filler pods left: {len(cluster.fillers(WORK, SAND))}")
        _coverage(cluster, pods)
    return 0


def _playbook(kubeconfig: Path, variables: Path) -> int:
    program = str(Path(sys.executable).parent / "ansible-playbook")
    environment = {
        "K8S_AUTH_KUBECONFIG": str(kubeconfig),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
    }
    argv = [program, str(ROOT / "playbooks" / "populate-cache.yml"), "-e", f"@{variables}"]
    return subprocess.run(argv, env={**os.environ, **environment}, check=False, timeout=BOUND).returncode


def _coverage(cluster: EmbeddedTestCluster, pods: list[str]) -> None:
    """Volumes × projects, as it is on the volumes."""
    say("What is on the volumes")
    for number, pod in enumerate(pods):
        for namespace, claim in ((SAND, f"sandcastle-repository-cache-{pod}"), (WORK, f"packit-worker-repository-cache-{pod}")):
            path = cluster.volume_path(namespace, claim)
            held = {entry.name: len(make.refs(entry)) for entry in sorted(path.iterdir()) if entry.name != "lost+found"}
            print(f"   node{number + 1}  {namespace}/{claim}: " + ", ".join(f"{name} ({refs} refs)" for name, refs in held.items()))


def say(words: str) -> None:
    """A heading."""
    print(f"\n== {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
