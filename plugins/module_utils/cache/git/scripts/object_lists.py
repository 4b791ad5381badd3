# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quarantine, and the packs and loose objects in it and in an entry."""

from __future__ import annotations

from .places import CHANGED, FLUSH, PLACES
from .tidy import STAMPED, WORK

# The ids of the loose objects in "$d"; through links, as a view of good objects is made of some. An empty file is none.
_LOOSE = (
    r"""find -L "$d"/[0-9a-f][0-9a-f]/ -maxdepth 1 -type f ! -empty 2>/dev/null """
    r"""| sed -n 's#.*/\([0-9a-f]\{2\}\)/\([0-9a-f]\{38\}\)$#\1\2#p'"""
)

# Theirs, and those that empty files would have.
_NAMED = _LOOSE.replace(" ! -empty", "")

# broken: the ids of loose objects in "$d" that git cannot read, or that are others than their names say, sorted in "$out.broken"; fsck's code is in
# "$code". Below 126 it tells of history, too; 128 that it gave up, and more that it was killed.
# broken_apart: the same where git gives up on them together: by directories, and in those on which it gives up again, one by one:
# a thousand of them, as a process for each takes its time. Beyond that none there is what its name says.
_BROKEN_FUNCTIONS = r"""broken() {
    empty_git "$out.git" || exit 3
    GIT_DIR=$out.git GIT_OBJECT_DIRECTORY=$d git fsck --no-full --no-dangling --no-reflogs --no-progress >/dev/null 2>"$out.words"
    code=$?
    sed -n 's#^error: .*\(mismatch, found at\|corrupt or missing\|of unknown type .*\): .*/\([0-9a-f]\{2\}\)/\([0-9a-f]\{38\}\)$#\2\3#p' "$out.words" |
        sort -u >"$out.broken" || exit 5
}
broken_apart() {
    all=$d d=$out.part n=0
    : >"$out.apart"
    for x in "$all"/[0-9a-f][0-9a-f]; do
        [ -d "$x" ] || continue
        rm -rf -- "$d" && mkdir -- "$d" && ln -s -- "$x" "$d/" || exit 3
        broken
        if [ "$code" = 128 ]; then
            : >"$out.broken"
            for f in "$x"/*; do
                rm -rf -- "$d" && mkdir -p -- "$d/${x##*/}" && ln -s -- "$f" "$d/${x##*/}/" || exit 3
                n=$((n + 1)) code=128
                [ "$n" -gt 1000 ] || broken
                [ "$code" != 128 ] || echo "${x##*/}${f##*/}" >>"$out.broken"
                [ "$code" -lt 126 ] || [ "$code" = 128 ] || exit 4
                cat -- "$out.broken" >>"$out.apart"
            done
        else
            [ "$code" -lt 126 ] || exit 4
            cat -- "$out.broken" >>"$out.apart"
        fi
    done
    sort -u "$out.apart" >"$out.broken" || exit 5
    d=$all code=0
}"""

# Of a file, which may be a pipe by now, and is not waited for. What they find is in the variable of their name: each process costs a filler's small share
# of a processor, and a function that printed it into `$(…)` would take one more.
# size FILE: its size, or 20 where it is smaller, or none.
# end FILE BYTES: the last bytes of a file of $size, in hexadecimal digits.
# pair FILE: the checksums that an index of $size bytes has of its pack and of itself.
# sum FILE BYTES: the SHA-1 of the first BYTES of a file of about $size, or of all where BYTES is empty; with `,nofollow` behind them, never of a link's.
#   openssl uses the processor's own instructions, which not every sha1sum does, but takes 7 ms to start, in which sha1sum sums up some 5 MB.
# whole FILE: in $sum, the SHA-1 of all of a file of about $size, without a pipe, which takes a quarter of the time.
# own_sum FILE: in $sum, the SHA-1 of all but the last 20 bytes, and whether it is what these 20 bytes say.
# body FILE BYTES: prints the first ones. listed FILE: prints what git lists of an index.
SUM = r"""size() { size=$(stat -L -c %s -- "$1" 2>/dev/null); case $size in '' | *[!0-9]*) size=20 ;; esac; if [ "$size" -lt 20 ]; then size=20; fi; }
body() { dd if="$1" bs=1M iflag=count_bytes,nonblock count="$2" status=none; }
end() {
    end=$(dd if="$1" bs=64k iflag=skip_bytes,count_bytes,nonblock skip="$((size < $2 ? 0 : size - $2))" count="$2" status=none | od -An -v -tx1)
    set -- $end
    IFS=
    end="$*"
    unset IFS
}
pair() { end "$1" 40; pair="${end%FORTY} ${end#"${end%FORTY}"}"; }
by() {
    summing=sha1sum
    if [ "$size" -gt 8000000 ] && command -v openssl >/dev/null; then summing='openssl dgst -sha1 -r'; fi
}
whole() {
    by
    sum=$($summing -- "$1" 2>/dev/null) || sum=$(sha1sum -- "$1")
    sum=${sum%%[!0-9a-f]*}
}
sum() {
    by
    sum=$(dd if="$1" bs=1M iflag=count_bytes,nonblock"$3" ${2:+count="$2"} status=none | $summing)
    sum=${sum%%[!0-9a-f]*}
}
own_sum() { size "$1"; sum "$1" "$((size - 20))"; end "$1" 20; [ "$sum" = "$end" ]; }
listed() { size "$1"; body "$1" "$size" | git show-index --object-format=sha1; }""".replace("FORTY", 40 * "?")

