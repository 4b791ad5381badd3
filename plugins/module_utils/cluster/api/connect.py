# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect a module to its cluster, and end it in words."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...ansible_module import TellingModule
from ...background import unexpected
from ...errors import DeploymentError
from ...given_values import require_values
from . import credentials
from .api_errors import ClusterError
from .client import Client
from .given_paths import require_paths
from .libraries import (
    AUTH_ARG_SPEC,
    MISSING,
    AnsibleK8SModule,
    ApiClient,
    ConfigException,
    CoreException,
    YAMLError,
    k8s,
    list_kube_config_contexts,
    missing_message,
)


def _current_context(kubeconfig: str) -> str:
    """Return the current context as the client library has it; empty where it cannot say."""
    try:
        return str(list_kube_config_contexts(kubeconfig or None)[1]["name"])
    except (ConfigException, YAMLError, OSError, ValueError, TypeError, AttributeError):  # it says nothing of what it raises
        return ""


def connect(module: Any) -> Client:
    """A client from a module's auth options, ``K8S_AUTH_*`` variables, kubeconfig, or the pod that it runs in.

    What is empty counts as undefined, as the deployment's templates set it so. Raises Unreachable, ClusterError and InvalidOption.
    """
    credentials.trim(module.params, os.environ)
    found = credentials.find_credentials(module.params, os.environ, _current_context)
    if found.unused:
        module.warn(found.unused)
    host = module.params.get("host") or os.environ.get("K8S_AUTH_HOST") or "the configured host"
    try:
        # The parts of its `get_api_client`, which asks the API already, in the middle of which a configuration's hook may change it.
        configuration = k8s._create_configuration(k8s._create_auth_spec(module))
        credentials.keep(configuration, module.params, os.environ, found)
    except (CoreException, ConfigException) as error:
        raise ClusterError(
            f"No cluster is configured: {error} Used to log in: {found.words}.", "Give host and api_key, kubeconfig, or K8S_AUTH_* variables."
        ) from error
    except (ValueError, OSError, YAMLError) as error:  # their words may hold the token
        raise ClusterError(
            f"The credentials for {host} cannot be used: {type(error).__name__}.", "Check the kubeconfig and the files that it names."
        ) from error
    api_client = ApiClient(configuration)
    for name, value in k8s._create_headers(module).items():
        k8s._set_header(api_client, name, value)
    return Client(api_client, found.words)


@contextmanager
def deployment_module(argument_spec: Mapping[str, Any], **settings: Any) -> Iterator[Any]:
    """An Ansible module with our options and kubernetes.core's auth options. Our errors become ``fail_json`` in words, and so does what
    nobody expected."""
    spec = {**AUTH_ARG_SPEC, **argument_spec}
    if MISSING:
        TellingModule(argument_spec=spec, supports_check_mode=True, **settings).fail_json(msg=missing_message())
    module = AnsibleK8SModule(
        module_class=TellingModule, argument_spec=spec, supports_check_mode=True, check_k8s=False, check_pyyaml=False, **settings
    )
    module._module.no_log_values.difference_update(credentials.public(module.params.get("kubeconfig")))
    try:
        require_values(argument_spec, module.params)
        require_paths({**spec, "kubeconfig": {"type": "path"}}, module.params)
        yield module
    except DeploymentError as error:
        module.fail_json(msg=str(error))
    except Exception as error:  # noqa: BLE001  (the outermost frame: a traceback's words are no answer, and may tell a secret)
        module.fail_json(msg=str(unexpected("The module", error)), exception=traceback.format_exc())
