# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the unit tests: they run with a directory that they share, in one process for many of them, and with no example of hypothesis judged
by its time, which is another one on a busy machine."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from ansible_collections.packit.deployment.tests import once


def pytest_configure(config: pytest.Config) -> None:
    """Make the session's directory, and let ansible-test fork no process for each test, which took twice as long. It reads no markers of ours, either."""
    config.addinivalue_line("markers", "root: needs root, or what tests/real_cluster/cluster.sh builds; make test-real runs it, too")
    once.pytest_configure(config)
    config.pluginmanager.unregister(name="ansible_forked")


_LONGEST_SECONDS = 1200
"""No test takes so long, on however busy a machine: the longest takes one minute."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Have a test that hangs show where, and end. ansible-test reads no settings of ours for it."""
    assert sys.__stderr__ is not None
    faulthandler.dump_traceback_later(_LONGEST_SECONDS, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Let a process that has no more tests take some of another's; ansible-test has no option for it."""
    from xdist.scheduler import WorkStealingScheduling  # noqa: PLC0415

    return WorkStealingScheduling(config, log)


settings.register_profile("packit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("packit")
