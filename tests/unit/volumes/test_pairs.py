"""Claims that make a pair, and the words where none do."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.volumes.pairs import find_pairs, listed_pairs, query, select_pairs

WORKERS = [
    "packit-worker-repository-cache-packit-worker-0",
    "packit-worker-repository-cache-packit-worker-long-running-0",
    "data-postgres-0",
]
SANDBOXES = ["sandcastle-repository-cache-packit-worker-0", "sandcastle-repository-cache-packit-worker-long-running-0"]


def test_pairs_are_found_by_the_claims_names() -> None:
    found = find_pairs("work", WORKERS, "sand", SANDBOXES)
    assert [pair.name for pair in found.pairs] == ["packit-worker-0", "packit-worker-long-running-0"]
    assert str(found.pairs[1].sandbox) == "sand/sandcastle-repository-cache-packit-worker-long-running-0"
    assert (found.unpaired_workers, found.orphans) == ((), ())


def test_a_worker_without_a_sandbox_and_an_orphan_are_told_apart() -> None:
    found = find_pairs("work", WORKERS, "sand", [SANDBOXES[0], "sandcastle-repository-cache-gone-7"])
    assert [pair.name for pair in found.pairs] == ["packit-worker-0"]
    assert [pair.name for pair in found.unpaired_workers] == ["packit-worker-long-running-0"]
    assert [volume.claim for volume in found.orphans] == ["sandcastle-repository-cache-gone-7"]


def test_no_volume_at_all_is_an_error_that_says_where_it_looked() -> None:
    with pytest.raises(InvalidOption, match="namespace work has 1 claims, none of them named packit-worker-repository-cache-<pod>"):
        find_pairs("work", ["data-postgres-0"], "sand", SANDBOXES)


def test_a_subset_by_jmespath() -> None:
    pairs = find_pairs("work", WORKERS, "sand", SANDBOXES).pairs
    assert select_pairs("", pairs) == pairs
    assert select_pairs("[?worker.pod=='packit-worker-0']", pairs) == pairs[:1]
    assert select_pairs("[1]", pairs) == pairs[1:]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("[?", "is no JMESPath"),
        ("[].worker", "is no pair of volumes"),
        ("length(@)", "yields 2, not pairs"),
        ("[?worker.pod=='x']", "selects none of the 2 pairs"),
    ],
)
def test_an_expression_that_selects_no_pairs_is_named(expression: str, words: str) -> None:
    pairs = find_pairs("work", WORKERS, "sand", SANDBOXES).pairs
    with pytest.raises(InvalidOption, match=words) as caught:
        select_pairs(expression, pairs)
    assert f"`{expression}`" in str(caught.value)


def test_listed_pairs_are_taken_as_they_are() -> None:
    item = {"worker": {"namespace": "a", "claim": "one"}, "sandbox": {"namespace": "b", "claim": "two"}}
    (pair,) = listed_pairs([item])
    assert (str(pair.worker), str(pair.sandbox), pair.name) == ("a/one", "b/two", "one")
    with pytest.raises(InvalidOption, match="b/two is listed twice"):
        listed_pairs([item, item])
    with pytest.raises(InvalidOption, match="has no sandbox with a namespace and a claim"):
        listed_pairs([{"worker": item["worker"]}])


def test_an_expression_without_the_package_for_it_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jmespath", None)
    assert select_pairs("", ()) == ()
    searches: tuple[Callable[[], object], ...] = (lambda: select_pairs("[?x]", ()), lambda: query("[?x]", []))
    for search in searches:
        with pytest.raises(InvalidOption, match="needs the package jmespath, which is missing for the interpreter"):
            search()
