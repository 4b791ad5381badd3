# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep secrets out of every text that leaves the run: results, errors, warnings, progress."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

HIDDEN = "********"
"""Stands in a secret's place, as in Ansible's own output."""
_LEAST = 5
"""Characters: what is shorter is in too many words to be looked for."""
_IN_URL = re.compile(r"(?<=://)[^\s/@:'\"]*:[^\s@'\"]*@|(?<=http://)[^\s/@'\"]+@|(?<=https://)[^\s/@'\"]+@")
"""Finds the user in a URL that has a password, or by http; whoever wrote it (git's ``insteadOf`` may)."""


class Redaction:
    """Knows secrets, and hides them in texts. For threads."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()

    def add(self, secret: str) -> None:
        """Something that no text may show, as it is, without the white space at its ends, or as a URL has it."""
        bare = secret.strip()
        if len(bare) >= _LEAST:
            self._known |= {secret, bare, quote(bare, safe=""), bare.encode("unicode_escape").decode("ascii")}

    @property
    def known(self) -> frozenset[str]:
        """Return each text that is hidden."""
        return self._known

    def text(self, text: str) -> str:
        """``text`` without the secrets."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return _IN_URL.sub(f"{HIDDEN}@", text)

    def data(self, value: Any) -> Any:
        """The same for all texts in a result."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.data(key): self.data(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(item) for item in value]
        return value


SECRETS = Redaction()
"""This run's: a module is a process of its own."""
