# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of `make` before anything is downloaded."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.tests.embedded_cluster import __main__ as embedded_cluster

SCRIPT = Path(__file__).parents[1] / "tools" / "prerequisites.sh"


@pytest.mark.parametrize("name", ["a b", "a:b", "a'b", "a$b"])
def test_a_checkout_below_a_path_that_make_cannot_work_with_is_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.mkdir()
    done = subprocess.run(["sh", str(SCRIPT)], cwd=place, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert f"The path of this checkout is {place}, and make and PATH take no blank, colon, quote or dollar in it. Move it to another path." in done.stderr


def test_elsewhere_it_says_nothing_of_the_path(tmp_path: Path) -> None:
    done = subprocess.run(["sh", str(SCRIPT)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "The path of this checkout" not in done.stderr


def test_the_workflow_allows_what_the_embedded_cluster_needs_before_it_is_made() -> None:
    allowing = re.search(r"(sysctl \S+) on Ubuntu", embedded_cluster.CANNOT)
    workflow = (SCRIPT.parents[2] / ".github/workflows/test.yml").read_text()
    assert allowing and 0 < workflow.find(f"sudo {allowing[1]}") < workflow.find("make demo")
