# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts of a compaction: list packs, join them, check the joined one, remove those that it covers. Names are ``pack-`` and 40 hexadecimal digits."""

from __future__ import annotations

from .object_lists import EMPTY_GIT, SUM
from .places import PLACES

# $1 root, $2 an entry's git directory, below the root: what lies there under names of packs, as lines `type bytes name`. Other names are nobody's.
PACK_FILES = r"""
PLACES
root=$1
at "$2/objects/pack"
find . -mindepth 1 -maxdepth 1 -regextype posix-extended -regex '\./pack-[0-9a-f]{40}\.[a-z]+' -printf '%y %s %f\n'
""".replace("PLACES", PLACES)

# $1 root, $2 our slot, $3 an entry's git directory (both below the root), $4 our scratch directory. By standard input base names of packs there: one
# pack, in the quarantine, of all their objects. Prints its name; the ids are left in $4/join/ids, sorted. git sees these packs alone, so it can take an
# object from nowhere else, and reads no history. Objects come in the order of the packs, newest first, as git reads them together.
JOIN_PACKS = r"""
LC_ALL=C
export LC_ALL
PLACES
EMPTY_GIT
root=$1 slot=$2 git=$3 g=$4/join
rm -rf -- "$g" && empty_git "$g" && mkdir -p -- "$g/objects/pack" "$g/written" && cat >"$g/names" || exit 3
at "$git/objects/pack"
while IFS= read -r name; do
    for f in "$name.pack" "$name.idx"; do
        [ -f "./$f" ] && [ ! -L "./$f" ] || changed "$f"
    done
done <"$g/names"
ln -s -- "$1/$git/objects/pack" "$g/from" || exit 3
sed 's#.*#../../from/&.pack\n../../from/&.idx#' "$g/names" | xargs ln -s -t "$g/objects/pack" -- || exit 3
made "$slot/objects/pack"
exec 8<.
ln -s -- /proc/self/fd/8 "$g/written/pack" || exit 3
GIT_DIR=$g git cat-file --batch-all-objects --unordered --batch-check='%(objectname)' >"$g/in-order" && sort -u -S 32M -T "$g" "$g/in-order" >"$g/ids" || exit 5
name=$(GIT_DIR=$g GIT_OBJECT_DIRECTORY=$g/written GIT_ALTERNATE_OBJECT_DIRECTORIES=$g/objects \
    git pack-objects --window=0 --delta-base-offset --quiet /proc/self/fd/8/pack <"$g/in-order") || exit $?
rm -f -- "./pack-$name.idx" "./pack-$name.rev"  # made anew of what is in the pack
echo "pack-$name"
""".replace("PLACES", PLACES).replace("EMPTY_GIT", EMPTY_GIT)

# $1 root, $2 our slot, below the root, $3 the base name of a pack in its quarantine, $4 our scratch directory: fails where its index has other ids than
# JOIN_PACKS was given. An object that is not what its name says any more has another id in an index that is made of the pack.
ALL_JOINED = r"""
LC_ALL=C
export LC_ALL
PLACES
SUM
root=$1 g=$4/join
at "$2/objects/pack"
listed "./$3.idx" >"$g/one" && cut -d' ' -f2 "$g/one" | sort -S 32M -T "$g" >"$g/joined" || exit 5
cmp -s -- "$g/ids" "$g/joined" || { echo "error: some of the objects are not what their names say" >&2; exit 1; }
""".replace("PLACES", PLACES).replace("SUM", SUM)

# $1 root, $2 our scratch directory, $3 an entry's git directory, below the root, $4 and $5 the checksums of a pack and of its index. By standard input
# base names of packs there: those go of which each object id is in that index. First a word: `covers`; `gone` where there is no such pack; `other`
# where it is not what its checksums say. Then the names of those that went. The index is read once, into our scratch, as it may be another one
# between two readings. The packs go first: an index without its pack says nothing to git, and goes the next time where this is killed.
DROP_COVERED = r"""
LC_ALL=C
export LC_ALL
PLACES
SUM
root=$1 s=$2/covered git=$3 p=pack-$4
rm -rf -- "$s" && mkdir -p -- "$s" && cat >"$s/names" || exit 3
at "$git/objects/pack"
for f in "./$p.pack" "./$p.idx"; do
    if [ -L "$f" ] || [ ! -f "$f" ]; then echo gone; exit; fi
done
size "./$p.idx"; index=$size
content "./$p.idx" "$index" >"$s/index" || exit 3
pair "$s/index"
if [ "$pair" != "$4 $5" ] || ! own_sum "$s/index" || [ "$sum" != "$5" ] || ! own_sum "./$p.pack" || [ "$sum" != "$4" ]; then
    echo other
    exit
fi
listed "$s/index" >"$s/one" && cut -d' ' -f2 "$s/one" >"$s/unsorted" && sort -u -S 32M -T "$s" "$s/unsorted" >"$s/ids" || exit 5
while IFS= read -r name; do
    [ "$name" != "$p" ] || continue
    echo "$name" >&3 || exit 5
    # Of an index that cannot be read comes a line with `-`, which is no id of the new pack.
    content "./$name.idx" "$index" | git show-index --object-format=sha1 >&3 || echo "- $name" >&3 || exit 5
done <"$s/names" 3>"$s/listed" 2>/dev/null
# What is left over decides, so each step must have read all that the one before it has found: no pipes, whose ends say nothing of that.
sed -n '/^pack-/{h;d;};s/^- /0 - &/;G;s/^[0-9]* \([0-9a-f-]*\).*\n\(.*\)$/\1 \2/p' "$s/listed" >"$s/held" && sort -S 32M -T "$s" "$s/held" >"$s/sorted" &&
    join -v 1 "$s/sorted" "$s/ids" >"$s/left" && cut -d' ' -f2 "$s/left" >"$s/staying" && sort -u "$s/staying" >"$s/stay" || exit 5
grep '^pack-' "$s/listed" >"$s/read"; sort -u "$s/read" | comm -23 - "$s/stay" >"$s/go"
echo covers
sed 's#.*#./&.pack#' "$s/go" | xargs -r rm -f -- && flush . || exit 4
sed 's#.*#./&.idx\n./&.rev\n./&.bitmap#' "$s/go" | xargs -r rm -f -- && flush . || exit 4
cat -- "$s/go"
""".replace("PLACES", PLACES).replace("SUM", SUM)
