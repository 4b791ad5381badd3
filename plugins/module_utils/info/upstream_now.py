# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what upstreams have now of the projects on the volumes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from ..background import unexpected
from ..cache.domain.projects import parse_project
from ..cache.git.upstream import READ_SECONDS, READS_AT_ONCE, read_snapshot
from ..deadline import Deadline
from ..errors import Cancelled, DeploymentError
from ..shell import Shell
from .copies import Upstream


def read_upstreams(shell: Shell, wanted: Iterable[Upstream], deadline: Deadline) -> dict[Upstream, str | DeploymentError]:
    """Return the digest of each upstream's snapshot, or why it could not be read. Raises Cancelled.

    The URLs are those on the claims, where others may have written them, so they are judged as the user's own are.
    """

    def read(one: Upstream) -> str | DeploymentError:
        name, url, patterns = one
        try:
            project = parse_project({"name": name, "url": url, **({"refs": patterns.split()} if patterns else {})})
            return read_snapshot(shell, project, deadline.within(READ_SECONDS, f"reading the refs of {url}")).digest
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001  (one project's failure is that one's)
            return unexpected(f"Reading the refs of {name}", error)

    known = sorted(set(wanted))
    with ThreadPoolExecutor(READS_AT_ONCE, "upstream") as executor:
        return dict(zip(known, executor.map(read, known), strict=True))
