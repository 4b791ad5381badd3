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

_LOOK_EVERY = 0.02


def until(fact: Callable[[], T], what: str) -> T:
    """Wait until something is so, and return what was found. Raises AssertionError, which says ``what`` never came to be."""
    ends = time.monotonic() + BOUND
    while not (found := fact()):
        assert time.monotonic() < ends, f"waited {BOUND:.0f} seconds for {what}"
        time.sleep(_LOOK_EVERY)
    return found
