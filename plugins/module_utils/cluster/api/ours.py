# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names by which a pod of ours is known: its label, its container, its scratch directory."""

from __future__ import annotations

OUR_LABEL = "packit.dev/repository-cache-filler"
OUR_CONTAINER = "filler"
"""Others may have been put into the pod beside it."""
SCRATCH = "/packit-scratch"
"""The mount path of an emptyDir: HOME, the agent's jobs, the heartbeat. Never on the volume."""
RUN_VARIABLE, POD_UID_VARIABLE = "PACKIT_DEPLOYMENT_RUN", "PACKIT_DEPLOYMENT_POD_UID"
"""Environment of the pods that we make: the run that made the pod, and the pod's uid. A pod's name may be another pod's by now."""
