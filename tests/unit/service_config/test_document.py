# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edit of the service's configuration: our keys, and every other byte as it was. PyYAML, as in the service, is the judge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.service_config import document, yaml_nodes
from ansible_collections.packit.deployment.plugins.module_utils.service_config.document import add, lacking, remove
from ansible_collections.packit.deployment.plugins.module_utils.service_config.wanted import KEYS, Wanted

# It is pure, and most of the time of these tests: each text is read once, by the code under test as well.
parse = lru_cache(yaml_nodes.parse)


@pytest.fixture(autouse=True, scope="module")
def _read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "parse", parse)
        yield


WANTED = Wanted("/repository-cache", "SANDCASTLE_REPOSITORY_CACHE_VOLUME", True)
ENTRY = {"path": "/repository-cache", "pvc_from_env": "SANDCASTLE_REPOSITORY_CACHE_VOLUME", "read_only": True}
BLOCK = (
    "repository_cache: /repository-cache\n"
    "add_repositories_to_repository_cache: false\n"
    "command_handler_pvc_volume_specs:\n"
    "  - path: /repository-cache\n"
    "    pvc_from_env: SANDCASTLE_REPOSITORY_CACHE_VOLUME\n"
    "    read_only: true\n"
)
LIST = "command_handler_pvc_volume_specs:\n"
FLOW = "command_handler_pvc_volume_specs:"
ENV = "pvc_from_env: SANDCASTLE_REPOSITORY_CACHE_VOLUME"


def added(text: str, wanted: Wanted = WANTED) -> str:
    """The text with our keys in it."""
    return add(parse("file", text), wanted)


def removed(text: str, wanted: Wanted = WANTED) -> str:
    """The text without them."""
    return remove(parse("file", text), wanted)


def check_edit(text: str) -> str:
    """Take out what is not there, edit, edit again, take out: what must be so for every document without the cache's keys."""
    assert removed(text) == text
    before, edited = yaml.safe_load(text), added(text)
    after = yaml.safe_load(edited)
    assert after["repository_cache"] == "/repository-cache"
    assert after["add_repositories_to_repository_cache"] is False
    foreign = before.get("command_handler_pvc_volume_specs", [])
    assert after["command_handler_pvc_volume_specs"] == [*foreign, ENTRY]
    assert {key: value for key, value in after.items() if key not in KEYS} == {
        key: value for key, value in before.items() if key not in KEYS
    }
    assert added(edited) == edited
    assert lacking(parse("file", edited), WANTED) == ()
    assert removed(edited) == text
    return edited


