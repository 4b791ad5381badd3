# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the quarantine to where consumers look: on disk before it is seen, and each step a rename. And removal."""

from __future__ import annotations

from .look import INSPECT, NO_LINK, WORK

# $1 from, $2 to (pack directories), then base names: durable first, the index last. A pack that is there already, and its index,
# stay where they are equal; else they are replaced by ours: their name is ours' checksum, which was looked at, so theirs are damaged.
MOVE_PACKS = r"""
from=$1 to=$2
shift 2
same() { [ -f "$to/$1" ] && [ "$(sha1sum <"$from/$1")" = "$(sha1sum <"$to/$1")" ]; }
umask 022
mkdir -p -- "$to" || exit 3
for p; do
    chmod 0444 "$from/$p.pack" "$from/$p.idx" && sync -- "$from/$p.pack" "$from/$p.idx" || exit 4
done
for p; do
    same "$p.pack" || mv -f -- "$from/$p.pack" "$to/$p.pack" || exit 5
    same "$p.idx" || mv -f -- "$from/$p.idx" "$to/$p.idx" || exit 6
done
sync -- "$to"
"""

# $1 an entry's git directory, then key value …: set where they are not set so.
SETTINGS = r"""
file=$1/config
shift
while [ $# -gt 1 ]; do
    [ "$(git config --file "$file" --no-includes --get "$1" 2>/dev/null)" = "$2" ] || git config --file "$file" "$1" "$2" || exit $?
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
printf '%s\n' "$2" >"$3" && sync -- "$3" && mv -f -- "$3" "$1/HEAD" && sync -- "$1"
"""

# $1 the git directory, $2 our view of it: its refs in few files, and on disk.
SETTLE_REFS = r"""
GIT_DIR=$2 git pack-refs --all || exit $?
sync -- "$1" "$1/refs" || exit 1
[ ! -e "$1/packed-refs" ] || sync -- "$1/packed-refs"
find "$1/refs" -type f -exec sync -- {} +
"""

# $1 our slot (gone afterwards), $2 the final name, $3 `replace` where something unusable is there, $4 the content of HEAD, $5 its configuration.
# Refs come by standard input, `id name` lines in the order of names. Everything is on disk before the one rename, and what was
# there before comes back where that fails. Nobody uses the new repository yet, so its refs are written as one file; every id
# must be there.
_PUBLISH_NEW = r"""
umask 022
n=$1/new q=$1/objects/pack
rm -rf -- "$n" "$1/old" && mkdir -p -- "$n/objects/pack" "$n/objects/info" "$n/refs/heads" "$n/refs/tags" || exit 3
printf '%s\n' "$4" >"$n/HEAD" && printf '%s' "$5" >"$n/config" || exit 3
for f in "$q"/pack-*; do
    [ -e "$f" ] || continue
    chmod 0444 "$f" && mv -f -- "$f" "$n/objects/pack/" || exit 4
done
{ echo '# pack-refs with: sorted'; cat; } >"$n/packed-refs" || exit 3
sed 1d "$n/packed-refs" | cut -d' ' -f1 >"$1/wanted"
GIT_DIR=$n git cat-file --batch-check='%(objectname)' <"$1/wanted" >"$1/found" || exit 7
missing=$(grep -c ' missing$' "$1/found")
[ "$missing" = 0 ] || { echo "$missing of the refs' objects are not there" >&2; exit 7; }
find "$n" -exec sync -- {} + || exit 3
if [ "$3" = replace ]; then mv -T -- "$2" "$1/old" || exit 4; fi
mv -T -- "$n" "$2" || { [ "$3" != replace ] || mv -T -- "$1/old" "$2"; exit 5; }
sync -- "${2%/*}"
rm -rf -- "$1"
rmdir -- "${1%/*}" 2>/dev/null
exit 0
"""
# $1 to $5 as INSPECT, then those of the above: published, and looked at in the same process.
PUBLISH_NEW = (
    f"inspect() ({INSPECT})\npublish() ({_PUBLISH_NEW})\n"
    + r"""
publish "$6" "$7" "$8" "$9" "${10}" >&2 || exit $?
inspect "$1" "$2" "$3" "$4" "$5"
"""
)

# $1 the entry, $2 `bare` or `non-bare` (what it is): adds the other layout's path to its objects.
BRIDGE = r"""
if [ "$2" = bare ]; then
    mkdir -p -- "$1/.git" && ln -s -- ../objects "$1/.git/objects.new" && mv -T -- "$1/.git/objects.new" "$1/.git/objects"
    sync -- "$1/.git" "$1"
else
    mkdir -p -- "$1/.git/info"
    grep -qx /objects "$1/.git/info/exclude" 2>/dev/null || echo /objects >>"$1/.git/info/exclude"
    ln -s -- .git/objects "$1/objects" && sync -- "$1"
fi
"""

# $1 root, $2 name, $3 slot: out of the consumers' sight by one rename, then deleted.
REMOVE = r"""
cd -- "$1" || exit 3
NO_LINK
if [ ! -e "./$2" ] && [ ! -L "./$2" ]; then echo absent; exit 0; fi
[ ! -L "./WORK/$3" ] || rm -f -- "./WORK/$3"
mkdir -p -- "./WORK/$3" && rm -rf -- "./WORK/$3/old" && mv -T -- "./$2" "./WORK/$3/old" && sync -- . || exit 4
echo removed
rm -rf -- "./WORK/$3"
rmdir ./WORK 2>/dev/null
exit 0
""".replace("NO_LINK", NO_LINK).replace("WORK", WORK)
