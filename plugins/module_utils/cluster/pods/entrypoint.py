# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filler's first process: it ends at once on TERM, and by itself when nobody is there any more.

Its age is measured by ``/proc/uptime``, which no clock change moves. ``activeDeadlineSeconds`` would not do: it does not
count while the pod is Pending, and a pod left behind by a dead controller may start days later.
"""

from __future__ import annotations

ALONE = 3
"""The exit code where nobody comes, or nobody is there any more."""

SCRIPT = r"""
trap 'exit 0' TERM INT
heart=$1 limit=$2 first=$3
now() { read -r up rest </proc/uptime; now=${up%.*}; }
# The shell runs what it finds in arithmetic: what is not a plain number, or later than now, is no sign of life.
beat() {
    [ -f "$heart" ] && [ ! -L "$heart" ] && read -r beat <"$heart" || return
    beat=${beat%.*}
    case $beat in '' | 0?* | *[!0-9]* | ????????????*) return ;; esac
    [ "$beat" -gt "$now" ] || last=$beat
}
now
started=$now last=
while :; do
    sleep 1 &
    wait $!
    [ "$limit" -gt 0 ] || continue
    now
    beat
    if [ -n "$last" ]; then
        if [ $((now - last)) -gt "$limit" ]; then
            echo "no heartbeat for $limit seconds: the controller is gone, so this filler ends and frees the volume"
            exit 3
        fi
    elif [ $((now - started)) -gt "$first" ]; then
        echo "no controller came within $first seconds, so this filler ends and frees the volume"
        exit 3
    fi
done
"""


def argv(heartbeat: str, limit: int, first: int) -> list[str]:
    """The container's command. ``limit`` and ``first`` in seconds; ``limit`` 0 switches the dead-man's switch off."""
    return ["sh", "-c", SCRIPT, "packit-filler", heartbeat, str(limit), str(first)]
