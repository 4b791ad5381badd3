# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sh scripts that run on a volume. Constants: data comes as "$1", … or by standard input, and is never evaluated.

They need sh, coreutils, findutils, sed and git. They print facts, a line each, ``word value``; what follows from them is
decided in Python.
"""

from __future__ import annotations

WORK = ".packit-deployment#work"
"""Our directory at the root of a volume while we work. `#` starts a URL's fragment, so no project can have this name."""

# $1 root, $2 name, $3 age in minutes from which a lock counts as left behind, $4 our scratch directory, $5 our configuration
# of git, which is left there for every later command. $4/view becomes our own git directory over the entry: its objects and
# refs, and nothing else of it.
_INSPECT = r"""
mkdir -p -- "$4" && printf '%s' "$5" >"$4/gitconfig" || exit 3
cd -- "$1" 2>/dev/null || { echo "kind noroot"; exit; }
e=./$2
say() { printf '%s %s\n' "$1" "$2"; }
[ -w . ] || say root_unwritable "$(stat -c '%u %a' .) $(id -u)"
if [ -L "$e" ]; then say kind symlink; exit; fi
if [ ! -e "$e" ]; then say kind absent; exit; fi
if [ ! -d "$e" ]; then say kind file; exit; fi
say owner "$(stat -c %u "$e")"
say mode "$(stat -c %a "$e")"
say me "$(id -u)"
if [ ! -r "$e" ] || [ ! -x "$e" ]; then say kind unreadable; exit; fi
if [ -z "$(ls -A "$e")" ]; then say kind empty; exit; fi
if [ -L "$e/.git" ]; then say kind symlink; exit; fi
if [ -f "$e/.git" ]; then say kind gitfile; exit; fi
if [ -e "$e/.git/HEAD" ]; then g=$e/.git; say layout non-bare; else g=$e; say layout bare; fi
if [ ! -d "$g/objects" ] || [ ! -e "$g/HEAD" ] || [ ! -d "$g/refs" ]; then
    if [ -L "$g/objects" ]; then say kind symlink; else say kind halfmade; fi
    exit
fi
odd=$(find "$g/objects" "$g/refs" "$g/HEAD" ! -type f ! -type d 2>/dev/null | wc -l)
for f in packed-refs config shallow commondir info; do
    if [ -L "$g/$f" ] || { [ -e "$g/$f" ] && [ ! -f "$g/$f" ] && [ ! -d "$g/$f" ]; }; then odd=$((odd + 1)); fi
done
say odd "$odd"
[ "$odd" -eq 0 ] || { say kind symlink; exit; }
say unreadable "$(find "$g/objects" "$g/refs" "$g/HEAD" ! -readable 2>/dev/null | wc -l)"
say head "$(head -c 200 "$g/HEAD" | tr -d '\000' | head -n 1)"
[ ! -s "$g/shallow" ] || say shallow 1
[ ! -s "$g/objects/info/alternates" ] || say alternates 1
[ ! -s "$g/objects/info/http-alternates" ] || say alternates 1
[ ! -s "$g/info/grafts" ] || say grafts 1
[ ! -e "$g/commondir" ] || say commondir 1
say promisor "$(find "$g/objects/pack" -name '*.promisor' 2>/dev/null | wc -l)"
say packs "$(find "$g/objects/pack" -name 'pack-*.pack' 2>/dev/null | wc -l)"
say bytes "$(du -sb "$g/objects" | cut -f1)"
say loose "$(find "$g/objects" -path "$g/objects/[0-9a-f][0-9a-f]/*" -type f ! -name 'tmp_*' | wc -l)"
say hooks "$(find "$g/hooks" ! -type d ! -name '*.sample' 2>/dev/null | wc -l)"
say young_locks "$(find "$g" -maxdepth 1 -name '*.lock' -mmin "-$3" 2>/dev/null | wc -l)"
for d in "$g" "$g/objects" "$g/objects/pack" "$g/refs"; do
    if [ -e "$d" ] && [ ! -w "$d" ]; then say unwritable "$(stat -c '%u %a' "$d")"; break; fi
done
if [ "$g" = "$e" ]; then
    if [ -L "$e/.git/objects" ] && [ "$(readlink "$e/.git/objects")" = ../objects ]; then say bridge 1; fi
else
    if [ -L "$e/objects" ] && [ "$(readlink "$e/objects")" = .git/objects ]; then say bridge 1
    elif [ -e "$e/objects" ] || [ -L "$e/objects" ]; then say objects_taken 1; fi
fi
v=$4/view
rm -rf -- "$v" && mkdir -p -- "$v" && cd -- "$v" || exit 3
echo 'ref: refs/heads/packit-cache-view' >HEAD
printf '[core]\n\trepositoryformatversion = 0\n\tbare = true\n' >config
a=$1/${g#./}
ln -s -- "$a/objects" objects && ln -s -- "$a/packed-refs" packed-refs && ln -s -- "$a/refs" refs || exit 3
# A git that was killed, or is not there, says nothing about the entry: what is broken is replaced, and so deleted.
judged() { case $1 in 126|127|1[3-9]?) exit "$1" ;; *) say "$2" 1 ;; esac; }
GIT_DIR=$v git for-each-ref --format='ref %(objectname) %(refname)' || judged $? refs_broken
cd -- "$1" || exit 3
say kind repository
[ ! -f "$g/config" ] || git config --file "$g/config" --no-includes --null --list 2>/dev/null || judged $? config_broken
"""

