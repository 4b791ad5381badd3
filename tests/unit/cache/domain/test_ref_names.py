# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of refs: git itself says which it refuses."""

from __future__ import annotations

import random
import subprocess

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.ref_names import is_ref_name, left_out, refused

GOOD = (
    b"refs/heads/main",
    b"refs/heads/caf\xe9",
    "refs/heads/topic\u2028x".encode(),
    b"refs/heads/@",
    b"refs/heads/a.b",
    b"refs/heads/x.locks",
)
BAD = (
    *(b"refs/heads/a..b", b"refs/heads/x.lock", b"refs/heads/x.lock/y", b"refs/heads/x@{1}", b"refs/heads/../x", b"refs/heads/x//y"),
    *(
        b"refs/heads/.x",
        b"refs/heads/x.",
        b"refs/heads/x/",
        b"/refs/heads/x",
        b"refs/heads/a b",
        b"refs/heads/a\tb",
        b"refs/heads/a*",
        b"HEAD",
    ),
    *(b"refs/heads/a\nb", b"refs/heads/a\n", b"refs/heads/a~1", b"refs/heads/a^", b"refs/heads/a:b", b"refs/heads/a?", b"refs/heads/a["),
    *(b"refs/heads/a\\b", b"refs/heads/a\x7f", b"refs/heads/\x1b[31m"),
)


def generated() -> list[bytes]:
    chance = random.Random(12)
    parts = (
        b"a",
        b"refs",
        b"/",
        b"/",
        b".",
        b"..",
        b".lock",
        b"@",
        b"{",
        b"@{",
        b"-",
        b"\xe9",
        b"\xe2\x80\xa8",
        b"\x01",
        b" ",
        b"~",
        b"*",
        b"\\",
    )
    return [b"".join(chance.choices(parts, k=chance.randrange(1, 7))) for _number in range(150)]


def git_takes(name: bytes) -> bool:
    return subprocess.run([b"git", b"check-ref-format", name], check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_a_name_is_judged_as_git_judges_it(name: bytes) -> None:
    assert is_ref_name(name.decode("utf-8", "surrogateescape")) is git_takes(name) is (name in GOOD)


def test_generated_names_are_judged_as_git_judges_them() -> None:
    names = generated()
    judged = {name: is_ref_name(name.decode("utf-8", "surrogateescape")) for name in names}
    assert judged == {name: git_takes(name) for name in names}
    assert set(judged.values()) == {True, False}


def test_a_name_too_long_for_a_file_is_refused() -> None:
    long = "refs/heads/" + "x" * 251
    assert refused({long, long[:-1], "refs/heads/" + "\u00e9" * 126}) == {long, "refs/heads/" + "\u00e9" * 126}


def test_each_name_is_told_and_none_reaches_a_terminal_raw() -> None:
    words = left_out("one", ["refs/heads/a..b", "refs/heads/\x1b[31mred", "refs/heads/x\nok: all is well.lock", "refs/heads/\udce9.lock"])
    assert words == (
        "Refs of one at upstream were left out, as git refuses such names: `refs/heads/\\x1b[31mred`, `refs/heads/a..b`, "
        "`refs/heads/x\\nok: all is well.lock`, `refs/heads/\\xe9.lock`."
    )
    many = left_out("one", [f"refs/heads/{number:04}.lock" for number in range(60)])
    assert "`refs/heads/0049.lock` and 10 more." in many and "0050" not in many
