# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of requests to the API, in words that name host, verb, resource and namespace, never a token."""

from __future__ import annotations

from ...errors import DeploymentError, PlaceLost


class ClusterError(DeploymentError):
    """The API refused, or could not be asked.

    ``passes``: the same request may succeed soon; where ``retry_after`` is more than 0, after so many seconds.
    """

    passes = False
    retry_after = 0.0


class NotFound(ClusterError):
    """There is no such object."""


class AlreadyExists(ClusterError):
    """An object of that name is there already."""


class Conflict(ClusterError):
    """The object is not the one that was meant: it changed, or was made again, in the meantime."""


class Forbidden(ClusterError):
    """No right to do this, or an admission plugin refused it."""


class QuotaExceeded(Forbidden):
    """The namespace's quota has no room now."""


class Unauthorized(ClusterError):
    """The token is wrong or has expired."""


class Unreachable(ClusterError):
    """The API did not answer."""

    passes = True


class Redirected(ClusterError):
    """The answer sends us elsewhere, where we do not go: the credentials would go with us."""


class Gone(ClusterError):
    """A watch started too far back in time."""


class ExecRefused(ClusterError):
    """Something in front of the API lets no process be run; this is no lost connection."""


class Invalid(ClusterError):
    """The API understood the object and found it wrong."""


class ConnectionLost(ClusterError, PlaceLost):
    """The connection to a process in a pod was lost, and could not be made again in time."""


class PodLost(ClusterError, PlaceLost):
    """A pod of ours was deleted or evicted by somebody else."""


class VolumeBusy(ClusterError):
    """The volume is attached to another node, so the filler went away at once."""


class CloneRefused(ClusterError):
    """The storage refuses to make the claim's volume as a clone, so no pod can have it."""


class FillerExists(ClusterError):
    """Another run's live filler holds this volume."""


class RolloutStuck(ClusterError):
    """The pods of a StatefulSet or Deployment do not come to what its template says."""
