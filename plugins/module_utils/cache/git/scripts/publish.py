# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the quarantine to where consumers look: on disk before it is seen, and each step a rename. And removal."""

from __future__ import annotations

from .look import CONFIG_MOST, INSPECT
from .object_lists import SUM
from .places import PLACES
from .repair import LOOSE_AWAY
from .tidy import LEFT, STAMPED, TIDY, WORK

# Shell functions. Packs are given as their base name, and after a dot each the SHA-1 of the index and of the pack, which may be empty.
#
# right FILE SHA-1.SHA-1: whether a file of a pack in the working directory is what the pack's name says, or its index.
# settle PACK…: the packs move from "$from" into the working directory, durable first and the indexes last, where what is right already stays. What
# was checked in the quarantine may have been changed until then, so all of it is read here; before, its stamp is taken, so that no later change
# has that stamp. For that all is on disk (a mapped page that is not changes without a new time), and the clock of file times has gone on.
_SETTLE = SUM + r"""
right() {
    [ -f "./$1" ] && [ ! -L "./$1" ] || return 1
    case $1 in
        *.pack) if [ -z "${2#*.}" ]; then own_sum "./$1" && [ "pack-$sum.pack" = "$1" ]; else size "./$1" && whole "./$1" && [ "$sum" = "${2#*.}" ]; fi ;;
        *) size "./$1" && sum "./$1" "" ,nofollow && [ "$sum" = "${2%.*}" ] ;;
    esac
}
settle() {
    for suffix in pack idx; do
        ours= files= coming=
        for p; do
            f=${p%%.*}.$suffix files="$files ./${p%%.*}.$suffix"
            ! right "$f" "${p#*.}" || continue
            if [ -d "./$f" ] && [ ! -L "./$f" ]; then away "./$f" || return 6; fi
            ours="$ours $f " coming="$coming $from/$f"
        done
        # Names of packs are digits: they are words.
        [ -z "$coming" ] || { flush $coming && mv -f -t . -- $coming; } || return 6
        flush $files || return 6
        sleep 0.02
        find $files STAMPED >>"$scratch/proved" || return 6
        for p; do
            f=${p%%.*}.$suffix
            ! right "$f" "${p#*.}" || continue
            case $ours in
                *" $f "*) rm -f -- "./$f"; changed "$f" ;;
                *) echo "error: $f, which was right a moment ago, cannot be read" >&2; return 6 ;;  # consumers need it
            esac
        done
    done
}
"""

# $1 root, $2 our scratch directory, $3 our slot, $4 the entry's git directory (both below the root), then packs. What is there under a pack's name and
# is not right is not what its name says, or an index that may hide objects: ours takes its place, by a rename.
MOVE_PACKS = r"""
TIDY
SETTLE
root=$1 scratch=$2 slot=$3 git=$4
shift 4
umask 022
at "$slot/objects/pack"
exec 8<.
from=/proc/self/fd/8
made "$git/objects/pack"
settle "$@" || exit $?
flush .
""".replace("TIDY", TIDY).replace("SETTLE", _SETTLE).replace("STAMPED", STAMPED)

# $1 root, $2 our scratch directory, $3 an entry's git directory, below the root, then key value …: set where they are not set so. Done in
# a copy, as git follows links.
SETTINGS = r"""
TIDY
root=$1 ours=$2/config
at "$3"
shift 3
content ./config | head -c MOST >"$ours" || exit 3
changes=
while [ $# -gt 1 ]; do
    if [ "$(git config --file "$ours" --no-includes --get-all "$1" 2>/dev/null)" != "$2" ]; then
        git config --file "$ours" --replace-all "$1" "$2" || exit $?
        changes=1
    fi
    shift 2
done
[ -z "$changes" ] || { put "$ours" config && flush .; }
""".replace("TIDY", TIDY).replace("MOST", str(CONFIG_MOST))

# $1 root, $2 our slot, below the root, then an argv that takes git's locks. The mark tells the next take, if this is killed, whose they
# are; what ended by itself has left none, and what stopped it may be the lock of another one that lives.
LOCKING = r"""
PLACES
root=$1
umask 077
made "$2"
umask 022
rm -f -- ./locks && fresh locks </dev/null || exit 3
exec 8<.
shift 2
"$@"
code=$?
case $code in 1[3-9]?) ;; *) rm -f -- /proc/self/fd/8/locks ;; esac  # by a signal; git itself ends with up to 129, and with 255
exit "$code"
""".replace("PLACES", PLACES)

