# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that make anew what stands beside an entry's objects; the objects stay, as running checkouts borrow them."""

from __future__ import annotations

from .tidy import TIDY

# Shell function, called where the git directory is: all below refs/ there goes away, or with $1 all below that. By now packed-refs has all of them.
# The directory itself stays, as without it git sees no refs.
LOOSE_AWAY = r"""
loose_away() {
    (
        made "$slot/loose-refs"
        exec 6<.
        at "$git"
        if [ ! -d ./refs ] || [ -L ./refs ]; then away ./refs && mkdir -- ./refs || exit 4; fi
        into refs
        if [ -n "$1" ]; then
            [ ! -d "./$1" ] || mv -T -- "./$1" /proc/self/fd/6/ours || exit 4
        else
            find . -mindepth 1 -maxdepth 1 -exec mv -t /proc/self/fd/6 -- {} + && mkdir -- ./heads ./tags || exit 4
        fi
        flush .
    ) || exit $?
    (at "$slot" && away ./loose-refs)
}
"""

# $1 root, $2 our scratch directory, $3 an entry's git directory, $4 our slot (both below the root), $5 a git directory that sees the objects, $6 the
# configuration (empty: what is there stays). By standard input come the line of HEAD (empty likewise), then all refs, `id name` lines in the
# order of names; every id must be there.
# What was there goes away only when the new is on disk; the objects are not touched. Refs in the format of newer gits stay
# beside it under another name. What says that objects may be missing goes away as well: none is.
REPAIR = r"""
TIDY
LOOSE_AWAY
umask 022
root=$1 git=$3 slot=$4 n=$2/repair
rm -rf -- "$n" && mkdir -p -- "$n" || exit 3
cat >"$n/lines" && sed '1s/.*/# pack-refs with: sorted/' "$n/lines" >"$n/packed-refs" || exit 3
sed 1d "$n/packed-refs" | cut -d' ' -f1 >"$n/wanted"
GIT_DIR=$5 git cat-file --batch-check='%(objectname)' <"$n/wanted" >"$n/found" || exit 7
missing=$(grep -c ' missing$' "$n/found")
[ "$missing" = 0 ] || { echo "$missing of the refs' objects are not there" >&2; exit 7; }
[ -z "$(sed 1q "$n/lines" | tr -d '\n')" ] || sed 1q "$n/lines" >"$n/HEAD" || exit 3
[ -z "$6" ] || printf '%s' "$6" >"$n/config" || exit 3
at "$git"
[ -z "$6" ] || [ ! -d ./reftable ] || mv -T -- ./reftable ./reftable.unused 2>/dev/null || away ./reftable || exit 4
for f in packed-refs HEAD config; do
    [ ! -e "$n/$f" ] || put "$n/$f" "$f" || exit 5
done
loose_away ''
away ./shallow || exit 5
(into objects && into pack && find . -maxdepth 1 -name '*.promisor' -exec rm -rf -- {} +) || exit 5
flush .
""".replace("TIDY", TIDY).replace("LOOSE_AWAY", LOOSE_AWAY)
