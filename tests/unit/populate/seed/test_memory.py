# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a seed pod: much, where the server would admit such a pod beside the run's others; else what any namespace has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import (
    ClusterError,
    Forbidden,
    Invalid,
    QuotaExceeded,
)
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import FillerSpec, manifest
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.overrides import PodOverrides
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.memory import with_large_memory
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.seed_options import parse_seed
from ansible_collections.packit.deployment.tests.bounds import BOUND

GIB, MIB = 2**30, 2**20


class Server:
    """Admits a pod, or refuses it; keeps what it was asked."""

    def __init__(self, refusal: ClusterError | None) -> None:
        self._refusal = refusal
        self.asked: list[dict[str, Any]] = []

    def create(self, kind: str, _namespace: str, body: dict[str, Any], _deadline: Deadline, *, dry_run: bool = False) -> dict[str, Any]:
        assert kind == "Pod" and dry_run, "nothing is to be made"
        self.asked.append(body)
        if self._refusal is not None:
            raise self._refusal
        return body


def spec(**seed: Any) -> FillerSpec:
    overrides = parse_seed(seed).overrides(PodOverrides(), 600)
    return FillerSpec("w", "packit-cache-seed-x", None, "image", {"run": "r"}, overrides)


def resources(pod: Mapping[str, Any]) -> dict[str, Any]:
    return dict(pod["spec"]["containers"][0]["resources"])


def test_there_is_memory_for_the_kernel_where_nothing_forbids_it_and_little_is_asked_for() -> None:
    server = Server(None)
    found = with_large_memory(server, spec(), 512 * MIB, Deadline(BOUND, "this test"))  # type: ignore[arg-type]
    assert found.overrides.memory_bytes == 3 * GIB
    assert resources(manifest(found))["requests"] == {"cpu": "200m", "memory": "256Mi", "ephemeral-storage": "1Gi"}
    assert found.name == spec().name
    (asked,) = server.asked
    assert int(resources(asked)["limits"]["memory"]) == 3 * GIB + 512 * MIB
    assert asked["metadata"]["name"] != found.name  # another run may have a pod of that one


@pytest.mark.parametrize("refusal", [QuotaExceeded("exceeded quota"), Forbidden("maximum memory usage per Container"), Invalid("no dry run")])
def test_where_it_is_refused_the_pod_has_what_any_namespace_has_room_for(refusal: ClusterError) -> None:
    found = with_large_memory(Server(refusal), spec(), 0, Deadline(BOUND, "this test"))  # type: ignore[arg-type]
    assert found == spec() and found.overrides.memory_bytes == 768 * MIB


def test_a_server_that_asks_for_more_than_we_do_or_does_not_answer_leaves_it_as_it_was() -> None:
    class Deriving(Server):
        """Has a webhook that makes requests of limits."""

        def create(self, kind: str, namespace: str, body: dict[str, Any], deadline: Deadline, *, dry_run: bool = False) -> dict[str, Any]:
            container = super().create(kind, namespace, body, deadline, dry_run=dry_run)["spec"]["containers"][0]
            resources = {**container["resources"], "requests": {"memory": "1536Mi"}}
            return {"spec": {"containers": [{**container, "resources": resources}]}}

    class Late(Server):
        """Does not answer in time."""

        def create(self, *_words: object, **_options: object) -> dict[str, Any]:
            raise DeadlineExceeded("There was no answer.")

    for server in (Deriving(None), Late(None)):
        assert with_large_memory(server, spec(), 0, Deadline(BOUND, "this test")) == spec()  # type: ignore[arg-type]


@pytest.mark.parametrize(("given", "theirs"), [({"limits": {"memory": "1Gi"}}, True), ({"requests": {"memory": "1Gi"}}, True), ({}, False)])
def test_the_users_own_figure_is_known(given: dict[str, Any], theirs: bool) -> None:
    assert parse_seed({"resources": given}).sets_memory is theirs
