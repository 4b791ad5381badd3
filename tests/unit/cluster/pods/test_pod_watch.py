# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a namespace, known by one list and one watch: what is told of them is so."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import Forbidden, Gone, Unauthorized, Unreachable
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Change
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Pod, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import pod_watch
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.pod_watch import PodWatch, following
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import Cancelled
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.waiting import until


def body(name: str, uid: str, version: int, phase: str = "Pending") -> dict[str, Any]:
    meta = {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {}, "status": {"phase": phase}}


class Api:
    """A server that answers as the test says: lists wait until there is one, and a watch for its next line."""

    def __init__(self, *present: dict[str, Any]) -> None:
        self.followed: dict[str, PodWatch] = {}
        self.lists: queue.Queue[Any] = queue.Queue()
        self.lines: queue.Queue[Any] = queue.Queue()
        self.asked_lists = self.asked_watches = 0
        self.from_version = ""
        self.lists.put(present)

    def list_with_version(self, _kind: str, _namespace: str, _deadline: Deadline) -> tuple[Sequence[dict[str, Any]], str]:
        self.asked_lists += 1
        answer = self.lists.get(timeout=BOUND)
        if isinstance(answer, Exception):
            raise answer
        return list(answer), "10"

    def follow(self, _kind: str, _namespace: str, version: str, _seconds: int, deadline: Deadline) -> Iterator[Change]:
        self.asked_watches += 1
        self.from_version = version
        return self._told(deadline)

    def _told(self, deadline: Deadline) -> Iterator[Change]:
        while True:
            deadline.left()
            try:
                line = self.lines.get(timeout=0.05)
            except queue.Empty:
                continue
            if line is None:
                return
            if isinstance(line, Exception):
                raise line
            yield line

    def tell(self, type: str, *what: Any) -> None:
        self.lines.put(Change(type, body(*what)))


def limit() -> Deadline:
    return Deadline(BOUND, "this test")


def pod(*what: Any) -> Pod:
    return parse_pod(body(*what))


def test_one_list_and_one_watch_serve_all_who_ask() -> None:
    api = Api(body("a", "1", 5))
    with following(api, ["ns", "ns"]):  # type: ignore[arg-type]
        for _time in range(5):
            assert [found.name for found in api.followed["ns"].present(limit())] == ["a"]
        asked = [api.followed["ns"].changes(pod("a", "1", 5), limit()) for _time in range(3)]
        api.tell("MODIFIED", "a", "1", 11, "Running")
        for changes in asked:
            change = next(changes)
            assert change is not None and change.object["status"]["phase"] == "Running"
        assert (api.asked_lists, api.asked_watches) == (1, 1)
    assert api.followed == {}


def test_present_is_never_older_than_a_change_that_was_told() -> None:
    api = Api()
    with following(api, ["ns"]):  # type: ignore[arg-type]
        watch = api.followed["ns"]
        assert watch.present(limit()) == []
        changes = watch.changes(pod("mine", "1", 12), limit())
        api.tell("ADDED", "consumer", "2", 11)
        api.tell("ADDED", "mine", "1", 12)  # as its maker knows it
        api.tell("MODIFIED", "mine", "1", 13, "Running")
        change = next(changes)
        assert change is not None and change.object["metadata"]["resourceVersion"] == "13"
        assert {found.name for found in watch.present(limit())} == {"consumer", "mine"}


def test_the_end_of_a_pod_is_told_also_to_who_asks_later() -> None:
    api = Api(body("a", "1", 5))
    with following(api, ["ns"]):  # type: ignore[arg-type]
        watch = api.followed["ns"]
        api.tell("DELETED", "a", "1", 11)
        api.tell("ADDED", "a", "2", 12)
        until(lambda: [found.uid for found in watch.present(limit())] == ["2"], "the second pod")
        told = list(watch.changes(pod("a", "1", 5), limit()))
        assert [change.type for change in told if change is not None] == ["DELETED"]


def test_a_pod_that_is_not_told_yet_is_not_taken_for_gone() -> None:
    api = Api(body("a", "1", 5))  # an earlier one of that name, whose end is not told yet
    with following(api, ["ns"]):  # type: ignore[arg-type]
        watch = api.followed["ns"]
        assert [present.uid for present in watch.present(limit())] == ["1"]
        changes = watch.changes(pod("a", "2", 12), limit())
        found: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=lambda: found.put(next(changes)), daemon=True).start()
        api.tell("DELETED", "a", "1", 11)
        api.tell("ADDED", "b", "3", 13)
        until(lambda: [present.name for present in watch.present(limit())] == ["b"], "what came in between")
        api.tell("MODIFIED", "a", "2", 14, "Running")
        change = found.get(timeout=BOUND)
        assert (change.type, change.object["metadata"]["resourceVersion"]) == ("MODIFIED", "14")


