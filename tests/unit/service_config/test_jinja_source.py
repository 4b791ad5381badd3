# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jinja sources: edited where a rendering proves it, and otherwise left alone with the lines to add."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.service_config import jinja_probe
from ansible_collections.packit.deployment.plugins.module_utils.service_config.edit import edit
from ansible_collections.packit.deployment.plugins.module_utils.service_config.wanted import VARIABLE, lines, parse_wanted

WANTED = parse_wanted("/repository-cache", VARIABLE, True)
LINES = "".join(f"{line}\n" for line in lines(WANTED))
SOURCE = """---
# {{ ansible_managed }}
deployment: {{ deployment }}
keytab_path: "/secrets/{{ realm | lower }}.keytab"
{# nobody sees this #}
{{ vault.packit_service | to_nice_yaml }}
{% if staging is defined %}
admins:
  - a
{% for admin in more_admins %}
  - {{ admin.name }}
{% endfor %}
{% endif %}
command_handler_k8s_namespace: {{ sandbox_namespace }}
"""


ITEM = f"  - path: /repository-cache\n    pvc_from_env: {VARIABLE}\n"
FROM_ENV = f"  - pvc_from_env: {VARIABLE}\n"
FULL = f"{ITEM}    read_only: true\n"
OTHER = "  - path: /other\n    pvc: a\n"
LISTED = SOURCE + "repository_cache: /repository-cache\nadd_repositories_to_repository_cache: false\ncommand_handler_pvc_volume_specs:\n"


def edited(text: str, state: State = State.PRESENT) -> str:
    """The source afterwards."""
    return edit("packit-service.yaml.j2", text.encode(), state, WANTED).after


@pytest.mark.parametrize("text", [SOURCE, SOURCE.rstrip("\n"), SOURCE.replace("\n", "\r\n"), SOURCE + "# the end\n"])
def test_the_lines_are_added_and_taken_out_again(text: str) -> None:
    after = edited(text)
    assert after.startswith(text)
    assert after.replace("\r\n", "\n").rstrip("\n").endswith(LINES.rstrip("\n"))
    assert edited(after) == after
    assert edited(after, State.ABSENT) == text


def test_an_item_is_added_to_the_list_that_is_there_and_a_path_is_corrected() -> None:
    text = SOURCE + "repository_cache: /old  # ours\ncommand_handler_pvc_volume_specs: # volumes\n- path: /{{ x }}\n  pvc: a\n"
    after = edited(text)
    item = f"- path: /repository-cache\n  pvc_from_env: {VARIABLE}\n  read_only: true\n"
    assert after == text.replace("/old", "/repository-cache").replace("# volumes\n", f"# volumes\n{item}") + lines(WANTED)[1] + "\n"
    assert "- path: /{{ x }}\n  pvc: a\n" in edited(after, State.ABSENT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SOURCE + "repository_cache: {{ path }}\n", "packit-service.yaml.j2, line 15: `repository_cache` is set by a Jinja expression"),
        (SOURCE + "{% if cache %}\n" + LINES + "{% endif %}\n", "`repository_cache` stands in a condition or a loop, so it is not always there."),
        (SOURCE + "server_name: |\n  s3cret", "an edit would change more than the cache's keys, or not all of them"),
        (
            SOURCE + "command_handler_pvc_volume_specs:\n{% for x in y %}\n  - path: /x\n    pvc: a\n{% endfor %}\n",
            "(rendered), line 7: `command_handler_pvc_volume_specs` is no list.",
        ),
        (SOURCE + "command_handler_pvc_volume_specs: [{path: /x, pvc: a}]\n", "`command_handler_pvc_volume_specs` cannot be edited"),
        (SOURCE + "{% endif %}\n", "cannot be rendered without its variables (TemplateSyntaxError)"),
        (SOURCE + "{% set a, b = (1, 2, 3) %}\n", "cannot be rendered without its variables (ValueError)"),
        ("#jinja2: variable_start_string: '[%'\n" + SOURCE, "(its first line has settings that are not known here)"),
        (SOURCE + "{% include 's3cret' %}\n", "cannot be rendered without its variables"),
        ("{{ everything | to_nice_yaml }}\n", "cannot be checked by rendering it without its variables."),
        (
            LISTED + OTHER + "{% if x is defined and y == 'b' and y != 'c' %}\n" + FULL + "{% endif %}\n",
            "`command_handler_pvc_volume_specs` cannot be edited in a Jinja source.",
        ),
        (LISTED + '  - path: "{{ path }}"\n    pvc_from_env: A\n', "line 18: `path` of an item is set by a Jinja expression, so it may be the cache's"),
        (LISTED + "  - path: /repository-cache{{ x }}\n    pvc: a\n", "line 18: `path` of an item is set by a Jinja expression"),
        (LISTED + OTHER + "  - path: /x\n    pvc_from_env: '{{ y }}'\n", "line 21: `pvc_from_env` of an item is set by a Jinja expression"),
        (SOURCE + "{% if a and not b %}repository_cache: /x\n{% endif %}\n", "`repository_cache` stands in a condition or a loop, or is written"),
        (LISTED + OTHER + "  {{ more_items }}\n", "line 20: a part of `command_handler_pvc_volume_specs` is made by a Jinja expression"),
        (LISTED + ITEM + "    {{ mode }}\n", "line 20: a part of `command_handler_pvc_volume_specs` is made by a Jinja expression"),
        (LISTED + ITEM + "  - {{ item }}\n", "line 20: a part of `command_handler_pvc_volume_specs` is made by a Jinja expression"),
        (SOURCE + "debug: !!bool s3cret\n", "cannot be checked by rendering it without its variables."),
    ],
)
def test_what_cannot_be_checked_is_refused_with_the_lines(text: str, words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        edited(text)
    assert words in caught.value.message
    assert caught.value.remedy == f"The file stays as it is. These are the lines:\n{LINES.rstrip()}"
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ITEM, FULL),  # the service's own documented snippet
        (OTHER + ITEM, OTHER + FULL),
        (ITEM + OTHER, FULL + OTHER),
        (ITEM + "    read_only: false  # why?\n", ITEM + "    read_only: true  # why?\n"),
        (
            "  - path: '/repository-cache'\n    pvc: one-for-all\n    read_only: yes\n",
            f"  - path: '/repository-cache'\n    pvc_from_env: {VARIABLE}\n    read_only: yes\n",
        ),
        (f"{FROM_ENV}    path: /wrong\n    read_only: true\n", f"{FROM_ENV}    path: /repository-cache\n    read_only: true\n"),
    ],
)
def test_the_item_that_is_there_is_corrected_and_none_comes_beside_it(before: str, after: str) -> None:
    for end in ("", "server_name: {{ name }}\n"):
        assert edited(LISTED + before + end) == LISTED + after + end
        assert edited(LISTED + after + end) == LISTED + after + end


EXPRESSIONS = (
    "{{ fields.get('a:b') }}", "{{ x.split(':')[0] }}", "{{ lookup('file', 'x') | b64decode }}", "{{ x + 'b' }}", "{{ 'b' + x }}",
    "{{ x > 3 }}", "{{ x | int + 1 }}", "{{ x | default('y') }}", "{{ -x // 2 ** y }}", "{{ '%s' % x }}", "{{ (x | bool) | ternary(1, 2) }}",
    "{% for k, v in x.items() %}{{ k }}{{ v }}{% endfor %}", "{% for i in range(n) %}{{ i }}{% endfor %}", "{{ 'a' in x and x in ['a'] }}",
    "{{ x if y == 'prod' else z }}", "{{ query('a') | map(attribute='b') | join(',') }}", "{{ now().strftime('%Y') }}", "{{ [1, x] | sum }}",
    "{{ x is defined and x is not none }}", "{{ ','.join(a) }}", "{{ 'a'.replace('a', x) }}", "{{ 'abc'.startswith(x) }}", "{{ '{:>3}'.format(x) }}",
    "{% for a, b in x %}{% endfor %}{% for c in y %}{{ c + 'a' }}{% endfor %}", "{{ x is version('1', '>=') }}", "{{ 'text' | unknown_filter(1) }}",
)  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_any_expression_may_stand_elsewhere(expression: str) -> None:
    text = f"{SOURCE}server_name: '{expression}'\n" if "'" not in expression else f'{SOURCE}server_name: "{expression}"\n'
    assert edited(text) == text + LINES


