# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One edit of one text: from the bytes that are there to the bytes that are wanted. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidOption
from ..given_values import State
from . import document, jinja_source, yaml_nodes
from .checks import check, repeated
from .wanted import CACHE, SANDBOX_NAMESPACE, Wanted, lines


@dataclass(frozen=True)
class Edit:
    """A text before and after, what the user should know of it, and the sandboxes' namespace that it names (empty: none)."""

    before: str
    after: str
    warnings: tuple[str, ...] = ()
    sandbox_namespace: str = ""

    @property
    def changed(self) -> bool:
        """Return whether there is something to write."""
        return self.before != self.after


def edit(source: str, data: bytes, state: State, wanted: Wanted) -> Edit:
    """Return what is to be written. Raises InvalidOption, naming source and line."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InvalidOption(f"{source} is no UTF-8 text.", "Is it the right key or file? The service's configuration is YAML.") from None
    if source.endswith(".j2"):
        if state is State.ABSENT:
            without, another = jinja_source.remove(source, text, wanted)
            return Edit(text, without, (_stays(source, wanted),) if another else ())
        return Edit(text, *jinja_source.add(source, text, wanted))
    present = yaml_nodes.parse(source, text)
    twice = repeated(present)
    named = present.root.get(SANDBOX_NAMESPACE)
    namespace = named[1].meant.value if named is not None else ""
    if state is State.PRESENT:
        warnings = check(present, wanted)
        return Edit(text, document.add(present, wanted), (*twice, *warnings), namespace)
    after = document.remove(present, wanted)
    cache = present.root.get(CACHE)
    left = cache is not None and cache[1].meant.value != wanted.path
    return Edit(text, after, (*twice, *((_stays(source, wanted),) if left else ())), namespace)


def _stays(source: str, wanted: Wanted) -> str:
    return f"{source}: `{CACHE}` is another path than {wanted.path}, so it stays. Give that path to take it out."


def created(wanted: Wanted) -> Edit:
    """A new text, of the cache's keys only."""
    return Edit("", "---\n" + "".join(f"{line}\n" for line in lines(wanted)))