# $1 root, $2 our scratch directory, $3 an entry's git directory, below the root. The content of HEAD comes by standard input.
HEAD = r"""
TIDY
root=$1
cat >"$2/HEAD" || exit 3
at "$3"
put "$2/HEAD" HEAD && flush .
""".replace("TIDY", TIDY)

# $1 root, $2 our scratch directory, $3 an entry's git directory, $4 our slot (both below the root), $5 the directory whose loose refs are ours to
# change, below the git directory. By standard input come update-ref's commands, deletions first. The list of refs is INSPECT's; git changes it
# in a directory of ours, where it refuses what is not there and cannot be led out; then it takes packed-refs' place, and the
# loose ones go.
CHANGE_REFS = r"""
TIDY
LOOSE_AWAY
umask 022
root=$1 scratch=$2 git=$3 slot=$4 s=$2/refs-git
rm -rf -- "$s" && mkdir -p -- "$s/refs" || exit 3
echo 'ref: refs/heads/packit-cache-view' >"$s/HEAD"
printf '[core]\n\trepositoryformatversion = 0\n\tbare = true\n' >"$s/config"
ln -s -- "$1/$3/objects" "$s/objects" && cat >"$s/commands" || exit 3
{ echo '# pack-refs with: sorted'; cat -- "$2/view/packed-refs"; } >"$s/packed-refs" || exit 3
at "$3"
# A lock is a file; a ref's name is bytes, and is told as ``lock_files.shown`` has it.
lock=$(find . -maxdepth 1 -type f \( -name packed-refs.lock -o -name packed-refs.new \) -print -quit)
[ -n "$lock" ] || lock=$(find ./refs -type f -name '*.lock' -print -quit)
[ -z "$lock" ] || { echo "error: Unable to create '$(printf %s "$lock" | LC_ALL=C tr -c '0-9A-Za-z./_-' '?')': File exists." >&2; exit 1; }
for verb in delete update; do  # `dev` must be gone before `dev/x` can be made
    grep -a "^$verb " "$s/commands" >"$s/some" || continue
    GIT_DIR=$s git update-ref --no-deref --stdin <"$s/some" || exit $?
done
GIT_DIR=$s git pack-refs --all || exit $?
put "$s/packed-refs" packed-refs || exit 1
flush .
loose_away "$5"
""".replace("TIDY", TIDY).replace("LOOSE_AWAY", LOOSE_AWAY)