VALUES = st.sampled_from(
    [
        "1", "text", "'single # quoted'", '"double: \\"quoted\\""', "&anchor value", "[1, {a: b}]", "{user: &u me, again: *u}",
        "|\n  block\n   of text\n", ">-\n  folded\n  text\n\n", "|+\n  kept\n\n\n", "plain over\n  two lines", "\n  - one\n  # between\n  - two",
        "\n- without\n- indent", "\n  deep:\n    deeper: yes", "# only a comment", "é ü", "!!str 12", "~", "[\n  a,  # one\n  b,\n]",
    ]
)  # fmt: skip
FOREIGN = st.sampled_from(
    [
        "",
        "command_handler_pvc_volume_specs: []\n",
        "command_handler_pvc_volume_specs: [ ]  # none\n",
        "command_handler_pvc_volume_specs: [{path: /x, pvc: a}]\n",
        "command_handler_pvc_volume_specs: [\n  {path: /x, pvc: a},  # one\n  {path: /y, pvc: b},\n]\n",
        "command_handler_pvc_volume_specs:\n  - path: /x  # a comment\n    pvc: a\n",
        "command_handler_pvc_volume_specs: # a comment\n- pvc: a\n  path: /x\n- {path: /y, pvc: b}\n# the end\n",
        "command_handler_pvc_volume_specs:\n    -   path: /x\n        pvc: a\n        # about nothing\n\n    # more\n",
        '"command_handler_pvc_volume_specs":\n  -\n    path: \'/x\'\n    pvc: "a"\n',
    ]
)
COMMENTS = st.sampled_from(["", "# a comment\n", "\n", "\n\n  # indented\n", "   \n"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document of the service, without the cache's keys, written as people and templates write."""
    keys = draw(st.lists(st.tuples(COMMENTS, VALUES, st.sampled_from(["", "  # said"])), min_size=1, max_size=5))
    written = []
    for number, (comment, value, said) in enumerate(keys):
        tail = said if "\n" not in value and not value.startswith("#") else ""
        text = f"{comment}key{number}: {value}{tail}\n"
        written.append(re.sub(r"(?<=[ {])([&*])(anchor|u)\b", rf"\g<1>\g<2>{number}", text))
    written.insert(draw(st.integers(0, len(written))), draw(FOREIGN))
    text = draw(st.sampled_from(["", "---\n", "# first\n---\n", "%YAML 1.1\n---\n"])) + "".join(written)
    text += draw(st.sampled_from(["", "# the last word\n", "\n\n", "...\n", "...\n# after\n"]))
    if draw(st.booleans()):
        text = text.rstrip("\n") if not text.endswith(("...\n", "# after\n")) else text
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return draw(st.sampled_from(["", "\ufeff"])) + text


@settings(max_examples=400)
@given(documents())
def test_an_untouched_document_and_edit_then_remove_give_the_original_bytes(text: str) -> None:
    check_edit(text)


OURS = st.sampled_from(
    [
        "repository_cache: /old  # comment\n",
        "repository_cache: '/repository-cache'\n",
        "repository_cache:\n  /old\n",
        "repository_cache:\n",
        "'repository_cache' : \"/old\"\n",
        "repository_cache: >-\n  /old\n",
        "? repository_cache\n: /old\n",
        "add_repositories_to_repository_cache: yes\n",
        "add_repositories_to_repository_cache: 'no'\n",
        "add_repositories_to_repository_cache: !!bool true # x\n",
        f"{LIST}  - {{path: /repository-cache, {ENV}}}\n",
        f"{LIST}  - path: /repository-cache # c\n\n    # d\n    pvc: a\n  # e\n  - pvc: b\n    path: /x\n",
        f"{LIST}-\n  # c\n  path: /old\n  {ENV}\n  read_only: off\n\n",
        f"{FLOW} [{{{ENV}, path: /old}}, {{path: /x, pvc: b}}, ]\n",
        f"{FLOW} [\n  {{\n    path: /repository-cache,\n    pvc: b,\n  }},\n]\n",
    ]
)


@settings(max_examples=300)
@given(st.lists(OURS, min_size=1, max_size=3, unique_by=lambda text: text.strip("'? ")[:5]), documents(), st.booleans())
def test_whatever_was_there_of_the_cache_is_right_afterwards_and_the_rest_as_it_was(ours: list[str], text: str, first: bool) -> None:
    text = re.sub(r"[\"]?command_handler_pvc_volume_specs[\s\S]*?(?=\r?\n(?:key|#|\.\.\.)|\Z)", "other: 1", text)
    end = "\r\n" if "\r\n" in text else "\n"
    block = "".join(ours).replace("\n", end)
    place = text.index("key0:") if first else len(text)
    assume(place < len(text) or (text.endswith(end) and "...\n" not in text.replace("\r", "")))
    text = text[:place] + block + text[place:]
    before, edited = yaml.safe_load(text), added(text)
    after = yaml.safe_load(edited)
    assert after["repository_cache"] == "/repository-cache" and after["add_repositories_to_repository_cache"] in (False, "no")
    foreign = [item for item in before.get("command_handler_pvc_volume_specs", []) if item["path"] == "/x"]
    volumes = after["command_handler_pvc_volume_specs"]
    assert [item for item in volumes if item["path"] == "/x"] == foreign
    assert [item for item in volumes if item["path"] != "/x"] == [ENTRY]
    assert {key: value for key, value in after.items() if key not in KEYS} == {
        key: value for key, value in before.items() if key not in KEYS
    }
    assert added(edited) == edited
    if "|+" not in text:  # which may keep what comes after our lines: then they are not taken out, but told
        gone = yaml.safe_load(removed(edited))
        assert [item["path"] for item in gone.get("command_handler_pvc_volume_specs", [])] == ["/x"] * len(foreign)
        assert "repository_cache" not in gone


def test_the_lines_are_written_as_people_write_them() -> None:
    assert added("deployment: prod\n") == "deployment: prod\n" + BLOCK


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("repository_cache: /old # why\n", "repository_cache: /repository-cache # why\n"),
        ("repository_cache: '/old'\n", "repository_cache: /repository-cache\n"),
        ("repository_cache:  # not yet\n", "repository_cache: /repository-cache  # not yet\n"),
        ("repository_cache: &c /old\n", "repository_cache: &c /repository-cache\n"),
        ("add_repositories_to_repository_cache: yes\n", "add_repositories_to_repository_cache: false\n"),
        ("add_repositories_to_repository_cache: no\n", "add_repositories_to_repository_cache: no\n"),
        (
            f"{LIST}  - path: /repository-cache\n    pvc: a # one\n",
            f"{LIST}  - path: /repository-cache\n    {ENV} # one\n    read_only: true\n",
        ),
        (f"{LIST}- {ENV}\n  path: /old\n  read_only: no\n", f"{LIST}- {ENV}\n  path: /repository-cache\n  read_only: true\n"),
        (f"{LIST}- read_only: on\n  path: /repository-cache\n  {ENV}\n",) * 2,
        (f"{FLOW} [{{path: /repository-cache, {ENV}}}] # x\n", f"{FLOW} [{{path: /repository-cache, {ENV}, read_only: true}}] # x\n"),
        (
            f"{FLOW} [\n  {{path: /x, pvc: a}},\n]\n",
            f"{FLOW} [\n  {{path: /x, pvc: a}}, {{path: /repository-cache, {ENV}, read_only: true}},\n]\n",
        ),
    ],
)
def test_what_is_there_is_corrected_in_its_place(before: str, after: str) -> None:
    edited = added(f"deployment: prod\n{before}")
    assert edited.startswith(f"deployment: prod\n{after}")
    assert lacking(parse("file", edited), WANTED) == ()
    assert added(edited) == edited
    assert yaml.safe_load(edited)["deployment"] == "prod"