# stems DIRECTORY: the names, without suffix, of the packs there that git would read (through links, too), each ended by a NUL. What is too
# short is none to git.
_STEMS = r"""stems() {
    find -L "$1" -mindepth 1 -maxdepth 1 -type f \( -name '*.idx' -size +1071c -o -name '*.pack' -size +31c \) -print0 2>/dev/null |
        sed -z 's/\.idx$//;s/\.pack$//' | LC_ALL=C sort -z | uniq -z -d
}"""

# An empty git directory $1, for commands that want one.
EMPTY_GIT = r"""empty_git() { mkdir -p -- "$1/refs" "$1/objects" && echo 'ref: refs/heads/none' >"$1/HEAD"; }"""

# $1 root, $2 slot, then base names: the quarantine of a project, empty but for what an earlier try received of these packs.
# Prints the bytes that are free on the volume, and those that are received already.
QUARANTINE = r"""
umask 022
PLACES
root=$1
made WORK
chmod 0700 . 2>/dev/null  # some shares refuse it
made "WORK/$2/objects/info"
made "WORK/$2/objects/pack"
shift 2
for f in * .[!.]* ..?*; do
    case " $* " in *" ${f%.*} "*) ;; *) rm -rf -- "./$f" ;; esac
done
n=0
for size in $(find . -maxdepth 1 -type f -printf '%s\n'); do n=$((n + size)); done
free=$(df -B1 --output=avail -- .)
echo "${free##*[!0-9-]} $n"
""".replace("PLACES", PLACES).replace("WORK", WORK)

# $1 root, $2 our scratch directory, $3 a slot, below the root, then an argv, which writes packs into the slot's quarantine: as /proc/self/fd/8, and as
# those of an object directory of ours, $2/incoming, which cannot be led elsewhere.
QUARANTINED = r"""
PLACES
root=$1 scratch=$2
at "$3/objects/pack"
exec 8<.
shift 3
cd -P -- / || exit 3
[ -L "$scratch/incoming/pack" ] || { mkdir -p -- "$scratch/incoming/info" && ln -s -- /proc/self/fd/8 "$scratch/incoming/pack"; } || exit 3
exec "$@"
""".replace("PLACES", PLACES)

# $1 root, $2 a slot, below the root, $3 a name: what comes by standard input is a file of that name in the slot's quarantine, and new.
RECEIVE = r"""
PLACES
root=$1
at "$2/objects/pack"
rm -rf -- "./$3" && fresh "$3"
""".replace("PLACES", PLACES)

# $1 a file, or a link of ours to one, $2 how much of it at the most, or nothing: what is in it. All of a plain file's size; a pipe is none.
SEND = r"""
SUM
[ -f "$1" ] || { echo "error: $1 is no plain file" >&2; exit CHANGED; }
size "$1"
[ -z "$2" ] || [ "$2" -gt "$size" ] || size=$2
body "$1" "$size"
""".replace("SUM", SUM).replace("CHANGED", str(CHANGED))

# $1 root, $2 a slot, below the root, then names: no such files are in the slot's quarantine any more.
DISCARD = r"""
PLACES
root=$1
at "$2/objects/pack"
shift 2
for f; do rm -rf -- "./$f" || exit 4; done
""".replace("PLACES", PLACES)