# $1 root, $2 the name, $3 our slot, below the root (gone afterwards), $4 `replace` where something unusable is there, $5 its configuration, $6 our
# scratch directory, then its packs: those that were checked, and no others. By standard input come the line of HEAD, then
# refs, `id name` lines in the order of names: they are bytes, which an argument need not carry. Everything is on disk before the one rename, and
# what was there before comes back where that fails. Nobody uses the new repository yet, so its refs are written as one file; every id
# must be there.
_PUBLISH_NEW = (
    r"""
TIDY
SETTLE
umask 022
root=$1 to=$2 slot=$3 how=$4 scratch=$6 n=$6/new
{ ! there "$n" || rm -rf -- "$n"; } && mkdir -p -- "$n/refs" "$n/files" && IFS= read -r head || exit 3
printf '%s\n' "$head" >"$n/HEAD" && printf '%s\n' "$head" >"$n/files/HEAD" && printf '%s' "$5" >"$n/files/config" || exit 3
{ echo '# pack-refs with: sorted' && cat; } >"$n/files/packed-refs" && : >"$scratch/proved" || exit 3
shift 6
made "$slot"
exec 8<.
for f in new old; do
    ! there "./$f" || rm -rf -- "./$f" || exit 3
done
mkdir -- ./new || exit 3
into new
exec 7<.
mkdir -- ./objects ./refs && (into refs && mkdir -- ./heads ./tags) || exit 3
cp --remove-destination -t . -- "$n/files/HEAD" "$n/files/config" "$n/files/packed-refs" || exit 3
into objects
exec 6<.
mkdir -- ./info ./pack && into pack || exit 3
exec 5<.
if [ $# -gt 0 ]; then
    at "$slot/objects/pack"
    exec 3<.
    from=/proc/self/fd/3
    cd -P -- /proc/self/fd/5 && settle "$@" || exit 4
    exec 3<&-
fi
ln -s -- /proc/self/fd/6 "$n/objects" && sed '1d;s/ .*//' "$n/files/packed-refs" >"$n/wanted" || exit 3
GIT_DIR=$n git cat-file --batch-check='%(objectname)' <"$n/wanted" >"$n/found" || exit 7
missing=$(grep -c ' missing$' "$n/found")
[ "$missing" = 0 ] || { echo "$missing of the refs' objects are not there" >&2; exit 7; }
cd -P -- /proc/self/fd/7 && { said=$(LC_ALL=C find . -exec sync -- {} + 2>&1) || excused "$said" || exit 3; }
cd -P -- "$root" || exit 3
new=/proc/self/fd/8/new old=/proc/self/fd/8/old
if [ "$how" = replace ]; then mv -T -- "./$to" "$old" || aside "./$to" ./LEFT || exit 4; fi
mv -T -- "$new" "./$to" || { [ "$how" != replace ] || mv -T -- "$old" "./$to"; exit 5; }
flush .
clear_slot "${slot##*/}"
exit 0
""".replace("TIDY", TIDY)
    .replace("SETTLE", _SETTLE)
    .replace("LEFT", LEFT)
    .replace("STAMPED", STAMPED)
)
# $1 to $5 as INSPECT, then those of the above from $3 on: published, and looked at in the same process.
PUBLISH_NEW = (
    f"inspect() {{\n{INSPECT}\n}}\npublish() ({_PUBLISH_NEW})\n"
    + r"""
root=$1 name=$2 age=$3 scratch=$4 config=$5
shift 5
publish "$root" "$name" "$@" >&2 || exit $?
inspect "$root" "$name" "$age" "$scratch" "$config"
"""
)

# $1 root, $2 the entry's name, $3 `bare` or `non-bare` (what it is), $4 our scratch directory: adds the other layout's path to its objects.
BRIDGE = r"""
TIDY
root=$1
at "$2"
if [ "$3" = bare ]; then
    [ -d ./.git ] && [ ! -L ./.git ] || away ./.git || exit 3
    [ -d ./.git ] || mkdir -- ./.git || exit 3
    into .git
    away ./objects.new && { [ -L ./objects ] || away ./objects; } || exit 3
    ln -s -- ../objects ./objects.new && mv -T -- ./objects.new ./objects && flush .
else
    made "$2/.git/info"
    if [ -L ./exclude ] || { [ -e ./exclude ] && [ ! -f ./exclude ]; }; then away ./exclude || exit 3; fi
    : >"$4/exclude"
    [ ! -f ./exclude ] || content ./exclude | head -c MOST >"$4/exclude"
    grep -qx /objects "$4/exclude" || { echo /objects >>"$4/exclude" && put "$4/exclude" exclude; } || exit 3
    at "$2"
    ln -s -T -- .git/objects ./objects && flush .
fi
""".replace("TIDY", TIDY).replace("MOST", str(CONFIG_MOST))

# $1 root, $2 name, $3 slot: out of the consumers' sight by one rename, then deleted. Prints `absent`, `removed` or `kept` with the
# uid and mode of what cannot be taken away; then `left` lines of what could not be deleted, of this project.
REMOVE = (
    r"""
root=$1
cd -P -- "$root" || exit 3
TIDY
clear_work
clear_other_runs "${3#"$2"}" || exit $?
clear_slot "$3"
if there "./$2"; then
    [ -L "./$2" ] || open_up "./$2" -maxdepth 0
    made "WORK/$3"
    exec 8<.
    cd -P -- "$root" || exit 3
    if mv -T -- "./$2" /proc/self/fd/8/old 2>/dev/null || aside "./$2" ./LEFT; then
        flush . || exit 4
        echo removed
    else
        echo "kept $(stat -c '%u %a' -- "./$2")"
    fi
    clear_slot "$3"
else
    echo absent
fi
tell_left "$2"
rmdir ./WORK 2>/dev/null
exit 0
""".replace("TIDY", TIDY)
    .replace("WORK", WORK)
    .replace("LEFT", LEFT)
)
