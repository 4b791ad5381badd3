# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of git's repository formats an entry has, by its settings, and what of it is to be made anew. Pure.

``facts`` and ``config`` are what ``scripts.INSPECT`` printed. Everything there is untrusted input.
"""

from __future__ import annotations

import re

from ..printable import printable

_HARMLESS_EXTENSIONS = ("noop", "noop-v1", "preciousobjects", "objectformat", "worktreeconfig", "relativeworktrees", "partialclone")
"""Those that change nothing of the objects or the refs; of newer gits' ones only the objects count, and refs are written anew."""
_VERSION_1_ONLY = ("objectformat", "compatobjectformat", "refstorage", "relativeworktrees")
_VERSIONS = ("0", "1")
"""Of a repository, those that git knows (gitrepository-layout(5))."""
_HEAD = re.compile(r"ref:\s*refs/.|[0-9a-f]{40}\s*$")


def partial(facts: dict[str, str], config: dict[str, str]) -> bool:
    """Whether git may have been told that objects are elsewhere."""
    promisor = [key for key, value in config.items() if key.endswith(".promisor") and value.lower() in ("true", "1", "yes", "")]
    return bool(promisor or "extensions.partialclone" in config or int(facts.get("promisor", 0)))


def to_remake(wrong: list[str], facts: dict[str, str], config: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    """Why git reads no refs there, so that every clone fails or fetches all, and which files must be made anew; empty where all is well.

    Of what a newer git made, or nobody's, only the objects count.
    """
    version = config.get("core.repositoryformatversion", "0")
    extensions = {key.split(".", 1)[1]: value for key, value in config.items() if key.startswith("extensions.")}
    newer = sorted(key for key in extensions if key not in _HARMLESS_EXTENSIONS and (key, extensions[key]) != ("refstorage", "files"))
    if "config_large" in facts:
        return f"its configuration is of more than {facts['config_large']} bytes", ("HEAD", "config")
    if "config" in wrong or "config_broken" in facts:
        return "its configuration cannot be read, so every clone fails", ("HEAD", "config")
    if version not in _VERSIONS:
        return f"its format version is {printable(version[:80])}, which git does not know", ("HEAD", "config")
    if newer and (version == "1" or "refstorage" in newer):
        return f"its refs are of a newer git ({', '.join(printable(key[:80]) for key in newer[:5])})", ("HEAD", "config")
    if version == "0" and not extensions.keys().isdisjoint(_VERSION_1_ONLY):
        return "it has extensions that its format version must not have", ("config",)
    if "HEAD" in wrong or not _HEAD.match(facts.get("head", "")):
        return "its HEAD is none", ("HEAD",)
    return ("its refs cannot be read, so every clone fails", ()) if wrong else ("", ())
