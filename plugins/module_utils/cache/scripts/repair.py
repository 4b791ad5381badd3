# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands beside an entry's objects, made anew: they are what is worth keeping, and running checkouts borrow them."""

from __future__ import annotations

from .tidy import TIDY

# $1 an entry's git directory, $2 our slot, $3 a git directory that sees the objects, $4 the configuration (empty: what is there stays). By standard input
# come the line of HEAD (empty likewise), then all refs, `id name` lines in the order of names; every id must be there.
# What was there goes away only when the new is on disk; the objects are not touched. Refs in the format of newer gits stay
# beside it under another name. What says that objects may be missing goes away as well: none is.
REPAIR = r"""
TIDY
umask 022
g=$1 n=$2/repair
away "$n" && mkdir -p -- "$n/refs/heads" "$n/refs/tags" "$n/was/refs" || exit 3
cat >"$n/lines" && sed '1s/.*/# pack-refs with: sorted/' "$n/lines" >"$n/packed-refs" || exit 3
sed 1d "$n/packed-refs" | cut -d' ' -f1 >"$n/wanted"
GIT_DIR=$3 git cat-file --batch-check='%(objectname)' <"$n/wanted" >"$n/found" || exit 7
missing=$(grep -c ' missing$' "$n/found")
[ "$missing" = 0 ] || { echo "$missing of the refs' objects are not there" >&2; exit 7; }
[ -z "$(sed 1q "$n/lines" | tr -d '\n')" ] || sed 1q "$n/lines" >"$n/HEAD" || exit 3
[ -z "$4" ] || printf '%s' "$4" >"$n/config" || exit 3
find "$n" -exec sync -- {} + || exit 3
[ -z "$4" ] || [ ! -d "$g/reftable" ] || mv -T -- "$g/reftable" "$g/reftable.unused" 2>/dev/null || away "$g/reftable" || exit 4
for f in packed-refs HEAD config; do
    there "$n/$f" || continue
    if [ -d "$g/$f" ] && [ ! -L "$g/$f" ]; then mv -T -- "$g/$f" "$n/was/$f" || exit 4; fi
    mv -f -T -- "$n/$f" "$g/$f" || exit 5
done
# By now packed-refs has all of them. The directory itself stays, as without it git sees no refs.
if [ -d "$g/refs" ] && [ ! -L "$g/refs" ]; then
    find "$g/refs" -mindepth 1 -maxdepth 1 -exec mv -t "$n/was/refs" -- {} + && mkdir -- "$g/refs/heads" "$g/refs/tags" || exit 4
else
    away "$g/refs" && mv -T -- "$n/refs" "$g/refs" || exit 5
fi
sync -- "$g/refs"
away "$g/shallow" && find "$g/objects/pack" -maxdepth 1 -name '*.promisor' -exec rm -rf -- {} + || exit 5
sync -- "$g"
away "$n"
""".replace("TIDY", TIDY)
