# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remember what failed for the whole run, so that not each project and pair tries it again."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from ...cache.git.fetch_errors import SnapshotGone
from ...cluster.api.api_errors import ClusterError
from ...deadline import Deadline
from ...errors import Cancelled, DeadlineExceeded, DeploymentError, Interrupted, PlaceLost


class OnceFailed:
    """Remembers by what a piece of work failed. Work of one key is done by one thread at a time."""

    def __init__(self) -> None:
        self._failed: dict[Hashable, DeploymentError] = {}

    @contextmanager
    def tried(self, key: Hashable, deadline: Deadline) -> Iterator[None]:
        """Do the work inside, unless it has failed before: its error is raised again then, as is the one of now.

        What is gone on with in another place or with another snapshot has not failed, nor what the API refuses for a moment, nor what had
        little time, as others had used it up.
        """
        if key in self._failed:
            raise self._failed[key]
        in_time = deadline.left() > deadline.seconds / 2
        try:
            yield
        except (Cancelled, Interrupted, PlaceLost, SnapshotGone):
            raise
        except DeploymentError as error:
            passes = error.passes if isinstance(error, ClusterError) else isinstance(error, DeadlineExceeded) and not in_time
            if not passes:
                self._failed[key] = error
            raise
