# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress for the person who watches: one kind of event, told to one function.

Each run has one ``Report``. ``Tell`` and ``OnLine`` lead to it, too: whoever makes one puts in what its callers do not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PAIR_ENDED = "ended"
"""The phase of a worker's volume when nothing more is done to its pair."""


@dataclass(frozen=True)
class Progress:
    """One thing that happened, for the person who watches.

    ``subject`` is the volume, or what else it is about (empty: the whole run); ``project`` is empty where it is about all of
    them; ``detail`` is words, or the newest line of the program that works. ``pair`` names the pair of a volume; ``done`` of ``total``
    projects have a result (0 of 0 where that is not told). For the whole run, ``total`` is the number of pairs with work to do.
    """

    subject: str
    phase: str
    project: str = ""
    detail: str = ""
    pair: str = ""
    done: int = 0
    total: int = 0


Report = Callable[[Progress], None]
"""Called with each event of a run: all that is shown goes through it."""
Tell = Callable[[str, str], None]
"""Called with a phase and a detail. Who made it adds the subject, and hands that to a ``Report``."""
OnLine = Callable[[str], None]
"""Called with a few words: the newest line of a running process's standard error, or what is waited for. Who made it adds the rest."""
