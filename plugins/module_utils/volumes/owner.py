# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a run: its id, user and host, as they stand on each pod that it makes."""

from __future__ import annotations

import getpass
import socket
import uuid


def run_owner() -> dict[str, str]:
    """Return who runs this, for the pods' annotation: a new run id, user and host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return {"run": uuid.uuid4().hex[:12], "user": user, "host": socket.gethostname()}
