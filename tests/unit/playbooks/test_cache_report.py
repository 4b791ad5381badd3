# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on how the cache stands: what it says, and that foreign text stays text."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest

TEMPLATES = Path(__file__).parents[3] / "playbooks" / "templates"
SOURCE = (TEMPLATES / "cache-report.html.j2").read_text()
BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")
VOID = {"meta"}
DAY = 86400
MARK = "M4RK"
HOSTILE = f"""{MARK}</td><script>alert(1)</script><img src=x onerror="alert(1)">'" &amp; <!-- --> {{{{ 7 * 7 }}}} ]]>"""


class Page(HTMLParser):
    """A page's elements with their attributes, its words, and its cells with their classes. Every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.cells: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], "not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "td":
            self.cells.append((dict(attrs).get("class") or "", ""))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)
        if "td" in self._open:
            name, words = self.cells.pop()
            self.cells.append((name, words + data))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def classes(self) -> list[str]:
        return [element.get("class") or "" for _tag, element in self.elements]


def html(report: dict[str, Any]) -> str:
    """Return the page, by Jinja2 alone, with Ansible's own settings."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True)
    return str(environment.get_template("cache-report.html.j2").render(report=report, max_age=3 * DAY))


def render(report: dict[str, Any]) -> Page:
    return Page(html(report))


def volume(claim: str, **more: Any) -> dict[str, Any]:
    held = {"one": {"bytes": 3_000_000_000}, "two": {"bytes": 950_000_000}}
    return {"namespace": "p", "claim": claim, "role": "worker", "serves": "w0", "capacity": 4_000_000_000, "projects": held, **more}


def copy(claim: str, project: str, **more: Any) -> dict[str, Any]:
    return {"namespace": "p", "claim": claim, "role": "worker", "project": project, **more}


def run(**more: Any) -> dict[str, Any]:
    usual = {"started": "2026-11-28T12:00:00Z", "by": "me", "seconds": 75.0, "state": "present", "longest_hold": 7.4, "held": "s/sandbox0"}
    return {**usual, "changed": {}, "failed": {}, "error": "", **more}


SPACE = {
    **{"used_bytes": 3_960_000_000, "project_bytes": 3_950_000_000, "by_hand_bytes": 7_000_000, "leftover_bytes": 2_000_000, "foreign_bytes": 1_000_000},
    **{"leaving_bytes": 5_000_000, "duplicate_bytes": 4_000_000, "compaction_bytes": 3_000_000, "estimated": False},
}
FULL: dict[str, Any] = {
    "time": "2026-11-28T12:34:56Z",
    "volumes": [volume("c1", inside={"free_bytes": 50_000_000, "space": SPACE}), volume("c2", capacity=0)],
    "copies": [
        copy("c1", "one", age=DAY, checked=3600, behind=False, bytes=3_000_000_000, packs=3),
        copy("c1", "two", age=DAY, checked=2 * DAY, bytes=950_000_000, packs=1),
        copy("c1", "three", behind=True),
        copy("c2", "one", age=9 * DAY, checked=9 * DAY + 7200, behind=True, bytes=3_000_000_000, packs=3),
        copy("c2", "by-hand", bytes=5, packs=1),
    ],
    "runs": [run(failed={"one": "No space. Grow the claim."}), run(longest_hold=240.0, changed={"one": 2, "two": 1}, error="Pod x stays.")],
}


def test_what_the_space_goes_to_is_told_where_somebody_looked() -> None:
    page = render(FULL)
    assert page.text.count("On disk ") == 1
    assert "On disk 4.0 GB: projects 4.0 GB, put there by hand 7.0 MB, left by what was interrupted 2.0 MB, foreign 1.0 MB." in page.text
    assert "Packs that go by themselves 5.0 MB; a compaction would give back 3.0 MB." in page.text


