# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make terminals`: draws the two terminals that README shows, a success and a failure, from real runs on an embedded cluster."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from rich.console import Console
from rich.text import Text

from tests.bounds import BOUND
from tests.clusters.embedded import EmbeddedTestCluster
from tests.repositories import make
from tests.upstream.server import GitServer

ROOT = Path(__file__).parents[1]
COLLECTIONS = ROOT / ".build" / "collections"
SUCCESS, FAILURE = ROOT / "docs/terminal-success.svg", ROOT / "docs/terminal-failure.svg"
WORK, SAND = "packit-prod", "packit-prod-sandbox"
COMMAND = "ansible-playbook packit.deployment.populate_cache -e @vars.yml"
_COLUMNS = 132
_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
"""Fonts from elsewhere, which a page that shows the drawing does not load."""


def draw(printed: str, path: Path) -> None:
    """Draw what a terminal shows of a command's output."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Text.from_ansi(f"$ {COMMAND}\n{printed}"))
    drawn = console.export_svg(title="packit.deployment", unique_id=path.stem)
    path.write_text(_FONTS.sub("", drawn))


def run(kubeconfig: Path, variables: Path) -> str:
    """Run the playbook by the command that is shown; return what it prints, with its colours, as if the collection were installed."""
    settings = {
        "K8S_AUTH_KUBECONFIG": str(kubeconfig),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_FORCE_COLOR": "1",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "COLUMNS": str(_COLUMNS),
    }
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "packit.deployment.populate_cache", "-e", f"@{variables}"]
    done = subprocess.run(
        argv, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=BOUND
    )
    return done.stdout.replace(str(COLLECTIONS), "~/.ansible/collections")


def main() -> None:
    """Draw both. The second run has one project more, for which one of the volumes is too small."""
    cluster = EmbeddedTestCluster()
    try:
        with tempfile.TemporaryDirectory(prefix="packit-terminals-") as name:
            directory = Path(name)
            _draw_both(cluster, directory)
    finally:
        cluster.close()


def _draw_both(cluster: EmbeddedTestCluster, directory: Path) -> None:
    for namespace in (WORK, SAND):
        cluster.namespace(namespace)
    pods = cluster.workers(WORK, replicas=2, nodes=("node1", "node2"))
    for pod, size in zip(pods, ("1G", "32M"), strict=True):
        cluster.sandboxes(SAND, [pod], size=size)
    upstream = directory / "upstream"
    upstream.mkdir()
    for number, project in enumerate(("packit", "ogr")):
        make.make(upstream / f"{project}.git", commits=40 + number, branches=("stable", "feature/x"), tags=("v1", "v2"), seed=number)
    make.make_large(upstream / "kernel.git", 40, commits=30)
    kubeconfig = cluster.deployer([WORK, SAND], directory)
    with GitServer(upstream) as server:
        variables = directory / "vars.yml"
        for projects, path in ((("packit", "ogr"), SUCCESS), (("packit", "ogr", "kernel"), FAILURE)):
            given = {
                "repository_cache_projects": [{"url": server.url(f"{project}.git")} for project in projects],
                "repository_cache_worker_namespace": WORK,
                "repository_cache_sandbox_namespace": SAND,
                "repository_cache_image": cluster.image,
            }
            variables.write_text(yaml.safe_dump(given))
            draw(run(kubeconfig, variables), path)


if __name__ == "__main__":
    main()
