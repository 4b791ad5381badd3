# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of git on a volume: our own configuration, never the volume's.

An entry on a sandbox's volume is untrusted: a hook, ``insteadOf``, ``core.fsmonitor`` or an included file in its
configuration would be used by a plain ``git fetch`` in it. So git runs in a directory of our own (a *view*), in which
only the object store and the refs are the entry's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MEBI = 1024 * 1024
MORE_MEMORY = (
    "Raise the memory limit of the container (a filler's: option `filler.resources.limits.memory`; a seed pod's: "
    "option `seed.resources.limits.memory`)."
)
"""The remedy where a process was killed for want of memory."""
DIED = 128
"""git's exit code where it gives up by itself; with any other (killed, not there) it says nothing about a repository."""

OLDEST = (2, 32)
"""The oldest git of use: it reads no other configuration than ours where it is told so (GIT_CONFIG_GLOBAL), and ids from standard input."""

_MOST_SHARE = 96
"""MiB of a cache of git's, which is its own default: more made no fetch faster."""

NEWER_GIT = "Use an image with a newer git (option `image`); on the controller, install one."


def unfit(version: str) -> str:
    """Return why the git that answers so to ``git version`` is of no use, in half a sentence; empty where it is. Pure."""
    found = re.match(r"git version (\d+)\.(\d+)", version)
    if found is None:
        return "there is no git"
    if (int(found[1]), int(found[2])) >= OLDEST:
        return ""
    return f"its git is {version.split()[2]}, and the oldest of use is {OLDEST[0]}.{OLDEST[1]}"


@dataclass(frozen=True)
class Limits:
    """Limits of all processes on a volume together: bytes of memory, and processors."""

    memory_bytes: int = 256 * MEBI
    cpus: float = 0.5

    @property
    def threads(self) -> int:
        """Threads that help: index-pack would take the node's number of processors otherwise."""
        return max(1, round(self.cpus))

    @property
    def git(self) -> Mapping[str, str]:
        """git's own limits, from a quarter of the memory at the most: the rest is for mapped packs and the working set."""
        share = min(_MOST_SHARE, max(16, self.memory_bytes // MEBI // 4 // self.threads))
        return {
            "pack.threads": str(self.threads),
            "index.threads": str(self.threads),
            "core.deltaBaseCacheLimit": f"{share}m",
            "pack.windowMemory": f"{share}m",
            "core.packedGitLimit": f"{max(64, self.memory_bytes // MEBI // 2)}m",
            "core.packedGitWindowSize": "16m",
        }


OUR_CONFIG: Mapping[str, str] = {
    "safe.directory": "*",  # entries of another uid
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.logAllRefUpdates": "false",
    "core.fsync": "all",
    "core.alternateRefsCommand": "true",  # never run git inside an alternate, where its own configuration would count
    "core.attributesFile": "/dev/null",
    "core.commitGraph": "false",  # what it says of commits would be taken for the commits
    "core.multiPackIndex": "false",  # nor for what the packs' own indexes say
    "core.excludesFile": "/dev/null",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.unpackLimit": "1",
    "transfer.unpackLimit": "1",
    "fetch.writeCommitGraph": "false",
    "pack.writeReverseIndex": "false",
    "protocol.version": "2",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.http.allow": "always",
    "protocol.git.allow": "always",
    "credential.helper": "",
}

PLAIN: Mapping[str, str] = {
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_DEFAULT_REF_FORMAT": "files",
}
"""Variables that fix what a repository of ours is made of, whatever the configuration or the git of the place would make by default."""

ON_CONTROLLER: Mapping[str, str] = {
    **PLAIN,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=20",
}
"""git's environment where it speaks to upstream for the user: with their configuration, and without a question. The ssh is for those
who have named none of their own: see ``local_environment``."""

KEPT_SETTINGS: Mapping[str, str] = {
    "gc.auto": "0",
    "maintenance.auto": "false",
    "gc.pruneExpire": "never",
    "gc.reflogExpire": "never",
}
"""Written into every entry's own configuration, for people who run git there by hand: one ``git fetch`` ran gc, which lost
an old unreachable object."""


def configuration(limits: Limits) -> str:
    """Our configuration, as a file: it is sent once, where variables would be sent with every command."""
    lines = []
    for key, value in {**OUR_CONFIG, **limits.git}.items():
        section, _dot, name = key.rpartition(".")
        head, dot, rest = section.partition(".")
        lines.append(f'[{head} "{rest}"]\n\t{name} = {value}\n' if dot else f"[{head}]\n\t{name} = {value}\n")
    return "".join(lines)


def environment(configuration_file: str) -> dict[str, str]:
    """The environment of every git of ours on a volume."""
    return {
        **PLAIN,
        "LC_ALL": "C",
        "GIT_CONFIG_COUNT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": configuration_file,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }
