# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tolerations: what the API takes as one, which are equal, and which allow what another allows. Pure.

The rules are the API server's (core/v1 Toleration; the admission plugins DefaultTolerationSeconds and
PodTolerationRestriction), tried on Kubernetes 1.34.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidOption

OPERATORS = ("Equal", "Exists")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_FIELDS = {"key": str, "operator": str, "value": str, "effect": str, "tolerationSeconds": int}
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True)
class Toleration:
    """One toleration as the API reads it: a field that is not written is empty; ``seconds`` is None then."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    seconds: int | None = None

    @property
    def meaning(self) -> tuple[str, str, str, str, int | None]:
        """Equal for two tolerations that say the same: no operator means Equal."""
        return self.key, self.operator or "Equal", self.value, self.effect, self.seconds

    def __str__(self) -> str:
        words = self.key or "every key"
        words += f"={self.value}" if self.operator != "Exists" else ""
        return words + (f":{self.effect}" if self.effect else "") + (f" for {self.seconds} s" if self.seconds is not None else "")


class WrongType(ValueError):
    """A field of a toleration has a type that the API cannot read."""


def read_toleration(data: Any) -> Toleration:
    """A toleration as the API server reads it out of an annotation: names of fields in any case, unknown ones ignored.

    Raises WrongType.
    """
    if data is None:
        return Toleration()
    if not isinstance(data, Mapping):
        raise WrongType(f"`{data}` is no toleration, which is an object with key, operator, value and effect")
    known = {name.lower(): name for name in _FIELDS}
    found: dict[str, Any] = {}
    for written, value in data.items():
        name = known.get(str(written).lower())
        if name is None or value is None:
            continue
        wanted = _FIELDS[name]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise WrongType(f"`{name}` is {value!r}, and must be {'text' if wanted is str else 'a whole number'}")
        found["seconds" if name == "tolerationSeconds" else name] = value
    return Toleration(**found)


def parse_tolerations(raw: Sequence[Any]) -> tuple[Toleration, ...]:
    """The tolerations that a user wants, each once. Raises InvalidOption, naming the toleration and what is wrong with it."""
    wanted: list[Toleration] = []
    for number, data in enumerate(raw, 1):
        where = f"Toleration {number} ({data})"
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in _FIELDS]
            if unknown:
                raise InvalidOption(f"{where} has the unknown field `{unknown[0]}`.", f"Known are: {', '.join(_FIELDS)}.")
        try:
            found = read_toleration(data)
        except WrongType as error:
            raise InvalidOption(f"{where}: {error}.", "Quote text that looks like a number or a boolean.") from error
        why = wrong(found)
        if why:
            raise InvalidOption(f"{where}: {why}.")
        if found.meaning not in [other.meaning for other in wanted]:
            # The operator is written out: the whitelist's check takes a toleration without one for another.
            wanted.append(Toleration(found.key, found.operator or "Equal", found.value, found.effect, found.seconds))
    return tuple(wanted)


def wrong(toleration: Toleration) -> str:
    """Return why the API refuses a pod with this toleration, or empty."""
    item = toleration
    if item.operator not in ("", *OPERATORS):
        return f"operator `{item.operator}` is none of {', '.join(OPERATORS)}"
    if item.effect not in ("", *EFFECTS):
        return f"effect `{item.effect}` is none of {', '.join(EFFECTS)}"
    if not item.key and item.operator != "Exists":
        return "without a key the operator must be Exists, which tolerates everything"
    if item.key and not _is_qualified(item.key):
        return f"`{item.key}` is no name of a taint"
    if item.operator == "Exists" and item.value:
        return f"operator Exists takes no value, but value is `{item.value}`"
    if item.value and (not _NAME.fullmatch(item.value) or len(item.value) > 63):
        return f"`{item.value}` is no value of a taint"
    if item.seconds is not None and item.effect != "NoExecute":
        return "tolerationSeconds needs the effect NoExecute"
    return ""


def _is_qualified(key: str) -> bool:
    domain, slash, name = key.rpartition("/")
    if slash and not (_DOMAIN.fullmatch(domain) and len(domain) <= 253):
        return False
    return bool(_NAME.fullmatch(name)) and len(name) <= 63


def to_data(toleration: Toleration) -> dict[str, Any]:
    """A toleration as it is written into an object, without empty fields."""
    item = toleration
    data: dict[str, Any] = {"key": item.key, "operator": item.operator, "value": item.value, "effect": item.effect}
    written = {name: value for name, value in data.items() if value}
    return written if item.seconds is None else {**written, "tolerationSeconds": item.seconds}


def tolerates(tolerations: Iterable[Toleration], wanted: Toleration) -> bool:
    """Return whether whatever ``wanted`` tolerates is tolerated by one of ``tolerations``, by their meaning."""
    explicit = Toleration(*wanted.meaning)
    return any(covers(item, explicit) for item in tolerations)


def covers(whole: Toleration, part: Toleration) -> bool:
    """Return whether the admission plugin takes ``whole`` for a superset of ``part``.

    Its rule has a corner: a ``part`` without an operator is covered only by its equal or by an ``Exists``.
    """
    if whole == part:
        return True
    if part.key != whole.key and not (whole.key == "" and whole.operator == "Exists"):
        return False
    if whole.effect not in ("", part.effect):
        return False
    if whole.effect == "NoExecute" and whole.seconds is not None and (part.seconds is None or part.seconds > whole.seconds):
        return False
    return whole.operator == "Exists" or (part.operator == "Equal" and part.value == whole.value)


_INJECTED = tuple(
    Toleration(f"node.kubernetes.io/{name}", "Exists", "", "NoExecute", 300) for name in ("not-ready", "unreachable")
)  # DefaultTolerationSeconds, with the API server's default seconds
_MEMORY_PRESSURE = Toleration("node.kubernetes.io/memory-pressure", "Exists", "", "NoSchedule")


def admitted(defaults: Sequence[Toleration], requests: bool) -> tuple[Toleration, ...]:
    """The tolerations with which a pod that has none of its own is admitted, where the namespace has these defaults.

    ``requests``: the pod asks for processors or memory, and so also tolerates memory pressure.
    """
    merged = _merge((*_INJECTED, *defaults)) if defaults else _INJECTED
    return _merge((*merged, _MEMORY_PRESSURE)) if requests else merged


def _merge(every: Sequence[Toleration]) -> tuple[Toleration, ...]:
    """Return those that no other one covers, in order; of equal ones the first."""
    merged: list[Toleration] = []
    for number, item in enumerate(every):
        later = (other for other in every[number + 1 :] if other != item)
        if not any(covers(other, item) for other in (*merged, *later)):
            merged.append(item)
    return tuple(merged)
