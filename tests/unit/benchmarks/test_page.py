# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each benchmark writes its own section of the page, and leaves what another one wrote."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.packit.deployment.tests.benchmarks.page import PAGE, Section, write


def test_a_benchmark_writes_its_section_and_keeps_the_others(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write(page, Section.KERNEL, "large\n\n| a | b |\n")
    write(page, Section.USUAL, "usual\n")
    first = page.read_text()
    write(page, Section.KERNEL, "large\n\n| a | c |\n")
    assert page.read_text() == first.replace("| b |", "| c |")
    write(page, Section.YEAR, "a year\n")
    headings = [line for line in page.read_text().splitlines() if line.startswith("#")]
    assert headings == ["# How fast it is", *(f"## {section.value}" for section in Section)]


def test_the_page_that_is_kept_is_as_the_benchmarks_write_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text())
    text = page.read_text().split(f"## {Section.USUAL.value}\n")[1].split("\n## ")[0]
    write(page, Section.USUAL, text)
    assert page.read_text() == PAGE.read_text()
