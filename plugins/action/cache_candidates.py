# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(packit.deployment.cache_candidates)."""

from __future__ import annotations

from ansible_collections.packit.deployment.plugins.plugin_utils.deployment_action import DeploymentAction


class ActionModule(DeploymentAction):
    """Runs the module."""


__all__ = ["ActionModule"]
