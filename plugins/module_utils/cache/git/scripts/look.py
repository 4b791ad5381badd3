# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that look at an entry, and at what earlier runs left in it."""

from __future__ import annotations

from .places import CHANGED
from .tidy import STAMPED, TIDY, WORK

# Where the git directory of the entry "$e" is: what has lost its HEAD has its objects still. A whole repository at the entry's top is the entry,
# whatever somebody has put beside it.
_GIT_DIRECTORY = r"""g=$e
if [ -e "$e/HEAD" ] && [ -d "$e/refs" ] && [ -d "$e/objects" ] && [ ! -L "$e/objects" ]; then :
elif [ -e "$e/.git/HEAD" ] || { [ ! -e "$e/HEAD" ] && [ -d "$e/.git/objects" ] && [ ! -L "$e/.git/objects" ]; }; then g=$e/.git; fi"""

REFS_MOST = 64 * 1024 * 1024
"""Bytes of a list of refs, some 900,000, that are looked at on a volume."""
CONFIG_MOST = 1024 * 1024
"""Bytes of an entry's configuration."""
ANSWER_MOST = 15 * 1024 * 1024
"""Bytes of refs that are brought from a volume: less than ``shell.OUTPUT_LIMIT``."""

# $1 root, $2 name, $3 age in minutes from which a lock counts as left behind, $4 our scratch directory, $5 our configuration
# of git, which is left there for every later command. $4/view becomes our own git directory over the entry: its objects, the list of its
# refs as git has read it, and nothing else of it.
# Each process costs a filler's small share of a processor while the volume is held, so there are few: no `$(a | b)`, and no function in either.
INSPECT = (
    r"""
{ [ -d "$4" ] || mkdir -p -- "$4"; } && printf '%s' "$5" >"$4/gitconfig" || exit 3
cd -- "$1" 2>/dev/null || { echo "kind noroot"; exit; }
TIDY
e=./$2 nl='
'
say() { printf '%s %s\n' "$1" "$2"; }
say git "$(git version 2>/dev/null)"
if [ ! -w . ]; then
    say root_unwritable "$(stat -c '%u %a' .) $me"
    case $(LC_ALL=C mkdir -- './WORK none' 2>&1 && rmdir -- './WORK none') in *'Read-only file system'*) say root_read_only 1 ;; esac
fi
if [ -d ./WORK ] && [ ! -w ./WORK ]; then say work_taken "$(stat -c '%u %a' ./WORK) $me"; fi
tell_left '*'
if [ -L "$e" ]; then say kind symlink; exit; fi
if [ ! -e "$e" ]; then say kind absent; exit; fi
if [ ! -d "$e" ]; then say kind file; exit; fi
stat --printf='owner %u\nmode %a\n' -- "$e" || say owner ''
say me "$me"
if [ ! -r "$e" ] || [ ! -x "$e" ]; then say kind unreadable; exit; fi
if [ ! -e "$e/HEAD" ] && [ -z "$(find "$e" -mindepth 1 -maxdepth 1 -print -quit)" ]; then say kind empty; exit; fi
if [ -L "$e/.git" ]; then say kind symlink; exit; fi
if [ -f "$e/.git" ]; then say kind gitfile; exit; fi
GIT_DIRECTORY
if [ "$g" = "$e" ]; then say layout bare; else say layout non-bare; fi
if [ -L "$g/objects" ]; then say kind symlink; exit; fi
if [ ! -d "$g/objects" ]; then say kind halfmade; exit; fi
if { [ ! -e "$g/HEAD" ] || [ ! -d "$g/refs" ]; } && [ -z "$(find "$g/objects" -type f -name '*.pack' -print -quit)" ]; then
    say kind halfmade
    exit
fi
# One counts all, a byte each in files of ours.
find "$g/objects" "$g/refs" "$g/HEAD" ! -type f ! -type d -fprintf "$4/n.odd" x , ! -readable -fprintf "$4/n.unreadable" x , \
    -path "$g/objects/pack/*.promisor" -fprintf "$4/n.promisor" x , \
    -path "$g/objects/pack/*.idx" ! -path "$g/objects/pack/*/*" -fprintf "$4/n.packs" x , \
    -path "$g/objects/[0-9a-f][0-9a-f]/*" -type f ! -name 'tmp_*' -fprintf "$4/n.loose" x , \
    -path "$g/refs/*" -type f -size +REF_FILEk -fprintf "$4/n.large" x 2>/dev/null
numbers=$(stat -c %s -- "$4/n.odd" "$4/n.unreadable" "$4/n.promisor" "$4/n.packs" "$4/n.loose") || exit 3
odd=${numbers%%"$nl"*}
for f in packed-refs config shallow commondir info; do
    if [ -L "$g/$f" ] || { [ -e "$g/$f" ] && [ ! -f "$g/$f" ] && [ ! -d "$g/$f" ]; }; then odd=$((odd + 1)); fi
done
say odd "$odd"
[ "$odd" -eq 0 ] || { say kind symlink; exit; }
for word in unreadable promisor packs loose; do
    numbers=${numbers#*"$nl"}
    say "$word" "${numbers%%"$nl"*}"
done
if [ -f "$g/HEAD" ]; then
    content "$g/HEAD" 200 >"$4/head" 2>/dev/null
    IFS= read -r head <"$4/head"  # without NULs
    say head "$head"
else
    say broken HEAD
fi
[ -d "$g/refs" ] || say broken refs
[ ! -e "$g/config" ] || [ -f "$g/config" ] || say broken config
[ ! -e "$g/packed-refs" ] || [ -f "$g/packed-refs" ] || say broken packed-refs
# For git as a reference, these two are there whatever they are and whatever is in them.
[ ! -e "$g/shallow" ] || say shallow 1
[ ! -s "$g/objects/info/alternates" ] || say alternates 1
[ ! -s "$g/objects/info/http-alternates" ] || say alternates 1
if [ -e "$g/info/grafts" ] || [ -L "$g/info/grafts" ]; then say grafts 1; fi
[ ! -e "$g/commondir" ] || say commondir 1
bytes=
for word in $(du -sb "$g/objects" "$g/refs" "$g/packed-refs" 2>/dev/null); do
    case $word in
    */objects) say bytes "$size" ;;
    */refs | */packed-refs) bytes=$((${bytes:-0} + size)) ;;
    *[!0-9]*) ;;
    *) size=$word ;;
    esac
done
size=$(df -B1 --output=size .)
say room "${size##*[!0-9]}"  # nothing where the file system does not say
# Whoever writes to a file changes the time of its last change, which nobody can set. After a publication the stamp is of what was there at the
# take, before anything was read, and of what was published: not of what somebody has put there meanwhile.
files=$4/proved
[ ! -e "$files" ] || files=$4/files
find "$g/objects/pack" -maxdepth 1 -type f STAMPED 2>/dev/null | LC_ALL=C sort -z >"$files" || exit 3
if [ "$files" = "$4/proved" ]; then
    stamp=$(sha256sum <"$files")
else
    stamp=$(LC_ALL=C sort -z -u "$4/proved" | LC_ALL=C comm -z -12 - "$files" | sha256sum)
fi
printf 'stamp %.32s\n' "$stamp"
if there "$g/hooks"; then
    found=$(find "$g/hooks" ! -type d ! -name '*.sample' -printf x 2>/dev/null)
    say hooks "${#found}"
fi
found=
for f in "$g"/*.lock "$g"/.*lock "$g/packed-refs.new"; do
    there "$f" || continue
    found=$(find "$g" -maxdepth 1 \( -name '*.lock' -o -name packed-refs.new \) -mmin "-$3" ! -newermt "+${3}minutes" -printf x 2>/dev/null)
    break
done
say young_locks "${#found}"
for d in "$g" "$g/objects" "$g/objects/pack" "$g/refs"; do
    if [ -e "$d" ] && [ ! -w "$d" ]; then say unwritable "$(stat -c '%u %a' "$d")"; break; fi
done
if [ "$g" = "$e" ]; then
    if [ -L "$e/.git/objects" ] && [ "$(readlink "$e/.git/objects")" = ../objects ]; then say bridge 1; fi
else
    if [ -L "$e/objects" ] && [ "$(readlink "$e/objects")" = .git/objects ]; then say bridge 1
    elif [ -e "$e/objects" ] || [ -L "$e/objects" ]; then say objects_taken 1; fi
fi
v=$4/view l=$4/listed
rm -rf -- "$v" "$l" && mkdir -- "$v" "$v/refs" "$l" || exit 3
for d in "$v" "$l"; do
    echo 'ref: refs/heads/packit-cache-view' >"$d/HEAD"
    printf '[core]\n\trepositoryformatversion = 0\n\tbare = true\n' >"$d/config"
done
a=$1/${g#./}
ln -s -t "$v" -- "$a/objects" && cd -- "$l" || exit 3
if [ -d "$a/refs" ]; then ln -s -t . -- "$a/objects" "$a/refs"; else ln -s -- "$a/objects" objects && mkdir refs; fi || exit 3
: >"$v/packed-refs" || exit 3
# With each line of a tag comes one of what it names; more than that is cut, and more than is read.
if [ -f "$a/packed-refs" ]; then
    : >packed-refs || exit 3
    content "$a/packed-refs" PACKED_MOST >packed-refs 2>/dev/null
fi
# A git that was killed, or is not there, says nothing about the entry: what is broken is made anew.
judged() { case $1 in 126|127|1[3-9]?) exit "$1" ;; *) say broken "$2" ;; esac; }
# git would read all of what only says that it is large: a file may be a hole of any size.
if [ "${bytes:-0}" -gt REFS_FILES ] || [ -s "$4/n.large" ]; then
    say refs_many "${bytes:-0}"
    say kind repository
    exit
fi
# What lies there may be of any size, and what is said of it is not: see REF_BUCKETS for refs. A shell's blocks are of 512 or 1,024 bytes.
# git lists in a directory of its own: what it leaves out of the list stops it elsewhere, and what is planted among the refs from now on, a pipe, would
# hold it.
(
    ulimit -c 0
    ulimit -f REFS_BLOCKS
    GIT_DIR=$l exec git for-each-ref --format='%(objectname) %(refname)' >"$v/packed-refs" 2>"$4/words"
)
code=$?
sizes=$(stat -c %s -- "$v/packed-refs" "$4/words" packed-refs 2>/dev/null)
size=${sizes%%"$nl"*} sizes=${sizes#*"$nl"}
said=${sizes%%"$nl"*} packed=${sizes#*"$nl"}
if [ "$size" -gt REFS_MOST ] || [ "$said" -gt REFS_MOST ] || [ "$packed" -ge PACKED_MOST ]; then
    say refs_many "$size"
    : >"$v/packed-refs"
else
    if [ "$code" != 0 ]; then
        judged "$code" refs
        [ "$said" -gt 0 ] || exit 3  # it has said nothing: our own directory is full
        : >"$v/packed-refs"
        size=0
    elif [ "$said" -gt 0 ] && grep -q -e '^warning: ignoring broken ref' -e '^warning: ignoring ref with broken name' "$4/words"; then
        say broken refs
    fi
    if [ "$size" -le LISTED ]; then
        [ "$size" = 0 ] || sed 's/^/ref /' "$v/packed-refs"
    else
        rm -rf -- "$4/buckets" && mkdir -- "$4/buckets" && cd -- "$4/buckets" || exit 3
        digits='0 1 2 3 4 5 6 7 8 9 a b c d e f' third=
        [ "$size" -le FEW ] || third=$digits
        { for x in $digits; do for y in $digits; do if [ -z "$third" ]; then echo "$x$y"; else for z in $third; do echo "$x$y$z"; done; fi; done; done
            cat "$v/packed-refs"; } | sort | csplit -z -s -n 4 -f b - '/^[0-9a-f]*$/' '{*}' || exit 3
        sha256sum b* | cut -c1-32 | sed 's/^/refs_sum /'
    fi
fi
cd -- "$1" || exit 3
if [ -f "$g/config" ]; then
    content "$g/config" CONFIG_MOST1 >"$4/config" 2>/dev/null
    (ulimit -c 0; ulimit -f CONFIG_BLOCKS; exec git config --file "$4/config" --no-includes --null --list >"$4/settings" 2>/dev/null)
    code=$?
    sizes=$(stat -c %s -- "$4/settings" "$4/config")
    if [ "${sizes%%"$nl"*}" -gt CONFIG_MOST ] || [ "${sizes#*"$nl"}" -gt CONFIG_MOST ]; then
        say config_large CONFIG_MOST
        : >"$4/settings"
    else
        [ "$code" = 0 ] || judged "$code" config
    fi
    say kind repository
    cat "$4/settings"
else
    say kind repository
fi
""".replace("TIDY", TIDY)
    .replace("GIT_DIRECTORY", _GIT_DIRECTORY)
    .replace("WORK", WORK)
    .replace("STAMPED", STAMPED)
)
for _word, _number in (("REFS", REFS_MOST), ("CONFIG", CONFIG_MOST)):
    INSPECT = INSPECT.replace(f"{_word}_MOST1", str(_number + 1)).replace(f"{_word}_MOST", str(_number))
    INSPECT = INSPECT.replace(f"{_word}_BLOCKS", str(_number // 512 + 1))
INSPECT = INSPECT.replace("REFS_FILES", str(4 * REFS_MOST)).replace("REF_FILE", "64").replace("PACKED_MOST", str(2 * REFS_MOST))
INSPECT = INSPECT.replace("LISTED", str(64 * 1024)).replace("FEW", str(4 * 1024 * 1024))

# $1 our scratch directory, then names of buckets: what is in them, a line a ref and a line of hexadecimal digits a bucket; `many`
# and their size where that is more than one answer may have. INSPECT has made them: its sums are those of b0000, b0001, …
REF_BUCKETS = r"""
cd -- "$1/buckets" || exit 3
shift
size=$(cat -- "$@" | wc -c)
if [ "$size" -gt MOST ]; then echo "many $size"; else cat -- "$@"; fi
""".replace("MOST", str(ANSWER_MOST))

# $1 our scratch directory: those of the ids that the refs name that are not there; `many` where they are more. The list is INSPECT's.
ABSENT_REFS = r"""
cut -d' ' -f1 "$1/view/packed-refs" >"$1/refs-ids" || exit 3
GIT_DIR=$1/view git cat-file --batch-check='%(objectname)' <"$1/refs-ids" >"$1/refs-found" || exit $?
sed -n 's/^\([0-9a-f]*\) missing$/\1/p' "$1/refs-found" >"$1/refs-absent" || exit 3
[ -s "$1/refs-absent" ] || exit 0
sort -u -o "$1/refs-absent" "$1/refs-absent" || exit 3
if [ "$(stat -c %s "$1/refs-absent")" -gt MOST ]; then echo many; else cat -- "$1/refs-absent"; fi
""".replace("MOST", str(ANSWER_MOST))

# $1 root, $2 name, $3 age in minutes, $4 our slot in the work directory, $5 `keep` where packs that an earlier try received,
# whole or in part, are of use: their checksums tell what they are. Indexes have none that we know before, so they come anew.
# Kept only where there is nothing else but plain files with one name each, and marked as young: when it is old, the next
# project's take would remove it. $6 `shared` where another pod has the volume mounted too: else a lock is nobody's, of whatever age. $7 our scratch
# directory: of what else is in the work directory, what this hold has received of other projects stays, however long ago that was.
# Prints what was removed of the entry.
CLEAN = (
    r"""
root=$1
cd -P -- "$root" || exit 3
TIDY
clear_work
# A bare entry has no `.git` but that of BRIDGE, which has one link and nothing else: consumers' git would read any other in its place.
clear_second() {
    d=./.git
    there "$d" || return 0
    if [ -d "$d" ] && [ ! -L "$d" ] && [ "$(readlink "$d/objects")" = ../objects ]; then
        [ -n "$(find "$d" -mindepth 1 -maxdepth 1 ! -name objects -print -quit)" ] || return 0
        open_up "$d"
        find "$d" -mindepth 1 -maxdepth 1 ! -name objects -execdir rm -rf -- {} +
    else
        away "$d"
    fi && echo "$d"
}
clean_entry() {
    e=./$2
    [ ! -L "$e" ] && [ -d "$e" ] || return 0
    open_up "$e" -maxdepth 1
    [ -r . ] && [ -r "$e" ] && [ -x "$e" ] || return 0  # INSPECT tells whose it is
    GIT_DIRECTORY
    [ -r "$g" ] && [ -x "$g" ] && [ ! -L "$g" ] && [ ! -L "$g/objects" ] && [ -d "$g/objects" ] && [ ! -L "$g/refs" ] || return 0
    (
        at "${g#./}"
        open_up .
        [ "$g" != "$e" ] || clear_second
        # A lock of git's is a file; anything else of that name is nobody's, and in the way of all.
        # And what speaks for objects instead of them: git reads these of a reference too, and what they say may be wrong; none is needed.
        for f in ./*.lock ./.*lock ./packed-refs.new ./info/*.lock ./info/.*lock; do
            there "$f" || continue  # only a question: `find` itself enters no link, and takes as many as there are
            find . ./info -maxdepth 1 \( -name '*.lock' -o -path ./packed-refs.new \) \( ! -type f -o -type f $locks \) -print -prune \
                -execdir rm -rf -- {} +
            break
        done
        refs=./refs
        [ -d ./refs ] || refs=
        find ./objects $refs \( \
            -path './objects/*' \( -name 'tmp_*' -o -name '.tmp-*' \) -type f $old \
            -o -path './refs/*' -name '*.lock' \( ! -type f -o -type f $locks \) \
            -o \( -path ./objects/info -o -path ./objects/pack \) -type f \
            -o ! -path './objects/*/*/*' \( -path './objects/info/commit-graph*' -o -path './objects/pack/multi-pack-index*' \
                -o -path './objects/pack/*.bitmap' -o -path './objects/pack/*.rev' \) \
            \) -print -prune -execdir rm -rf -- {} +
    )
}
# Old is also what is dated as far in the future: a clock was wrong, or somebody has set it so, and it would never grow old.
old="( -mmin +$3 -o -newermt +${3}minutes )"
locks=$old  # packed-refs.new is what git writes under packed-refs.lock: where it stays, no ref can be packed again
[ "$6" = shared ] || locks=
[ ! -f "./WORK/$4/locks" ] || locks=  # a run of ours was killed while it had them: nobody else can have been at work here since
ended() { case $1 in CHANGED | 12[67] | 1[3-9]?) exit "$1" ;; esac }
clean_entry "$@"  # first: with the slot goes the mark of whose locks they are
ended $?
tag=${4#"$2"}
clear_other_runs "$tag"
ended $?
[ -d ./WORK ] && [ -x ./WORK ] || exit 0
(
    into WORK
    odd=$(find "./$4" \( ! -type d \( ! -type f -o ! -links 1 \) -o -type d -path "./$4/objects/*" \
        ! -path "./$4/objects/pack" ! -path "./$4/objects/info" \) -print -quit 2>/dev/null)
    if [ "$5" = keep ] && [ -z "$odd" ] && [ -d "./$4/objects/pack" ]; then
        touch -h -- "./$4"
        find "./$4" -mindepth 1 -maxdepth 1 ! -name objects -execdir rm -rf -- {} +
        find "./$4" -mindepth 2 -type f ! -path "*/pack/pack-*.pack" -delete
    else
        away "./$4"
    fi
    for d in ./* ./.[!.]* ./..?*; do
        of=${d#./} of=${of%"$tag"}
        if [ "$d" != "./$4" ] && { [ "$d" != "./$of$tag" ] || [ ! -d "${7%/*}/$of" ]; }; then
            find "$d" -maxdepth 0 $old -exec rm -rf -- {} + 2>/dev/null
        fi
    done
)
ended $?
rmdir ./WORK 2>/dev/null
exit 0
""".replace("TIDY", TIDY)
    .replace("GIT_DIRECTORY", _GIT_DIRECTORY)
    .replace("CHANGED", str(CHANGED))
    .replace("WORK", WORK)
)

# $1 to $5 as INSPECT, $6 slot, $7 how to clean, $8 whether it is shared. What was removed, a line each, an empty line, then the facts: one process
# instead of two, as each costs a filler's small share of a processor while the volume is held.
TAKE = (
    f"clean() ({CLEAN})\ninspect() {{\n{INSPECT}\n}}\n"
    + r"""
[ -d "$4" ] || mkdir -p -- "$4" || exit 3
: >"$4/code"
{ clean "$1" "$2" "$3" "$6" "$7" "$8" "$4"; echo $? >"$4/code"; } | sed -n '1,1000s/^/removed /p'
IFS= read -r code <"$4/code" || exit 3
[ "$code" = 0 ] || ! (cd -- "$1") 2>/dev/null || exit "$code"
rm -f -- "$4/proved"
inspect "$1" "$2" "$3" "$4" "$5"
"""
)

# $1 an entry: the time, then for each of git's locks its time and its name, all ended by a NUL; of a hundred at the most.
LOCKS = r"""
cd -- "$1" || exit 3
{
    printf '%s\0' "$(date +%s)"
    for g in . .git; do
        if [ -L "$g" ] || [ ! -d "$g/refs" ] || [ -L "$g/refs" ]; then continue; fi
        find "$g" -maxdepth 1 -type f \( -name '*.lock' -o -name packed-refs.new \) -printf '%Ts %P\0'
        find "$g/refs" -type f -name '*.lock' -printf '%Ts refs/%P\0'
        [ -L "$g/info" ] || find "$g/info" -maxdepth 1 -type f -name '*.lock' -printf '%Ts info/%P\0' 2>/dev/null
    done
} | head -z -n 101
"""

# Our own git directory over nothing, where there is no entry yet: $1 the view.
VIEW = r"""
rm -rf -- "$1" && mkdir -p -- "$1/refs" "$1/objects" && echo 'ref: refs/heads/packit-cache-view' >"$1/HEAD" || exit 3
printf '[core]\n\trepositoryformatversion = 0\n\tbare = true\n' >"$1/config"
"""
