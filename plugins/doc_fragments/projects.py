# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for the projects and for the way in which they reach the volumes, put together from what each method says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import AUTO
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import (
    BY_CONTROLLER,
    CHOICES,
    METHODS,
    OPTIONS_OF_A_PROJECT,
)


def _words() -> Iterator[str]:
    """The paragraphs of the option `method`."""
    yield "How a snapshot reaches a volume."
    for method in reversed(METHODS):
        yield f"V({method.name}) {method.about}"
    chosen = "; ".join(f"V({method.name}) {method.auto_for}" for method in METHODS if method.auto_for)
    yield f"V({AUTO}) chooses for each project and volume, and the plan says what and why. It is {chosen}."
    yield f"Where the cluster turns out not to reach upstream, V({AUTO}) goes on with V({BY_CONTROLLER.name})."
    yield "A worker's volume without a record is looked at first, because somebody may have filled it by hand."


class ModuleDocFragment:
    """C(packit.deployment.projects). A fragment is YAML, and JSON is YAML."""

    # With its type, as ansible-test takes an assignment without one for a text that it can read.
    DOCUMENTATION: str = json.dumps(
        {
            "options": {
                "projects": {
                    "description": ["The git repositories. At least one."],
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "suboptions": OPTIONS_OF_A_PROJECT,
                },
                "method": {"description": list(_words()), "type": "str", "choices": CHOICES, "default": AUTO},
            }
        }
    )
