# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the cluster and the login: what the user named is used, whatever the client library makes of it.

A kubeconfig with a token gives the library's configuration a hook, which at the token's use sets host, certificates, proxy
and token back to what the kubeconfig says. kubernetes.core puts the user's options over a configuration only once, before that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from ...errors import InvalidOption
from ...printable import printable
from ...redaction import SECRETS
from .kubeconfig import Login, read_login, require_program, require_provider, secrets, texts

_VARIABLES = "K8S_AUTH_"
_TEXTS = (
    "host", "api_key", "username", "password", "context", "kubeconfig", "ca_cert", "client_cert", "client_key", "proxy", "no_proxy",
    "impersonate_user",
)  # fmt: skip
_ATTRIBUTES = {
    "host": "host",
    "validate_certs": "verify_ssl",
    "ca_cert": "ssl_ca_cert",
    "client_cert": "cert_file",
    "client_key": "key_file",
    "proxy": "proxy",
}
"""Option → the attribute of the library's configuration that its hook sets back."""
_ALIASES = {"validate_certs": "verify_ssl", "ca_cert": "ssl_ca_cert", "client_cert": "cert_file", "client_key": "key_file"}
_TOKEN = "authorization"
"""The place where kubernetes.core puts the user's token; a kubeconfig's is under another name."""
_PORTS = {"https": 443, "http": 80}
_ENOUGH = (("api_key",), ("client_cert", "client_key"))
"""Options that are enough to log in. A user and a password are not: no Kubernetes API takes them any more, and no client sends them."""
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def trim(params: MutableMapping[str, Any], variables: MutableMapping[str, str]) -> None:
    """Take the white space off the ends of what the user named, and what is empty then away: templates set so what is undefined.

    Raises InvalidOption where a value cannot be used; it is not shown.
    """
    for name in _TEXTS:
        if isinstance(params.get(name), str):
            params[name] = params[name].strip() or None
    for name in [name for name in variables if name.startswith(_VARIABLES)]:
        value = variables[name].strip()
        if value:
            variables[name] = value
        else:
            del variables[name]
    for name in ("api_key", "password"):
        SECRETS.add(str(_given(params, variables, name) or ""))
    kubeconfig = params.get("kubeconfig")
    for text in secrets(kubeconfig) if isinstance(kubeconfig, Mapping) else ():
        SECRETS.add(text)
    headers = params.get("proxy_headers")
    for value in headers.values() if isinstance(headers, Mapping) else ():
        SECRETS.add(str(value or ""))
    _check_host(str(_given(params, variables, "host") or ""))


def public(kubeconfig: Any) -> set[str]:
    """Return what is no secret in the option ``kubeconfig``: kubernetes.core has all of it hidden, so that names and paths would be missing in
    results and messages."""
    return texts(kubeconfig) - (secrets(kubeconfig) if isinstance(kubeconfig, Mapping) else set())


@dataclass(frozen=True)
class Credentials:
    """The credentials of a login. ``words`` say what, and where it comes from; ``host`` is that of the kubeconfig, or of the pod that this runs in,
    where one was read; ``unused`` says what was named and is not used; ``login`` is the kubeconfig's, where it counts."""

    words: str
    host: str = ""
    unused: str = ""
    login: Login | None = None


def find_credentials(params: Mapping[str, Any], variables: Mapping[str, str], current: Callable[[str], str]) -> Credentials:
    """Return what is used to log in; ``current`` names the current context of a kubeconfig. Raises InvalidOption where it cannot be used here."""
    found = _find(params, variables, current)
    if not _given(params, variables, "username"):
        return found
    words = f"Not used: {_origin(params, 'username')}, as no Kubernetes API takes users and passwords. Get a token with them (kubernetes.core.k8s_auth)."
    return replace(found, unused=" ".join(filter(None, (found.unused, words))))


def _find(params: Mapping[str, Any], variables: Mapping[str, str], current: Callable[[str], str]) -> Credentials:
    enough = next((names for names in _ENOUGH if all(_given(params, variables, name) for name in names)), ())
    own = " and ".join(_origin(params, name) for name in enough)
    kubeconfig, context = _given(params, variables, "kubeconfig"), str(_given(params, variables, "context") or "")
    if enough and _given(params, variables, "host"):
        given = [_origin(params, name) for name, value in (("kubeconfig", kubeconfig), ("context", context)) if value]
        unused = f"Not used, as {_origin(params, 'host')} and {own} are given: {', '.join(given)}." if given else ""
        return Credentials(own, unused=unused)
    if not kubeconfig and not context and variables.get("KUBERNETES_SERVICE_HOST") and _SERVICE_ACCOUNT.is_file():
        name, port = variables["KUBERNETES_SERVICE_HOST"], variables.get("KUBERNETES_SERVICE_PORT", "443")
        host = f"https://[{name}]:{port}" if ":" in name else f"https://{name}:{port}"
        return Credentials(own or "the service account of the pod that this runs in", host)
    login = read_login(kubeconfig, context, "" if isinstance(kubeconfig, Mapping) else current(kubeconfig or ""))
    if login is None:
        looked = kubeconfig or variables.get("KUBECONFIG") or "~/.kube/config"
        return Credentials(own or f"nothing, as there is no kubeconfig (looked for {printable(str(looked))})")
    if enough:
        place = f"{own} at the host of the kubeconfig ({login.where})"
        unused = f"Used is {place}, and not the kubeconfig's own credentials. To use those, leave {own} out." if login.user else ""
        return Credentials(place, login.host, unused)
    require_program(login)
    return Credentials(f"the kubeconfig ({login.where})", login.host, login=login)


