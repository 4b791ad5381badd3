# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our agent in a pod: a constant sh script behind one long-lived exec, and the framing of what it is told and answers.

It starts jobs detached from the connection, with input, output and exit code in files, so that a connection that was cut
finds them again; keeps the pod's heartbeat; and needs nothing but sh and coreutils.

Controller to agent, lines::

    beat                    touch the heartbeat; with a job running, its newest words go to stderr
    run ID WORDS LENGTH     then WORDS times `a WORD` in a line, or `b BYTES` in a line, so many bytes of a word with newlines
                            in it, and a newline; then LENGTH bytes of standard input
    wait ID                 answer when the job has ended; `unknown ID` where it was never started
    kill ID                 end the job and its children: asked to, and a second later made to; one that has not begun never will
    forget ID               its answer has arrived: delete its files

A connection that is cut leaves what was sent in the pipe of its agent, which reads it sooner or later. So the first agent that reads a `run`
makes the file ID.taken and starts the job; for every other one `run` is `wait`. After `kill` the file ID.over keeps the job from starting.
Both files stay where another agent may still read of the job. An ID never comes again.

Agent to controller, on stdout, first of all whom it serves::

    ready RUN               it begins; RUN is the run whose pod this is, where that is one of ours
    other RUN               the pod is another one than the caller means, and nothing was touched
    done ID CODE OUT ERR    then OUT bytes of standard output, then ERR bytes (the end) of standard error
    large ID OUT            it has ended, and its OUT bytes of standard output are more than one answer may have
    unknown ID              it was never started here, or is forgotten
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...shell import OUTPUT_LIMIT, STDERR_LIMIT, Completed
from ..api.api_errors import ClusterError, PodLost
from ..api.ours import POD_UID_VARIABLE, RUN_VARIABLE

JOBS_VARIABLE = "PACKIT_DEPLOYMENT_JOBS"
"""Environment of all that we start in a pod, with the job directory: what a run leaves in somebody else's container is found by that."""
OTHER_POD = 113
"""Exit code of a process that was started in another pod than was meant, as it may be of any other: the agent knows which it is."""

_NO_ROOM = "error: the pod has no room left on its scratch, so how this process ended could not be kept"
_NO_ROOM_CODE = 74
"""Exit code where the file with a job's own is empty: EX_IOERR of sysexits.h."""

