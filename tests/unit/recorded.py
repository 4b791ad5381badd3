# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An entry of a claim's record, for tests that care about a part of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Inventory, RecordedEntry

_ENTRY = RecordedEntry(
    url="https://h/x.git", snapshot="d", refs=1, bytes=1, layout="bare", method="git", time="", inventory=Inventory(1, 0, "x")
)


def recorded_entry(**given: Any) -> RecordedEntry:
    """Return an entry with these fields; the others have values that no test asks for."""
    return replace(_ENTRY, **given)
