# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell functions by which scripts work on a volume where a stranger is at work, too, under the same uid.

Between any two steps he can put a link in the place of a directory or a file. So a script enters a directory once, is sure where it is, and
from there names last components only; or it keeps the directory open, as ``/proc/self/fd/8``, which stays that directory whatever is renamed.
What is ours (lists, answers, new files in the making) lies in our scratch directory, which is not on the volume.
"""

from __future__ import annotations

OPEN = "/proc/self/fd/8"
"""The path at which a process that was started by ``QUARANTINED`` finds the quarantine's pack directory."""
CHANGED = 77
"""Exit code of a script that met something else than what was there a moment before."""

# flush FILE…: they are on disk afterwards. A share may refuse that, mostly of a directory: then nothing better can be had there. Any other
# fault counts. excused WORDS: whether these are sync's words of such a share.
FLUSH = r"""
excused() {
    ! printf '%s\n' "$1" | grep -qvE ': (Invalid argument|Operation not permitted|(Operation n|N)ot supported|Function not implemented)$' && return
    printf '%s\n' "$1" >&2
    return 1
}
flush() { said=$(LC_ALL=C sync -- "$@" 2>&1) || excused "$said"; }
"""

# "$root" is the volume's root. Paths are below it, of names that we have checked.
#
# into NAME: the working directory becomes NAME in it. No link leads out: the new one's parent must be the old one, and its name NAME.
# at PATH: the same, from the root, for each part of the path. made PATH: each part is made where it is not there.
# content FILE [BYTES]: what is in it, or so much of it, of a plain file only: a link is refused, and a pipe is empty.
# fresh NAME: standard input becomes a new file in the working directory, never one that was there.
# put FILE NAME: the file of ours takes the place of NAME in the working directory, by a rename, as git itself does it, with NAME.lock.
PLACES = (
    FLUSH
    + r"""
changed() { echo "error: somebody changed $1 in the middle of the work" >&2; exit CHANGED; }
into() {
    { command exec 9<. && cd -P -- "./$1"; } 2>/dev/null && [ .. -ef /proc/self/fd/9 ] || changed "$1"
    exec 9<&-
    case $PWD in */"$1") ;; *) changed "$1" ;; esac
}
at() {
    cd -P -- "$root" || exit 3
    path=$1/
    while [ -n "$path" ]; do into "${path%%/*}"; path=${path#*/}; done
}
made() {
    cd -P -- "$root" || exit 3
    path=$1/
    while [ -n "$path" ]; do
        [ -d "./${path%%/*}" ] || mkdir -- "./${path%%/*}" || exit 3
        into "${path%%/*}"
        path=${path#*/}
    done
}
content() { dd if="$1" iflag=nofollow,nonblock${2:+,count_bytes,fullblock} ${2:+count="$2"} bs=1M status=none; }
fresh() { dd of="./$1" conv=excl bs=1M status=none; }
put() {
    if [ -L "./$2.lock" ] || [ ! -f "./$2.lock" ]; then away "./$2.lock"; fi  # none of git's
    fresh "$2.lock" </dev/null || return  # from here on the lock is ours, and goes again where the volume is full
    if [ -d "./$2" ] && [ ! -L "./$2" ]; then away "./$2"; fi
    dd if="$1" of="./$2.lock" oflag=nofollow,nonblock bs=1M status=none && flush "./$2.lock" &&
        mv -f -T -- "./$2.lock" "./$2" || { rm -f -- "./$2.lock"; return 1; }
}
""".replace("CHANGED", str(CHANGED))
)
