# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own settings for the pods of a run, checked before anything is made. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...errors import InvalidOption
from ...given_values import LIMITS, whole_number
from ...heartbeat import BEAT_EVERY, HEARTBEAT_LIMIT
from ..api.objects import exact_quantity, quantity

Resources = Mapping[str, Mapping[str, str]]
"""``requests`` and ``limits``: of each resource, its quantity."""

LEAST_HEARTBEAT = int(BEAT_EVERY) + 2
"""Seconds: between two beats, and for the second to arrive."""
START_TIMEOUT = 180
"""Seconds from a filler's creation until it must be Ready: scheduling, attaching, starting (its image is pulled before)."""

_MOST_ID = 2**31 - 1
"""The largest id of users and groups (kubernetes/pkg/apis/core/validation)."""
IF_NOT_PRESENT, NEVER = "IfNotPresent", "Never"
PULL_POLICIES = ("Always", IF_NOT_PRESENT, NEVER)
_IDS = ("runAsUser", "runAsGroup", "fsGroup")
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_RESOURCES: Resources = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}


@dataclass(frozen=True, kw_only=True)
class PodOverrides:
    """The user's own settings for filler pods; see ``parse_overrides``."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=dict)
    pod_security_context: Mapping[str, Any] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    pull_policy: str = IF_NOT_PRESENT
    image_pull_secrets: Sequence[str] = ()
    service_account: str = ""
    priority_class: str = ""
    proxy: Mapping[str, str] = field(default_factory=dict)
    """Proxy variables of the pods' environment."""
    active_deadline: int = 0
    start_timeout: int = START_TIMEOUT
    heartbeat: int = HEARTBEAT_LIMIT

    @property
    def all_resources(self) -> Resources:
        """Requests and limits, the user's over ours."""
        return merge_resources(_RESOURCES, self.resources)

    @property
    def memory_bytes(self) -> int:
        """The memory limit."""
        return quantity(self.all_resources["limits"]["memory"])

    @property
    def cpus(self) -> float:
        """The limit of processors."""
        return exact_quantity(self.all_resources["limits"]["cpu"])


def merge_resources(ours: Resources, given: Resources) -> dict[str, dict[str, str]]:
    """Put the user's requests and limits over ours. Where one of theirs contradicts one of ours, ours gives way."""
    merged = {kind: {**ours[kind], **given.get(kind, {})} for kind in ("requests", "limits")}
    requests, limits = merged["requests"], merged["limits"]
    for name in requests.keys() & limits.keys():
        if exact_quantity(requests[name]) > exact_quantity(limits[name]):
            if name in given.get("requests", {}):
                limits[name] = requests[name]
            else:
                requests[name] = limits[name]
    return merged


def parse_overrides(raw: Mapping[str, Any], of: str = "") -> PodOverrides:
    """Return the user's overrides, checked. ``of`` is the option that they are the keys of. Raises InvalidOption, naming the key."""
    return PodOverrides(**checked(raw, _CHECKS, of))


Check = Callable[[str, Any], Any]
"""Takes an option's name and value, and returns the value as it is used. Raises InvalidOption."""


def checked(raw: Mapping[str, Any], checks: Mapping[str, Check], of: str) -> dict[str, Any]:
    """Return the keys of an option that are given, each checked. Raises InvalidOption, naming the key."""
    found = {}
    for key, value in raw.items():
        name = f"{of}.{key}" if of else str(key)
        if key not in checks:
            raise InvalidOption(f"Unknown key `{name}`.", f"Known keys: {', '.join(sorted(checks))}.")
        if value is not None:
            found[key] = checks[key](name, value)
    return found


def parse_resources(name: str, value: Any) -> dict[str, dict[str, str]]:
    """Check requests and limits; plain numbers become text. Raises InvalidOption, naming the key in the option ``name``."""
    found: dict[str, dict[str, str]] = {}
    for kind, amounts in require_mapping(name, value).items():
        if kind not in ("requests", "limits"):
            raise InvalidOption(f"Unknown key `{name}.{kind}`.", "Known keys: limits, requests.")
        if amounts is not None:
            found[kind] = {
                str(what): _quantity(f"{name}.{kind}.{what}", amount) for what, amount in require_mapping(f"{name}.{kind}", amounts).items()
            }
    requests, limits = found.get("requests", {}), found.get("limits", {})
    for what in requests.keys() & limits.keys():
        if exact_quantity(requests[what]) > exact_quantity(limits[what]):
            raise InvalidOption(
                f"`{name}.requests.{what}` is {requests[what]}, and `{name}.limits.{what}` is {limits[what]}: less than what is asked for.",
                "Raise the limit, or lower the request.",
            )
    return found


