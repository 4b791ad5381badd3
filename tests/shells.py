# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that are `sh` in images: each has its own ideas."""

from __future__ import annotations

import shutil

SHELLS: dict[str, tuple[str, ...]] = {"dash": ("dash",), "bash": ("bash",), "busybox": ("busybox", "sh")}
"""Name → argv."""
HERE = [name for name, argv in SHELLS.items() if shutil.which(argv[0])]
"""Names of those that this machine has."""
