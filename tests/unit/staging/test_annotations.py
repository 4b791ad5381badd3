# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The merge keeps what is there, recognises what says the same, and can be undone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.packit.deployment.plugins.module_utils.staging.annotations import (
    forbidden,
    merged,
    read_list,
    refused_entries,
    removed,
    written,
)
from ansible_collections.packit.deployment.plugins.module_utils.staging.tolerations import Toleration, parse_tolerations, to_data, wrong

KEYS = st.sampled_from(["environment", "dedicated", "example.org/gpu"])
EFFECTS = st.sampled_from(["", "NoSchedule", "PreferNoSchedule"])
WANTED = st.one_of(
    st.builds(Toleration, KEYS, st.just("Equal"), st.sampled_from(["", "stage", "prod"]), EFFECTS),
    st.builds(Toleration, st.sampled_from(["", "environment"]), st.just("Exists"), st.just(""), EFFECTS),
    st.builds(Toleration, KEYS, st.just("Exists"), st.just(""), st.just("NoExecute"), st.one_of(st.none(), st.integers(0, 999))),
)
LISTS = st.lists(WANTED, max_size=5, unique_by=lambda item: item.meaning)


@st.composite
def spelled(draw: st.DrawFn, item: Toleration) -> dict[str, Any]:
    """The same toleration as somebody else may have written it."""
    data: dict[str, Any] = dict(to_data(item))
    if item.operator == "Equal" and draw(st.booleans()):
        del data["operator"]
    for name in ("value", "effect"):
        if name not in data and draw(st.booleans()):
            data[name] = ""
    data = {draw(st.sampled_from([name, name.upper()])): value for name, value in data.items()}
    if draw(st.booleans()):
        data["comment"] = "the API ignores this"
    return dict(draw(st.permutations(list(data.items()))))


def texts(lists: st.SearchStrategy[list[Toleration]]) -> st.SearchStrategy[str]:
    """Annotations in somebody's spelling."""
    spell = st.sampled_from([None, 2])
    items = lists.flatmap(lambda found: st.tuples(*[spelled(item) for item in found]))
    return st.builds(lambda found, indent: json.dumps(list(found), indent=indent), items, spell)


@given(texts(LISTS), LISTS, st.booleans())
def test_a_second_merge_changes_nothing(text: str, wanted: list[Toleration], exclusive: bool) -> None:
    once = written(read_list(text), merged(read_list(text).entries, wanted, exclusive=exclusive))
    again = read_list(once)
    assert written(again, merged(again.entries, wanted, exclusive=exclusive)) == once


@given(LISTS.flatmap(lambda items: st.tuples(texts(st.just(items)), st.permutations(items))))
def test_what_is_there_is_recognised_in_any_order_and_spelling(case: tuple[str, list[Toleration]]) -> None:
    text, wanted = case
    before = read_list(text)
    assert not before.unreadable
    for exclusive in (False, True):
        assert written(before, merged(before.entries, wanted, exclusive=exclusive)) == text


@given(texts(LISTS), LISTS)
def test_added_and_removed_again_is_as_before(text: str, wanted: list[Toleration]) -> None:
    before = read_list(text).entries
    meanings = [entry.toleration.meaning for entry in before]
    new = [item for item in wanted if item.meaning not in meanings]
    added = merged(before, new, exclusive=False)
    assert added[: len(before)] == before and len(added) == len(before) + len(new)
    assert removed(added, new) == before
    assert removed(merged(before, wanted, exclusive=False), wanted) == removed(before, wanted)


@given(texts(LISTS), LISTS)
def test_exclusive_leaves_exactly_what_is_wanted_in_the_order_that_was(text: str, wanted: list[Toleration]) -> None:
    before = read_list(text).entries
    after = merged(before, wanted, exclusive=True)
    assert sorted(map(repr, (entry.toleration.meaning for entry in after))) == sorted(repr(item.meaning) for item in wanted)
    kept = [entry for entry in after if entry in before]
    assert kept == [entry for entry in before if entry in kept]


@given(LISTS)
def test_what_is_written_is_what_the_api_takes(wanted: list[Toleration]) -> None:
    data = [to_data(item) for item in wanted]
    assert parse_tolerations(data) == tuple(wanted)
    assert not any(wrong(item) for item in wanted)
    text = written(read_list(None), merged((), wanted, exclusive=False))
    assert text is None if not wanted else read_list(text).tolerations == tuple(wanted)


@pytest.mark.parametrize("text", [None, "", "null", "[]"])
def test_nothing_is_read_from_nothing_and_left_as_it_is(text: str | None) -> None:
    found = read_list(text)
    assert (found.entries, found.unreadable) == ((), "")
    assert written(found, merged(found.entries, (), exclusive=True)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{bad", "it is no valid JSON ("),
        (" ", "it is no valid JSON ("),
        ("[] x", "it is no valid JSON ("),
        ("[NaN]", "NaN is no value of JSON"),
        ("{}", "it is no list of tolerations"),
        ("[1]", "`1` is no toleration"),
        ('[{"key":1}]', "`key` is 1, and must be text"),
        ('[{"key":"a","tolerationSeconds":1.5}]', "`tolerationSeconds` is 1.5, and must be a whole number"),
    ],
)
def test_what_stops_every_pod_is_found(text: str, words: str) -> None:
    assert words in read_list(text).unreadable


def test_entries_with_which_every_pod_is_refused_are_found() -> None:
    found = read_list('[{"key":"a","operator":"In"},{"key":"b"},null,{"key":"c","effect":"No"}]')
    assert [why.split(" is ")[0] for _entry, why in refused_entries(found)] == [
        "operator `In`",
        "without a key the operator must be Exists, which tolerates everything",
        "effect `No`",
    ]


STAGE = Toleration("environment", "Equal", "stage", "NoSchedule")
INJECTED = [Toleration(f"node.kubernetes.io/{name}", "Exists", "", "NoExecute", 300) for name in ("not-ready", "unreachable")]


@pytest.mark.parametrize(
    ("allowed", "always", "with_requests"),
    [
        ([], 0, 0),
        ([STAGE], 2, 1),
        ([STAGE, *INJECTED], 0, 1),
        ([*INJECTED], 1, 1),
        ([Toleration("", "Exists")], 0, 0),
        ([STAGE, *INJECTED, Toleration("node.kubernetes.io/memory-pressure", "Exists", "", "NoSchedule")], 0, 0),
    ],
)
def test_what_a_whitelist_forbids(allowed: list[Toleration], always: int, with_requests: int) -> None:
    text = json.dumps([to_data(item) for item in allowed])
    found = forbidden(read_list(text), [STAGE])
    assert (len(found[0]), len(found[1])) == (always, with_requests)