def _origin(params: Mapping[str, Any], name: str) -> str:
    return f"`{name}`" if params.get(name) is not None else f"the variable {_VARIABLES}{name.upper()}"


def keep(configuration: Any, params: Mapping[str, Any], variables: Mapping[str, str], of: Credentials) -> None:
    """Make the library's configuration use what the user named, now and after its hook. Raises InvalidOption where the token would be
    that of another cluster than the host."""
    named = {attribute for name, attribute in _ATTRIBUTES.items() if _given(params, variables, name) is not None}
    hook: Callable[[Any], None] | None = configuration.refresh_api_key_hook
    if _given(params, variables, "api_key") is not None:
        hook = None
        configuration.api_key = {_TOKEN: configuration.api_key[_TOKEN]}
        if "cert_file" not in named:  # a kubeconfig's, which would outweigh the token
            configuration.cert_file = configuration.key_file = None
    if of.login is not None and not (configuration.api_key or configuration.cert_file or configuration.username):
        require_provider(of.login)
    host = str(getattr(_asked(hook, configuration.api_key), "host", of.host))
    if hook is not None and "host" in named and _place(host) != _place(configuration.host):
        raise InvalidOption(
            f"`host` is {configuration.host}, and the token that would be used is one for {host}: it is that of {of.words}. Nothing was changed.",
            f"Give the api_key of {configuration.host} (or K8S_AUTH_API_KEY), or a kubeconfig and context with that cluster; or leave host out "
            f"(and K8S_AUTH_HOST) to work on {host}.",
        )

    def settle(changed: Any) -> None:
        """Settle, in the hook's place, what it would set. Other threads read the same configuration meanwhile, so nothing is wrong in it for a moment."""
        fresh = _asked(hook, changed.api_key)
        changed.api_key = {name: _usable(token) for name, token in fresh.api_key.items()}
        for attribute in _ATTRIBUTES.values():
            if attribute not in named and hasattr(fresh, attribute):
                setattr(changed, attribute, getattr(fresh, attribute))

    settle(configuration)
    configuration.refresh_api_key_hook = settle


def _asked(hook: Callable[[Any], None] | None, tokens: Mapping[str, str]) -> Any:
    """Return what a hook makes of a configuration with these tokens; before version 36 of the library, it sets only what has expired."""
    fresh = SimpleNamespace(api_key=dict(tokens))
    if hook is not None:
        hook(fresh)
    return fresh


def _usable(token: str) -> str:
    """A token without what its file ended in. Raises InvalidOption; it is not shown."""
    trimmed = token.strip()
    SECRETS.add(trimmed.rpartition(" ")[2])
    if re.search(r"[^\x20-\x7e]", trimmed):
        raise InvalidOption(
            "The token for the API has characters in it that no token has.", "Check api_key, K8S_AUTH_API_KEY or the kubeconfig."
        )
    return trimmed


def _given(params: Mapping[str, Any], variables: Mapping[str, str], name: str) -> Any:
    """Return what the user named, as an option or a variable; None where they did not."""
    value = params.get(name)
    if value is None:
        value = variables.get(_VARIABLES + name.upper(), variables.get(_VARIABLES + _ALIASES.get(name, name).upper()))
    return value


def _check_host(host: str) -> None:
    try:
        parts = urlsplit(host)
        wrong = parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or not (parts.port is None or parts.port)
    except ValueError:
        wrong = True
    if host and (wrong or re.search(r"[^\x21-\x7e]", host)):
        shown = SECRETS.text(host) if "@" not in host else "the one that was given"
        raise InvalidOption(
            f"`host` is no URL of an API: {shown}.", "For example https://api.example.org:6443, without a user or a password."
        )


def _place(host: str) -> tuple[str, str, int | None, str]:
    """Return what makes two URLs the same API."""
    parts = urlsplit(host if "://" in host else f"https://{host}")
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/")
