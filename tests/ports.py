# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that a test has for itself, however many run on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_port(address: str = "127.0.0.1") -> Iterator[int]:
    """A port that nobody else is given while the context is open. Connections are refused, until the test has something listen there.

    What listens must set SO_REUSEADDR before it binds, as servers do.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((address, 0))
        yield int(holder.getsockname()[1])
