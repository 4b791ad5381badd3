# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A claim's growth is over when its volume has grown, not when the API took the size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.claims.resize import why_not_grown
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import Forbidden
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline

SANDBOX = Volume("ns", "c", Role.SANDBOX, "worker-0")
PENDING = {"conditions": [{"type": "FileSystemResizePending", "status": "True"}]}
REFUSED = {"type": "Warning", "reason": "VolumeResizeFailed", "message": "there is no room", "lastTimestamp": "2026-01-01T00:00:05Z"}
OLD = {**REFUSED, "message": "there was no room for 9Gi", "lastTimestamp": "2025-12-31T23:59:59Z"}


class Cluster:
    """An API with one claim, which has 1Gi and changes with each look, and the claim's events; None where nobody may read them."""

    def __init__(self, *looks: Mapping[str, Any], events: Sequence[Mapping[str, Any]] | None = ()) -> None:
        self._looks = list(looks)
        self._events = events

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=timezone.utc)

    def get(self, kind: str, namespace: str, name: str, deadline: Deadline) -> Mapping[str, Any]:
        status = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return {"metadata": {"name": name, "namespace": namespace, "uid": "u"}, "status": {"capacity": {"storage": "1Gi"}, **status}}

    def list(self, kind: str, namespace: str, deadline: Deadline, fields: str = "") -> Sequence[Mapping[str, Any]]:
        assert (kind, fields) == ("Event", "involvedObject.uid=u")
        if self._events is None:
            raise Forbidden("events are forbidden")
        return self._events


@pytest.mark.parametrize("grown", [{"capacity": {"storage": "2Gi"}}, PENDING])
def test_a_volume_that_has_grown_is_waited_for(grown: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deadline, "sleep", lambda self, _seconds: self.left())
    assert not why_not_grown(Cluster({}, {}, grown, events=None), SANDBOX, "2Gi", Deadline(60))  # type: ignore[arg-type]


def test_why_the_storage_refuses_is_told_at_once() -> None:
    assert why_not_grown(Cluster({}, events=[OLD, REFUSED]), SANDBOX, "2Gi", Deadline(60)) == "The cluster says: there is no room"  # type: ignore[arg-type]


@pytest.mark.parametrize("when", ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"])
def test_what_was_refused_before_or_in_the_second_of_its_beginning_says_nothing_of_this_growth(when: str) -> None:
    deadline = Deadline(0.05, "the growth of the sandbox's volume")
    words = why_not_grown(Cluster({}, events=[{**OLD, "lastTimestamp": when}]), SANDBOX, "2Gi", deadline)  # type: ignore[arg-type]
    assert words == "the growth of the sandbox's volume took longer than 0 seconds."
