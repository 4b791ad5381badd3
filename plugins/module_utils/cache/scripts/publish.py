# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the quarantine to where consumers look: on disk before it is seen, and each step a rename. And removal."""

from __future__ import annotations

from .look import INSPECT
from .tidy import LEFT, TIDY, WORK

# $1 from, $2 to (pack directories), then base names: durable first, the index last. Ours were checked: what is there under a
# pack's name and differs is not what its name says, or an index that may hide objects. Ours takes its place, by a rename.
MOVE_PACKS = r"""
TIDY
from=$1 to=$2
shift 2
umask 022
mkdir -p -- "$to" || exit 3
for p; do
    chmod 0444 "$from/$p.pack" "$from/$p.idx" && sync -- "$from/$p.pack" "$from/$p.idx" || exit 4
done
for p; do
    for f in "$p.pack" "$p.idx"; do
        if [ -d "$to/$f" ] && [ ! -L "$to/$f" ]; then
            away "$to/$f" || exit 5
        elif [ -f "$to/$f" ] && [ ! -L "$to/$f" ] && [ "$(sha1sum <"$from/$f")" = "$(sha1sum <"$to/$f")" ]; then
            continue
        fi
        mv -f -T -- "$from/$f" "$to/$f" || exit 6
    done
done
sync -- "$to"
""".replace("TIDY", TIDY)

# $1 an entry's git directory, then key value …: set where they are not set so.
SETTINGS = r"""
file=$1/config
shift
while [ $# -gt 1 ]; do
    [ "$(git config --file "$file" --no-includes --get-all "$1" 2>/dev/null)" = "$2" ] ||
        git config --file "$file" --replace-all "$1" "$2" || exit $?
    shift 2
done
sync -- "$file"
"""

# $1 our slot, then an argv: git that takes locks. The mark tells the next take, if this is killed, whose locks they are; a git
# that ended by itself has left none, and what stopped it may be the lock of another one that lives.
LOCKING = r"""
mkdir -p -- "$1" && : >"$1/locks" || exit 3
mark=$1/locks
shift
"$@"
code=$?
case $code in 1[3-9]?) ;; *) rm -f -- "$mark" ;; esac  # by a signal; git itself ends with up to 129, and with 255
exit "$code"
"""

# $1 an entry's git directory, $2 the content of HEAD, $3 a place for the new file on the same volume.
HEAD = r"""
[ "$(head -c 200 "$1/HEAD" 2>/dev/null)" = "$2" ] && exit 0
printf '%s\n' "$2" >"$3" && sync -- "$3" && mv -f -T -- "$3" "$1/HEAD" && sync -- "$1"
"""

# $1 the git directory, $2 our view of it: its refs in few files, and on disk.
SETTLE_REFS = r"""
GIT_DIR=$2 git pack-refs --all || exit $?
sync -- "$1" "$1/refs" || exit 1
[ ! -e "$1/packed-refs" ] || sync -- "$1/packed-refs"
find "$1/refs" -type f -exec sync -- {} +
"""

# $1 our slot (gone afterwards), $2 the final name, $3 `replace` where something unusable is there, $4 the content of HEAD, $5 its configuration,
# then base names of packs: those that were proved, whatever else lies in the slot.
# Refs come by standard input, `id name` lines in the order of names. Everything is on disk before the one rename, and what was
# there before comes back where that fails. Nobody uses the new repository yet, so its refs are written as one file; every id
# must be there.
_PUBLISH_NEW = r"""
TIDY
umask 022
n=$1/new q=$1/objects/pack
rm -rf -- "$n" "$1/old" && mkdir -p -- "$n/objects/pack" "$n/objects/info" "$n/refs/heads" "$n/refs/tags" || exit 3
printf '%s\n' "$4" >"$n/HEAD" && printf '%s' "$5" >"$n/config" || exit 3
at=0
for p; do
    at=$((at + 1))
    [ "$at" -gt 5 ] || continue
    chmod 0444 "$q/$p.pack" "$q/$p.idx" && mv -f -- "$q/$p.pack" "$q/$p.idx" "$n/objects/pack/" || exit 4
done
{ echo '# pack-refs with: sorted'; cat; } >"$n/packed-refs" || exit 3
sed 1d "$n/packed-refs" | cut -d' ' -f1 >"$1/wanted"
GIT_DIR=$n git cat-file --batch-check='%(objectname)' <"$1/wanted" >"$1/found" || exit 7
missing=$(grep -c ' missing$' "$1/found")
[ "$missing" = 0 ] || { echo "$missing of the refs' objects are not there" >&2; exit 7; }
find "$n" -exec sync -- {} + || exit 3
if [ "$3" = replace ]; then mv -T -- "$2" "$1/old" || aside "$2" "${2%/*}/LEFT" || exit 4; fi
mv -T -- "$n" "$2" || { [ "$3" != replace ] || mv -T -- "$1/old" "$2"; exit 5; }
sync -- "${2%/*}"
away "$1"
rmdir -- "${1%/*}" 2>/dev/null
exit 0
""".replace("TIDY", TIDY).replace("LEFT", LEFT)
# $1 to $5 as INSPECT, then those of the above: published, and looked at in the same process.
PUBLISH_NEW = (
    f"inspect() ({INSPECT})\npublish() ({_PUBLISH_NEW})\n"
    + r"""
(shift 5 && publish "$@" >&2) || exit $?
inspect "$1" "$2" "$3" "$4" "$5"
"""
)

# $1 the entry, $2 `bare` or `non-bare` (what it is): adds the other layout's path to its objects.
BRIDGE = r"""
TIDY
if [ "$2" = bare ]; then
    [ -d "$1/.git" ] || away "$1/.git" || exit 3
    mkdir -p -- "$1/.git" && away "$1/.git/objects.new" && { [ -L "$1/.git/objects" ] || away "$1/.git/objects"; } || exit 3
    ln -s -- ../objects "$1/.git/objects.new" && mv -T -- "$1/.git/objects.new" "$1/.git/objects"
    sync -- "$1/.git" "$1"
else
    x=$1/.git/info/exclude
    if [ -L "$x" ] || { [ -e "$x" ] && [ ! -f "$x" ]; }; then away "$x" || exit 3; fi
    mkdir -p -- "$1/.git/info"
    grep -qx /objects "$x" 2>/dev/null || echo /objects >>"$x"
    ln -s -- .git/objects "$1/objects" && sync -- "$1"
fi
""".replace("TIDY", TIDY)

# $1 root, $2 name, $3 slot: out of the consumers' sight by one rename, then deleted. Prints `absent`, `removed` or `kept` with the
# uid and mode of what cannot be taken away; then `left` lines of what could not be deleted, of this project.
REMOVE = (
    r"""
cd -- "$1" || exit 3
TIDY
clear_work
away "./WORK/$3"
if there "./$2"; then
    [ -L "./$2" ] || open_up "./$2" -maxdepth 0
    mkdir -p -- "./WORK/$3" || exit 4
    if mv -T -- "./$2" "./WORK/$3/old" 2>/dev/null || aside "./$2" ./LEFT; then
        sync -- . || exit 4
        echo removed
    else
        echo "kept $(stat -c '%u %a' -- "./$2")"
    fi
    away "./WORK/$3"
else
    echo absent
fi
tell_left "$2"
rmdir ./WORK 2>/dev/null
exit 0
""".replace("TIDY", TIDY)
    .replace("WORK", WORK)
    .replace("LEFT", LEFT)
)
