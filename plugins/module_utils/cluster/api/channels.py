# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The streams of an exec inside one websocket: v4.channel.k8s.io. Pure.

Each message starts with a byte that names the stream. Standard input cannot end: what a process reads to its end is framed by
its length. v5 has a message for that, but is not asked for: an API server translates it for the node, message by message, where v4
goes through as it is, and rsync over it took a tenth longer. Read from Kubernetes' own source:
k8s.io/apimachinery/pkg/util/remotecommand/constants.go and k8s.io/apiserver/pkg/util/proxy/streamtranslator.go.
"""

from __future__ import annotations

import json

STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3
PROTOCOL = "v4.channel.k8s.io"
_LARGEST_CODE = 255


class NotStarted(ValueError):
    """The process could not be started; the text is the server's."""


def exit_code(status: bytes) -> int | None:
    """The exit code in what came on the status stream; None where nothing came: the connection was lost, not a success.

    Raises NotStarted with the server's words.
    """
    if not status.strip():
        return None
    try:
        data = json.loads(status)
        if data.get("status") == "Success":
            return 0
        for cause in (data.get("details") or {}).get("causes") or []:
            if cause.get("reason") == "ExitCode":
                code = int(cause["message"])
                if not 0 < code <= _LARGEST_CODE:
                    raise ValueError(f"no exit code of a failure: {code}")
                return code
        reason = data.get("message", "the server gave no reason")
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise NotStarted(f"the server's words about it cannot be understood: {status[:200].decode('utf-8', 'replace')}") from error
    raise NotStarted(str(reason))
