# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that this machine has: a container's root is this machine's own, so one is what comes on top of that."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SHARED = ("/bin", "/etc", "/lib", "/opt", "/sbin", "/usr")
"""Directories of this machine that every container has (``container``)."""


@dataclass(frozen=True)
class Image:
    """An image, by what it has beside this machine's programs. ``user`` is who runs in it where the pod does not say."""

    environment: Mapping[str, str] = field(default_factory=dict)
    directories: tuple[Path, ...] = ()
    user: int = 0


def find_image(name: str) -> Image:
    """Return an image. The execution environment is this checkout, with the Python that runs this."""
    return _execution_environment() if name == "localhost/packit-deployment:test" else Image()


def _execution_environment() -> Image:
    directories = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
    compiled = {name: value for name, value in os.environ.items() if name == "PYTHONPYCACHEPREFIX"}  # it may be below the checkout
    return Image(
        environment={
            **compiled,
            "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        },
        directories=tuple(path for path in sorted(directories) if not str(path).startswith(_SHARED) and not directories & {*path.parents}),
        user=1000,
    )
