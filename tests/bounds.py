# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time that a test waits for what must happen."""

from __future__ import annotations

BOUND = 600.0
"""Seconds after which something is taken to hang. It is no measurement: it is far more than a busy machine needs."""
