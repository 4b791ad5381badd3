# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clones read from logs, and what the cache would save of them."""

from __future__ import annotations

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.candidates.clone_log import Clone, read_clones
from ansible_collections.packit.deployment.plugins.module_utils.candidates.estimate import SHARE_WITH_CACHE, candidates

URL = "https://example.test/kernel.git"
TASK = "task.run_copr_build_handler[f0d1]"


def words(url: str = URL, directory: str = "/tmp/x", *more: str) -> str:
    return str(["git", "clone", "-v", "--tags", *more, "--", url, directory])


def started(time: str, command: str) -> str:
    return f"[2026-11-28 {time}: DEBUG/ForkPoolWorker-1] {TASK} Popen({command}, cwd=/src, stdin=None, shell=False, universal_newlines=True)"


def ended(time: str, command: str) -> str:
    return f"[2026-11-28 {time}: DEBUG/ForkPoolWorker-1] {TASK} Cmd({command})'s unused stdout:"


def test_clones_of_several_tasks_at_once_are_told_apart() -> None:
    one, two = words(directory="/tmp/1"), words("https://example.test/it's.git", "/tmp/2", "--reference=/repository-cache/it's")
    log = [
        started("09:00:00,000", one),
        "Cloning into '/tmp/1'...",
        started("09:00:10,500", two),
        ended("09:00:11,000", two),
        ended("09:01:15,250", one),
    ]
    assert list(read_clones(log)) == [
        Clone("https://example.test/it's.git", cached=True, seconds=0.5),
        Clone(URL, cached=False, seconds=75.25),
    ]


def test_a_clone_whose_end_is_not_told_has_no_seconds() -> None:
    assert list(read_clones([started("09:00:00,000", words())])) == [Clone(URL, cached=False, seconds=None)]
    backwards = [started("09:00:00,000", words()), ended("08:59:59,000", words())]
    assert list(read_clones(backwards)) == [Clone(URL, cached=False, seconds=None)]
    assert list(read_clones([ended("09:00:00,000", words())])) == []


@pytest.mark.parametrize(
    "line",
    [
        "Popen(['git', 'clone', '--', 'https://a/b', '/x'], cwd=/src)",
        "[2026-13-28 09:00:00,000: DEBUG/x] Popen(['git', 'clone', '--', 'https://a/b', '/x'], cwd=/src)",
        "[2026-11-28 09:00:00,000: DEBUG/x] Popen(['git', 'clone', __import__('os').abort(), '--', 'https://a/b', '/x'], cwd=/src)",
        "[2026-11-28 09:00:00,000: DEBUG/x] Popen(['git', 'clone', 3, '--', 'https://a/b', '/x'], cwd=/src)",
        f"[2026-11-28 09:00:00,000: DEBUG/x] Popen(['git', 'clone', {'(' * 3000}], cwd=/src)",
        f"[2026-11-28 09:00:00,000: DEBUG/x] Popen(['git', 'clone', '{'x' * 9000}', '--', 'https://a/b', '/x'], cwd=/src)",
        "[2026-11-28 09:00:00,000: DEBUG/x] Popen(['git', 'clone', '-v', 'https://a/b', '/x'], cwd=/src)",
        "[2026-11-28 09:00:00,000: DEBUG/x] Popen(['git', 'clone', '--', 'https://a/b', '/x'",
        "[2026-11-28 09:00:00,000: DEBUG/x] Popen(['git', 'fetch', '--', 'https://a/b', '/x'], cwd=/src)",
    ],
)
def test_whatever_else_a_log_says_is_no_clone(line: str) -> None:
    assert list(read_clones([line])) == []


def test_a_log_of_clones_that_never_end_is_held_in_bounds() -> None:
    lines = [started("09:00:00,000", words(directory=f"/tmp/{number}")) for number in range(3000)]
    found = read_clones(lines)
    assert next(found).seconds is None
    assert len(list(found)) == 2999


def test_those_of_which_most_can_be_saved_come_first() -> None:
    summed = candidates(
        [
            Clone("https://example.test/small", cached=False, seconds=2.0),
            Clone(URL, cached=False, seconds=75.0),
            Clone(URL, cached=True, seconds=1.0),
            Clone(URL, cached=False, seconds=None),
            Clone("https://example.test/cached", cached=True, seconds=100.0),
        ]
    )
    assert [(item.name, item.clones, item.cached, item.seconds) for item in summed.found] == [
        ("kernel", 3, 1, 76.0),
        ("small", 1, 0, 2.0),
        ("cached", 1, 1, 100.0),
    ]
    assert [item.saved_seconds for item in summed.found] == [round(75 * (1 - SHARE_WITH_CACHE), 1), round(2 * (1 - SHARE_WITH_CACHE), 1), 0.0]


@pytest.mark.parametrize("url", ["https://user:secret@example.test/x", "https://*****@example.test/x", "https://e.test/x?token=1", "/srv/x", "-x"])
def test_a_url_that_a_project_cannot_have_is_counted_and_not_named(url: str) -> None:
    summed = candidates([Clone(url, cached=False, seconds=5.0)])
    assert summed.found == () and summed.refused == 1
