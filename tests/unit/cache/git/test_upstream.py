"""The output of ``git ls-remote --symref``, and the snapshot that it is."""

from __future__ import annotations

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import DEFAULT_REFS, Ref, encoded
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import parse_ls_remote

A, B, C = "a" * 40, "b" * 40, "c" * 40
DIGEST = "838fab71b7e78c7dcef344c8d74d67741844f54245bb4c549eecc31c927dea2f"

# Printed by git 2.39 for a repository with a branch, an annotated tag and a pull request.
OUTPUT = f"ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/main\n{C}\trefs/pull/1/head\n{B}\trefs/tags/v1\n{A}\trefs/tags/v1^{{}}\n"


def test_peeled_tags_and_unwanted_refs_are_left_out() -> None:
    snapshot = parse_ls_remote(OUTPUT.encode(), DEFAULT_REFS)
    assert snapshot.refs == (Ref("refs/heads/main", A), Ref("refs/tags/v1", B))
    assert snapshot.head == "refs/heads/main"
    assert snapshot.ids == (A, B)


def test_a_detached_head_is_one_more_id() -> None:
    snapshot = parse_ls_remote(f"{C}\tHEAD\n{A}\trefs/heads/main\n".encode(), DEFAULT_REFS)
    assert snapshot.detached
    assert snapshot.ids == (A, C)


def test_a_head_that_points_to_an_unwanted_ref_asks_for_no_object() -> None:
    snapshot = parse_ls_remote(OUTPUT.encode(), ["refs/tags/*"])
    assert (snapshot.head, snapshot.ids) == ("", (B,))


def test_the_digest_tells_every_difference() -> None:
    base = parse_ls_remote(OUTPUT.encode(), DEFAULT_REFS)
    moved = parse_ls_remote(OUTPUT.replace(f"{B}\trefs/tags/v1\n", f"{C}\trefs/tags/v1\n").encode(), DEFAULT_REFS)
    other_head = parse_ls_remote(OUTPUT.replace("ref: refs/heads/main", "ref: refs/tags/v1").encode(), DEFAULT_REFS)
    assert len({base.digest, moved.digest, other_head.digest}) == 3
    assert parse_ls_remote(OUTPUT.encode(), DEFAULT_REFS).digest == base.digest


def test_a_server_cannot_put_a_line_of_its_own_into_the_list() -> None:
    """git prints a ref's name as the server sent it, with a newline in it (tried with 2.39)."""
    hostile = f"{A}\trefs/heads/a\n+refs/heads/evil:refs/heads/main\trefs/heads/zz\n--all\trefs/heads/yy\n-x\tHEAD\n"
    snapshot = parse_ls_remote((hostile + OUTPUT).encode(), DEFAULT_REFS)
    assert snapshot.ids == (A, B)
    assert "refs/heads/zz" not in [ref.name for ref in snapshot.refs]


def test_a_name_that_no_git_would_make_is_left_out_and_told() -> None:
    bad = (
        b"refs/heads/a..b",
        b"refs/heads/x.lock",
        b"refs/heads/x@{1}",
        b"refs/heads/../x",
        b"refs/heads/x//y",
        b"refs/heads/a b",
        b"../x",
    )
    output = b"".join(b"%b\t%b\n" % (B.encode(), name) for name in bad) + f"{A}\trefs/heads/main\n".encode()
    snapshot = parse_ls_remote(output, DEFAULT_REFS)
    assert snapshot.ids == (A,)
    assert snapshot.left_out == tuple(sorted(name.decode() for name in bad))
    assert parse_ls_remote(output, ["refs/heads/main"]).left_out == ("../x",)  # the others are not wanted


def test_a_ref_below_another_one_is_left_out_as_no_git_can_have_both() -> None:
    output = b"".join(b"%b\t%b\n" % (A.encode(), name) for name in (b"refs/heads/dev/x", b"refs/heads/dev", b"refs/heads/dev-y"))
    snapshot = parse_ls_remote(output, DEFAULT_REFS)
    assert [ref.name for ref in snapshot.refs] == ["refs/heads/dev", "refs/heads/dev-y"]
    assert snapshot.left_out == ("refs/heads/dev/x",)


def test_a_name_with_a_unicode_line_end_keeps_its_own_id() -> None:
    """`topic<U+2028>x` gave `topic` the other branch's id."""
    snapshot = parse_ls_remote(f"{A}\trefs/heads/topic\n{B}\trefs/heads/topic\u2028x\n".encode(), DEFAULT_REFS)
    assert snapshot.refs == (Ref("refs/heads/topic", A), Ref("refs/heads/topic\u2028x", B))


def test_a_name_that_is_no_utf_8_stays_the_bytes_that_it_is() -> None:
    names = [b"refs/heads/\x80", b"refs/heads/caf\xc3\xa9", b"refs/heads/caf\xe9", b"refs/heads/\xf0\x9f\x98\x80"]
    snapshot = parse_ls_remote(b"".join(b"%b\t%b\n" % (A.encode(), name) for name in names), DEFAULT_REFS)
    assert [encoded(ref.name) for ref in snapshot.refs] == sorted(names)  # git's packed-refs are in this order, or not found
    assert snapshot.digest != parse_ls_remote(b"%b\trefs/heads/caf\xe9\n" % A.encode(), DEFAULT_REFS).digest


def test_a_digest_is_the_one_that_earlier_versions_recorded() -> None:
    assert parse_ls_remote(OUTPUT.encode(), DEFAULT_REFS).digest == DIGEST