# $1 a pack directory, $2 `trailers` (the packs themselves are not read), `stored` (they are on disk for long), or `anew`: an
# index is made in our scratch, $3, of each pack whose name is not in $4, as that of the volume may be a stranger's by now.
# For each pack: name, bytes of the pack, SHA-1 of all but its last 20 bytes, those last 20 bytes, the pack checksum in the
# index, the SHA-1 of all but the index's last 20 bytes, those last 20 bytes, and the SHA-1 of the whole index, the one that was made if one was.
CHECK_PACKS = r"""
cd -- "$1" 2>/dev/null || exit 0
SUM
FLUSH
EMPTY_GIT
how=$2 scratch=$3 known=" $4 "
set -- pack-*.pack
[ -e "$1" ] || exit 0
syncing= most=
[ "$how" = stored ] || most=$(df -B1 --output=size .)  # a file may say that it is larger than the volume
most=${most##*[!0-9]}  # some file systems do not say
[ "$how" = stored ] || { flush pack-* & syncing=$!; }  # the disk works while the processor does
for p in pack-*.pack; do
    p=${p%.pack}
    size "./$p.idx"; index=$size
    size "./$p.pack"; pack=$size
    if [ -L "$p.pack" ] || [ -L "$p.idx" ] || [ "$((pack + index))" -gt "${most:-$((pack + index))}" ]; then echo "$p"; continue; fi
    right=./$p.idx
    case $how$known in anew*" $p "*) ;; anew*)
        right=$scratch/anew.idx
        rm -f -- "$right"
        empty_git "$scratch/anew" && { [ ! -f "$p.pack" ] || GIT_DIR=$scratch/anew git index-pack -o "$right" "./$p.pack" >/dev/null; }
        case $? in 0) ;; 126 | 127 | 1[3-9]?) exit 4 ;; *) echo "$p"; continue ;; esac
    esac
    size=$pack
    end "./$p.pack" 20
    if [ "$how" = trailers ]; then sum=$end; else sum "./$p.pack" "$((pack - 20))"; fi
    said="$p $pack $sum $end"
    size=$index
    pair "./$p.idx"
    sum "./$p.idx" "$((size - 20))"
    said="$said ${pair% *} $sum ${pair#* }"
    [ "$right" = "./$p.idx" ] || size "$right"
    sum "$right" "$size"
    echo "$said $sum"
done
[ -z "$syncing" ] || wait "$syncing" || exit 4
""".replace("FLUSH", FLUSH).replace("SUM", SUM).replace("EMPTY_GIT", EMPTY_GIT)

# $1 a directory, or `arrived` and root and slot where it is that slot's quarantine, whose files are to be on disk afterwards and to be alone; then names of
# files: the SHA-1, whole,
# of those that are there, in lines `sum name`. Two thirds of the time of CHECK_PACKS while the volume is held: one process for all files, and no pipe.
SUMS = r"""
PLACES
how=$1 syncing=
if [ "$how" = arrived ]; then
    root=$2
    at "$3/objects/pack"
    shift 3
    for f in * .[!.]* ..?*; do  # what was not asked for, whoever sent it, and however it is called
        case $f in *[!0-9a-z.-]*) ;; *) case " $* " in *" $f "*) continue ;; esac ;; esac
        { [ -e "$f" ] || [ -L "$f" ]; } || continue
        rm -rf -- "./$f" || exit 6
    done
else
    cd -- "$how" || exit 3
    shift
fi
n=$#
for f; do
    if [ -f "$f" ] && [ ! -L "$f" ]; then set -- "$@" "$f"; fi
done
shift "$n"
[ $# -gt 0 ] || exit 0
[ "$how" != arrived ] || { flush "$@" & syncing=$!; }
{ command -v openssl >/dev/null && openssl dgst -sha1 -r -- "$@" 2>/dev/null; } || sha1sum -- "$@" || exit 4
[ -z "$syncing" ] || wait "$syncing" || exit 5
""".replace("PLACES", PLACES)

