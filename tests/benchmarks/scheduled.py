# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a CronJob's job that finds nothing to do, on the embedded cluster."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from statistics import median

from tests.integration.harness import WORK
from tests.integration.test_schedule import NAME, RIGHTS, apply, finish, pod_of

from .measure import RUNS, Table, kibibytes, looking, timed
from .world import embedded


class Memory:
    """Measures a pod's memory: the most of all its processes together, in MB. A page that several share counts once."""

    def __init__(self, pod: str) -> None:
        self.megabytes = 0.0
        self._named = f"HOSTNAME={pod}".encode()

    def look(self) -> None:
        """See how much it is now."""
        now = sum(kibibytes(process, "Pss")[0] for process in Path("/proc").glob("[0-9]*") if self._is_there(process))
        self.megabytes = max(self.megabytes, now * 1024 / 1e6)

    def _is_there(self, process: Path) -> bool:
        with suppress(OSError):  # it has ended
            return self._named in (process / "environ").read_bytes().split(b"\0")
        return False


def scheduled(table: Table) -> None:
    """Requests, memory and seconds of a job that finds nothing to do."""
    with embedded() as (cluster, scene):
        scene.deploy(2, roles=RIGHTS)
        scene.repository(commits=3)
        apply(scene)
        cluster.start_job(WORK, NAME, f"{NAME}-0")
        finish(scene, f"{NAME}-0")
        user = f"system:serviceaccount:{WORK}:{NAME} "
        seconds: list[float] = []
        memory: list[float] = []
        cluster.requests(clear=True)
        for number in range(1, RUNS + 1):
            job = f"{NAME}-{number}"
            cluster.start_job(WORK, NAME, job)
            most = Memory(pod_of(cluster, job))
            with looking(most.look, every=0.02):
                seconds.append(timed(lambda: finish(scene, job)))  # noqa: B023 - it is called here
            memory.append(most.megabytes)
        asked = sum(number for what, number in cluster.requests().items() if what.startswith(user))
    how = "embedded cluster; a job of the CronJob, two pairs"
    table.say("a scheduled run with nothing to do, requests", f"{asked / RUNS:.0f}", "≤ 12", how)
    shared = "all its processes; what several share counts once"
    table.say("a scheduled run with nothing to do, memory of its pod", f"{median(memory):.0f} MB", "≤ 100 MB", shared)
    table.say("a scheduled run with nothing to do, of its pod", f"{median(seconds):.1f} s", "-", how)
