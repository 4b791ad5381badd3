# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Supported versions beside each other: Python, ansible-core, and the Kubernetes client. Everything else is in the Makefile.

`nox -s unit` runs the unit tests for each of them that this machine has a Python for, `nox -s demo` the demo for the lowest and the
newest, and `nox -s lowest`, which is part of `make test`, both in short for the Python that runs nox.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nox

nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["unit", "demo"]
ROOT = Path(__file__).parent

PYTHONS = {
    "2.17": ("3.10", "3.11", "3.12"),
    "2.18": ("3.11", "3.12", "3.13"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.21": ("3.12", "3.13", "3.14"),
}
"""The Pythons that each ansible-core runs on."""
CLIENTS = {"lowest": ("kubernetes==25.3.0", "urllib3<2"), "newest": ()}
"""The packages that are installed in place of the pins of requirements/demo.txt. The lowest is that of requirements.txt."""
MATRIX = [(python, core, client) for core, pythons in PYTHONS.items() for python in pythons for client in CLIENTS]
CORNERS = [item for item in MATRIX if item[1:] in (("2.17", "lowest"), ("2.21", "newest"))]
TESTS = ("pytest==9.2.0", "pytest-xdist==3.8.0", "hypothesis==6.168.5", "GitPython==3.2.1", "packaging", "prometheus-client==0.26.0")
FOLDERS = sorted({path.parent.name for path in ROOT.glob("tests/unit/*/test_*.py")} - {"benchmarks", "cache", "repositories"})
FILES = ("test_actions.py", "test_module_defaults.py", "test_modules.py", "test_option_values.py")
CLUSTER = tuple(f"tests/unit/{name}" for name in (*FOLDERS, *FILES))
"""The tests of what depends on Ansible and on the client; the cache knows neither."""


def pins(*others: str) -> list[str]:
    """Return the pins of requirements/demo.txt, with others in place of those of the same package; resolvelib is left to ansible-core."""
    replaced = {re.split("[=<>]", other)[0] for other in others} | {"resolvelib"}
    lines = (ROOT / "requirements" / "demo.txt").read_text().splitlines()
    return [line for line in lines if line.partition("==")[0] not in replaced] + list(others)


def install(session: nox.Session, core: str, client: str) -> dict[str, str]:
    """Install what tests and demo need. Return their environment."""
    session.install(*pins(f"ansible-core=={core}.*", *CLIENTS[client]), *TESTS)
    session.run("python", "tests/tools/lay_out.py")
    paths = os.pathsep.join(str(ROOT / path) for path in (".build/collections", ".", "tests/site"))
    compiled = str(ROOT / ".build" / "pycache")
    return {"PYTHONPATH": paths, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"), "PYTHONPYCACHEPREFIX": compiled}


@nox.session
@nox.parametrize("python,core,client", MATRIX)
def unit(session: nox.Session, core: str, client: str) -> None:
    """tests/unit, or what is named after `--`."""
    environment = install(session, core, client)
    session.run("python", "-m", "pytest", "-q", "-n", "2", *(session.posargs or ("tests/unit",)), env=environment)


@nox.session
@nox.parametrize("python,core,client", CORNERS)
def demo(session: nox.Session, core: str, client: str) -> None:
    """The demo."""
    session.run("python", "-m", "tests.demo", env=install(session, core, client))


@nox.session(reuse_venv=True)
def lowest(session: nox.Session) -> None:
    """Run what depends on Ansible and the client, and the demo, with the lowest of both for the Python that runs nox."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    environment = install(session, next(core for core, pythons in PYTHONS.items() if version in pythons), "lowest")
    session.run("python", "-m", "pytest", "-q", "-n", "2", *(session.posargs or CLUSTER), env=environment)
    session.run("python", "-m", "tests.demo", env=environment)
