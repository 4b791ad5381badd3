# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that a terminal would obey, or a reader of lines would take for a line, is shown as what it is."""

from __future__ import annotations

import json
import subprocess

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.printable import in_one_line, printable, printable_lines


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


def test_several_lines_stay_lines_and_tabs_stay_tabs() -> None:
    assert printable_lines("one\n\ttwo \x1b[0m\r\n") == "one\n\ttwo \\x1b[0m\\r\n"


def test_what_a_program_says_within_a_sentence_is_one_line() -> None:
    assert in_one_line("fatal: bad\n  hint: do this\r\n\u202e") == "fatal: bad | hint: do this | \\u202e"


def test_an_errors_words_are_printable_where_it_is_made() -> None:
    error = DeploymentError("git said \x1b[2J\nok: [localhost]", "Do this:\n- one \u202e\n")
    assert str(error) == "git said \\x1b[2J | ok: [localhost] Do this:\n- one \\u202e"
    assert Exception.__str__(error) == error.message


@pytest.mark.parametrize("option", ["state", "projects", "path"])
def test_a_users_own_refused_value_is_not_shown_raw(option: str) -> None:
    value = "x\x1b[31m\u202e\u2028ok: [localhost]"
    good: dict[str, object] = {"state": "present", "worker_namespace": "work", "sandbox_namespace": "sand", "path": "/cache"}
    arguments = {**good, "projects": [{"url": value}], option: [{"url": f"https://x/{value}"}] if option == "projects" else value}
    argv = ["ansible", "localhost", "-c", "local", "-m", "packit.deployment.repository_cache", "-a", json.dumps(arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode
    shown = done.stdout + done.stderr
    assert "FAILED" in shown and "ok: [localhost]" in shown, shown
    assert [character for character in shown if not character.isprintable() and character != "\n"] == []
