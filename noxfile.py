# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit tests under every supported Python that is on this machine; everything else is in the Makefile."""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.options.error_on_missing_interpreters = False
ROOT = Path(__file__).parent


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def unit(session: nox.Session) -> None:
    """tests/unit."""
    session.install("-r", "requirements/dev.txt")
    session.run("python", "tests/tools/lay_out.py")
    paths = os.pathsep.join([str(ROOT / ".build" / "collections"), str(ROOT)])
    session.run("python", "-m", "pytest", "tests/unit", *session.posargs, env={"PYTHONPATH": paths})
