# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quarantine, and the packs and loose objects in it and in an entry."""

from __future__ import annotations

from .tidy import WORK

# The ids of the loose objects in "$d".
_LOOSE = (
    r"""find "$d"/[0-9a-f][0-9a-f]/ -maxdepth 1 -type f ! -empty 2>/dev/null """
    r"""| sed -n 's#.*/\([0-9a-f]\{2\}\)/\([0-9a-f]\{38\}\)$#\1\2#p'"""
)

# $1 root, $2 slot, then base names: the quarantine of a project, empty but for what an earlier try received of these packs.
# Prints the bytes that are free on the volume, and those that are received already.
QUARANTINE = r"""
umask 022
w=$1/WORK q=$1/WORK/$2/objects
mkdir -p -- "$w" && chmod 0700 -- "$w" && mkdir -p -- "$q/pack" "$q/info" || exit 3
root=$1
shift 2
for f in "$q"/pack/*; do
    [ -e "$f" ] || continue
    b=${f##*/}
    case " $* " in *" ${b%.*} "*) ;; *) rm -f -- "$f" ;; esac
done
n=0
for f in "$q"/pack/*; do
    [ ! -f "$f" ] || n=$((n + $(stat -c %s "$f")))
done
echo "$(df -B1 --output=avail -- "$root" | tail -n 1) $n"
""".replace("WORK", WORK)

# $1 a pack directory, $2 `whole`, `trailers` (the packs themselves are not read) or `stored` (whole, and on disk for long).
# For each pack: name, bytes of the pack, SHA-1 of all but its last 20 bytes, those last 20 bytes, the pack checksum in the
# index, the SHA-1 of all but the index's last 20 bytes, those last 20 bytes.
CHECK_PACKS = r"""
cd -- "$1" 2>/dev/null || exit 0
hex() { od -An -v -tx1 | tr -d ' \n'; }
# openssl uses the processor's own instructions, which not every sha1sum does: a third of the time while the volume is held.
if command -v openssl >/dev/null; then sum() { openssl dgst -sha1 -r | cut -c1-40; }; else sum() { sha1sum | cut -c1-40; }; fi
body() { dd if="$1" bs=1M iflag=count_bytes count="$2" status=none; }
set -- "$1" "$2" pack-*.pack
[ -e "$3" ] || exit 0
syncing=
[ "$2" = stored ] || { sync -- pack-* & syncing=$!; }  # the disk works while the processor does
for p in pack-*.pack; do
    p=${p%.pack}
    sizes=$(stat -c %s "$p.pack" "$p.idx")
    pack=${sizes%%[!0-9]*} index=${sizes##*[!0-9]}
    printf '%s %s %s %s %s %s %s\n' "$p" "$pack" \
        "$(if [ "$2" != trailers ]; then body "$p.pack" $((pack - 20)) | sum; else tail -c 20 "$p.pack" | hex; fi)" \
        "$(tail -c 20 "$p.pack" | hex)" \
        "$(tail -c 40 "$p.idx" | head -c 20 | hex)" \
        "$(body "$p.idx" $((index - 20)) | sum)" "$(tail -c 20 "$p.idx" | hex)"
done
[ -z "$syncing" ] || wait "$syncing" || exit 4
"""

# $1 a directory, $2 `arrived` where the files are to be on disk afterwards, then names of files: the SHA-1, whole, of those that
# are there, in lines `sum name`. Two thirds of the time of CHECK_PACKS while the volume is held: one process for all files, and no pipe.
SUMS = r"""
cd -- "$1" || exit 3
how=$2 syncing=
shift 2
n=$#
for f; do
    [ ! -f "$f" ] || set -- "$@" "$f"
done
shift "$n"
[ $# -gt 0 ] || exit 0
[ "$how" != arrived ] || { sync -- "$@" & syncing=$!; }
{ command -v openssl >/dev/null && openssl dgst -sha1 -r -- "$@" 2>/dev/null; } || sha1sum -- "$@" || exit 4
[ -z "$syncing" ] || wait "$syncing" || exit 5
"""