SCRIPT = r"""
set -u
if [ "${UID_NAME-$3}" != "$3" ]; then echo "other ${RUN_NAME-}"; exit; fi
umask 022
jobs=$1 heart=$2 last= sent_once= waited_for=
export JOBS_NAME="$jobs"
command -v setsid >/dev/null || setsid() { "$@"; }
beat() {
    [ -z "$heart" ] && return
    read -r up rest </proc/uptime && echo "$up" >"$heart.new" && mv -f "$heart.new" "$heart"
}
answer() {
    if ! read -r code <"$jobs/$1/rc"; then
        printf 'done %s EMPTY' "$1"
        return
    fi
    # Every process that is started here costs a filler's small share of a processor: as few as can be.
    if [ -s "$jobs/$1/err" ]; then tail -c LIMIT "$jobs/$1/err" >"$jobs/$1/tail"; else : >"$jobs/$1/tail"; fi
    if [ -s "$jobs/$1/out" ] || [ -s "$jobs/$1/tail" ]; then
        sizes=$(stat -c %s "$jobs/$1/out" "$jobs/$1/tail")
        if [ "${sizes%%[!0-9]*}" -gt MOST ]; then
            echo "large $1 ${sizes%%[!0-9]*}"
        else
            echo "done $1 $code "$sizes
            cat "$jobs/$1/out" "$jobs/$1/tail"
        fi
    else
        echo "done $1 $code 0 0"
    fi
}
# Whether this agent is the first to take a job: of two that create the file, one does.
take() { (set -C; : >"$jobs/$1.taken") 2>/dev/null; }
await() {
    if [ -e "$jobs/$1/started" ]; then
        last=$1
        ( while [ ! -e "$jobs/$1/rc" ]; do sleep 0.2; [ -e "$jobs/$1/started" ] || exit; done; answer "$1" ) &
    else
        echo "unknown $1"
    fi
}
start() {
    case $2$3 in *[!0-9]*) exit 1 ;; esac
    id=$1 words=$2 length=$3 dir=$jobs/$1 in=$jobs/$1/in.$$
    mkdir -p "$dir" || exit 1
    set --
    while [ "$words" -gt 0 ]; do
        LC_ALL=C IFS= read -r line || exit 0  # in UTF-8, bash swallows a newline after half a character
        case $line in
        b*) word=$(head -c "${line#b }"; echo .) && set -- "$@" "${word%.}" && read -r line || exit 0 ;;
        *) set -- "$@" "${line#a }" ;;
        esac
        words=$((words - 1))
    done
    if [ "$length" -gt 0 ]; then
        head -c "$length" >"$in"
        [ "$(wc -c <"$in")" -eq "$length" ] || { rm -f "$in"; exit 0; }
    else
        : >"$in"
    fi
    if ! take "$id"; then
        [ -e "$jobs/$id.taken" ] || exit 1
        rm -f "$in"
        rmdir "$dir" 2>/dev/null  # the job was forgotten, and the mkdir above has made this again
        await "$id"
        return
    fi
    : >"$dir/started" || { rm -f "$jobs/$id.taken"; exit 1; }
    [ "$waited_for" = "$id" ] || sent_once=$id
    last=$id
    (
        trap '' PIPE HUP
        setsid sh -c '
            echo $$ >"$0/pid"
            [ -e "$0/started" ] && [ ! -e "$0.over" ] || exit
            dir=$0 in=$1; shift
            "$@" <"$in" >"$dir/out" 2>"$dir/err"; echo $? >"$dir/rc.new"; mv "$dir/rc.new" "$dir/rc"' \
            "$dir" "$in" "$@" </dev/null >/dev/null 2>&1
        [ -e "$dir/rc" ] || echo 137 >"$dir/rc"
        answer "$id"
    ) &
}
send() { kill -s "$1" -- "-$2" || kill -s "$1" "$2"; } 2>/dev/null
echo "ready ${RUN_NAME-}"
beat
while IFS= read -r line; do
    # Not before the first line: where the connection ended before we began, whoever cleaned up here may have done so already.
    [ -d "$jobs" ] || mkdir -p "$jobs" || exit 1
    set -- $line
    case $1 in
    beat)
        beat
        [ -z "$last" ] || [ ! -s "$jobs/$last/err" ] || tail -c 400 "$jobs/$last/err" >&2
        ;;
    run) start "$2" "$3" "$4" ;;
    wait)
        waited_for=$2  # it was sent to another agent, which may still read it
        await "$2"
        ;;
    kill)
        : >"$jobs/$2.over"  # before its number is looked for: a job that has none yet looks for this once it has
        if [ -e "$jobs/$2/pid" ]; then
            read -r pid <"$jobs/$2/pid"
            # git removes its lock files when it is asked to end; a `packed-refs.lock` that stays stops the next turn.
            send TERM "$pid"
            { sleep 1; send KILL "$pid"; } >/dev/null &
        fi
        ;;
    forget)
        last=
        if [ "$sent_once" = "$2" ]; then set -- "$jobs/$2" "$jobs/$2.taken" "$jobs/$2.over"; else set -- "$jobs/$2"; fi
        rm -rf "$@"
        ;;
    esac
done
"""
for _word, _value in (
    ("LIMIT", STDERR_LIMIT),
    ("MOST", OUTPUT_LIMIT),
    ("EMPTY", rf"{_NO_ROOM_CODE} 0 {len(_NO_ROOM)}\n{_NO_ROOM}"),
    ("UID_NAME", POD_UID_VARIABLE),
    ("RUN_NAME", RUN_VARIABLE),
    ("JOBS_NAME", JOBS_VARIABLE),
):
    SCRIPT = SCRIPT.replace(_word, str(_value))

