# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A script that runs several processes, each with its own input, output, exit code and time limit."""

from __future__ import annotations

from ....shell import KILLED, STDERR_LIMIT
from .look import ABSENT_REFS, INSPECT
from .object_lists import INVENTORY, QUARANTINED, SUMS
from .publish import MOVE_PACKS, PUBLISH_NEW

PARALLEL = frozenset((ABSENT_REFS, INSPECT, INVENTORY, MOVE_PACKS, PUBLISH_NEW, QUARANTINED, SUMS))
"""Scripts of which several, for different projects, may run at once: none makes the work directory, and none removes it under another one, whose
project's slot is in it. They wait for the disk or the network as long as for the processor."""
PROCESSES_AT_ONCE = 4
"""Processes of a batch; few, as a filler has little memory and few processors."""

OUTPUT_MOST = 1024 * 1024
"""Bytes of one process's output that come with those of the others."""

# $1 a directory of ours, $2 the number of texts, these texts (scripts are long, and the same for many), then for each process: `alone`, or `parallel`
# to others of that kind, the seconds that it may take, the bytes of its standard input, the number of its words, and these: `=` and a word, `@` and a
# text's number, or, before those, `+` and NAME=VALUE for its environment.
# One starts after the other, whatever becomes of the first; their standard inputs come as one. Prints a line for each, its exit code (124 where it
# took too long) and the bytes of its output and its errors, then all of them; an output of more than MOST bytes stays in the directory.
# `timeout` has a process group of its own, so whoever ends this one has to end that one too.
BATCH = (
    r"""
d=$1 texts=$2 n=0 codes= files= inputs= running= beside=0
shift 2
while [ "$n" -lt "$texts" ]; do
    n=$((n + 1))
    eval "text$n=\$1"
    shift
done
rm -rf -- "$d" && mkdir -p -- "$d" || exit 3
trap '[ -z "$running" ] || kill $running; exit 143' TERM
all_end() {
    for pid in $running; do
        wait "$pid"
        codes="$codes $?"
        kill -KILL "-$pid" 2>/dev/null  # what it has started may live longer, and write
    done
    running= beside=0
}
fail() {  # nothing goes on when this has ended
    [ -z "$running" ] || kill $running
    all_end
    exit 3
}
n=0
while [ $# -gt 0 ]; do
    n=$((n + 1)) how=$1 seconds=$2 bytes=$3 words=$4 in=/dev/null
    shift 4
    if [ "$how" = alone ] || [ "$beside" -ge PROCESSES_AT_ONCE ]; then all_end; fi
    if [ "$bytes" -gt 0 ]; then
        in=$d/$n.in inputs="$inputs $n.in"
        (umask 077 && head -c "$bytes" >"$in") || fail
    fi
    (
        others=$(($# - words))
        while [ "$words" -gt 0 ]; do
            case $1 in
            +*) export "${1#+}" ;;
            @*) eval "set -- \"\$@\" \"\$text${1#@}\"" ;;
            *) set -- "$@" "${1#=}" ;;
            esac
            shift
            words=$((words - 1))
        done
        shift "$others"
        exec timeout -k 1 "$seconds" "$@"
    ) <"$in" >"$d/$n.out" 2>"$d/$n.err" &
    running="$running $!" beside=$((beside + 1)) files="$files $n.out $n.err"
    [ "$how" = parallel ] || all_end
    shift "$words"
done
all_end
cd -- "$d" || exit 3
[ -z "$inputs" ] || rm -f -- $inputs  # one may have a secret in it
set -- $(stat -c %s -- $files) || exit 3
i=0 outputs=
for code in $codes; do
    i=$((i + 1)) size=$1 said=$2
    shift 2
    if [ "$said" -gt LIMIT ]; then
        tail -c LIMIT "$i.err" >tail && mv -f -- tail "$i.err" || exit 3
        said=LIMIT
    fi
    echo "$code $size $said"
    [ "$size" -eq 0 ] || [ "$size" -gt MOST ] || outputs="$outputs $i.out"
    [ "$said" -eq 0 ] || outputs="$outputs $i.err"
done
[ -z "$outputs" ] || cat -- $outputs
""".replace("LIMIT", str(STDERR_LIMIT))
    .replace("MOST", str(OUTPUT_MOST))
    .replace("PROCESSES_AT_ONCE", str(PROCESSES_AT_ONCE))
)

TIMED_OUT = 124
"""The exit code of `timeout` where it ended a process."""
NO_RESULT_CODES = frozenset((125, KILLED, 143))
"""Exit codes of what could not begin, or was killed: by `timeout` where it did not heed its end, or for want of memory. 143 is
busybox's `timeout`, too."""