def test_each_copy_has_its_age_in_words_and_a_colour() -> None:
    page = render(FULL)
    assert "As of 2026-11-28T12:34:56Z" in page.text
    assert {" ".join(words.split()): name for name, words in page.cells if name.startswith("cell")} == {
        "1 h 3.0 GB, 3 packs": "cell fresh",
        "2 d 950.0 MB, 1 pack": "cell aging",
        "missing": "cell old",
        "9 d 2 h behind, 3.0 GB, 3 packs": "cell old",
        "not known 5 Bytes, 1 pack": "cell unknown",
        "–": "cell unknown",
    }


def test_failures_have_their_remedies_and_long_holds_another_colour() -> None:
    page = render(FULL)
    assert "one No space. Grow the claim." in page.text
    widths = [element["style"] for tag, element in page.elements if tag == "span" and "style" in element]
    assert widths[:2] == ["width: 3.1%", "width: 100.0%"]
    assert "Pod x stays." in page.text and "240.0 s" in page.text and "1 min 15 s" in page.text
    assert sum(name == "late" for name in page.classes()) == 2, "a long hold, and a full volume"


def test_an_empty_cache_and_no_runs_are_told_in_words() -> None:
    page = render({"time": "now", "volumes": [], "copies": [], "runs": []})
    assert "No volume holds anything that is known." in page.text and page.text.count("No run is known.") == 2


HOSTILE_REPORTS: dict[str, dict[str, Any]] = {
    "time": {**FULL, "time": HOSTILE},
    "claims": {
        **FULL,
        "volumes": [volume(HOSTILE, serves=HOSTILE, role=HOSTILE, namespace=HOSTILE)],
        "copies": [{**copy(HOSTILE, "one", bytes=1, packs=1), "namespace": HOSTILE}],
    },
    "projects": {**FULL, "copies": [copy("c1", HOSTILE, checked=1, bytes=1, packs=1)]},
    "runs": {
        **FULL,
        "runs": [run(started=HOSTILE, by=HOSTILE, held=HOSTILE, changed={HOSTILE: 1}, failed={HOSTILE: HOSTILE}, error=HOSTILE, state=HOSTILE)],
    },
}
"""Answers with what somebody would write who wants a script to run in the reader's browser, by where it stands."""


@pytest.mark.parametrize("where", HOSTILE_REPORTS)
def test_foreign_text_stays_text(where: str) -> None:
    page = render(HOSTILE_REPORTS[where])
    assert " ".join(HOSTILE.split()) in page.text
    known = {tag for tag, _attributes in render(FULL).elements}
    for tag, attributes in page.elements:
        assert tag in known and set(attributes) <= {"class", "style", "scope", "lang", "charset", "name", "content", "http-equiv"}
        assert MARK not in str(attributes)


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium-headless-shell or chromium")
@pytest.mark.parametrize("where", HOSTILE_REPORTS)
def test_a_browser_reads_it_so_too(where: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(html(HOSTILE_REPORTS[where]).replace("alert(1)", "document.title = 'led away'"))
    settings = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--dump-dom"]
    argv = [str(BROWSER), *settings, (tmp_path / "page.html").as_uri()]
    seen = Page(subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True).stdout)
    assert "led away" in seen.text and "Repository cache" in seen.words
    assert {tag for tag, _attributes in seen.elements}.isdisjoint({"script", "img"})


def test_it_needs_no_script_and_nothing_from_elsewhere() -> None:
    page = render(FULL)
    tags = {tag for tag, _attributes in page.elements}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "a"}) and not re.search(r"url\(|@import|https?:", SOURCE)
    policy = next(attributes["content"] for _tag, attributes in page.elements if attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    names = [set(re.findall(r"--(\w+):", block)) for block in re.findall(r":root \{(.*?)\}", SOURCE, re.DOTALL)]
    assert len(names) == 2 and names[0] == names[1] == set(re.findall(r"var\(--(\w+)\)", SOURCE)), "each colour by day and by night"
