# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal would obey, or a reader of lines would take for a line, is shown as what it is."""

from __future__ import annotations

import json

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("bell\a and nul\0", r"bell\x07 and nul\x00"),
        ("C1 \x9b31m", r"C1 \x9b31m"),
        ("topic\u2028x", r"topic\u2028x"),
        ("next\x85line \u2029", r"next\x85line \u2029"),
        ("fine\nok: [localhost]\r", r"fine\nok: [localhost]\r"),
        ("left\u202eright\u2066", r"left\u202eright\u2066"),
        ("no\u200bwidth\ufeff", r"no\u200bwidth\ufeff"),
        ("tag \U000e0041", r"tag \U000e0041"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\xe9"),
        ("lone \ud800", r"lone \ud800"),
        ("a\u00a0b", r"a\xa0b"),
    ],
)
def test_what_is_not_seen_as_itself_is_shown_by_its_number(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown, "text may pass more than once"
    json.dumps(shown).encode("utf-8")


def test_words_in_any_script_stay() -> None:
    assert printable("Přílohy, 日本語, עברית, naïve: \\n is two characters") == "Přílohy, 日本語, עברית, naïve: \\n is two characters"
