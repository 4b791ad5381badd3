# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A diff shows what changed, and nothing of what is beside it."""

from __future__ import annotations

from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.service_config.edit import edit
from ansible_collections.packit.deployment.plugins.module_utils.service_config.redacted_diff import diff
from ansible_collections.packit.deployment.plugins.module_utils.service_config.wanted import VARIABLE, parse_wanted

WANTED = parse_wanted("/repository-cache", VARIABLE, True)
HIDDEN = "[lines that stay as they are, not shown]\n"


def test_no_line_that_stays_is_shown() -> None:
    volumes = f"command_handler_pvc_volume_specs:\n- pvc_from_env: {VARIABLE}\n  path: /old\n"
    text = f"fas_password: s3cret\nrepository_cache: /old\nwebhook_secret: s3cret\n{volumes}x: s3cret\n"
    made = edit("file", text.encode(), State.PRESENT, WANTED)
    shown = diff("file", made.before, made.after)
    assert shown == {
        "before_header": "file",
        "after_header": "file",
        "before": f"{HIDDEN}repository_cache: /old\n{HIDDEN}  path: /old\n{HIDDEN}",
        "after": f"{HIDDEN}repository_cache: /repository-cache\n{HIDDEN}  path: /repository-cache\n  read_only: true\n{HIDDEN}"
        "add_repositories_to_repository_cache: false\n",
    }


def test_nothing_changed_shows_nothing() -> None:
    assert diff("file", "a: s3cret\n", "a: s3cret\n")["before"] == diff("file", "a: s3cret\n", "a: s3cret\n")["after"] == HIDDEN
