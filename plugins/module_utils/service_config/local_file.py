# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration in a local file: read, and replaced by one rename."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ..errors import InvalidOption


def read(path: str) -> bytes | None:
    """What is in it; None where there is no such file. Raises InvalidOption."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidOption(f"{path} cannot be read: {error.strerror}.") from error


def write(module: Any, path: str, data: bytes, *, backup: bool) -> str:
    """Replace it, with its owner and mode. Returns the name of the backup, empty where none was asked for."""
    target = os.path.realpath(path)
    saved = str(module.backup_local(target)) if backup and Path(target).exists() else ""
    try:
        handle, name = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        module.atomic_move(name, target)
    except OSError as error:
        raise InvalidOption(f"{path} cannot be written: {error.strerror}.") from error
    return saved
