"""The annotation on a claim: what is believed, what is not, and its limit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.record import LIMIT, Held, Inventory, Record, parse, render

HELD = Held("https://example.org/x.git", "d" * 64, 3, 1000, "bare", "git", "2026-01-01T00:00:00Z", Inventory(9, 0, "e" * 64))
RECORD = Record("uid-1", "pv-1").with_project("x", HELD)


def test_what_was_written_is_read_again() -> None:
    assert parse(render(RECORD), "uid-1", "pv-1") == RECORD


def test_a_restored_or_copied_claim_is_unknown() -> None:
    assert parse(render(RECORD), "uid-2", "pv-1") is None
    assert parse(render(RECORD), "uid-1", "pv-2") is None


def test_what_cannot_be_read_is_unknown() -> None:
    broken = json.loads(render(RECORD))
    broken["projects"]["x"]["surprise"] = 1
    for text in (None, "", "{", "[]", "{}", '{"version": 2}', json.dumps(broken)):
        assert parse(text, "uid-1", "pv-1") is None


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("projects", "x", "bytes"), "many"),
        (("projects", "x", "bytes"), float("nan")),
        (("projects", "x", "bytes"), 10**400),
        (("projects", "x", "bytes"), -1),
        (("projects", "x", "refs"), True),
        (("projects", "x", "patterns"), ["refs/*"]),
        (("projects", "x", "layout"), None),
        (("projects", "x", "inventory", "packs"), {}),
        (("projects", "x", "inventory"), "none"),
        (("projects", "x"), []),
        (("projects",), [1]),
        (("absent",), "one"),
        (("absent",), [["one"]]),
        (("damaged",), {"one": 1}),
        (("version",), "2"),
    ],
)
def test_one_value_of_another_kind_makes_it_unknown(where: tuple[str, ...], value: object) -> None:
    damaged = json.loads(render(RECORD))
    item = damaged
    for key in where[:-1]:
        item = item[key]
    item[where[-1]] = value
    assert parse(json.dumps(damaged), "uid-1", "pv-1") is None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"version":' * 100_000, "1" * 5000, "NaN", '"x"', "\x00"])
def test_what_json_cannot_hold_is_unknown(text: str) -> None:
    assert parse(text, "uid-1", "pv-1") is None


def test_equal_records_are_equal_text() -> None:
    one = Record("u", "v").with_project("a", HELD).with_project("b", HELD)
    other = Record("u", "v").with_project("b", HELD).with_project("a", HELD)
    assert render(one) == render(other)


def test_the_annotation_never_grows_over_its_limit() -> None:
    record = Record("u", "v")
    for number in range(150):
        record = record.with_project(f"project-{number:03}", HELD)
    text = render(record)
    assert LIMIT - 1000 < len(text.encode()) <= LIMIT
    assert parse(text, "u", "v") is not None


def test_absent_is_something_else_than_not_known() -> None:
    gone = RECORD.without_project("x")
    assert (dict(gone.projects), gone.absent) == ({}, ("x",))
    assert gone.with_project("x", HELD).absent == ()
    assert RECORD.forget_project("x").absent == ()


def test_damage_stays_written_down_until_it_is_mended_or_removed() -> None:
    damaged = RECORD.with_damage("x")
    assert (dict(damaged.projects), damaged.damaged) == ({}, ("x",))
    assert parse(render(damaged), "uid-1", "pv-1") == damaged
    assert damaged.forget_project("x").damaged == ("x",)
    assert damaged.with_project("x", HELD).damaged == ()
    assert damaged.without_project("x").damaged == ()


def test_a_sandbox_has_all_of_its_workers_where_both_are_the_same_or_were_compared() -> None:
    other = replace(HELD, inventory=Inventory(9, 1, "f" * 64))
    assert HELD.proves(HELD.key)
    assert not HELD.proves(other.key)
    assert replace(HELD, includes=other.key).proves(other.key)
    assert not HELD.proves(replace(HELD, layout="non-bare").key)  # a checkout would look for it at another path
