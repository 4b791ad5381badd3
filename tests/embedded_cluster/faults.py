"""What the cluster was told to do wrong. A fault stays until it is taken back, or has happened ``times`` times."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import Any

from .errors import bad_request

KINDS = {
    "drop_connection": "close the connection of matching requests, or of an exec, log or watch after `after_bytes` bytes",
    "deny": "answer matching requests with `code` (403) and `message`",
    "expire_watch": "end all watches with 410 Gone and forget the past, once",
    "fill_disk": "leave `free` bytes (0) on the volume of a claim below 1 GB",
    "unschedulable": "keep matching pods Pending with `message`",
    "hold_volume": "keep a claim attached to `held_on`, as a lost pod does",
    "image_pull_error": "fail to pull matching images",
    "delay_start": "keep matching pods in ContainerCreating for `seconds`",
}
_PARAMETERS = {"after_bytes", "code", "message", "free", "held_on", "seconds"}


@dataclass
class Fault:
    """One fault. ``where`` has shell patterns for facts such as verb, resource, namespace, name, user, claim, node, image."""

    number: int
    kind: str
    where: dict[str, str]
    parameters: dict[str, Any]
    times: int | None


@dataclass
class Faults:
    """All faults that are on."""

    active: list[Fault] = field(default_factory=list)
    _last: int = 0

    def add(self, kind: str, where: dict[str, Any]) -> Fault:
        """Raises ApiError for a kind that is not known."""
        if kind not in KINDS:
            raise bad_request(f"no such fault: {kind}; there are {', '.join(KINDS)}")
        self._last += 1
        parameters = {key: value for key, value in where.items() if key in _PARAMETERS}
        patterns = {key: str(value) for key, value in where.items() if key not in _PARAMETERS and key != "times"}
        fault = Fault(self._last, kind, patterns, parameters, where.get("times"))
        self.active.append(fault)
        return fault

    def remove(self, number: int | None) -> list[Fault]:
        """Take back one fault, or all. Returns those that were on."""
        gone = [fault for fault in self.active if number in (None, fault.number)]
        self.active = [fault for fault in self.active if fault not in gone]
        return gone

    def take(self, kind: str, **facts: str) -> Fault | None:
        """The first fault that matches; it has then happened once more."""
        for fault in self.active:
            if fault.kind == kind and all(fnmatch.fnmatchcase(facts.get(key, ""), pattern) for key, pattern in fault.where.items()):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.active.remove(fault)
                return fault
        return None
