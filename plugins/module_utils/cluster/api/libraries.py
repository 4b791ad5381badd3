# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's client code, imported in one place: the Kubernetes client, websocket-client, and kubernetes.core's authentication.

Where a package is missing or too old, `missing_message` names it, and its names are None, or stand for an `except` only.
"""

from __future__ import annotations

import re
import sys
from typing import Any

_LEAST = (25, 3)
"""The oldest version of the package kubernetes that works, and is tried."""
MISSING: dict[str, str] = {}
"""Packages that could not be imported, with the reason."""
_CORE = "the collection kubernetes.core"
_AUTH_OPTIONS = (
    "api_key", "ca_cert", "client_cert", "client_key", "context", "host", "impersonate_groups", "impersonate_user", "kubeconfig",
    "no_proxy", "password", "persist_config", "proxy", "proxy_headers", "username", "validate_certs",
)  # fmt: skip

try:
    import certifi
    import kubernetes
    import urllib3
    import websocket
    from kubernetes.client import ApiClient
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config import list_kube_config_contexts
    from kubernetes.config.config_exception import ConfigException
    from yaml import YAMLError
except ImportError as error:
    MISSING["kubernetes"] = str(error)
    certifi = urllib3 = websocket = ApiClient = list_kube_config_contexts = None  # type: ignore[assignment]
    DynamicClient: Any = None
    YAMLError = ValueError

    class ApiException(Exception):  # type: ignore[no-redef]
        """Only a name for `except`, as the package is missing."""

    class ConfigException(Exception):  # type: ignore[no-redef]
        """Only a name for `except`, as the package is missing."""


else:
    if tuple(int(number) for number in re.findall(r"\d+", kubernetes.__version__)[:2]) < _LEAST:
        MISSING["kubernetes"] = f"version {kubernetes.__version__} is there, and {'.'.join(map(str, _LEAST))} or newer is needed"
    try:  # where it is there: it is the one that the deployment's people know
        from openshift.dynamic import DynamicClient  # type: ignore[no-redef]
    except ImportError:
        from kubernetes.dynamic import DynamicClient  # type: ignore[no-redef]
try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as k8s
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.exceptions import CoreException
except ImportError as error:
    MISSING[_CORE] = str(error)
    k8s = AnsibleK8SModule = None
    # Any value is taken then, so that the task fails for what is missing and not for an option.
    AUTH_ARG_SPEC = {name: {"type": "raw", "no_log": name in ("api_key", "password")} for name in _AUTH_OPTIONS}

    class CoreException(Exception):  # type: ignore[no-redef]
        """Only a name for `except`, as the collection is missing."""


def missing_message() -> str:
    """Return which packages are missing, for which interpreter."""
    commands = [f"{sys.executable} -m pip install --upgrade kubernetes"] if "kubernetes" in MISSING else []
    commands += ["ansible-galaxy collection install kubernetes.core"] if _CORE in MISSING else []
    return (
        f"Missing for the interpreter {sys.executable}: {', '.join(MISSING)} ({'; '.join(MISSING.values())}). "
        f"Install them there: {'; '.join(commands)}."
    )


__all__ = [
    "AUTH_ARG_SPEC",
    "MISSING",
    "AnsibleK8SModule",
    "ApiClient",
    "ApiException",
    "ConfigException",
    "CoreException",
    "DynamicClient",
    "YAMLError",
    "certifi",
    "k8s",
    "list_kube_config_contexts",
    "missing_message",
    "urllib3",
    "websocket",
]
