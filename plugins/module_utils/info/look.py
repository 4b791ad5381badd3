# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look into the volumes, each by a filler for as long as the look takes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..cache.domain.model import Volume
from ..cache.git.entry import Entry
from ..cache.rollout.staged_project import repository_on
from ..deadline import Deadline
from ..errors import DeploymentError
from ..printable import printable
from ..volumes.holding import ClusterVolumeAccess

_MOST = 1000
"""Directories of a volume that are looked into: what is more was not made by us."""
# Prints the bytes that are free, where the file system says so, and the names.
_LIST = f"""cd -- "$1" || exit 0
free=$(df -B1 --output=avail -- .)
printf '%s\\0' "${{free##*[!0-9-]}}"
n=0
for f in * .[!.]*; do
    if [ ! -e "$f" ] || [ "$f" = lost+found ]; then continue; fi
    printf '%s\\0' "$f"
    n=$((n + 1))
    [ "$n" -le {_MOST} ] || exit 0
done
exit 0"""


def look_inside(access: ClusterVolumeAccess, volumes: Sequence[Volume], timeout: int, at_once: int, stop: threading.Event) -> dict[Volume, dict[str, Any]]:
    """Return what lies on each of the volumes, as the module tells it; ``timeout`` in seconds for one of them."""

    def look(volume: Volume) -> dict[str, Any]:
        deadline = Deadline(timeout, f"looking into {volume}", stop)
        try:
            with access.hold(volume, deadline) as held:
                listed = held.shell.run(("sh", "-c", _LIST, "list", held.root), deadline=deadline).stdout
                free, *names = listed.split(b"\0")[:-1] or [b""]
                more = f"It has more than {_MOST} directories; the first ones were looked into." if len(names) > _MOST else ""
                entries = {}
                for raw in names[:_MOST]:
                    name = raw.decode("utf-8", "surrogateescape")
                    entries[printable(name)] = _entry_facts(repository_on(held, name, 3600.0).glance(deadline))
                size = {"free_bytes": int(free)} if free.isdigit() else {}
                return {"entries": entries, "error": more, "held_seconds": round(held.held_seconds, 3), **size}
        except DeploymentError as error:
            return {"entries": {}, "error": str(error), "held_seconds": 0.0}

    with ThreadPoolExecutor(max(1, at_once)) as executor:
        return dict(zip(volumes, executor.map(look, volumes), strict=True))


def _entry_facts(entry: Entry) -> dict[str, Any]:
    return {
        "usable": entry.usable,
        "layout": entry.layout.value if entry.layout is not None else "",
        "reason": entry.reason,
        "remedy": entry.remedy,
        "bytes": entry.bytes,
        "packs": entry.packs,
        "loose_objects": entry.loose,
        "owner": entry.owner,
        "warnings": list(entry.warnings),
    }
