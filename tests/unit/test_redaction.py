# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No text that leaves has a secret of the run in it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.populate import progress_lines as progress_module
from ansible_collections.packit.deployment.plugins.module_utils.populate.progress_lines import read, writer
from ansible_collections.packit.deployment.plugins.module_utils.progress import Progress
from ansible_collections.packit.deployment.plugins.module_utils.redaction import Redaction

TOKEN = "s3/cr+et~token\n"


@pytest.fixture
def redaction() -> Redaction:
    made = Redaction()
    made.add(TOKEN)
    return made


@pytest.mark.parametrize("text", ["s3/cr+et~token", TOKEN, repr(TOKEN), repr(TOKEN.encode()), "?t=s3%2Fcr%2Bet~token&x", json.dumps(TOKEN)])
def test_a_secret_is_hidden_however_it_is_written(redaction: Redaction, text: str) -> None:
    shown = redaction.text(f"Invalid header value {text} here")
    assert "cr" not in shown and "tok" not in shown
    assert "********" in shown and shown.endswith("here")


def test_all_of_a_result_is_looked_through(redaction: Redaction) -> None:
    told = redaction.data({"a": [{"b": ("x s3/cr+et~token", 1, None, True)}], "s3/cr+et~token": 1.5})
    assert told == {"a": [{"b": ["x ********", 1, None, True]}], "********": 1.5}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fatal: unable to access 'https://oauth2:PW@host/x.git/'", "fatal: unable to access 'https://********@host/x.git/'"),
        ("https://u:P/W@host/x and http://PW@h", "https://********@host/x and http://********@h"),
        ("ssh://git@host/x and git@host:x", "ssh://git@host/x and git@host:x"),
        ("https://host:8443/x, write to a@b", "https://host:8443/x, write to a@b"),
    ],
)
def test_who_asks_is_hidden_in_any_url(redaction: Redaction, text: str, shown: str) -> None:
    assert redaction.text(text) == shown


def test_what_is_too_short_to_be_a_secret_hides_nothing() -> None:
    made = Redaction()
    for secret in ("", " ", "a"):
        made.add(secret)
    assert made.text("a banana") == "a banana"


def test_the_lines_while_it_works_are_free_of_secrets(redaction: Redaction, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(progress_module, "SECRETS", redaction)
    writer(str(tmp_path / "lines"))(Progress("s", "p", "", f"said {TOKEN}"))
    assert read((tmp_path / "lines").read_text()) == Progress("s", "p", "", "said ********")
