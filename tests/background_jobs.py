# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of a play with tasks in the background."""

from __future__ import annotations

from pathlib import Path


def environment(directory: Path) -> dict[str, str]:
    """Return the variables by which Ansible uses our wrapper (``tests/library``), and keeps its jobs in a directory.

    By itself it leaves a job below HOME, and looks for it below the home that the system has for the user.
    """
    return {"ANSIBLE_LIBRARY": str(Path(__file__).parent / "library"), "ANSIBLE_ASYNC_DIR": str(directory / "jobs")}
