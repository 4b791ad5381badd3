# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one claim."""

from __future__ import annotations

from ...deadline import Deadline
from ...errors import InvalidOption
from .api_errors import NotFound
from .client import Client
from .objects import Claim, parse_claim


def read_claim(client: Client, namespace: str, name: str, deadline: Deadline, remedy: str = "") -> Claim:
    """Return a claim as it is now. Raises ClusterError; where it does not exist and there is a ``remedy``, InvalidOption with that."""
    try:
        return parse_claim(client.get("PersistentVolumeClaim", namespace, name, deadline))
    except NotFound as error:
        if not remedy:
            raise
        raise InvalidOption(f"There is no claim {namespace}/{name}.", remedy) from error
