# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: the real playbook on an embedded cluster with two workers, on real repositories. Needs no root.

Of what Ansible prints only what is ours is shown, and of the lines of progress those on the sandboxes' locks; with ``--all`` everything.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from tests.bounds import BOUND
from tests.clusters.embedded import EmbeddedTestCluster
from tests.embedded_cluster.__main__ import possible, why_not
from tests.repositories import make
from tests.upstream.server import GitServer

ROOT = Path(__file__).parents[1]
WORK, SAND = "packit-demo", "packit-demo-sandbox"
_NOISE = re.compile(r"(PLAY|TASK|ok:|changed:|skipping:|localhost +:)|\s*$")
"""Ansible's own lines around ours."""
_PROGRESS = re.compile(rf"  (works on|{SAND}/\S+: released)|(?!  )")
"""Lines of progress that are shown, and all that are none."""


def main(words: list[str]) -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(description="The real playbook on an embedded cluster.")
    parser.add_argument("--all", action="store_true", help="show all that ansible-playbook prints")
    everything = parser.parse_args(words).all
    if not possible():
        print(why_not(), file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="packit-demo-") as directory:
        cluster = EmbeddedTestCluster()
        try:
            return _play(cluster, Path(directory), everything)
        finally:
            cluster.close()


def _play(cluster: EmbeddedTestCluster, directory: Path, everything: bool) -> int:
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
            code = _playbook(kubeconfig, variables, everything)
            if code:
                return code
            print(f"   took {time.monotonic() - started:.1f} seconds; filler pods left: {len(cluster.fillers(WORK, SAND))}")
        _coverage(cluster, pods)
    print("\nShown: one command filled every volume, checked it and gave it back, and changes nothing when it is run again.")
    return 0


def _playbook(kubeconfig: Path, variables: Path, everything: bool) -> int:
    program = str(Path(sys.executable).parent / "ansible-playbook")
    environment = {
        "K8S_AUTH_KUBECONFIG": str(kubeconfig),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
    }
    argv = [program, str(ROOT / "playbooks" / "populate-cache.yml"), "-e", f"@{variables}"]
    hidden = []
    with subprocess.Popen(argv, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:  # ends when the playbook does, whose own limit is a half of ours
            hidden.append(line)
            if everything or (not _NOISE.match(line) and _PROGRESS.match(line)):
                print(f"   {line}", end="", flush=True)
        code = process.wait(BOUND)
    if code and not everything:
        print("".join(hidden), file=sys.stderr)
    return code


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
    sys.exit(main(sys.argv[1:]))
