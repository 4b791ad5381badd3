# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that tell what a volume's space goes to."""

from __future__ import annotations

from .places import PLACES

NAMES_MOST = 1000
"""Names in the root of a volume that are looked at: what is more was not made by us."""
FILES_MOST = 20_000
"""Files of packs, and those that a killed git has left, that are told."""
_SECONDS = 10
"""Seconds for the sizes of all files, and again for the packs. A checkout of millions of files may be on a slow disk, and a sandbox waits meanwhile."""

# $1 root: the bytes that are free, where the file system says so; the names; the bytes on disk that each takes, `late` where that took too long; and
# the files of packs, and of a killed git, with their blocks of 512 bytes, their bytes and their path. Each ended by a NUL. What du was told of by an
# earlier name is not in a later one's sum.
USAGE = r"""
cd -P -- "$1" 2>/dev/null || exit 0
free=$(df -B1 --output=avail -- .)
printf 'free %s\0' "${free##*[!0-9-]}"
set --
for f in ./*/left#* ./*/.git/left#*; do
    [ ! -e "$f" ] || set -- "$@" "$f"
done
n=0
for f in ./* ./.[!.]* ./..?*; do
    if [ ! -e "$f" ] && [ ! -L "$f" ] || [ "$f" = ./lost+found ]; then continue; fi
    printf 'name %s\0' "${f#./}"
    set -- "$@" "$f"
    n=$((n + 1))
    [ "$n" -le NAMES ] || break
done
[ $# -gt 0 ] || exit 0
printf '%s\0' "$@" | timeout SECONDS du -B1 -s -0 --files0-from=- 2>/dev/null
[ $? != 124 ] || printf '\0late\0'
timeout SECONDS find . -mindepth 2 -maxdepth 5 -regextype posix-extended \
    -type d ! -path './*/objects' ! -path './*/.git' ! -path '*/objects/pack' ! -path '*/objects/[0-9a-f][0-9a-f]' -prune -o \
    -type f -path '*/objects/*' \( -regex '.*/objects/pack/pack-[0-9a-f]{40}\.[a-z]+' -o -name 'tmp_*' -o -name '.tmp-*' \) \
    -printf 'file %b %s %P\0' 2>/dev/null | head -z -n FILES
exit 0
""".replace("NAMES", str(NAMES_MOST)).replace("FILES", str(FILES_MOST)).replace("SECONDS", str(_SECONDS))

# $1 root. By standard input lines of a number, a pack directory below the root, and names of indexes there: so many bytes of the beginning of each.
INDEX_STARTS = r"""
PLACES
root=$1
set -f
while IFS=' ' read -r bytes directory names; do
    (at "$directory" && exec head -q -c "$bytes" -- $names)
done
exit 0
""".replace("PLACES", PLACES)
