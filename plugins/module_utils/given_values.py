# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of options that several modules have: their bounds, and the wanted state. What is out of bounds, or blank, is refused by the option's name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from .errors import InvalidOption


class State(str, Enum):
    """The wanted state of what a module takes care of."""

    PRESENT = "present"
    ABSENT = "absent"


STATE: Mapping[str, Any] = {"type": "str", "choices": [state.value for state in State], "default": State.PRESENT.value}
"""The argument spec of the option `state`."""
_WEEK = 7 * 24 * 3600
LIMITS: Mapping[str, tuple[int, int]] = {
    "timeout": (30, _WEEK),
    "wait_timeout": (0, _WEEK),
    "start_timeout": (1, _WEEK),
    "heartbeat": (0, _WEEK),
    "active_deadline": (0, 2**31 - 1),  # 0 is our own default; else what the API takes (kubernetes/pkg/apis/core/validation)
    # Less would not hold an attach, any work and a release. The service gives up on a sandbox's pod after 600 seconds, and a filler's
    # removal takes some of them.
    "max_hold": (30, 570),
    "max_age": (0, 365 * 24 * 3600),
    # git's upload-pack gives a sign of life every five seconds, where it has nothing else to say.
    "stall_timeout": (10, _WEEK),
    # A sandbox's pod lives for 40 minutes at the most; a year is more than anybody waits for room.
    "compact_grace": (3600, 365 * 24 * 3600),
    "concurrency": (1, 256),
    "node_concurrency": (1, 256),
    "lines": (1, 10**7),
    "scale_to": (0, 256),
}
"""Least and most of each whole-number option. Options with one name have one range."""


def whole_number(name: str, value: Any, least: int, most: int) -> int:
    """Return the value as a whole number, also where a template has made a text of it. Raises InvalidOption."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < len(str(most)) + 2 else value
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
        raise InvalidOption(f"`{name}` is {value!r}, and must be a whole number from {least} to {most}.")
    return number


def set_it(option: str, variable: str) -> str:
    """Return the remedy for an empty option that a role fills from a variable of the deployment's playbooks."""
    return f"Set option `{option}` (or the variable {variable} of the deployment's playbooks)."


SET_NAMESPACE = {
    "worker_namespace": set_it("worker_namespace", "project"),
    "sandbox_namespace": set_it("sandbox_namespace", "sandbox_namespace"),
}
"""The remedies for the namespaces of the cache."""


def require_values(spec: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Refuse numbers out of range and empty required text. Raises InvalidOption, naming the option."""
    for name, about in spec.items():
        value = params.get(name)
        if about.get("type") == "int":
            least, most = LIMITS[name]
            if value is None or not least <= value <= most:
                raise InvalidOption(f"`{name}` is {value}, and must be from {least} to {most}.")
        elif about.get("type") == "str" and about.get("required") and not str(value if value is not None else "").strip():
            raise InvalidOption(f"`{name}` is empty.", SET_NAMESPACE.get(name, "Where it comes from a template, look whether its variable is defined."))
