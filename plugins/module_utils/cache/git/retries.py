# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeat git's requests to an upstream after errors that may pass, on the controller and in pods."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from ...deadline import Deadline
from ...shell import Completed

_PAUSES = (1.0, 3.0, 9.0)
"""Seconds before each further try; upstream's Retry-After counts where it is longer."""

# The server was reached: it is overloaded, is restarted, or a proxy before it is. 501 and 505 are for good.
_SERVER = (
    r"returned error: (429|50[0234]|52\d)|rpc failed; http (429|50[0234]|52\d)|connection reset|recv failure|empty reply from server"
    r"|unexpected disconnect|ssl_error_syscall|gnutls_handshake\(\) failed|gnutls recv error|http/2 stream \d+ was not closed cleanly"
)
# Whether there is a way at all. Where there is none it takes long to find out.
_WAY = r"could not resolve host|name resolution|timed out|timeout|operation too slow|connection refused"
_SERVER_PASSES = re.compile(_SERVER)
_PASSES = re.compile(f"{_SERVER}|{_WAY}")

TRACE = {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}
"""Variables with which git shows an answer's headers, which it tells nothing of otherwise."""
_TRACED = re.compile(r"^\d\d:\d\d:\d\d\.\d+ .*(?:\n|\Z)", re.MULTILINE)
_RETRY_AFTER = re.compile(r"<= recv header:\s*retry-after:\s*(\d{1,6})\s*$", re.IGNORECASE | re.MULTILINE)


def ask_again(ask: Callable[[Mapping[str, str]], Completed], deadline: Deadline, *, way: bool = True) -> Completed:
    """Run git until it succeeds, fails for good, or has failed once and three times more; the last answer.

    ``ask`` may add what it is given to git's environment, so that git shows what upstream wants. ``way``: whether a way that does not
    exist is tried again, too.
    A pause that would outlast the deadline is not begun: the answer that there is says more than a deadline.
    """
    completed, asked_to_wait = ask({}), 0.0
    for pause in _PAUSES:
        wait = max(pause, asked_to_wait)
        if not passes(completed, way=way) or wait >= deadline.left():
            break
        deadline.sleep(wait)
        traced = ask(TRACE)
        told = _RETRY_AFTER.findall(traced.stderr)
        asked_to_wait = float(told[-1]) if told else 0.0
        completed = replace(traced, stderr=_TRACED.sub("", traced.stderr))
    return completed


def passes(completed: Completed, *, way: bool = True) -> bool:
    """Return whether git failed for a reason that may be over soon. Pure."""
    pattern = _PASSES if way else _SERVER_PASSES
    return completed.returncode != 0 and pattern.search(completed.stderr.lower()) is not None
