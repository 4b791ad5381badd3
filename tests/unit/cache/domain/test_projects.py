"""The projects that a user may ask for, and the words in which the rest is refused."""

from __future__ import annotations

from dataclasses import fields

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import AUTO, DEFAULT_REFS
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import (
    PROJECT_OPTIONS,
    Project,
    matches,
    parse_project,
    parse_projects,
    refused,
)
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import CHOICES, check_method
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/group/packit.git", "packit"),
        ("https://example.org/group/packit", "packit"),
        ("https://example.org/group/packit/", "packit"),
        ("ssh://git@example.org:2222/group/ogr.git", "ogr"),
        ("git@example.org:group/kernel.git", "kernel"),
        ("http://example.org:8080/dist.git.git", "dist.git"),
        ("git://example.org/a.b-c_d", "a.b-c_d"),
    ],
)
def test_the_name_is_what_the_service_looks_up(url: str, name: str) -> None:
    project = parse_project({"url": url})
    assert (project.name, project.refs, project.method) == (name, DEFAULT_REFS, AUTO)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ext::sh -c id", "white space"),
        ("ext::sh", "form that is not allowed"),
        ("file:///srv/repo.git", "form that is not allowed"),
        ("/srv/repo.git", "form that is not allowed"),
        ("-uhttps://example.org/x", "starts with `-`"),
        ("--upload-pack=touch@host:x", "starts with `-`"),
        ("git@-oProxyCommand:x", "form that is not allowed"),
        ("https://example.org", "names no host or no repository"),
        ("https:///x", "names no host or no repository"),
        ("https://example.org/x\nHost: y", "white space or control"),
        ("ssh://-oProxyCommand=x/y", "names no host"),
        ("https://example.org:port/x", "cannot be parsed"),
        ("", "no `url`"),
    ],
)
def test_a_url_that_git_must_not_be_given_is_refused(url: str, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        parse_project({"url": url, "name": "x"})


@pytest.mark.parametrize(
    "url",
    [
        "https://me:s3cret@example.org/x.git",
        "https://s3cret@example.org/x.git",
        "https://example.org/x.git?private_token=s3cret",
        "https://example.org/x.git#s3cret",
        "ssh://git:s3cret@example.org/x.git",
        "https://me:s3cret@example.org:bad/x.git",
        "me:s3cret@example.org/x.git",
        "oauth2:s3cret@example.org:group/x.git",
        "https://me:s3/s3cret@example.org/x",
        "https://me:12/s3cret@example.org/x",
        "https://me:/s3cret@example.org/x",
        "https://me/x:s3cret@example.org",
        "https://me:s3cret?s3cret#s3cret@example.org/x",
        "https://me:s3cret@s3cret@example.org/x",
        "https:/me:s3cret@example.org/x",
        "HTTPS://me:s3cret@example.org/x",
        "me:s3cret://s3cret@example.org/x",
        "ext::ssh://me:s3cret@example.org/x",
        "me@s3cret@example.org:x",
        "https://me:s3cret@example.org/x y",
    ],
)
def test_a_password_is_refused_and_never_shown(url: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_project({"url": url})
    assert "s3" not in str(caught.value)
    assert "***" in str(caught.value)
    assert refused({"projects": [{"url": url}]}) == refused({"url": url}) == str(caught.value)


def test_what_may_be_a_url_is_refused_for_a_module_and_the_rest_is_left_to_it() -> None:
    assert refused({"url": "https://example.org/a@b", "projects": [{"url": "git@example.org:x"}, {"name": "x"}]}) == ""
    assert refused({"projects": None}) == refused({"projects": 5}) == refused({}) == ""
    assert "***@host" in refused({"projects": "https://u:PW@host/x"})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "it is empty"),
        ("a/b", "it has a `/` in it"),
        ("..", "it starts with `.`"),
        ("a..b", "it has `..` in it"),
        ("-x", "it starts with `.` or `-`"),
        (".github", "it starts with `.` or `-`"),
        ("lost+found", "every ext4 volume"),
        ("a b", "characters other than"),
        ("x" * 201, "longer than 200"),
    ],
)
def test_a_name_that_cannot_be_a_directory_of_the_cache_is_refused(name: str, why: str) -> None:
    with pytest.raises(InvalidOption, match=f"The project name `{name[:5].replace('.', '[.]')}"):
        parse_project({"url": "https://example.org/y.git", "name": name})
    with pytest.raises(InvalidOption) as caught:
        parse_project({"url": "https://example.org/y.git", "name": name})
    assert why in str(caught.value)


def test_two_projects_with_one_directory_are_both_named() -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_projects([{"url": "https://a.example/x/tool.git"}, {"url": "https://b.example/y/tool"}])
    assert str(caught.value).startswith(
        "Two projects have the directory name `tool`: https://a.example/x/tool.git and https://b.example/y/tool."
    )


@pytest.mark.parametrize(
    "refs",
    [
        ["main"],
        ["heads/*"],
        ["refs/"],
        ["refs/heads"],
        ["refs/heads/*/*"],
        ["refs/heads/a b"],
        ["refs/heads/a..b"],
        [],
        "refs/heads/*",
        [3],
    ],
)
def test_refs_that_are_no_full_patterns_are_refused(refs: object) -> None:
    with pytest.raises(InvalidOption, match="`x`"):
        parse_project({"url": "https://example.org/x.git", "refs": refs})


def test_an_unknown_method_and_an_unknown_key_are_named() -> None:
    with pytest.raises(InvalidOption, match="Unknown method `scp` of project `x`") as refused_method:
        check_method("scp", "x")
    assert str(refused_method.value).endswith(f"Known methods: {', '.join(CHOICES)}.")
    with pytest.raises(InvalidOption, match="Unknown key `branch` in a project"):
        parse_project({"url": "https://example.org/x.git", "branch": "main"})


def test_a_clone_that_is_named_is_used_whatever_the_method_of_the_others() -> None:
    raw = {"url": "https://example.org/x.git", "path": "/clones/x.git"}
    assert parse_project(raw, "git").method == AUTO
    assert parse_project({**raw, "method": "rsync"}, "git").method == "rsync"


def test_no_projects_at_all_is_an_error() -> None:
    with pytest.raises(InvalidOption, match="Option `projects` is empty"):
        parse_projects([])


def test_a_star_stands_for_anything_slashes_included() -> None:
    assert matches(["refs/heads/*"], "refs/heads/a/b")
    assert matches(["refs/tags/v*"], "refs/tags/v1")
    assert matches(["refs/heads/*-stable"], "refs/heads/x/1-stable")
    assert not matches(["refs/heads/*"], "refs/tags/a")
    assert not matches(["refs/heads/main"], "refs/heads/main2")
    assert not matches(["refs/heads/ab*b"], "refs/heads/ab")


def test_each_option_of_a_project_reaches_it() -> None:
    given = {"url": "https://example.org/a/x.git", "name": "y", "refs": ["refs/heads/main"], "method": "git", "path": "/clones/x"}
    project = parse_project(given)
    assert set(PROJECT_OPTIONS) == set(given) == {field.name for field in fields(Project)}
    assert {name: list(value) if isinstance(value, tuple) else value for name, value in vars(project).items()} == given
