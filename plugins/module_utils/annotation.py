# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read JSON that stands in an annotation, where anybody may have written anything."""

from __future__ import annotations

import json
from typing import Any


def parse_object(text: str | None) -> dict[str, Any]:
    """Return the object in a text; an empty one where there is none, or it cannot be understood."""
    try:
        data = json.loads(text or "{}")
    except (ValueError, RecursionError):  # the second: a hundred thousand brackets
        return {}
    return data if isinstance(data, dict) else {}
