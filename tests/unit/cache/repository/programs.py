# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of our own that are found in the place of others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **texts: str) -> None:
    """Have these scripts, by name, found in the place of the programs of that name."""
    place = tmp_path / "programs"
    place.mkdir()
    for name, text in texts.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
