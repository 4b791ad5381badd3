# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No name that a user gives leads a request elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import kubernetes
import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.names import require_name, require_namespace
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.streams import open_exec
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption

WRONG = ["../kube-system", "a/b?x=1", "", " ", "a b", "A", "-a", "a-", "a..b", "a%2f", "a#b", "a\n", "x" * 254, "ä"]


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_name_is_refused_as_such(name: str) -> None:
    with pytest.raises(InvalidOption, match="is no name of a PersistentVolumeClaim"):
        require_name("PersistentVolumeClaim", name)
    with pytest.raises(InvalidOption, match="is no name of a namespace"):
        require_namespace(name)


@pytest.mark.parametrize("name", ["a", "packit--prod", "0-a", "x" * 63])
def test_what_is_one_is_taken(name: str) -> None:
    require_namespace(name)
    require_name("Pod", name)
    require_name("Pod", f"{name}.more")


REQUESTS: dict[str, Callable[[Client, str, str], object]] = {
    "get": lambda client, namespace, name: client.get("Pod", namespace, name, Deadline(60, "this test")),
    "patch": lambda client, namespace, name: client.patch("PersistentVolumeClaim", namespace, name, {}, Deadline(60, "this test")),
    "delete": lambda client, namespace, name: client.delete("Pod", namespace, name, "uid", Deadline(60, "this test")),
    "logs": lambda client, namespace, name: client.logs(namespace, name, 5, Deadline(60, "this test")),
    "watch": lambda client, namespace, name: next(client.watch("Pod", namespace, name, "1", Deadline(60, "this test"))),
    "exec": lambda client, namespace, name: open_exec(client, namespace, name, "c", ("true",), Deadline(60, "this test")),
}


@pytest.mark.parametrize("request_of", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize(
    ("namespace", "name"), [("../kube-system", "a"), ("ns", "../../kube-system/pods/x"), ("ns", ""), ("", "a"), ("ns", "a?x=1")]
)
def test_no_request_is_made_with_it(request_of: Callable[[Client, str, str], object], namespace: str, name: str) -> None:
    configuration = kubernetes.client.Configuration()
    configuration.host = "http://127.0.0.1:1"
    client = Client(kubernetes.client.ApiClient(configuration))
    with pytest.raises(InvalidOption, match="is no name of a"):
        request_of(client, namespace, name)
    assert client.requests == 0
