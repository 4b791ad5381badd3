# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filler's first process believes nothing of what stands where its heartbeat should be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.entrypoint import ALONE, argv
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.shells import HERE, SHELLS


def run(shell: str, heartbeat: Path, limit: int, first: int) -> subprocess.CompletedProcess[str]:
    """Its pauses take no time here."""
    pause = heartbeat.parent / "bin/sleep"
    pause.parent.mkdir(exist_ok=True)
    pause.write_text("#!/bin/sh\n")
    pause.chmod(0o755)
    environment = {**os.environ, "PATH": f"{pause.parent}:{os.environ['PATH']}"}
    words = [*SHELLS[shell], *argv(str(heartbeat), limit, first)[1:]]
    return subprocess.run(words, capture_output=True, text=True, timeout=BOUND, check=False, env=environment)


@pytest.mark.parametrize("text", ["a[$(touch ran)]", "1;touch ran", "", "08", "-5", "9" * 30, "99999999999.5", "up[0$(touch ran)].5"])
@pytest.mark.parametrize("shell", HERE)
def test_what_is_no_beat_is_neither_run_nor_a_sign_of_life(shell: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heartbeat").write_text(f"{text}\n")
    done = run(shell, tmp_path / "heartbeat", 100, -1)
    assert (done.returncode, done.stderr) == (ALONE, "")
    assert "no controller came within -1 seconds" in done.stdout
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("shell", HERE)
def test_a_pipe_or_a_link_in_its_place_does_not_hold_it(shell: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "heartbeat")
    assert run(shell, tmp_path / "heartbeat", 100, -1).returncode == ALONE
    (tmp_path / "link").symlink_to("/proc/uptime")
    assert run(shell, tmp_path / "link", 100, -1).returncode == ALONE
