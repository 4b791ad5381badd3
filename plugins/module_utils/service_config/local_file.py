# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration in a local file: read, and replaced by one rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from ..errors import InvalidOption


def read(path: str) -> bytes | None:
    """Return what is in it; None where there is no such file. Raises InvalidOption."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidOption(f"{path} cannot be read: {error.strerror}.") from error


def write(path: str, data: bytes, *, backup: bool) -> str:
    """Replace it, with its mode and owner; a new one is only its owner's. Returns the backup's name, empty where none was asked for.

    Raises InvalidOption where it cannot be written; it is as it was then.
    """
    target = Path(path).resolve()
    saved = ""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".packit-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            if target.exists():
                there = target.stat()
                shutil.copystat(target, name)
                os.chown(name, there.st_uid, there.st_gid)
                saved = f"{target}.{datetime.now():%Y-%m-%d@%H:%M:%S}~" if backup else ""
            if saved:
                shutil.copy2(target, saved)
            Path(name).replace(target)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise InvalidOption(f"{path} cannot be written: {error.strerror}.") from error
    return saved
