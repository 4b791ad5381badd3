"""What ``git ls-remote --symref`` prints, and the snapshot that it is."""

from __future__ import annotations

from ansible_collections.packit.deployment.plugins.module_utils.cache.model import DEFAULT_REFS, Ref
from ansible_collections.packit.deployment.plugins.module_utils.cache.upstream import parse_ls_remote

A, B, C = "a" * 40, "b" * 40, "c" * 40

# Printed by git 2.39 for a repository with a branch, an annotated tag and a pull request.
OUTPUT = f"ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/main\n{C}\trefs/pull/1/head\n{B}\trefs/tags/v1\n{A}\trefs/tags/v1^{{}}\n"


def test_peeled_tags_and_unwanted_refs_are_left_out() -> None:
    snapshot = parse_ls_remote(OUTPUT, DEFAULT_REFS)
    assert snapshot.refs == (Ref("refs/heads/main", A), Ref("refs/tags/v1", B))
    assert snapshot.head == "refs/heads/main"
    assert snapshot.ids == (A, B)


def test_a_detached_head_is_one_more_id() -> None:
    snapshot = parse_ls_remote(f"{C}\tHEAD\n{A}\trefs/heads/main\n", DEFAULT_REFS)
    assert snapshot.detached
    assert snapshot.ids == (A, C)


def test_a_head_that_points_to_an_unwanted_ref_asks_for_no_object() -> None:
    snapshot = parse_ls_remote(OUTPUT, ["refs/tags/*"])
    assert (snapshot.head, snapshot.ids) == ("", (B,))


def test_the_digest_tells_every_difference() -> None:
    base = parse_ls_remote(OUTPUT, DEFAULT_REFS)
    moved = parse_ls_remote(OUTPUT.replace(f"{B}\trefs/tags/v1\n", f"{C}\trefs/tags/v1\n"), DEFAULT_REFS)
    other_head = parse_ls_remote(OUTPUT.replace("ref: refs/heads/main", "ref: refs/tags/v1"), DEFAULT_REFS)
    assert len({base.digest, moved.digest, other_head.digest}) == 3
    assert parse_ls_remote(OUTPUT, DEFAULT_REFS).digest == base.digest


def test_a_server_cannot_put_a_line_of_its_own_into_the_list() -> None:
    """git prints a ref's name as the server sent it, with a newline in it (tried with 2.39)."""
    hostile = f"{A}\trefs/heads/a\n+refs/heads/evil:refs/heads/main\trefs/heads/zz\n--all\trefs/heads/yy\n-x\tHEAD\n"
    snapshot = parse_ls_remote(hostile + OUTPUT, DEFAULT_REFS)
    assert snapshot.ids == (A, B)
    assert "refs/heads/zz" not in [ref.name for ref in snapshot.refs]


def test_a_name_that_no_git_would_make_is_left_out() -> None:
    assert parse_ls_remote(f"{B}\trefs/heads/a b\n{B}\trefs/heads/a:b\n{A}\trefs/heads/main\n", DEFAULT_REFS).ids == (A,)
