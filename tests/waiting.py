# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits of a test for a fact."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from .bounds import BOUND

T = TypeVar("T")

_AT_FIRST, _AT_MOST = 0.02, 0.1
"""Seconds between two looks. In between they are a tenth of what was waited, as a look may be a request, and cost what is waited for."""


def until(fact: Callable[[], T], what: str) -> T:
    """Wait until something is so, and return what was found. Raises AssertionError, which says ``what`` never came to be."""
    began = time.monotonic()
    while not (found := fact()):
        waited = time.monotonic() - began
        assert waited < BOUND, f"waited {BOUND:.0f} seconds for {what}"
        time.sleep(min(max(_AT_FIRST, waited / 10), _AT_MOST))
    return found
