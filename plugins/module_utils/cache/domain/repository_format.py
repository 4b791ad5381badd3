# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find an entry's git repository format by its settings, and the files that must be made anew. Pure.

``facts`` and ``config`` are what ``scripts.INSPECT`` printed. Everything there is untrusted input.
"""

from __future__ import annotations

import re

from ...printable import printable

_HARMLESS_EXTENSIONS = ("noop", "noop-v1", "preciousobjects", "objectformat", "worktreeconfig", "relativeworktrees", "partialclone")
"""Extensions that change nothing in how objects and refs are stored. With any other, only the objects are kept."""
_VERSION_1_ONLY = ("objectformat", "compatobjectformat", "refstorage", "relativeworktrees")
"""Extensions that git refuses in a repository of format version 0."""
_VERSIONS = ("0", "1")
"""The format versions that git knows (gitrepository-layout(5))."""
_HEAD = re.compile(r"ref:\s*refs/.|[0-9a-f]{40}\s*$")


def is_partial(facts: dict[str, str], config: dict[str, str]) -> bool:
    """Return whether it is a partial clone: git would look for missing objects elsewhere."""
    promisor = [key for key, value in config.items() if key.endswith(".promisor") and value.lower() in ("true", "1", "yes", "")]
    return bool(promisor or "extensions.partialclone" in config or int(facts.get("promisor", 0)))


def to_remake(broken: list[str], facts: dict[str, str], config: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return why git cannot use its refs, and which files to make anew; both are empty if all is well."""
    version = config.get("core.repositoryformatversion", "0")
    extensions = {key.split(".", 1)[1]: value for key, value in config.items() if key.startswith("extensions.")}
    newer = sorted(key for key in extensions if key not in _HARMLESS_EXTENSIONS and (key, extensions[key]) != ("refstorage", "files"))
    if "config_large" in facts:
        return f"its configuration is of more than {facts['config_large']} bytes", ("HEAD", "config")
    if "config" in broken:
        return "its configuration cannot be read, so every clone fails", ("HEAD", "config")
    if version not in _VERSIONS:
        return f"its format version is {printable(version[:80])}, which git does not know", ("HEAD", "config")
    if newer and (version == "1" or "refstorage" in newer):
        return f"it uses what only a newer git knows ({', '.join(printable(key[:80]) for key in newer[:5])})", ("HEAD", "config")
    if version == "0" and not extensions.keys().isdisjoint(_VERSION_1_ONLY):
        return "it has extensions that its format version must not have", ("config",)
    if "HEAD" in broken or not _HEAD.match(facts.get("head", "")):
        return "its HEAD names no ref and no commit", ("HEAD",)
    return ("its refs cannot be read, so every clone fails", ()) if broken else ("", ())
