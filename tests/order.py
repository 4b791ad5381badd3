# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random order of the tests: ``-p tests.order --random-order-seed N``, or ``auto`` for a seed that is made up.

The seed is in the output, so that an order that fails can be had again. For the scenarios:
``make pytest PYTEST_ARGS="-p tests.order --random-order-seed auto"``.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

_SEED = "random_order_seed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--random-order-seed``."""
    parser.addoption("--random-order-seed", default="", metavar="N", help="run the tests in random order; `auto` makes a seed up")


def pytest_configure(config: pytest.Config) -> None:
    """Make the seed up, or take that of the process that hands out the tests (pytest-xdist): all of them need the same order."""
    handed_down = getattr(config, "workerinput", {}).get(_SEED)
    if handed_down is not None:
        config.option.random_order_seed = handed_down
    elif config.getoption("random_order_seed") == "auto":
        config.option.random_order_seed = str(random.randrange(10**6))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the seed down to a process of pytest-xdist."""
    node.workerinput[_SEED] = node.config.getoption(_SEED)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Tell the seed."""
    seed = config.getoption("random_order_seed")
    return [f"random order of the tests: --random-order-seed {seed}"] if seed else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell the seed where there is no header."""
    if config.getoption("verbose") < 0:
        for line in pytest_report_header(config):
            terminalreporter.write_line(line)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shuffle them."""
    if seed := config.getoption("random_order_seed"):
        random.Random(seed).shuffle(items)
