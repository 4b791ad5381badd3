# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what a pod of ours is known, and which of its containers is ours: others may have been put into it."""

from __future__ import annotations

OUR_LABEL = "packit.dev/repository-cache-filler"
OUR_CONTAINER = "filler"
