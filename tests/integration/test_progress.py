# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of a run, for a person and for a program."""

from __future__ import annotations

import os
import pty
import threading

import pytest

from tests.bounds import BOUND
from tests.repositories import make

from .harness import SAND, WORK, Scene

pytestmark = pytest.mark.playbook


def test_progress_is_on_standard_error_so_that_standard_output_stays_the_callbacks(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=10)
    apart = scene.directory / "stderr"
    with apart.open("w") as file:
        done = scene.run(method="seed", stderr=file.fileno())
    stdout, stderr = done.output, apart.read_text()
    assert done.code == 0, stdout + stderr
    sandbox = f"{SAND}/{scene.sandbox_claim()}"
    for words in (f"{sandbox} one: receives by seed", f"{sandbox} one: publishes", f"{sandbox}: released: held for"):
        assert f"  {words}" in stderr
        assert f"  {words}" not in stdout
    assert "%" not in stderr.replace("100%", "")  # no terminal: changes of phase, no figures
    first = next(line for line in stderr.splitlines() if line.startswith("  "))
    assert first.startswith("  works on https://") and ":deployer" in first.rpartition(" as ")[2]
    table = stdout[stdout.index("VOLUME") :]
    assert "PROJECT" in table and "seed" in table and "add" in table


def test_a_standard_error_that_cannot_be_written_does_not_matter(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=10)
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = scene.run(stderr=full.fileno())
    assert done.code == 0, done.story
    assert "VOLUME" in done.output
    scene.check()


def test_whoever_reads_standard_error_may_end_in_the_middle(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=10)
    scene.server.hold()
    reads, writes = os.pipe()
    run = scene.start(stderr=writes)
    os.close(writes)
    first = os.read(reads, 100)
    os.close(reads)
    scene.server.release()
    done = run.finish()
    assert done.code == 0, done.story
    assert first and "VOLUME" in done.output
    scene.check()


def test_a_task_with_no_log_shows_nothing(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=10)
    task = {
        "packit.deployment.repository_cache": {
            "projects": [{"url": scene.url()}],
            "worker_namespace": WORK,
            "sandbox_namespace": SAND,
            "image": scene.cluster.image,
            "filler": {"pull_policy": "IfNotPresent"},
        }
    }
    said = scene.play([task])
    assert said.code == 0 and f"{SAND}/{scene.sandbox_claim()} one: receives" in said.output
    silent = scene.play([{**task, "no_log": True}, {**task, "register": "again"}])
    assert silent.code == 0
    assert silent.output.count("works on https://") == 1


def test_on_a_terminal_a_pair_has_one_line_that_changes(scene: Scene) -> None:
    scene.deploy()
    make.make_large(scene.server.root / "one.git", 12, commits=100)
    scene.server.rate = 1_500_000  # slow enough that there is something to be told
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(ours, 4096):
                shown.append(data)
        except OSError:
            return  # the other end is closed

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = scene.run(method="seed", stderr=theirs, environment={"TERM": "xterm"})
    finally:
        os.close(theirs)
        reader.join(BOUND)
        os.close(ours)
    looks = b"".join(shown).decode().replace("\r\n", "\n").split("\x1b[J")
    assert done.code == 0
    assert any("seed pod: " in look and "fetches one" in look and " %" in look for look in looks), looks
    pair = [line for look in looks for line in look.splitlines() if line.startswith("  packit-worker-0")]
    assert any("0 of 1, " in line for line in pair), looks
    assert all(look.count("\n  packit-worker-0") <= 1 for look in looks)  # one line a pair
    assert f"{SAND}/{scene.sandbox_claim()}: released: held for" in "".join(looks)  # stays
    left = looks[-1].strip("\r\n").splitlines()  # in the end no line that changes is
    assert [line for line in left if not line.startswith((f"  {SAND}/", f"  {WORK}/"))] == []
