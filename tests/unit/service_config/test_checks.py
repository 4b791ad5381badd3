# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals and warnings: in which words, with which line, and never with a credential."""

from __future__ import annotations

import traceback

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.service_config.edit import edit
from ansible_collections.packit.deployment.plugins.module_utils.service_config.wanted import VARIABLE, parse_wanted

from . import service

WANTED = parse_wanted("/repository-cache", VARIABLE, True)
SOURCE = "Secret packit/packit-config, key packit-service.yaml"
VOLUMES = "deployment: prod\ncommand_handler_pvc_volume_specs:\n"
ITEM = "  - path: /repository-cache\n"


def refusal(text: str | bytes) -> str:
    """The words in which an edit is refused."""
    with pytest.raises(InvalidOption) as caught:
        edit(SOURCE, text if isinstance(text, bytes) else text.encode(), State.PRESENT, WANTED)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("deployment: prod\nfas_password: [s3cret\n", ", line 3: this is no valid YAML: expected ',' or ']', but got"),
        ("fas_password: 's3cret\n", ", line 2: this is no valid YAML: found unexpected end of stream."),
        ("a: 1\nfas_password: *s3cret\n", ", line 2: this is no valid YAML: an alias stands for an anchor that is not there."),
        ("a: &x 1\nb: &x 2\n", ", line 2: this anchor is there already, further up; the service's loader stops."),
        ("a: \x01s3cret\n", ": this is no valid YAML: it has a character that YAML does not allow."),
        (b"a: \xff", " is no UTF-8 text."),
        ("", " is empty. The service needs at least the key `deployment`."),
        ("# nothing\n", " is empty."),
        ("- s3cret\n", ": its top level is a list and no mapping."),
        ("s3cret\n", ": its top level is a scalar and no mapping."),
        ("a: 1\n---\nb: 2\n", ", line 2: a second document begins, and the service reads only one."),
        (
            "repository_cache: s3cret\nb: 1\nrepository_cache: /x\n",
            ", line 3: the key `repository_cache` is there already in line 1; the service would silently use the last.",
        ),
        (VOLUMES + "  - path: s3cret\n    path: /x\n", ", line 4: the key `path` is there already in line 3"),
        ("a: {{ s3cret }}\n", ", line 1: the service cannot load this: found unhashable key; is it a template that was not rendered (`{{ … }}`)?"),
        ("? [a, s3cret]\n: b\n", ", line 1: the service cannot load this: found unhashable key"),
        ("a: {b: 1,\n\tc: s3cret}\n", ", line 2: the service cannot load this: found character "),
        ("a: 2026-13-45\nb: s3cret\n", ": the service cannot load this: a value is not what it is said to be."),
        ("a: !!bool s3cret\n", ": the service cannot load this: a value is not what it is said to be."),
        ("a: !!timestamp s3cret\n", ": the service cannot load this: a value is not what it is said to be."),
        ("a: !!int s3cret\n", ": the service cannot load this: a value is not what it is said to be."),
        ("a: !!python/object:os.system {}\nb: s3cret\n", ", line 1: the service's loader does not know this tag, and stops."),
        ("a: !vault s3cret\n", ", line 1: the service's loader does not know this tag, and stops. Take the tag (`!…`) out of that line."),
        ("a: 1\nrepository_cache: [/x]\n", ", line 2: `repository_cache` is a list, and must be text. The service does not start with it."),
        ("add_repositories_to_repository_cache: maybe\n", ", line 1: `add_repositories_to_repository_cache` is neither true nor false."),
        (VOLUMES, ", line 2: `command_handler_pvc_volume_specs` is no list. The service does not start with it. Make it a list (`[]`)"),
        (VOLUMES + "  - /x\n", ", line 3: an item of `command_handler_pvc_volume_specs` is no mapping."),
        (
            VOLUMES + ITEM + "    pvc: a\n    readonly: true\n",
            ", line 3: in this item of `command_handler_pvc_volume_specs` the field `readonly` is unknown. It shows only when the first "
            "sandbox starts. Known fields: path, volume_name, pvc, pvc_from_env, read_only.",
        ),
        (VOLUMES + f"  - path: repository-cache\n    pvc_from_env: {VARIABLE}\n", "the path `repository-cache` is relative"),
        (
            VOLUMES + "  - path: /repository-cache/\n    pvc: a\n",
            "the path `/repository-cache/` ends with a slash, so it never equals `repository_cache`",
        ),
        (
            VOLUMES + ITEM + "    pvc: a\n" + ITEM + "    pvc: b\n",
            "line 5: in this item of `command_handler_pvc_volume_specs` there is the ",
        ),
        (VOLUMES + ITEM + "    pvc: a\n    pvc_from_env: B\n", "there are both `pvc` and `pvc_from_env`"),
        (VOLUMES + ITEM, "there is neither `pvc` nor `pvc_from_env`"),
        (VOLUMES + f"  - pvc_from_env: {VARIABLE}\n", "there is no `path`"),
        (VOLUMES + ITEM + "    pvc: a\n    read_only: 'true'\n", "`read_only` is neither true nor false. It shows only when"),
        (VOLUMES + ITEM + "    pvc: [a]\n", "`pvc` is no single value"),
        (
            "{deployment: prod}\n",
            "cannot be edited without changing more than the cache's keys. Put these lines into it by hand:\nrepository_",
        ),
    ],
)
def test_what_would_stop_or_cripple_the_service_is_refused_with_its_line(text: str | bytes, words: str) -> None:
    told = refusal(text)
    assert told.startswith(SOURCE)
    assert words in told
    assert "s3cret" not in told


