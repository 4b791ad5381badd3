# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops our hands on a volume and must not: mode bits, directories and foreign files in our way. Functions for the other scripts."""

from __future__ import annotations

WORK = ".packit-deployment#work"
"""Our directory at the root of a volume while we work. `#` starts a URL's fragment, so no project can have this name."""
LEFT = ".packit-deployment#left"
"""What was in our way there and could not be deleted begins so, with its name behind it, until somebody can delete it."""

# All work in the volume's root, the present directory.
#
# open_up PATH [more of find's words]: what is ours there can be read, entered and changed again. Root needs no such thing.
# away PATH: out of our way, with all that is in it; renamed where it cannot be deleted. Its code says whether it is gone.
# clear_work: our work directory is ours, or free. One of another uid (the namespace's range of them was changed) is renamed. A
# link is followed nowhere: it would lead our hands elsewhere.
# tell_left NAME: `left`, and the uid and mode of what cannot be deleted of this name (or `*`), a line each.
TIDY = r"""
me=$(id -u)
open_up() {
    [ "$me" != 0 ] || return 0
    at=$1
    shift
    find "$at" "$@" -user "$me" \( -type d ! -perm -0700 -o -type f ! -perm -0400 \) -exec chmod u+rwX -- {} \; 2>/dev/null
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
    for d in ./WORK/left#*; do
        there "$d" || continue
        rm -rf -- "$d" 2>/dev/null
    done
    return 0
}
tell_left() {
    for d in ./LEFT#$1#* ./WORK/left#$1#*; do
        there "$d" || continue
        other=$(find "$d" ! -user "$me" -printf '%U %m' -quit 2>/dev/null)
        printf 'left %s\n' "${other:-$(stat -c '%u %a' -- "$d")}"
    done
}
""".replace("WORK", WORK).replace("LEFT", LEFT)
