# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell functions for the other scripts: open, delete or rename what is in the way on a volume."""

from __future__ import annotations

from .places import PLACES

WORK = ".packit-deployment#work"
"""Our directory at the root of a volume while we work. `#` starts a URL's fragment, so no project can have this name."""
LEFT = ".packit-deployment#left"
"""Prefix of what could not be deleted at the volume's root, and was renamed. Its old name, owner and time follow."""
TAG = "%"
"""Before a run's id, in the name of a slot of a run that works inside another's pod. It is in no project's name."""
UNLOCKED = "%unlocked-"
"""The same, of a run that has no lock on the claim: others may be at work, and it may be beside others."""

STAMPED = r"-printf '%f %i %s %C@\0'"
"""find's words for what tells whether a pack's file is the one that was looked at."""

# All are given names in the working directory, as ``places`` wants it; the last four are called in the volume's root.
#
# open_up PATH [find's words]: make our own files below PATH readable and writable. Root needs no such thing.
# there PATH: whether something is there, a dangling link too.
# aside PATH PREFIX: rename to PREFIX#name#uid.time.pid.
# away PATH: delete; if that fails, rename to `left#…` in the same directory. Fails if it is still there.
# clear_work: make the work directory ours: rename one of another uid, remove a link, delete what earlier runs left. Follows no link.
# clear_slot NAME: delete the slot NAME of the work directory, and the work directory with it if nothing else is in it.
# clear_other_runs TAG: delete what runs with another tag than TAG left in the work directory; without TAG, of all. They have ended, as the lock on
# the claim is ours: who has none deletes nothing, and has a tag that is not meant here. No name ends in `#`, so without TAG nothing is kept.
# tell_left NAME: for each leftover of NAME (or `*`) print `left`, uid and mode.
TIDY = (
    PLACES
    + r"""
me=$(id -u)
open_up() {
    [ "$me" != 0 ] || return 0
    at=$1
    shift
    find "$at" "$@" -user "$me" \( -type d ! -perm -0700 -o -type f ! -perm -0400 \) -execdir chmod u+rwX -- {} \; 2>/dev/null
    return 0
}
there() { [ -e "$1" ] || [ -L "$1" ]; }
aside() { mv -T -- "$1" "$2#${1##*/}#$(stat -c %u -- "$1").$(date +%s).$$" 2>/dev/null; }
away() {
    there "$1" || return 0
    open_up "$1"
    rm -rf -- "$1" 2>/dev/null
    there "$1" || return 0
    aside "$1" "${1%/*}/left"
}
clear_work() {
    [ -w . ] || [ "$(stat -c %u .)" != "$me" ] || chmod u+rwx .
    if [ -L ./WORK ] || { [ -e ./WORK ] && [ ! -d ./WORK ]; }; then rm -f -- ./WORK; fi
    [ ! -e ./WORK ] || [ "$me" = 0 ] || [ "$(stat -c %u ./WORK)" = "$me" ] || aside ./WORK ./LEFT
    [ ! -e ./WORK ] || open_up ./WORK
    for d in ./LEFT#*; do
        there "$d" || continue
        open_up "$d"
        rm -rf -- "$d" 2>/dev/null
    done
    [ ! -d ./WORK ] || [ ! -x ./WORK ] || (  # another uid's that could not be moved away
        into WORK
        for d in ./left#*; do
            there "$d" || continue
            rm -rf -- "$d" 2>/dev/null
        done
    )
    return 0
}
clear_slot() {
    if [ ! -d ./WORK ] || [ -L ./WORK ]; then return 0; fi
    (into WORK && away "./$1") || return
    rmdir ./WORK 2>/dev/null
    return 0
}
clear_other_runs() {
    case $1 in UNLOCKED*) return 0 ;; esac
    if [ ! -d ./WORK ] || [ -L ./WORK ] || [ ! -x ./WORK ]; then return 0; fi
    (into WORK; find . -mindepth 1 -maxdepth 1 -name '*TAGRUN' ! -name "*${1:-#}" -exec rm -rf -- {} + 2>/dev/null; exit 0)
}
tell_left() {
    for d in ./LEFT#$1#* ./WORK/left#$1#*; do
        there "$d" || continue
        other=$(find "$d" ! -user "$me" -printf '%U %m' -quit 2>/dev/null)
        printf 'left %s\n' "${other:-$(stat -c '%u %a' -- "$d")}"
    done
}
""".replace("WORK", WORK)
    .replace("LEFT", LEFT)
    .replace("RUN", "[0-9a-f]" * 12)
    .replace("UNLOCKED", f"'{UNLOCKED}'")
    .replace("TAG[", f"{TAG}[")
)
