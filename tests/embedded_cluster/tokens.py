# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens that the API takes, and whose they are."""

from __future__ import annotations

import secrets


class Tokens:
    """All tokens. The first is the administrator's."""

    def __init__(self) -> None:
        self.admin = secrets.token_hex(16)
        self._users = {self.admin: "admin"}

    def issue(self, namespace: str, account: str) -> str:
        """Return a new token of a service account."""
        token = secrets.token_hex(16)
        self._users[token] = f"system:serviceaccount:{namespace}:{account}"
        return token

    def user(self, token: str) -> str | None:
        """Return whose token this is, None where it is nobody's."""
        return self._users.get(token)