# $1 scratch, then object directories: what their objects lie in. For each directory `store`; for each pack that git would read (any name will do) `pack`,
# the checksums that its index has of the pack and of itself, and the checksum at the pack's own end; for each loose object
# `loose` and its id; of more than 10,000 the others in one sum. Names of files are never printed: they are anybody's. An empty
# file is no object. Last `stamp`, as INSPECT has it, of the files that are there when all of this was read.
INVENTORY = (
    r"""
scratch=$1
STEMS
shift
for d; do
    echo store
    [ -d "$d" ] || continue
    stems "$d/pack" >"$scratch/stems" || exit 4
    if [ -s "$scratch/stems" ]; then  # no process a pack: they may be many
        sed -z 's/$/.idx/' "$scratch/stems" | xargs -0 -r tail -q -c 40 -- | od -An -v -tx1 -w40 >"$scratch/indexes"
        sed -z 's/$/.pack/' "$scratch/stems" | xargs -0 -r tail -q -c 20 -- | od -An -v -tx1 -w20 | paste "$scratch/indexes" - |
            sed -n 's/[ \t]//g;s/^\(.\{40\}\)\(.\{40\}\)/pack \1 \2 /p'
    fi
    set -- "$d"/[0-9a-f][0-9a-f]
    if [ -e "$1" ] || [ -L "$1" ]; then  # a view has links, of which the first one may lead nowhere by now
        LOOSE | sort >"$scratch/loose" || exit 4
        head -n 10000 "$scratch/loose" | sed 's/^/loose /'
        [ "$(wc -l <"$scratch/loose")" -le 10000 ] || printf 'loose all-%s\n' "$(sha256sum <"$scratch/loose" | cut -c1-64)"
    fi
    stamp=$(find -L "$d/pack" -maxdepth 1 -type f STAMPED 2>/dev/null | LC_ALL=C sort -z | sha256sum)
    printf 'stamp %.32s\n' "$stamp"
done
exit 0
""".replace("LOOSE", _LOOSE)
    .replace("STEMS", _STEMS)
    .replace("STAMPED", STAMPED)
)

# $1 the output, $2 `all`, or, of the packs whose checksums come by standard input in lines as INVENTORY has them, `these` or `others` (with the
# loose objects), then object directories: every object id in them, sorted, once. Prints how many.
# From the packs' indexes and the loose objects' names, so that memory does not grow with the number of objects. An index that
# git cannot read (128) has no objects for consumers either; any other end of git's is an error. Nor is a loose object one that
# git cannot read, or that is another than its name says. Where one of them ends git itself, each is looked at, of more than a
# thousand beside it none, as it cannot be said then that another volume has them all; with `all` none counts as being there.
# Of `these`, an index that only says so at its end is none: a stranger may have written it beside the right one.
IDS = (
    r"""
LC_ALL=C
export LC_ALL
out=$1 which=$2
SUM
EMPTY_GIT
BROKEN_FUNCTIONS
n=0
shift 2
cat >"$out.these"
: >"$out.raw" || exit 3
for d; do
    [ -d "$d" ] || continue
    for i in "$d"/pack/*.idx "$d"/pack/.idx "$d"/pack/.*.idx; do
        if [ ! -f "$i" ] || [ ! -f "${i%.idx}.pack" ]; then continue; fi
        if [ "$which" != all ]; then
            size "$i"
            pair "$i"
            if grep -qxF -e "$pair" "$out.these"; then [ "$which" = these ]; else [ "$which" = others ]; fi || continue
            if [ "$which" = these ]; then  # read once: between two readings it may become another one
                body "$i" "$size" >"$out.index" || exit 3
                i=$out.index
                size "$i"
                pair "$i"
                grep -qxF -e "$pair" "$out.these" && sum "$i" "$((size - 20))" && [ "$sum" = "${pair#* }" ] || continue
            fi
        fi
        listed "$i" >"$out.one" || { [ $? = 128 ] && continue; exit 4; }
        cut -d' ' -f2 "$out.one" >>"$out.raw"
    done
    [ "$which" != these ] || continue
    LOOSE | sort >"$out.loose"
    [ -s "$out.loose" ] || continue
    broken
    [ "$code" != 128 ] || [ "$which" != all ] || continue
    [ "$code" != 128 ] || broken_apart
    [ "$n" -le 1000 ] || { echo "error: loose objects stop git, and too many lie beside them" >&2; exit 4; }
    [ "$code" -lt 126 ] || exit 4
    comm -23 "$out.loose" "$out.broken" >>"$out.raw"
done
sort -u -S 64M -T "${out%/*}" "$out.raw" >"$out" || exit 5
rm -rf -- "$out".?*
wc -l <"$out"
""".replace("LOOSE", _LOOSE)
    .replace("BROKEN_FUNCTIONS", _BROKEN_FUNCTIONS)
    .replace("SUM", SUM)
    .replace("EMPTY_GIT", EMPTY_GIT)
)