def _quantity(name: str, value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    text = str(value) if number else value
    try:
        right = isinstance(text, str) and exact_quantity(text) > 0
    except ValueError:
        right = False
    if not right:
        raise InvalidOption(f"`{name}` is {value!r}, which is no Kubernetes quantity of more than 0.", "For example 500m, 256Mi or 1Gi.")
    return str(text)


def require_mapping(name: str, value: Any) -> Mapping[Any, Any]:
    """Return the value, which must be a dictionary. Raises InvalidOption."""
    if not isinstance(value, Mapping):
        raise InvalidOption(f"`{name}` is {value!r}, and must be a dictionary.", "For example {team: packit}.")
    return value


def require_text(name: str, value: Any) -> str:
    """Return the value, which must be text. Raises InvalidOption."""
    if not isinstance(value, str):
        raise InvalidOption(f"`{name}` is {value!r}, and must be text.", "Put it in quotes.")
    return value


def _texts(name: str, value: Any) -> dict[str, str]:
    return {
        require_text(f"a name in {name}", key): require_text(f"{name}.{key}", text) for key, text in require_mapping(name, value).items()
    }


def _list(name: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise InvalidOption(f"`{name}` is {value!r}, and must be a list.", "For example [one, two].")
    return value


def _names(name: str, value: Any) -> Sequence[str]:
    return [require_text(f"{name}[{number}]", item) for number, item in enumerate(_list(name, value))]


def _tolerations(name: str, value: Any) -> Sequence[Mapping[str, Any]]:
    return [require_mapping(f"{name}[{number}]", item) for number, item in enumerate(_list(name, value))]


def _pod_security(name: str, value: Any) -> dict[str, Any]:
    given = require_mapping(name, value)
    return {key: whole_number(f"{name}.{key}", item, 0, _MOST_ID) if key in _IDS and item is not None else item for key, item in given.items()}


def _pull_policy(name: str, value: Any) -> str:
    if value not in PULL_POLICIES:
        raise InvalidOption(f"`{name}` is {value!r}.", f"Use {', '.join(PULL_POLICIES[:-1])} or {PULL_POLICIES[-1]}.")
    return str(value)


def _heartbeat(name: str, value: Any) -> int:
    seconds = whole_number(name, value, *LIMITS["heartbeat"])
    if 0 < seconds < LEAST_HEARTBEAT:
        raise InvalidOption(f"`{name}` is {seconds}.", f"Use at least {LEAST_HEARTBEAT}, or 0 to switch it off.")
    return seconds


def _within(option: str) -> Check:
    least, most = LIMITS[option]
    return partial(whole_number, least=least, most=most)


def _proxy(name: str, value: Any) -> dict[str, str]:
    given = require_mapping(name, value)
    for variable, text in given.items():
        if str(variable).upper() not in _PROXY_VARIABLES or not isinstance(text, str):
            raise InvalidOption(
                f"`{name}` has `{variable}`, which is no proxy variable with a text.", f"Known are {', '.join(_PROXY_VARIABLES)}."
            )
        if "@" in text:
            raise InvalidOption(
                f"`{name}` has a user name or a password in {variable}, and whoever may read pods can read it there.",
                "Use a proxy that knows the pods by their addresses.",
            )
    return dict(given)


_CHECKS: Mapping[str, Check] = {
    "labels": _texts,
    "annotations": _texts,
    "resources": parse_resources,
    "pod_security_context": _pod_security,
    "security_context": require_mapping,
    "tolerations": _tolerations,
    "node_selector": _texts,
    "pull_policy": _pull_policy,
    "image_pull_secrets": _names,
    "service_account": require_text,
    "priority_class": require_text,
    "proxy": _proxy,
    "active_deadline": _within("active_deadline"),
    "start_timeout": _within("start_timeout"),
    "heartbeat": _heartbeat,
}
OVERRIDES = tuple(_CHECKS)
"""The keys that ``parse_overrides`` knows."""