# The ids of the loose objects in "$d".
_LOOSE = (
    r"""find "$d" -path "$d/[0-9a-f][0-9a-f]/*" -type f ! -empty """
    r"""| sed -n 's#.*/\([0-9a-f]\{2\}\)/\([0-9a-f]\{38\}\)$#\1\2#p'"""
)

# Our directory may be anybody's by now: a link would lead our hands elsewhere. $1 is the root, and the present directory.
_NO_LINK = r"""if [ -L ./WORK ] || { [ -e ./WORK ] && [ ! -d ./WORK ]; }; then rm -f -- ./WORK; fi"""

# $1 root, $2 name, $3 age in minutes, $4 our slot in the work directory, $5 `keep` where packs that an earlier try received,
# whole or in part, are of use: their checksums tell what they are. Indexes have none that we know before, so they come anew.
# Kept only where there is nothing else but plain files with one name each, and marked as young: when it is old, the next
# project's take would remove it. Prints what was removed.
_CLEAN = r"""
cd -- "$1" || exit 3
NO_LINK
locks="-mmin +$3"
[ ! -f "./WORK/$4/locks" ] || locks=  # a run of ours was killed while it had them: nobody else can have been at work here since
odd=$(find "./WORK/$4" ! -type d \( ! -type f -o ! -links 1 \) -print -quit 2>/dev/null)
if [ "$5" = keep ] && [ -z "$odd" ] && [ -d "./WORK/$4/objects/pack" ]; then
    touch -- "./WORK/$4"
    find "./WORK/$4" -mindepth 1 -maxdepth 1 ! -name objects -exec rm -rf -- {} +
    find "./WORK/$4/objects" -type f ! -path "*/pack/pack-*.pack" -delete
else
    rm -rf -- "./WORK/$4"
fi
[ ! -d ./WORK ] || find ./WORK -mindepth 1 -maxdepth 1 ! -name "$4" -mmin "+$3" -exec rm -rf -- {} +
rmdir ./WORK 2>/dev/null
e=./$2
[ ! -L "$e" ] && [ -d "$e" ] || exit 0
if [ -e "$e/.git/HEAD" ]; then g=$e/.git; else g=$e; fi
[ ! -L "$g" ] && [ ! -L "$g/objects" ] && [ -d "$g/objects" ] && [ ! -L "$g/refs" ] || exit 0
find "$g/objects" \( -name 'tmp_*' -o -name '.tmp-*' \) -type f -mmin "+$3" -print -delete
find "$g" -maxdepth 1 -name '*.lock' -type f $locks -print -delete
find "$g/refs" -name '*.lock' -type f $locks -print -delete
exit 0
""".replace("NO_LINK", _NO_LINK).replace("WORK", WORK)

INSPECT = _INSPECT
CLEAN = _CLEAN
# $1 to $5 as INSPECT, $6 slot, $7 how to clean. What was removed, a line each, an empty line, then the facts: one process
# instead of two, as each costs a filler's small share of a processor while the volume is held.
TAKE = (
    f"clean() ({_CLEAN})\ninspect() ({_INSPECT})\n"
    + r"""
clean "$1" "$2" "$3" "$6" "$7" | sed 's/^/removed /'
inspect "$1" "$2" "$3" "$4" "$5"
"""
)