@pytest.mark.parametrize("value", ["{{ a }}-{{ b }}", "{{ host }}:{{ port }}", "{{ a }}@{{ b }}", "[{{ a }}, {{ b }}]"])
def test_values_that_are_put_together_may_stand_elsewhere(value: str) -> None:
    text = f"{SOURCE}server_name: {value}\n"  # beside YAML that stands alone on its line
    assert edited(text) == text + LINES


@pytest.mark.parametrize(
    "text",
    [
        "{% set a, b = x.split() %}\nserver_name: {{ a }}{{ b }}\n",
        "{% set a, (b, c) = x %}\n",
        "{% for a, (b, c) in x.items() %}\n# {{ a }}\n{% endfor %}\n",
        "{% if x in 'text' or x not in ['a', y] or 'a' in x or 'a' in 'ab' %}\n# {{ a }}\n{% endif %}\n",
        "{% if (1 if x in y else 2) > 1 and 'a' not in 'ab' %}\n# a\n{% endif %}\n",
        "{% for a in x.split() %}{% for b in a %}\n# {{ b }}\n{% endfor %}{% endfor %}\n",
    ],
)
def test_what_takes_values_apart_may_stand_elsewhere(text: str) -> None:
    assert edited(SOURCE + text).replace("\n\n", "\n") == SOURCE + text + LINES


def test_names_that_a_loop_makes_may_stand_elsewhere() -> None:
    loop = "{% for forge in forges %}\n  {{ forge.name }}:\n    token: {{ forge.get('token:key') }}\n{% endfor %}\n"
    text = f"{SOURCE}authentication:\n{loop}"
    assert edited(text) == text + LINES


def test_what_belongs_to_another_path_stays() -> None:
    text = "deployment: x\nrepository_cache: /other\nadd_repositories_to_repository_cache: false\n"
    made = edit("packit-service.yaml.j2", text.encode(), State.ABSENT, WANTED)
    assert not made.changed
    assert made.warnings == (
        "packit-service.yaml.j2: `repository_cache` is another path than /repository-cache, so it stays. Give that path to take it out.",
    )


def test_yaml_that_a_filter_makes_may_stand_elsewhere() -> None:
    text = SOURCE + "authentication:\n  {{ vault.fields | to_nice_yaml | indent(2) }}\n"
    assert edited(text) == text + LINES


def test_what_a_condition_has_in_each_case_is_seen() -> None:
    worlds = [jinja_probe.render("{% if x == 'prod' %}\na\n{% else %}\nb\n{% endif %}\nc", truth) for truth in (False, True)]
    assert worlds == ["b\nc", "a\nc"]  # and lines of blocks are taken away, as Ansible does it


@pytest.mark.parametrize("end", ["\n", ""])
def test_lines_behind_a_block_at_the_end_are_lines_of_their_own(end: str) -> None:
    text = "server_name: x\ndeployment: {% if prod %}prod{% else %}stg{% endif %}" + end
    after = edited(text)
    assert after == f"{text.rstrip()}\n\n{LINES}" if end else f"{text}\n\n{LINES.rstrip()}"
    rendered = jinja_probe.render(after, True)
    assert "deployment: prod\nrepository_cache: /repository-cache\n" in rendered


def test_a_template_does_nothing_on_this_machine(tmp_path: Path) -> None:
    said = f"touch {tmp_path}/done"
    for expression in ("''.__class__.__mro__[1].__subclasses__()", f"cycler.__init__.__globals__.os.system('{said}')", f"lookup('pipe', '{said}')"):
        edited(f'deployment: "{{{{ {expression} }}}}"\n')
    assert not list(tmp_path.iterdir())


def test_without_jinja2_the_lines_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.packit.deployment.plugins.module_utils.service_config.jinja_source.MISSING", True)
    assert jinja_probe.MISSING is False
    with pytest.raises(InvalidOption, match="the Python that runs this has no jinja2"):
        edited(SOURCE)
