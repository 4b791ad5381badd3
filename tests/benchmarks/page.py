# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of figures, docs/benchmarks.md: a section for each of the benchmarks, which write their own and leave the others."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_HEAD = """\
# How fast it is

`make benchmark` and `make benchmark-large` write this page. Each figure is a ratio, or an amount, of the median of several runs where
it says so; a section's figures were measured in one run on one machine.
"""


class Section(Enum):
    """The part of the page that one command measures, by its heading; in the order of the page."""

    USUAL = "A repository as large as git's own"
    KERNEL = "A repository as large as the kernel"
    YEAR = "A year of daily updates"


def write(page: Path, section: Section, text: str) -> None:
    """Put ``text`` into a section, in place of what an earlier run wrote there."""
    texts = {**_sections(page.read_text() if page.exists() else ""), section.value: text.strip()}
    parts = [f"## {known.value}\n\n{texts[known.value]}\n" for known in Section if known.value in texts]
    page.write_text("\n".join([_HEAD, *parts]))


def _sections(text: str) -> dict[str, str]:
    """Return what stands below each heading."""
    _head, *rest = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {heading: body.strip() for heading, body in zip(rest[::2], rest[1::2], strict=True)}
