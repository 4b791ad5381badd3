# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs modules one after the other, each from its ``main()`` on, as Ansible would: what the processes of a fork server do.

The answer of the first goes to ``0.json`` in the job's directory, of the second to ``1.json``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from unittest import mock

from ansible.module_utils import basic

from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import filler
from ansible_collections.packit.deployment.plugins.module_utils.times import time_text

from .launcher import CLOCK_AHEAD, REMOVAL_SECONDS

COLLECTION = "ansible_collections.packit.deployment.plugins.modules"

# Once for all jobs: what nearly every one needs. A job imports the modules that it runs.
importlib.import_module("ansible_collections.kubernetes.core.plugins.module_utils.k8s.client")
importlib.import_module("ansible_collections.packit.deployment.plugins.module_utils.populate.module")
importlib.import_module("ansible_collections.packit.deployment.plugins.module_utils.claims.module")


def work(job: Mapping[str, Any]) -> int:
    """Run the modules of ``calls`` in this environment, whatever becomes of the first. Return the last code that is not 0."""
    os.environ.clear()
    os.environ.update(job["environment"])
    failed = 0
    with contextlib.ExitStack() as stack:
        if CLOCK_AHEAD in os.environ:
            stack.enter_context(_clock_ahead(float(os.environ.pop(CLOCK_AHEAD))))
            print(f"the clock says {time_text(datetime.now(timezone.utc))}", flush=True)
        if REMOVAL_SECONDS in os.environ:
            stack.enter_context(mock.patch.object(filler, "AWAY_SECONDS", float(os.environ.pop(REMOVAL_SECONDS))))
        for number, call in enumerate(job["calls"]):
            code, answer = _run(call["module"], call["arguments"])
            Path(f"{number}.new").write_text(answer)
            Path(f"{number}.new").rename(f"{number}.json")  # whoever looks meanwhile finds all of it or nothing
            failed = code or failed
    return failed


def _clock_ahead(seconds: float) -> contextlib.AbstractContextManager[object]:
    time_machine = importlib.import_module("time_machine")  # the demo has no need of it, and does not install it
    moved: contextlib.AbstractContextManager[object] = time_machine.travel(time.time() + seconds, tick=True)
    return moved


def _run(name: str, arguments: Mapping[str, Any]) -> tuple[int, str]:
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"  # how newer versions of Ansible write the answer
    printed = io.StringIO()
    code: object = 0
    try:
        with contextlib.redirect_stdout(printed):
            importlib.import_module(f"{COLLECTION}.{name}").main()
    except SystemExit as end:
        code = end.code or 0
    if not printed.getvalue().strip():
        raise RuntimeError(f"{name} ended with code {code} and answered nothing")
    return (code if isinstance(code, int) else 1), printed.getvalue().strip()
