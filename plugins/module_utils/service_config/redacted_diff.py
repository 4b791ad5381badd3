# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diff that may be shown of a file full of credentials: its changed lines alone. Pure."""

from __future__ import annotations

from difflib import SequenceMatcher

_HIDDEN = "[lines that stay as they are, not shown]\n"


def diff(title: str, before: str, after: str) -> dict[str, str]:
    """Return what ``--diff`` shows: the changed lines of both texts. Lines that stay are a word, so no context shows them."""
    old, new = before.splitlines(), after.splitlines()
    texts = ["", ""]
    for kind, old_start, old_end, new_start, new_end in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        for number, part in enumerate((old[old_start:old_end], new[new_start:new_end])):
            texts[number] += _HIDDEN if kind == "equal" else "".join(f"{line}\n" for line in part)
    return {"before_header": title, "after_header": title, "before": texts[0], "after": texts[1]}
