# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as the Kubernetes API writes them, and as our annotations and ConfigMaps have them: RFC 3339, UTC, whole seconds. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_FRACTION = re.compile(r"\.[0-9]{1,9}(?=Z\Z)")
"""Parts of a second, which newer reporters of events tell."""


def time_text(time: datetime) -> str:
    """Return a time as text, without parts of a second."""
    return time.astimezone(timezone.utc).strftime(_FORMAT)


def is_past(text: str, now: datetime) -> bool:
    """Return whether a text is a time that is not after ``now``."""
    try:
        return parse_time(text) <= now
    except ValueError:
        return False


def parse_time(text: str) -> datetime:
    """Return the time that a text says, without parts of a second. Raises ValueError."""
    return datetime.strptime(_FRACTION.sub("", text), _FORMAT).replace(tzinfo=timezone.utc)
