# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes on this machine end with all that they have started."""

from __future__ import annotations

from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell


def test_what_a_killed_process_has_left_is_not_waited_for() -> None:
    """It has the same pipes: an rsync's remote shell, when the machine has no memory left."""
    done = LocalShell().run(("sh", "-c", "sleep 60 & kill -9 $$"), deadline=Deadline(20, "this test"))
    assert done.returncode == -9
