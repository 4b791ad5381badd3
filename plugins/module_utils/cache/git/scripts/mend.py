# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that mend a damaged entry while others borrow from it: nothing good goes away."""

from __future__ import annotations

from .object_lists import SUM
from .places import PLACES

_EMPTY = r"""
empty() {
    rm -rf -- "$1" && mkdir -p -- "$1/objects/pack" "$1/objects/info" "$1/refs" || exit 3
    echo 'ref: refs/heads/packit-cache-view' >"$1/HEAD" || exit 3
    printf '[core]\n\trepositoryformatversion = 0\n\tbare = true\n' >"$1/config" || exit 3
}
"""

# $1 a root: the names of its directories, links to such included, each ended by a NUL. A name that starts with a dot is no project's.
NAMES = r"""
cd -- "$1" || exit 3
for f in *; do
    if [ -d "$f" ] && [ "$f" != lost+found ]; then printf '%s\0' "$f"; fi
done
exit 0
"""

# $1 our view, $2 an object directory, $3 a file of ids of loose objects there that are not what their names say (empty: there are none), then
# names of its packs that are damaged: the view has all of its objects but those, and no ref.
GOOD_OBJECTS = (
    _EMPTY
    + r"""
v=$1 o=$2 false=$3
shift 3
empty "$v"
cd -- "$o" || exit 3
for d in [0-9a-f][0-9a-f]; do
    if [ ! -d "$d" ] || [ -L "$d" ]; then continue; fi
    if [ -z "$false" ] || ! grep -q "^$d" "$false"; then
        ln -s -- "$o/$d" "$v/objects/$d" || exit 3
        continue
    fi
    mkdir -- "$v/objects/$d" && find "$o/$d" -mindepth 1 -maxdepth 1 -type f -exec ln -s -t "$v/objects/$d" -- {} + || exit 3
    (cd -- "$v/objects/$d" && sed -n "s/^$d//p" "$false" | xargs -r rm -f --) || exit 3
done
for i in pack/*.idx pack/.idx pack/.*.idx; do
    b=${i%.idx}
    if [ ! -e "$i" ] || [ ! -e "$b.pack" ]; then continue; fi
    case " $* " in *" ${b#pack/} "*) continue ;; esac
    ln -s -- "$o/$i" "$v/objects/$i" && ln -s -- "$o/$b.pack" "$v/objects/$b.pack" || exit 3
done
exit 0
"""
)

# $1 root, $2 a slot, below the root, $3 our scratch, $4 a damaged pack's path without suffix. In the scratch `ids` has the objects that are
# elsewhere. What of its objects is nowhere else comes into the quarantine, as far as it is what its id says; the ids of the rest are
# added to `lost`. A pack that is right itself gets an index.
SALVAGE = (
    _EMPTY
    + r"""
LC_ALL=C
export LC_ALL
PLACES
SUM
root=$1 p=$4 s=$3/salvage lost=$3/lost known=$3/ids
empty "$s"
made "$2/objects/pack"
exec 8<.
GIT_DIR=$s
export GIT_DIR
if [ -f "$p.pack" ] && own_sum "$p.pack"; then
    if name=$(git index-pack -o "$s/new.idx" "$p.pack"); then
        name=pack-${name##*[!0-9a-f]}
        rm -rf -- "./$name.pack" "./$name.idx"
        ln -- "$p.pack" "./$name.pack" 2>/dev/null || content "$p.pack" | fresh "$name.pack" || exit 4
        fresh "$name.idx" <"$s/new.idx" || exit 4
        exit 0
    fi
fi
listed "$p.idx" >"$s/index" || exit 0
cut -d' ' -f2 "$s/index" | sort -u | comm -23 - "$known" >"$s/wanted"
[ -s "$s/wanted" ] || exit 0
: >"$s/good"
if [ -f "$p.pack" ]; then
    ln -s -- "$p.pack" "$s/objects/pack/pack-damaged.pack" && ln -s -- "$p.idx" "$s/objects/pack/pack-damaged.idx" || exit 3
    git cat-file --batch-check='%(objectname)' <"$s/wanted" | sed -n 's/^\([0-9a-f]*\)$/\1/p' | sort -u >"$s/there"
    git fsck --full --no-dangling --no-reflogs 2>&1 |
        sed -n 's/^error: \(index CRC mismatch for object\|cannot unpack\|packed\) \([0-9a-f]\{40\}\) .*/\2/p' | sort -u >"$s/bad"
    comm -23 "$s/there" "$s/bad" >"$s/good"
    [ ! -s "$s/good" ] || {  # git writes a pack where its objects are, and renames it
        mkdir -- "$s/written" && ln -s -- /proc/self/fd/8 "$s/written/pack" &&
            GIT_OBJECT_DIRECTORY=$s/written GIT_ALTERNATE_OBJECT_DIRECTORIES=$s/objects \
                git pack-objects --window=0 --quiet /proc/self/fd/8/pack <"$s/good" >/dev/null
    } || exit 5
fi
comm -23 "$s/wanted" "$s/good" >>"$lost"
""".replace("PLACES", PLACES).replace("SUM", SUM)
)

# $1 ids, $2 others (both sorted), $3 the output: those that are in both.
COMMON = r"""
LC_ALL=C comm -12 "$1" "$2" >"$3"
"""

# $1 ids of objects that are to be elsewhere too, $2 ids of what is there (both sorted), $3 where the ids of the rest are added.
LOST = r"""
LC_ALL=C comm -23 "$1" "$2" >>"$3"
"""

# $1 root, $2 an entry's git directory, below the root, $3 ids of loose objects in it, all of which were false, and are elsewhere by now as
# far as they are anywhere.
DROP_LOOSE = r"""
PLACES
root=$1
at "$2/objects"
for d in [0-9a-f][0-9a-f]; do
    if [ ! -d "$d" ] || [ -L "$d" ] || ! grep -q "^$d" "$3"; then continue; fi
    (into "$d" && sed -n "s/^$d//p" "$3" | xargs -r rm -f -- && flush .) || exit 4
done
""".replace("PLACES", PLACES)

# $1 root, $2 an entry's git directory, below the root, then names:
# packs of which all that was good is elsewhere by now. The index goes first: what has none is no pack.
DROP_PACKS = r"""
PLACES
root=$1
at "$2/objects/pack"
shift 2
for p; do
    rm -f -- "./$p.idx" && rm -rf -- "./$p.pack" "./$p.rev" "./$p.bitmap" || exit 4
done
flush .
""".replace("PLACES", PLACES)
