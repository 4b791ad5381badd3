# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signs of life that a run gives in a pod: their interval, and the time after which a run without them is gone."""

from __future__ import annotations

BEAT_EVERY = 10.0
"""Seconds between heartbeats."""
HEARTBEAT_LIMIT = 120
"""Seconds without a sign of life after which a run is gone: its fillers end themselves (the default of the option heartbeat), its hold in another's
pod may be taken over, and it tries no longer to reconnect. So an API may be away for as long, and no run fails."""
