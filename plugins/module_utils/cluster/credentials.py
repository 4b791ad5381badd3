# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster, and as whom: what the user named is what is used, whatever the client library makes of it later.

A kubeconfig with a token gives the library's configuration a hook, which at the token's first use sets host, certificates, proxy
and token back to what the kubeconfig says. kubernetes.core puts the user's options over a configuration only once, before that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from ..errors import InvalidOption
from ..redaction import SECRETS

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
"""Of an option, the attribute of the library's configuration that its hook sets back."""
_ALIASES = {"validate_certs": "verify_ssl", "ca_cert": "ssl_ca_cert", "client_cert": "cert_file", "client_key": "key_file"}
_TOKEN = "authorization"
"""Where kubernetes.core puts the user's token; a kubeconfig's is under another name."""
_PORTS = {"https": 443, "http": 80}


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
        SECRETS.add(str(_named(params, variables, name) or ""))
    headers = params.get("proxy_headers")
    for value in headers.values() if isinstance(headers, Mapping) else ():
        SECRETS.add(str(value or ""))
    _check_host(str(_named(params, variables, "host") or ""))


def keep(configuration: Any, params: Mapping[str, Any], variables: Mapping[str, str]) -> None:
    """Make the library's configuration use what the user named, now and after its hook. Raises InvalidOption where the token would be
    that of another cluster than the host."""
    named = {attribute for name, attribute in _ATTRIBUTES.items() if _named(params, variables, name) is not None}
    hook: Callable[[Any], None] | None = configuration.refresh_api_key_hook
    if _named(params, variables, "api_key") is not None:
        hook = None
        configuration.api_key = {_TOKEN: configuration.api_key[_TOKEN]}
    loaded = _loaded(hook)
    if loaded is not None and "host" in named and _place(loaded.host) != _place(configuration.host):
        raise InvalidOption(
            f"`host` is {configuration.host}, and the token that would be used is one for {loaded.host}: it is from the kubeconfig, or the pod that "
            "this runs in. Nothing was changed.",
            f"Give the api_key of {configuration.host} (or K8S_AUTH_API_KEY), or a kubeconfig and context with that cluster; or leave host out "
            f"(and K8S_AUTH_HOST) to work on {loaded.host}.",
        )

    def settle(changed: Any) -> None:
        """In the hook's place. Other threads read the same configuration meanwhile, so nothing is wrong in it for a moment."""
        fresh = _loaded(hook)
        tokens = changed.api_key if fresh is None else fresh.api_key
        changed.api_key = {name: _usable(token) for name, token in tokens.items()}
        for attribute in _ATTRIBUTES.values():
            if attribute not in named and hasattr(fresh, attribute):
                setattr(changed, attribute, getattr(fresh, attribute))

    settle(configuration)
    configuration.refresh_api_key_hook = settle


def _loaded(hook: Callable[[Any], None] | None) -> Any:
    """What a hook makes of a configuration; None where there is no hook."""
    if hook is None:
        return None
    empty = SimpleNamespace(api_key={})
    hook(empty)
    return empty


def _usable(token: str) -> str:
    """A token without what its file ended in. Raises InvalidOption; it is not shown."""
    trimmed = token.strip()
    SECRETS.add(trimmed.rpartition(" ")[2])
    if re.search(r"[^\x20-\x7e]", trimmed):
        raise InvalidOption(
            "The token for the API has characters in it that no token has.", "Check api_key, K8S_AUTH_API_KEY or the kubeconfig."
        )
    return trimmed


def _named(params: Mapping[str, Any], variables: Mapping[str, str], name: str) -> Any:
    """What the user named, as an option or a variable; None where they did not."""
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
    """What makes two URLs the same API."""
    parts = urlsplit(host if "://" in host else f"https://{host}")
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/")
