# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry is, and what is left in it from before."""

from __future__ import annotations

WORK = ".packit-deployment#work"
"""Our directory at the root of a volume while we work. `#` starts a URL's fragment, so no project can have this name."""

# $1 root, $2 name, $3 age in minutes from which a lock counts as left behind, $4 our scratch directory, $5 our configuration
# of git, which is left there for every later command. $4/view becomes our own git directory over the entry: its objects and
# refs, and nothing else of it.
INSPECT = r"""
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
say young_locks "$(find "$g" -maxdepth 1 \( -name '*.lock' -o -name packed-refs.new \) -mmin "-$3" 2>/dev/null | wc -l)"
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

# Our directory may be anybody's by now: a link would lead our hands elsewhere. $1 is the root, and the present directory.
NO_LINK = r"""if [ -L ./WORK ] || { [ -e ./WORK ] && [ ! -d ./WORK ]; }; then rm -f -- ./WORK; fi"""

# $1 root, $2 name, $3 age in minutes, $4 our slot in the work directory, $5 `keep` where packs that an earlier try received,
# whole or in part, are of use: their checksums tell what they are. Indexes have none that we know before, so they come anew.
# Kept only where there is nothing else but plain files with one name each, and marked as young: when it is old, the next
# project's take would remove it. Prints what was removed.
CLEAN = r"""
cd -- "$1" || exit 3
NO_LINK
locks="-mmin +$3"  # packed-refs.new is what git writes under packed-refs.lock: where it stays, no ref can be packed again
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
find "$g" -maxdepth 1 \( -name '*.lock' -o -name packed-refs.new \) -type f $locks -print -delete
find "$g/refs" -name '*.lock' -type f $locks -print -delete
exit 0
""".replace("NO_LINK", NO_LINK).replace("WORK", WORK)

# $1 to $5 as INSPECT, $6 slot, $7 how to clean. What was removed, a line each, an empty line, then the facts: one process
# instead of two, as each costs a filler's small share of a processor while the volume is held.
TAKE = (
    f"clean() ({CLEAN})\ninspect() ({INSPECT})\n"
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
