# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a process that failed."""

from __future__ import annotations

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.shell import CommandFailed, Completed

LOCKED = """fatal: Unable to create '/x/one/packed-refs.lock': File exists.

Another git process seems to be running in this repository, e.g.
an editor opened by 'git commit'. Please make sure all processes
are terminated then try again.
"""


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (LOCKED, "fatal: Unable to create '/x/one/packed-refs.lock': File exists."),
        ("error: one\nfatal: two\n", "error: one | fatal: two."),
        ("a\rb\nc\nd\n", "b | c | d."),
        ("", "it printed nothing."),
    ],
)
def test_what_git_calls_fatal_is_said_before_its_advice(stderr: str, said: str) -> None:
    error = CommandFailed("pod a/b", Completed(("git", "fetch", "x"), 128, b"", stderr))
    assert str(error.message) == f"git fetch in pod a/b ended with code 128: {said}"