def test_what_is_wrong_with_other_items_is_a_warning_and_stays() -> None:
    text = VOLUMES + "  - path: /x/\n    pvc: a\n  - path: /y\n    pvc: b\n    readonly: true\n"
    made = edit(SOURCE, text.encode(), State.PRESENT, WANTED)
    assert text in made.after
    assert made.warnings == (
        f"{SOURCE}, line 3: in this item of `command_handler_pvc_volume_specs` the path `/x/` ends with a slash, so it never equals "
        "`repository_cache`. It is not the cache's, so it stays as it is. Take the slash away.",
        f"{SOURCE}, line 5: in this item of `command_handler_pvc_volume_specs` the field `readonly` is unknown. It is not the cache's, "
        "so it stays as it is. Known fields: path, volume_name, pvc, pvc_from_env, read_only.",
    )


def test_keys_of_others_that_are_there_twice_are_a_warning_and_stay() -> None:
    text = "a: s3cret\nx:\n  b: 1\n  b: 2\na: 2\n"
    for state in State:
        made = edit(SOURCE, text.encode(), state, WANTED)
        assert made.after.startswith(text)
        assert made.warnings == tuple(
            f"{SOURCE}, line {line}: the key `{key}` is there already in line {first}; the service silently uses the last. It is not the cache's, so "
            "both stay as they are. Take one of them out."
            for line, key, first in ((5, "a", 1), (4, "b", 3))
        )


def test_an_item_whose_fields_come_by_a_merge_is_the_caches() -> None:
    common = f"x: &x {{path: /repository-cache, pvc_from_env: {VARIABLE}}}\n"
    text = f"{common}{VOLUMES}  - <<: *x\n    read_only: true\nrepository_cache: /repository-cache\nadd_repositories_to_repository_cache: false\n"
    assert not edit(SOURCE, text.encode(), State.PRESENT, WANTED).changed
    less = text.replace("    read_only: true\n", "")
    assert edit(SOURCE, less.encode(), State.PRESENT, WANTED).after == text


def test_of_a_repeated_key_the_last_one_counts() -> None:
    text = "command_handler_k8s_namespace: one\ncommand_handler_k8s_namespace: two\n"
    assert edit(SOURCE, text.encode(), State.PRESENT, WANTED).sandbox_namespace == "two"


def test_several_merges_are_no_key_twice() -> None:
    text = "x: &x {a: 1}\ny: &y {b: 2}\nz:\n  <<: *x\n  <<: *y\n"
    assert edit(SOURCE, text.encode(), State.PRESENT, WANTED).warnings == ()


@pytest.mark.parametrize("value", ["false", "0", "n", '"0"', "'no'", "F", "Off"])
def test_what_the_service_takes_for_false_is_right(value: str) -> None:
    item = f"{ITEM}    pvc_from_env: {VARIABLE}\n    read_only: true\n"
    before = f"{VOLUMES}{item}repository_cache: /repository-cache\nadd_repositories_to_repository_cache: {value}\n"
    assert service.start(before)["add_repositories_to_repository_cache"] is False
    assert not edit(SOURCE, before.encode(), State.PRESENT, WANTED).changed


def test_another_path_is_left_alone_when_the_cache_is_taken_out() -> None:
    text = "deployment: prod\nrepository_cache: /other\nadd_repositories_to_repository_cache: false\n"
    made = edit(SOURCE, text.encode(), State.ABSENT, WANTED)
    assert not made.changed
    assert made.warnings == (
        f"{SOURCE}: `repository_cache` is another path than /repository-cache, so it stays. Give that path to take it out.",
    )


def test_a_file_of_nothing_but_the_cache_is_not_emptied() -> None:
    with pytest.raises(InvalidOption, match="has nothing but the cache's keys in it"):
        edit("file", b"repository_cache: /repository-cache\n", State.ABSENT, WANTED)


@pytest.mark.parametrize("path", ["repository-cache", "/", "/repository-cache/", "/a/../b", "/a/./b", "/a b", "/a:b", "//a", ""])
def test_a_path_that_the_service_would_not_find_is_refused(path: str) -> None:
    with pytest.raises(InvalidOption, match="is no absolute path of a directory"):
        parse_wanted(path, VARIABLE, True)


@pytest.mark.parametrize("name", ["", "A-B", "1A", "A=B", "A B"])
def test_a_name_that_is_no_variable_is_refused(name: str) -> None:
    with pytest.raises(InvalidOption, match="is no name of an environment variable"):
        parse_wanted("/repository-cache", name, True)