# Our own git directory: $1 the view, $2 the entry's git directory, of whose refs it shows only refs/packit-cache, so that
# nothing else is touched (empty: there is no entry yet).
VIEW = r"""
rm -rf -- "$1" && mkdir -p -- "$1" || exit 3
cd -- "$1" || exit 3
echo 'ref: refs/heads/packit-cache-view' >HEAD
printf '[core]\n\trepositoryformatversion = 0\n\tbare = true\n' >config
if [ -z "$2" ]; then mkdir refs objects; exit; fi
ln -s -- "$2/objects" objects
ln -s -- "$2/packed-refs" packed-refs
mkdir -p -- refs "$2/refs/packit-cache" && ln -s -- "$2/refs/packit-cache" refs/packit-cache
"""

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

# $1 a directory, $2 `arrived` where the files are to be on disk afterwards, then names of files there: their SHA-1, whole, in
# lines `sum name`. Two thirds of the time of CHECK_PACKS while the volume is held: one process for all files, and no pipe.
SUMS = r"""
cd -- "$1" || exit 3
how=$2 syncing=
shift 2
[ "$how" != arrived ] || { sync -- "$@" & syncing=$!; }
{ command -v openssl >/dev/null && openssl dgst -sha1 -r -- "$@" 2>/dev/null; } || sha1sum -- "$@" || exit 4
[ -z "$syncing" ] || wait "$syncing" || exit 5
"""

# $1 scratch, then object directories: what their objects lie in. For each pack that git would read (any name will do) `pack`,
# the checksums that its index has of the pack and of itself, and the checksum at the pack's own end; for each loose object
# `loose` and its id. Names of files are never printed: they are anybody's. An empty file is no object.
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
    LOOSE | sed 's/^/loose /'
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

# $1 from, $2 to (pack directories), then base names: durable first, the index last. A pack that is there already must be
# equal, and stays; an index of it that differs is replaced by ours, which was checked: it may hide objects.
MOVE_PACKS = r"""
from=$1 to=$2
shift 2
same() { [ "$(sha1sum <"$from/$1")" = "$(sha1sum <"$to/$1")" ]; }
umask 022
mkdir -p -- "$to" || exit 3
for p; do
    chmod 0444 "$from/$p.pack" "$from/$p.idx" && sync -- "$from/$p.pack" "$from/$p.idx" || exit 4
done
for p; do
    if [ -e "$to/$p.idx" ]; then
        same "$p.pack" || { echo "$p is there with other content" >&2; exit 5; }
        same "$p.idx" || mv -f -- "$from/$p.idx" "$to/$p.idx" || exit 6
        continue
    fi
    mv -f -- "$from/$p.pack" "$to/$p.pack" && mv -f -- "$from/$p.idx" "$to/$p.idx" || exit 6
done
sync -- "$to"
"""

# $1 an entry's git directory, then key value …: set where they are not set so.
SETTINGS = r"""
file=$1/config
shift
while [ $# -gt 1 ]; do
    [ "$(git config --file "$file" --no-includes --get "$1" 2>/dev/null)" = "$2" ] || git config --file "$file" "$1" "$2" || exit 4
    shift 2
done
sync -- "$file"
"""

# $1 our slot, then an argv: git that takes locks. The mark tells the next take, if this run is killed, whose locks they are.
LOCKING = r"""
mkdir -p -- "$1" && : >"$1/locks" || exit 3
shift
exec "$@"
"""

# $1 an entry's git directory, $2 the content of HEAD, $3 a place for the new file on the same volume.
HEAD = r"""
[ "$(head -c 200 "$1/HEAD" 2>/dev/null)" = "$2" ] && exit 0
printf '%s\n' "$2" >"$3" && sync -- "$3" && mv -f -- "$3" "$1/HEAD" && sync -- "$1"
"""

# $1 the git directory, $2 our view of it: its refs in few files, and on disk.
SETTLE_REFS = r"""
GIT_DIR=$2 git pack-refs --all || exit 4
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
    f"inspect() ({_INSPECT})\npublish() ({_PUBLISH_NEW})\n"
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
""".replace("NO_LINK", _NO_LINK).replace("WORK", WORK)
