# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read logins from a kubeconfig for our messages, as the client library leaves out what it cannot use."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InvalidOption
from ...printable import printable

try:
    import yaml
except ImportError:  # the client library needs it, too, and its absence is told (`client.missing_message`)
    yaml = None

_DEFAULT = "~/.kube/config"
_MOST = 4 * 1024 * 1024
"""Bytes of a kubeconfig."""
CONTENT = "`kubeconfig` is the text of a kubeconfig. Give a path, or its content as a dictionary: … | from_yaml."
"""The error for a kubeconfig that is given as text: no path, and it is not shown, as a token may be in it."""


def is_content(value: str) -> bool:
    """Return whether a value is a kubeconfig's text, where a path is meant to be."""
    return re.search(r"[\n{]|: |apiVersion:", value.strip()) is not None


def secrets(kubeconfig: Mapping[str, Any]) -> set[str]:
    """Return the texts in a kubeconfig that let somebody in."""
    found = set()
    for item in _items(kubeconfig, "users"):
        user = item.get("user")
        if isinstance(user, Mapping):
            program, provider = user.get("exec"), user.get("auth-provider")
            found |= {user.get(key) for key in ("token", "password", "client-key-data")}
            found |= {entry.get("value") for entry in (program.get("env") or ()) if isinstance(entry, Mapping)} if isinstance(program, Mapping) else set()
            config = provider.get("config") if isinstance(provider, Mapping) else None
            found |= set(config.values()) if isinstance(config, Mapping) else set()
    return {text for text in found if isinstance(text, str) and text}


def texts(value: Any) -> set[str]:
    """Return all texts in a kubeconfig."""
    if isinstance(value, Mapping):
        return {text for item in value.values() for text in texts(item)}
    if isinstance(value, list):
        return {text for item in value for text in texts(item)}
    return {str(value)}


@dataclass(frozen=True)
class Login:
    """The login of a kubeconfig's context. ``where`` names files and context; ``host`` is its cluster's."""

    where: str
    host: str
    user: Mapping[str, Any]


def read_login(kubeconfig: Any, context: str, current: str = "") -> Login | None:
    """Return how the context (the current one where it is empty) logs in; None where there is no kubeconfig.

    ``current`` is the current one as the client library has it: of several files, its versions take the first or the last.
    ``kubeconfig`` is a path, a dictionary, or empty for the variable KUBECONFIG and the usual file. What cannot be read is left to the
    library. Raises InvalidOption where a file that was named is not there, or has no such context.
    """
    documents, where = _documents(kubeconfig)
    if not documents:
        return None
    name = context or current or next((str(found) for item in documents if (found := item.get("current-context"))), "")
    chosen = _named(documents, "contexts", name, "context")
    if context and chosen is None:
        known = ", ".join(sorted(str(item.get("name")) for document in documents for item in _items(document, "contexts"))) or "none"
        raise InvalidOption(f"{where} has no context `{context}`.", f"It has: {printable(known)}.")
    chosen = chosen or {}
    cluster = _named(documents, "clusters", str(chosen.get("cluster")), "cluster") or {}
    user = _named(documents, "users", str(chosen.get("user")), "user") or {}
    return Login(f"{where}, context {printable(name) or '(none)'}", str(cluster.get("server") or ""), user)


def require_program(login: Login) -> None:
    """Raise InvalidOption where the context logs in by a program that is not here."""
    program = login.user.get("exec")
    if not isinstance(program, Mapping) or login.user.get("token") or login.user.get("tokenFile"):
        return
    command = str(program.get("command") or "")
    # A command with a slash is one beside its kubeconfig, and a PATH of its own may have others: the library finds them.
    elsewhere = os.sep in command or any(isinstance(item, Mapping) and item.get("name") == "PATH" for item in program.get("env") or ())
    if command and not elsewhere and shutil.which(command) is None:
        hint = " ".join(printable(str(program.get("installHint") or "")).split())
        raise InvalidOption(
            f"The kubeconfig ({login.where}) logs in by the program `{printable(command)}`, which is not installed here, or not on the PATH.",
            hint or "Install it for the user that runs Ansible, or give host and api_key.",
        )


def require_provider(login: Login) -> None:
    """Raise InvalidOption where the context has an auth-provider; for one of which the client library has made no credentials."""
    provider = login.user.get("auth-provider")
    if isinstance(provider, Mapping):
        raise InvalidOption(
            f"The kubeconfig ({login.where}) logs in by the auth-provider `{printable(str(provider.get('name')))}`, "
            "of which the client library makes no credentials: Kubernetes clients do not support them any more.",
            "Have your cloud's tool write a new kubeconfig (it will have `exec`), or give host and api_key.",
        )


def _documents(kubeconfig: Any) -> tuple[Sequence[Mapping[str, Any]], str]:
    """Return the kubeconfig's documents, and what they are called. Raises InvalidOption."""
    if isinstance(kubeconfig, Mapping):
        return [kubeconfig], "the kubeconfig that was given as a dictionary"
    named = str(kubeconfig or os.environ.get("KUBECONFIG") or "")
    if is_content(named):
        raise InvalidOption(CONTENT)
    paths = [Path(part).expanduser() for part in (named or _DEFAULT).split(os.pathsep) if part]
    there = [path for path in paths if _is_file(path)]
    if kubeconfig and not there:
        raise InvalidOption(f"There is no kubeconfig {printable(named)}.", "Check kubeconfig (K8S_AUTH_KUBECONFIG), or leave it out.")
    documents = []
    for path in there:
        try:
            with path.open("rb") as file:
                document = yaml.safe_load(file.read(_MOST))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        if isinstance(document, Mapping):
            documents.append(document)
    return documents, os.pathsep.join(map(str, there))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _items(document: Mapping[str, Any], of: str) -> Sequence[Mapping[str, Any]]:
    found = document.get(of)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _named(documents: Sequence[Mapping[str, Any]], of: str, name: str, what: str) -> Mapping[str, Any] | None:
    for document in documents:
        for item in _items(document, of):
            if item.get("name") == name:
                found = item.get(what)
                return found if isinstance(found, Mapping) else {}
    return None
