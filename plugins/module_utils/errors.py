# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own exceptions: every one says what, where and why, and what to do about it.

Both layers (``cluster`` and ``cache``) raise subclasses of ``DeploymentError``, so a caller needs one ``except`` ladder,
and a volume's failure can be reported in the same words wherever it comes from.
"""

from __future__ import annotations

from .printable import in_one_line, printable_lines


class DeploymentError(Exception):
    """Something that the user can be told in words.

    ``message`` says what happened, where and why; ``remedy`` what to do (empty when nothing sensible can be said).
    Neither holds a secret. Both may quote what others say, so they are made printable here, the message in one line.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = in_one_line(message)
        self.remedy = printable_lines(remedy)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class InvalidOption(DeploymentError):
    """A value that the user gave cannot be used; found before anything is made."""


class DeadlineExceeded(DeploymentError):
    """The time allowed for a piece of work is over."""


class Interrupted(DeadlineExceeded):
    """A piece of work was stopped before its time, as somebody with more right waits for what it holds."""


class Cancelled(DeploymentError):
    """The run was asked to stop (Ctrl-C, SIGTERM)."""


class PlaceLost(DeploymentError):
    """The place where processes ran cannot be reached any more, or is gone; what they had written may be there still."""
