# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the repository cache, as frozen values. Imports nothing but the standard library."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

AUTO = "auto"
"""Instead of a method's name: the plan chooses one for each project and volume."""
BY_RSYNC = "option `method: rsync`"
"""In a remedy, the setting by which the controller reads upstream."""
BY_SEED = "option `method: seed`"
"""In a remedy, the setting by which a seed pod reads upstream, and serves packs that a cut copy goes on with."""


class Layout(str, Enum):
    """The place of an entry's objects: ``<project>/objects``, or ``<project>/.git/objects``."""

    BARE = "bare"
    NON_BARE = "non-bare"


class Role(str, Enum):
    """The side of a pair that a volume is."""

    WORKER = "worker"
    SANDBOX = "sandbox"


DEFAULT_REFS = ("refs/heads/*", "refs/tags/*")


@dataclass(frozen=True, order=True, slots=True)
class Ref:
    """A full ref name and the object id it points to (40 hexadecimal digits).

    To git a name is bytes. It is text here, made of them by ``surrogateescape``, and ``encoded`` gives them back.
    """

    name: str
    id: str


@dataclass(frozen=True)
class Snapshot:
    """The wanted refs of an upstream, and its HEAD, at one moment.

    ``head`` is the full name of the ref that HEAD points to, or, where HEAD is detached, an object id; empty where
    upstream has no HEAD. ``refs`` is sorted by name as git sorts, by bytes. ``left_out`` are wanted refs whose names git refuses.
    """

    refs: tuple[Ref, ...]
    head: str = ""
    left_out: tuple[str, ...] = field(default=(), compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of HEAD and every ref: equal for equal snapshots, in 64 hexadecimal digits."""
        digest = hashlib.sha256(encoded(f"HEAD {self.head}"))
        for ref in self.refs:  # one by one, as there may be many
            digest.update(encoded(f"\n{ref.id} {ref.name}"))
        return digest.hexdigest()

    @property
    def detached(self) -> bool:
        """Return whether HEAD is an object id of its own."""
        return len(self.head) == 40 and not self.head.startswith("refs/")

    @property
    def ids(self) -> tuple[str, ...]:
        """Every object id that must be there, once, sorted."""
        heads = (self.head,) if self.detached else ()
        return tuple(sorted({ref.id for ref in self.refs}.union(heads)))


def encoded(name: str) -> bytes:
    """Return a ref's name, or a text with such names in it, as the bytes that git has."""
    return name.encode("utf-8", "surrogateescape")


def make_snapshot(refs: Mapping[str, str], head: str, left_out: tuple[str, ...] = ()) -> Snapshot:
    """The snapshot of refs by name."""
    return Snapshot(tuple(Ref(name, refs[name]) for name in sorted(refs, key=encoded)), head, left_out)


@dataclass(frozen=True, order=True)
class Volume:
    """One repository-cache volume, by its claim. ``serves`` is the worker pod for which it is there."""

    namespace: str
    claim: str
    role: Role
    serves: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.claim}"


VOLUMES_OF_A_PAIR = 2
"""A pair holds both of its volumes while its sandbox is filled."""


@dataclass(frozen=True, order=True)
class Pair:
    """A worker's volume and its sandbox's. Rule: the sandbox's objects always include the worker's."""

    worker: Volume
    sandbox: Volume

    @property
    def name(self) -> str:
        """The worker pod, or the worker's claim where no pod is known."""
        return self.worker.serves or self.worker.claim

    @property
    def volumes(self) -> tuple[Volume, Volume]:
        """The order in which a project appears on them."""
        return (self.sandbox, self.worker)