# $1 an object directory, $2 scratch, $3 `all`, `known` or `stored` (each pack as if it were known). By standard input come the checksums
# of the known ones, in lines as INVENTORY has them. Of the packs that git would read, those: `holds` and the checksums, where both
# files are what their checksums say. With `all` the others too, where reading the pack in full gives the very index that is there.
# Else `damaged`, the pack's checksum (`-` where its index is empty) and its name (`-` where it has odd characters), where one of the two
# has not even its own checksum, or no index is there; or `false` and the checksum. With `all` and `stored` then `loose` and the number of loose
# objects that git cannot read or that are others than their names say, and `empty` and the number of those that are empty; the ids of both are
# left in $2/false-loose. Where one of them ends git itself, none is what its name says with `all`; with `stored` each is looked at.
CHECKSUMS = (
    r"""
LC_ALL=C
export LC_ALL
d=$1 out=$2/checksums which=$3
cat >"$out.known" || exit 3
SUM
EMPTY_GIT
empty_git "$out.git" || exit 3
for i in "$d"/pack/*.idx "$d"/pack/.idx "$d"/pack/.*.idx; do
    p=${i%.idx}.pack
    if [ ! -f "$i" ] || [ ! -f "$p" ]; then continue; fi
    size "$i"
    pair "$i"
    known=1
    b=${i##*/} b=${b%.idx}
    case $b in '' | *[!0-9A-Za-z._-]*) b=- ;; esac
    [ "$which" = stored ] || grep -qxF -e "$pair" "$out.known" || known=
    [ "$which" = all ] || [ -n "$known" ] || continue
    of=${pair% *}
    sum "$i" "$((size - 20))"
    if [ "$sum" = "${pair#* }" ] && own_sum "$p" && [ "$sum" = "$of" ]; then
        [ -n "$known" ] || GIT_DIR=$out.git git index-pack --verify "$p" >/dev/null 2>&1
        case $? in
            0) echo "holds $pair" ;;
            126 | 127 | 1[3-9]?) exit 4 ;;
            *) echo "false $of" ;;
        esac
    else
        echo "damaged ${of:--} $b"
    fi
done
[ "$which" != known ] || exit 0
for p in "$d"/pack/pack-*.pack; do
    b=${p##*/} b=${b%.pack}
    case $b in *[!0-9A-Za-z._-]*) continue ;; esac
    [ ! -f "$p" ] || [ -e "$d/pack/$b.idx" ] || echo "damaged - $b"
done
scratch=$2
set -- "$d"/[0-9a-f][0-9a-f]
if [ ! -e "$1" ] && [ ! -L "$1" ]; then
    : >"$scratch/false-loose" || exit 5
    printf 'loose 0\nempty 0\n'
    exit 0
fi
BROKEN_FUNCTIONS
LOOSE | sort >"$out.loose"
NAMED | sort >"$out.named"
: >"$out.broken"
if [ -s "$out.loose" ]; then
    broken
    case $code in
        126 | 127 | 1[3-9]?) exit 4 ;;
        128) if [ "$which" = stored ]; then broken_apart; else cp -- "$out.loose" "$out.broken"; fi ;;
    esac
fi
comm -12 "$out.loose" "$out.broken" >"$out.false"
comm -13 "$out.loose" "$out.named" >"$out.empty"
sort "$out.false" "$out.empty" >"$scratch/false-loose" || exit 5
printf 'loose %s\nempty %s\n' "$(wc -l <"$out.false")" "$(wc -l <"$out.empty")"
""".replace("LOOSE", _LOOSE)
    .replace("NAMED", _NAMED)
    .replace("BROKEN_FUNCTIONS", _BROKEN_FUNCTIONS)
    .replace("SUM", SUM)
    .replace("EMPTY_GIT", EMPTY_GIT)
)

# $1 ids of the other side, $2 our ids (both sorted), $3 the output: what we lack. Prints the number.
MISSING = r"""
LC_ALL=C comm -23 "$1" "$2" >"$3" && wc -l <"$3"
"""

