# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a deployment that do not fit the configuration, and who must be restarted to see a change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.service_config.consistency import (
    findings,
    mentions,
    no_cache,
    without_cache,
    worker,
)
from ansible_collections.packit.deployment.plugins.module_utils.service_config.secret import owner_of
from ansible_collections.packit.deployment.plugins.module_utils.service_config.wanted import VARIABLE, parse_wanted

WANTED = parse_wanted("/repository-cache", VARIABLE, True)
SAND = "packit-sandbox"
CLAIMS = frozenset({"sandcastle-repository-cache-packit-worker-0", "sandcastle-repository-cache-packit-worker-1"})
SCRIPT: dict[str, Any] = {"command": ["/usr/bin/run_worker.sh"]}
OWN_NAME = {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def template(path: str = "/repository-cache", **container: Any) -> dict[str, Any]:
    """A worker's pod template."""
    mounts = [{"name": "packit-worker-repository-cache", "mountPath": path}]
    return {"spec": {"containers": [{"name": "side"}, {"name": "worker", "volumeMounts": mounts, **container}]}}


def said(of: dict[str, Any], claims: Collection[str] | None = CLAIMS) -> list[str]:
    """Return what is found of a worker with two replicas."""
    found = worker("packit-worker", 2, of, WANTED)
    return list(findings(WANTED, [found] if found is not None else [], SAND, claims))


@pytest.mark.parametrize(
    "container",
    [
        SCRIPT,
        {**SCRIPT, "env": [{"name": "QUEUES", "value": "short-running,long-running"}]},
        {"command": ["bash", "-c", f'export {VARIABLE}="sandcastle-repository-cache-$(uname --nodename)"; exec celery']},
        {"args": ["sh", "-c", f"{VARIABLE}=sandcastle-repository-cache-$HOSTNAME exec celery"]},
        {"args": [f"export {VARIABLE}='sandcastle-repository-cache-${{HOSTNAME}}'\nexec celery"]},
        {"env": [OWN_NAME, {"name": VARIABLE, "value": "sandcastle-repository-cache-$(POD)"}]},
    ],
)
def test_a_worker_that_looks_up_its_own_claim_fits(container: dict[str, Any]) -> None:
    assert said(template(**container)) == []
    assert said(template(**container), None) == []
    missing = said(template(**container), {"sandcastle-repository-cache-packit-worker-0"})
    assert missing == [
        f"Worker packit-worker-1 looks up the claim {SAND}/sandcastle-repository-cache-packit-worker-1, which does not exist: its sandboxes "
        "do not start. Create it, or give the claim that there is this name."
    ]


@pytest.mark.parametrize("container", [{}, {"command": ["celery"]}, {**SCRIPT, "env": [{"name": "QUEUES", "value": "short-running"}]}])
def test_a_worker_without_the_variable_is_told_the_line_of_its_start_up(container: dict[str, Any]) -> None:
    assert said(template(**container)) == [
        f"StatefulSet packit-worker does not set {VARIABLE}, as far as its env, command and args say; then its sandboxes get no cache. "
        f'Its start-up must have: export {VARIABLE}="sandcastle-repository-cache-$(uname --nodename)"'
    ]


def test_one_claim_for_all_pods_is_found() -> None:
    found = said(template(env=[{"name": VARIABLE, "value": "sandcastle-repository-cache-packit-worker-0"}]))
    assert len(found) == 1
    assert found[0].startswith(
        "All pods of StatefulSet packit-worker look up the one claim sandcastle-repository-cache-packit-worker-0: only"
    )


def test_another_mount_and_no_mount_at_all_are_found() -> None:
    assert said(template("/cache", **SCRIPT)) == [
        "StatefulSet packit-worker mounts its cache at /cache, and the configuration says /repository-cache: the service finds no cache "
        "there. Make both the same."
    ]
    assert said({"spec": {"containers": [{"name": "worker"}]}}) == [
        "No StatefulSet mounts a repository cache at /repository-cache: workers find nothing there. Deploy them with one "
        "(with_repository_cache), or leave the cache out of the configuration."
    ]


def test_workers_without_the_cache_are_told_what_becomes_of_their_clones() -> None:
    bare = {"spec": {"containers": [{"name": "side"}, {"name": "worker", **SCRIPT}]}}
    assert without_cache(bare, WANTED) is True
    assert without_cache(template(**SCRIPT), WANTED) is False
    assert without_cache({"spec": {"containers": [{"name": "redis"}]}}, WANTED) is False
    assert no_cache(["StatefulSet packit-worker-short-running"], WANTED) == (
        "These run the service's worker and mount nothing at /repository-cache: StatefulSet packit-worker-short-running. The service makes that "
        "directory where it is missing, and where it may not, a job that clones there fails with PermissionError. Mount the cache there as well, or "
        "see that none of their queues has a job that clones."
    )


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({"ownerReferences": [{"kind": "SealedSecret", "name": "packit-config"}]}, "SealedSecret packit-config"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "packit:/Secret:packit/packit-config"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "packit"}}, "Flux"),
        ({"labels": {"app": "packit"}, "annotations": None, "ownerReferences": None}, ""),
        ({}, ""),
    ],
)
def test_who_keeps_a_secret_as_it_wants_it(metadata: dict[str, Any], owner: str) -> None:
    assert owner_of(metadata) == owner


@pytest.mark.parametrize(
    ("spec", "uses"),
    [
        ({"volumes": [{"name": "c", "secret": {"secretName": "packit-config"}}], "containers": []}, True),
        ({"volumes": [{"name": "c", "projected": {"sources": [{"secret": {"name": "packit-config"}}]}}], "containers": []}, True),
        ({"containers": [{"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "packit-config", "key": "k"}}}]}]}, True),
        ({"initContainers": [{"envFrom": [{"secretRef": {"name": "packit-config"}}]}]}, True),
        ({"volumes": [{"name": "c", "secret": {"secretName": "packit-secrets"}}, {"name": "packit-config", "emptyDir": {}}]}, False),
        ({"containers": [{"env": [{"name": "packit-config", "value": "packit-config"}]}]}, False),
    ],
)
def test_who_must_be_restarted(spec: dict[str, Any], uses: bool) -> None:
    assert mentions({"spec": spec}, "packit-config") is uses