_SERVED = f'[ "${{{POD_UID_VARIABLE}-$1}}" = "$1" ] || exit {OTHER_POD}; export {JOBS_VARIABLE}="$2"; shift 2; exec "$@"'

BEAT = b"beat\n"


def start_argv(job_directory: str, heartbeat: str, uid: str) -> tuple[str, ...]:
    """Return what the exec runs. ``heartbeat`` is the file to keep young, or empty; ``uid`` the pod's that is meant."""
    return ("sh", "-c", SCRIPT, "packit-agent", job_directory, heartbeat, uid)


def served_argv(uid: str, job_directory: str, argv: Sequence[str]) -> tuple[str, ...]:
    """``argv``, where the pod is the one of that uid; in another pod of ours it does nothing, and its code is ``OTHER_POD``."""
    return ("sh", "-c", _SERVED, "packit-served", uid, job_directory, *argv)


def run_message(job: str, argv: Sequence[str], stdin: bytes) -> bytes:
    """The message that starts a job."""
    parts = [f"run {job} {len(argv)} {len(stdin)}\n".encode()]
    for word in argv:
        data = word.encode("utf-8", "surrogateescape")
        parts.append(b"b %d\n%b\n" % (len(data), data) if b"\n" in data else b"a %b\n" % data)
    return b"".join([*parts, stdin])


def message(verb: str, job: str) -> bytes:
    """The message ``wait``, ``kill`` or ``forget``."""
    return f"{verb} {job}\n".encode()


@dataclass(frozen=True)
class Answer:
    """The agent's answer about a job. ``completed`` None: the agent does not know it, or its output, of ``too_large`` bytes, was not sent."""

    job: str
    completed: Completed | None
    too_large: int = 0


class BadAnswer(ClusterError):
    """Something came that is no answer of the agent."""

    def __init__(self, head: bytes) -> None:
        super().__init__(
            f"The agent in the pod answered what cannot be understood: {head[:80].decode('utf-8', 'replace')}",
            "Run again. If it happens again, look what the image's `sh` is.",
        )


class OtherPod(PodLost):
    """The pod of that name is another one by now."""

    def __init__(self, run: str) -> None:
        whose = f" of run {run}" if run else ""
        super().__init__(
            f"The pod is gone, and another one{whose} has its name by now: this run was stopped, or cut off, for longer than a pod without a "
            "heartbeat lasts.",
            "Run again.",
        )


class Answers:
    """Finds the agent's answers in its standard output."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Answer]:
        """The answers that are complete now. Raises BadAnswer; holds no more than the bound of one answer."""
        self._buffer += data
        while True:
            head, newline, _rest = bytes(self._buffer[:_HEAD]).partition(b"\n")
            if not newline:
                if len(head) == _HEAD:
                    raise BadAnswer(head)
                return
            words = head.decode("ascii", "replace").split()
            end = len(head) + 1
            if words[:1] == ["done"]:
                job, code, out, err = _parse(words, 5, head)
                if out > OUTPUT_LIMIT or err > STDERR_LIMIT:
                    raise BadAnswer(head)
                if len(self._buffer) < end + out + err:
                    return
                with memoryview(self._buffer) as view:
                    stdout, stderr = bytes(view[end : end + out]), bytes(view[end + out : end + out + err])
                del self._buffer[: end + out + err]
                yield Answer(job, Completed((), code, stdout, stderr.decode("utf-8", "replace")))
                continue
            del self._buffer[:end]
            if words[:1] == ["other"]:
                raise OtherPod(" ".join(words[1:])[:_HEAD])
            if words[:1] == ["unknown"]:
                yield Answer(_parse(words, 2, head)[0], None)
            elif words[:1] == ["large"]:
                job, size = _parse(words, 3, head)
                yield Answer(job, None, size)


_HEAD = 200
"""Bytes of an answer's first line, at most."""


def _parse(words: Sequence[str], number: int, head: bytes) -> tuple[Any, ...]:
    """The job and the figures in an answer's first line."""
    if len(words) != number or not all(word.isascii() and word.isdigit() for word in words[2:]):
        raise BadAnswer(head)
    return (words[1], *map(int, words[2:]))