# $1 scratch, then object directories: what their objects lie in. For each pack that git would read (any name will do) `pack`,
# the checksums that its index has of the pack and of itself, and the checksum at the pack's own end; for each loose object
# `loose` and its id; of more than 10,000 the others in one sum. Names of files are never printed: they are anybody's. An empty
# file is no object.
INVENTORY = r"""
scratch=$1
shift
for d; do
    [ -d "$d" ] || continue
    if [ -d "$d/pack" ] && cd -- "$d/pack"; then
        set --
        for i in *.idx .*.idx; do
            i=${i%.idx}
            if [ -e "$i.idx" ] && [ -e "$i.pack" ]; then set -- "$@" "./$i"; fi
        done
        if [ $# -gt 0 ]; then
            printf '%s.idx\0' "$@" | xargs -0 tail -q -c 40 -- | od -An -v -tx1 -w20 | tr -d ' ' | paste -d' ' - - >"$scratch/indexes"
            printf '%s.pack\0' "$@" | xargs -0 tail -q -c 20 -- | od -An -v -tx1 -w20 | tr -d ' ' >"$scratch/packs"
            paste -d' ' "$scratch/indexes" "$scratch/packs" | sed 's/^/pack /'
        fi
    fi
    LOOSE | sort >"$scratch/loose" || exit 4
    head -n 10000 "$scratch/loose" | sed 's/^/loose /'
    [ "$(wc -l <"$scratch/loose")" -le 10000 ] || printf 'loose all-%s\n' "$(sha256sum <"$scratch/loose" | cut -c1-64)"
done
exit 0
""".replace("LOOSE", _LOOSE)

# $1 the output, then object directories: every object id in them, sorted, once. Prints their number and SHA-256.
# From the packs' indexes and the loose objects' names, so that memory does not grow with the number of objects. An index that
# git cannot read (128) has no objects for consumers either; any other end of git's is an error.
IDS = r"""
LC_ALL=C
export LC_ALL
out=$1
shift
: >"$out.raw" || exit 3
for d; do
    [ -d "$d" ] || continue
    for i in "$d"/pack/*.idx "$d"/pack/.*.idx; do
        if [ ! -e "$i" ] || [ ! -e "${i%.idx}.pack" ]; then continue; fi
        git show-index <"$i" >"$out.one" || { [ $? = 128 ] && continue; exit 4; }
        cut -d' ' -f2 "$out.one" >>"$out.raw"
    done
    LOOSE >>"$out.raw"
done
sort -u -S 64M -T "${out%/*}" "$out.raw" >"$out" || exit 5
rm -f "$out.raw" "$out.one"
printf '%s %s\n' "$(wc -l <"$out")" "$(sha256sum <"$out" | cut -c1-64)"
""".replace("LOOSE", _LOOSE)

# $1 ids of the other side, $2 our ids (both sorted), $3 the output: what we lack. Prints the number.
MISSING = r"""
LC_ALL=C comm -23 "$1" "$2" >"$3" && wc -l <"$3"
"""

# $1 wanted ids (sorted), $2 scratch, then pack directories: packs that hold any of them, as `pack`, the pack's checksum and its
# path without suffix; then the number of wanted ids that are in no pack, which are left in $2/loose-ids.
HOLDING = r"""
LC_ALL=C
export LC_ALL
wanted=$1 scratch=$2
shift 2
: >"$scratch/found"
for d; do
    for i in "$d"/*.idx "$d"/.*.idx; do
        if [ ! -e "$i" ] || [ ! -e "${i%.idx}.pack" ]; then continue; fi
        git show-index <"$i" >"$scratch/one" || { [ $? = 128 ] && continue; exit 4; }
        cut -d' ' -f2 "$scratch/one" | sort | comm -12 - "$wanted" >"$scratch/both"
        [ -s "$scratch/both" ] || continue
        cat "$scratch/both" >>"$scratch/found"
        printf 'pack %s %s\n' "$(tail -c 40 "$i" | head -c 20 | od -An -v -tx1 | tr -d ' \n')" "${i%.idx}"
    done
done
sort -u "$scratch/found" | comm -13 - "$wanted" >"$scratch/loose-ids"
printf 'loose %s\n' "$(wc -l <"$scratch/loose-ids")"
"""

# $1 ids file, $2 directory: a pack of those objects there. Prints its name.
PACK_LOOSE = r"""
mkdir -p -- "$2" "$GIT_OBJECT_DIRECTORY/pack" && git pack-objects --window=0 --quiet "$2/pack" <"$1"
"""
