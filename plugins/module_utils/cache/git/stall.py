# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut off an upstream that sends nothing at all. One that sends little is alive, and has the run's own time.

A server without bitmaps counts the objects of a large repository for minutes, and tells how far it is in some 50 bytes a second. Where git's
upload-pack has nothing to tell it sends five bytes every five seconds.
"""

from __future__ import annotations

import re

STALL_TIMEOUT = 300
"""Seconds. A proxy that passes an answer on in pieces of 4 or 8 KiB hides 50 bytes a second for up to three minutes."""

_NOTHING_CAME = re.compile(
    r"^fatal: upstream sent nothing for (\d+) seconds$|Operation too slow\. Less than \d+ bytes/sec transferred the last (\d+) seconds",
    re.MULTILINE,
)


def http_limit(seconds: int) -> tuple[str, ...]:
    """Return git's options that cut off a request by http which has no byte for so long. The limit is libcurl's own."""
    return ("-c", "http.lowSpeedLimit=1", "-c", f"http.lowSpeedTime={seconds}")


def limited_by_git(url: str) -> bool:
    """Return whether git itself can cut off a request to that URL: it has no such limit for git:// and ssh. Pure."""
    return url.startswith(("http://", "https://"))


def silent_for(stderr: str) -> int:
    """Return the seconds for which nothing had come from upstream, where that was why git was ended; else 0. Pure."""
    found = _NOTHING_CAME.search(stderr)
    return int(found[1] or found[2]) if found else 0


# `watch SECONDS` ends what the script runs once upstream has sent nothing for so long: no process of it has read a byte, runs, or waits for the
# disk, as git does after the last byte of upstream's. It needs Linux's /proc; without it nothing is ended.
WATCH = r"""
below() {
    kids=
    read -r kids <"/proc/$1/task/$1/children"
    for kid in $kids; do
        [ "$kid" = "$self" ] || { found="$found $kid"; below "$kid"; }
    done
} 2>/dev/null
watch() {
    { read -r self rest </proc/self/stat; } 2>/dev/null || return
    before= silent=0
    while sleep 1 2>/dev/null; do
        found= now= busy=
        below $$
        for pid in $found; do
            stat= io=
            { read -r stat <"/proc/$pid/stat"; read -r io <"/proc/$pid/io"; } 2>/dev/null
            now="$now$io"
            case ${stat##*) } in [RD]*) busy=yes ;; esac
        done
        silent=$((silent + 1))
        [ -n "$now" ] && [ "$now" = "$before" ] && [ -z "$busy" ] || silent=0
        before=$now
        if [ "$silent" -ge "$1" ]; then
            echo "fatal: upstream sent nothing for $1 seconds" >&2
            kill -s TERM $found
            sleep 5 2>/dev/null
            kill -s KILL $found
            return
        fi
    done
}
"""
