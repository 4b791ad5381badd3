# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`, the first thing that a newcomer sees."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.bounds import BOUND


@pytest.mark.embedded
def test_the_demo_fits_a_screen_and_shows_what_is_ours() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.demo"], capture_output=True, text=True, timeout=BOUND, check=False)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, ""), done
    assert len(lines) <= 40, done.stdout
    assert not any(word in done.stdout for word in ("PLAY", "TASK", "ok=", "through the API server")), done.stdout
    assert sum(line.split()[2:4] == ["add", "seed"] for line in lines) == 12, done.stdout
    assert any("Nothing to do: every volume holds every project" in line for line in lines)
    assert lines[-1].startswith("Shown: ")
