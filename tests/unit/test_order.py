# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests run in a random order (``tests/order.py``)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.tests.bounds import BOUND

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_a_random_order_is_told_and_can_be_had_again(tmp_path: Path, processes: tuple[str, ...]) -> None:
    (tmp_path / "test_ten.py").write_text(
        "import pytest\n\n\n@pytest.mark.parametrize('number', range(10))\ndef test_it(number):\n    open('ran', 'a').write(f'{number}\\n')\n"
    )
    first = _order(tmp_path, "auto", *processes)
    again = _order(tmp_path, first[0], *processes)
    assert sorted(first[1]) == [str(number) for number in range(10)]
    assert again[0] == first[0]
    if not processes:
        assert again == first


def _order(directory: Path, seed: str, *options: str) -> tuple[str, list[str]]:
    """Return the seed that a run of the tests tells, and the numbers of those that ran."""
    ran = directory / "ran"
    ran.unlink(missing_ok=True)
    command = (sys.executable, "-m", "pytest", "-p", "tests.order", "--random-order-seed", seed, *options, "-c", "/dev/null", "--rootdir", str(directory))
    env = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([*command, str(directory)], cwd=directory, env=env, capture_output=True, text=True, timeout=BOUND, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(r"--random-order-seed (\d+)", done.stdout)
    assert told, done.stdout
    return told[1], ran.read_text().split()
