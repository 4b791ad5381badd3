"""The annotation on a claim: what is believed, what is not, and its limit."""

from __future__ import annotations

import base64
import json
import random
import uuid
import zlib
from dataclasses import replace

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import (
    LIMIT,
    Inventory,
    Record,
    RecordedEntry,
    fit,
    left_out,
    parse,
    render,
)

HELD = RecordedEntry(
    url="https://example.org/x.git",
    snapshot="d" * 64,
    refs=3,
    bytes=1000,
    layout="bare",
    method="git",
    time="2026-01-01T00:00:00Z",
    inventory=Inventory(9, 0, "e" * 64),
)
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


@pytest.mark.parametrize("name", ["../x", "a/b", ".git", "-x", "", "x\n", "lost+found"])
def test_a_name_that_no_project_can_have_makes_it_unknown(name: str) -> None:
    """Names become parts of paths, and whoever may change a claim can write anything."""
    known = json.loads(render(RECORD))
    for where in ("absent", "damaged"):
        assert parse(json.dumps({**known, where: [name]}), "uid-1", "pv-1") is None
    entry = next(iter(known["projects"].values()))
    assert parse(json.dumps({**known, "projects": {name: entry}}), "uid-1", "pv-1") is None
    assert parse(json.dumps({**known, "projects": {"x": entry}}), "uid-1", "pv-1") is not None


def test_equal_records_are_equal_text() -> None:
    one = Record("u", "v").with_project("a", HELD).with_project("b", HELD)
    other = Record("u", "v").with_project("b", HELD).with_project("a", HELD)
    assert render(one) == render(other)


def many(number: int) -> Record:
    """A record of so many projects with URLs as they are usual, in which nothing repeats that does not in life."""
    chance = random.Random(number)

    def sum_of_bytes() -> str:
        return chance.randbytes(32).hex()

    record = Record(str(uuid.UUID(int=1)), f"pvc-{uuid.UUID(int=2)}")
    for count in range(number):
        name = f"{chance.choice(WORDS)}-{chance.choice(WORDS)}-{count}"
        inventory = Inventory(chance.randrange(9), 0, sum_of_bytes(), sum_of_bytes())
        url = f"https://github.com/{chance.choice(WORDS)}/{name}.git"
        time = f"2026-11-{chance.randrange(10, 30)}T12:{chance.randrange(10, 60)}:00Z"
        held = RecordedEntry(
            url=url,
            snapshot=sum_of_bytes(),
            refs=chance.randrange(9999),
            bytes=chance.randrange(10**9),
            layout="bare",
            method="seed",
            time=time,
            inventory=inventory,
            patterns="",
            includes=f"bare:{sum_of_bytes()}",
        )
        record = record.with_project(name, held)
    return record


WORDS = ["packit", "ogr", "specfile", "dist-git", "rpm", "koji", "copr", "fedora", "centos", "anaconda", "systemd", "podman", "cockpit"]


def test_five_hundred_projects_are_recorded_on_a_claim() -> None:
    record = many(500)
    assert fit(record) == record
    text = render(record)
    assert len(text) <= LIMIT
    assert parse(text, record.claim_uid, record.volume_name) == record


def test_of_more_than_fit_the_first_by_name_stay_and_the_text_is_within_the_limit() -> None:
    record = many(900)
    kept = fit(record)
    assert 500 < len(kept.projects) < 900
    assert list(kept.projects) == sorted(record.projects)[: len(kept.projects)]
    assert LIMIT - 1000 < len(render(kept)) <= LIMIT
    assert fit(kept) == kept
    assert parse(render(kept), record.claim_uid, record.volume_name) == kept


def test_what_does_not_fit_is_told() -> None:
    record = many(700)
    kept = fit(record)
    names = sorted(record.projects)[len(kept.projects) :]
    assert left_out(kept, lambda _before: record) == (
        f"what it holds of {len(names)} projects, from {names[0]} to {names[-1]}, does not fit on its claim beside {len(kept.projects)} others: "
        "every run looks at them again"
    )
    assert left_out(record, lambda before: before.with_project(names[0], HELD)) == ""
    assert left_out(None, lambda before: before) == ""


def test_a_short_record_can_be_read_by_people() -> None:
    assert json.loads(render(RECORD))["projects"]["x"]["url"] == HELD.url


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        zlib.compress(b"x" * 100_000)[:-5],
        zlib.compress(b" " * 50_000_000),  # 50 kB that become 50 MB
        zlib.compress(b"\xff" * 9000),
        zlib.compress(b"[" * 100_000),
    ],
)
def test_what_was_not_compressed_by_us_is_unknown(raw: bytes) -> None:
    assert parse(base64.b64encode(raw).decode(), "uid-1", "pv-1") is None
    assert parse(raw.decode("latin-1"), "uid-1", "pv-1") is None


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