def test_read_only_off_is_written_and_taken_back() -> None:
    edited = added("deployment: prod\n", Wanted("/repository-cache", "SANDCASTLE_REPOSITORY_CACHE_VOLUME", False))
    assert edited == "deployment: prod\n" + BLOCK.replace("read_only: true", "read_only: false")
    assert added(edited) == "deployment: prod\n" + BLOCK


@pytest.mark.parametrize(
    "text",
    [
        "{deployment: prod}\n",
        "deployment: prod\nrepository_cache: &c /old\nserver_name: *c\n",
        "deployment: &s []\ncommand_handler_pvc_volume_specs: *s\n",
        "deployment: &i {path: /repository-cache, pvc: a}\ncommand_handler_pvc_volume_specs: [*i]\n",
    ],
)
def test_an_edit_that_would_change_another_keys_value_is_refused_with_the_lines(text: str) -> None:
    with pytest.raises(InvalidOption, match="cannot be edited without changing more than the cache's keys") as caught:
        added(text)
    assert caught.value.remedy.startswith("Put these lines into it by hand:\n")


def test_a_block_scalar_that_the_end_of_the_text_belongs_to_stays_as_it_is() -> None:
    text = "deployment: prod\nfas_password: |\n  kept without a line end"
    assert check_edit(text) == BLOCK + text


def test_the_one_item_of_a_list_goes_with_its_key_and_another_stays() -> None:
    assert removed("a: 1\n" + BLOCK + "  - path: /x\n    pvc: a\n") == f"a: 1\n{LIST}  - path: /x\n    pvc: a\n"
    assert removed("a: 1\n" + BLOCK + "b: 2\n") == "a: 1\nb: 2\n"
    assert (
        removed(f"a: 1\n{FLOW} [{{path: /repository-cache, pvc: a}}, {{path: /x, pvc: b}}]\n") == f"a: 1\n{FLOW} [{{path: /x, pvc: b}}]\n"
    )