# $1 wanted ids (sorted), $2 scratch, $3 `any` or `many`, then object directories: packs that say they hold any of them, or so many that to pack these
# anew would be no gain, as `pack`, the pack's checksum, the bytes of pack and index, and a number: links $2/held/NUMBER.pack and .idx lead there, as their
# own names are anybody's. Then the number of the other wanted ids, in packs with few of them and of loose objects, which are left in $2/single-ids.
# To pack an object anew takes the time in which some 20,000 bytes are copied.
HOLDING = r"""
LC_ALL=C
export LC_ALL
wanted=$1 scratch=$2 which=$3
SUM
shift 3
rm -rf -- "$scratch/held" && mkdir -- "$scratch/held" && : >"$scratch/loose" && : >"$scratch/few" && : >"$scratch/whole" || exit 3
n=0
for d; do
    for i in "$d"/pack/*.idx "$d"/pack/.idx "$d"/pack/.*.idx; do
        p=${i%.idx}.pack
        if [ ! -f "$i" ] || [ ! -f "$p" ]; then continue; fi
        listed "$i" >"$scratch/one" || { [ $? = 128 ] && continue; exit 4; }
        cut -d' ' -f2 "$scratch/one" | sort | comm -12 - "$wanted" >"$scratch/both"
        [ -s "$scratch/both" ] || continue
        if [ "$which" = many ]; then
            few=$(wc -l <"$scratch/both") all=$(wc -l <"$scratch/one")
            size "$p"
            if [ "$((3 * few))" -lt "$((2 * all))" ] && [ "$few" -le "$((1000 + size / 20000))" ]; then
                cat -- "$scratch/both" >>"$scratch/few" || exit 3
                continue
            fi
            cat -- "$scratch/both" >>"$scratch/whole" || exit 3
        fi
        n=$((n + 1))
        ln -s -- "$p" "$scratch/held/$n.pack" && ln -s -- "$i" "$scratch/held/$n.idx" || exit 3
        size "$i"
        pair "$i"
        echo "pack ${pair% *}" $(stat -L -c %s -- "$p" "$i") "$n"
    done
    LOOSE >>"$scratch/loose"
done
sort -u "$scratch/loose" | comm -12 - "$wanted" >"$scratch/both"
sort -u "$scratch/few" "$scratch/both" >"$scratch/one"
sort -u "$scratch/whole" | comm -13 - "$scratch/one" >"$scratch/single-ids" || exit 3
printf 'single %s\n' "$(wc -l <"$scratch/single-ids")"
""".replace("LOOSE", _LOOSE).replace("SUM", SUM)

# $1 root, $2 a slot, below the root, $3 the base name of a pack in its quarantine, $4 scratch: its index is made of it. Fails where it is another pack
# than its name says.
INDEX = r"""
PLACES
EMPTY_GIT
root=$1
empty_git "$4/indexing" || exit 3
at "$2/objects/pack"
of=$(GIT_DIR=$4/indexing git index-pack "./$3.pack") || exit $?
[ "pack-${of##*[!0-9a-f]}" = "$3" ] || { echo "error: it is pack ${of##*[!0-9a-f]}" >&2; exit 128; }
""".replace("EMPTY_GIT", EMPTY_GIT).replace("PLACES", PLACES)

# $1 root, $2 a slot, below the root, $3 scratch, then object directories, or `loose` and one, of which only the loose objects are read then: a pack of
# those of $3/single-ids there, beside the quarantine. Prints its name. git writes a pack where its objects are, and renames it.
PACK_SINGLE = r"""
PLACES
EMPTY_GIT
root=$1 slot=$2 scratch=$3 git=$3/single-git
shift 3
rm -rf -- "$git" && empty_git "$git" && mkdir -p -- "$git/written" || exit 3
stores=$git/objects window=10
if [ "$1" = loose ]; then
    window=0
    find "$2" -mindepth 1 -maxdepth 1 ! -type f -name '[0-9a-f][0-9a-f]' -exec ln -s -t "$git/objects" -- {} + || exit 3
else
    for d; do stores=$stores:$d; done
fi
umask 077
made "$slot/single"
exec 8<.
ln -s -- /proc/self/fd/8 "$git/written/pack" || exit 3
GIT_DIR=$git GIT_OBJECT_DIRECTORY=$git/written GIT_ALTERNATE_OBJECT_DIRECTORIES=$stores \
    git pack-objects --window="$window" --delta-base-offset --quiet /proc/self/fd/8/pack <"$scratch/single-ids" || {
    code=$?
    find . -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +  # a full volume is not to stay so
    exit "$code"
}
""".replace("EMPTY_GIT", EMPTY_GIT).replace("PLACES", PLACES)