def test_what_ended_while_nobody_told_is_found_by_the_next_list() -> None:
    api = Api(body("a", "1", 5), body("b", "2", 5))
    with following(api, ["ns"]):  # type: ignore[arg-type]
        watch = api.followed["ns"]
        assert len(watch.present(limit())) == 2
        seen, unseen = watch.changes(pod("a", "1", 5), limit()), watch.changes(pod("made", "3", 11), limit())
        answers: queue.Queue[Any] = queue.Queue()
        for changes in (seen, unseen):
            threading.Thread(target=lambda which=changes: answers.put(next(which)), daemon=True).start()
        api.lines.put(Gone("too old resource version"))
        api.lists.put([body("b", "2", 20)])
        assert [answers.get(timeout=BOUND).type for _change in range(2)] == ["DELETED", "DELETED"]
        assert [found.name for found in watch.present(limit())] == ["b"]


def test_a_list_that_was_begun_before_a_pod_was_made_says_nothing_of_it() -> None:
    api = Api()
    present = api.lists.get()
    with following(api, ["ns"]):  # type: ignore[arg-type]
        until(lambda: api.asked_lists == 1, "a list that is on its way")
        changes = api.followed["ns"].changes(pod("mine", "1", 11), limit())
        found: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=lambda: found.put(next(changes)), daemon=True).start()
        api.lists.put(present)
        assert api.followed["ns"].present(limit()) == []
        api.tell("ADDED", "mine", "1", 12, "Running")
        assert found.get(timeout=BOUND).type == "MODIFIED"


def test_a_watch_that_ends_is_opened_again_where_it_was() -> None:
    api = Api()
    with following(api, ["ns"]):  # type: ignore[arg-type]
        api.tell("ADDED", "a", "1", 17)
        api.lines.put(None)
        until(lambda: api.asked_watches == 2, "the second watch")
        assert api.from_version == "17" and api.asked_lists == 1


def test_what_keeps_the_api_from_telling_reaches_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_watch, "_PAUSE", BOUND)
    api = Api(body("a", "1", 5))
    with following(api, ["ns"]):  # type: ignore[arg-type]
        watch = api.followed["ns"]
        changes = watch.changes(pod("a", "1", 5), limit())
        api.lines.put(Unauthorized("the token has expired"))
        with pytest.raises(Unauthorized, match="expired"):
            next(changes)
        with pytest.raises(Unauthorized, match="expired"):
            watch.present(limit())


def test_a_watch_that_was_refused_once_serves_all_who_ask_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_watch, "_PAUSE", 0.01)
    api = Api(body("a", "1", 5))
    with following(api, ["ns"]):  # type: ignore[arg-type]
        watch = api.followed["ns"]
        changes = watch.changes(pod("a", "1", 5), limit())
        api.lines.put(Forbidden("the role is being replaced"))
        until(lambda: api.asked_watches == 2, "the second watch")
        api.tell("MODIFIED", "a", "1", 11, "Running")
        change = next(changes)
        assert change is not None and change.object["status"]["phase"] == "Running"
        assert [found.name for found in watch.present(limit())] == ["a"]


def test_the_api_is_asked_again_after_it_was_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_watch, "_PAUSE", 0.01)
    api = Api()
    present = api.lists.get()
    api.lists.put(Unreachable("nobody answers"))
    with following(api, ["ns"]):  # type: ignore[arg-type]
        with pytest.raises(Unreachable, match="nobody answers"):
            api.followed["ns"].present(limit())
        api.lists.put(present)
        until(lambda: api.asked_watches == 1, "the watch")
        assert api.followed["ns"].present(limit()) == []


def test_who_comes_after_the_api_was_away_hears_what_is_so_now() -> None:
    api = Api(body("a", "1", 5))
    with following(api, ["ns"]):  # type: ignore[arg-type]
        watch = api.followed["ns"]
        assert [present.uid for present in watch.present(limit())] == ["1"]
        api.lines.put(Unreachable("nobody answers"))
        until(lambda: watch._failure is not None, "a watch that fails")
        assert [present.uid for present in watch.present(limit())] == ["1"]
        api.lines.put(Unreachable("nobody answers"))
        until(lambda: watch._failure is not None, "a watch that fails")
        changes = watch.changes(pod("a", "1", 5), limit())
        api.tell("MODIFIED", "a", "1", 11, "Running")
        change = next(changes)
        assert change is not None and change.object["status"]["phase"] == "Running"


def test_who_waits_hears_of_the_runs_stop_and_the_watch_outlasts_it() -> None:
    api, stop = Api(body("a", "1", 5)), threading.Event()
    with following(api, ["ns"]):  # type: ignore[arg-type]
        watch = api.followed["ns"]
        stop.set()
        with pytest.raises(Cancelled):
            next(watch.changes(pod("a", "1", 5), Deadline(BOUND, "the run", stop)))
        api.tell("DELETED", "a", "1", 11)  # its removal has a deadline of its own
        change = next(watch.changes(pod("a", "1", 5), limit()))
        assert change is not None and change.type == "DELETED"
