# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit tests share, and how hypothesis works here: no example is judged by its time, which is another one on a busy machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from ansible_collections.packit.deployment.tests.once import pytest_configure

__all__ = ["pytest_configure"]

settings.register_profile("packit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("packit")
