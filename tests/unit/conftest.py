# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How hypothesis works here: no example is judged by the time that it takes, which is another one on a busy machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("packit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("packit")
