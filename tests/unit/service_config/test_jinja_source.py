# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jinja sources: edited where a rendering proves it, and otherwise left alone with the lines to add."""

from __future__ import annotations

import traceback

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.service_config import jinja_world
from ansible_collections.packit.deployment.plugins.module_utils.service_config.edit import State, edit
from ansible_collections.packit.deployment.plugins.module_utils.service_config.model import VARIABLE, lines, parse_wanted

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
        (SOURCE + "{% if cache %}\n" + LINES + "{% endif %}\n", "an edit would change more than the cache's keys, or not all of them"),
        (SOURCE + "server_name: |\n  s3cret", "an edit would change more than the cache's keys, or not all of them"),
        (
            SOURCE + "command_handler_pvc_volume_specs:\n{% for x in y %}\n  - path: /x\n    pvc: a\n{% endfor %}\n",
            "(rendered), line 9: `command_handler_pvc_volume_specs` is no list.",
        ),
        (SOURCE + "command_handler_pvc_volume_specs: [{path: /x, pvc: a}]\n", "`command_handler_pvc_volume_specs` cannot be edited"),
        (SOURCE + "{% endif %}\n", "cannot be rendered without its variables (TemplateSyntaxError)"),
        (SOURCE + "{{ x + 1 }}\n", "cannot be rendered without its variables (UndefinedError)"),
        (SOURCE + "{% include 's3cret' %}\n", "cannot be rendered without its variables"),
        ("{{ everything | to_nice_yaml }}\n", "cannot be checked by rendering it without its variables."),
    ],
)
def test_what_cannot_be_checked_is_refused_with_the_lines(text: str, words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        edited(text)
    assert words in caught.value.message
    assert caught.value.remedy == f"The file stays as it is. These are the lines:\n{LINES.rstrip()}"
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_template_does_nothing_on_this_machine() -> None:
    with pytest.raises(InvalidOption, match="cannot be rendered"):
        edited("deployment: {{ ''.__class__.__mro__[1].__subclasses__() }}\n{{ cycler.__init__.__globals__.os.system('true') + 1 }}\n")


def test_without_jinja2_the_lines_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.packit.deployment.plugins.module_utils.service_config.jinja_source.MISSING", True)
    assert jinja_world.MISSING is False
    with pytest.raises(InvalidOption, match="the Python that runs this has no jinja2"):
        edited(SOURCE)
