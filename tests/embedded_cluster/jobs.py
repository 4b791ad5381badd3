# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: what is wrong with one, and what its controller does next. Pure.

A CronJob makes no jobs by the clock here: tests make them of it at once, as ``kubectl create job --from`` does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .pod_spec import wrong_spec
from .resources import Resource
from .store import Json, now
from .validation import refuse

_ACTIVE = ("Pending", "Running")


@dataclass
class JobStep:
    """One look's outcome. ``again``: seconds after which to look again, 0 where only a change matters."""

    status: Json
    create: bool = False
    delete: list[Json] = field(default_factory=list)
    again: float = 0.0


def job_step(job: Json, pods: Sequence[Json]) -> JobStep:
    """The next step for a job of one pod with these pods, which are its own."""
    spec, before = job["spec"], job.get("status") or {}
    found = JobStep({"startTime": now(), **before})
    if before.get("conditions"):
        return found
    # A pod that is deleted before it ended has failed, however it ends then (podReplacementPolicy TerminatingOrFailed).
    active = [pod for pod in pods if pod["status"]["phase"] in _ACTIVE and "deletionTimestamp" not in pod["metadata"]]
    succeeded = sum(pod["status"]["phase"] == "Succeeded" and "deletionTimestamp" not in pod["metadata"] for pod in pods)
    gone = bool(before.get("active")) and not pods
    failed = max(before.get("failed", 0) + gone, len(pods) - len(active) - succeeded)
    found.status |= {"active": len(active), "failed": failed, "succeeded": succeeded}
    left = _left(found.status["startTime"], spec.get("activeDeadlineSeconds"))
    if found.status["succeeded"]:
        found.status |= {"completionTime": now(), "conditions": [_condition("Complete", "CompletionsReached", "Reached expected number of succeeded pods")]}
    elif left is not None and left <= 0:
        found.delete = active
        if not active:
            found.status["conditions"] = [_condition("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")]
    elif found.status["failed"] > spec.get("backoffLimit", 6):
        found.status["conditions"] = [_condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")]
    else:
        found.create = not active and not spec.get("suspend")
        found.again = left or 0.0
    return found


def pod_labels(job: Json) -> dict[str, str]:
    """The labels of a job's pods beside the template's."""
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    return {"job-name": name, "batch.kubernetes.io/job-name": name, "controller-uid": uid, "batch.kubernetes.io/controller-uid": uid}


def check_job(resource: Resource, body: Json) -> None:
    """Refuse a Job or CronJob that is wrong. Raises a 422."""
    spec, path, wrong = body["spec"], "spec", []
    if resource.kind == "CronJob":
        if len(spec["schedule"].split()) != 5 or re.fullmatch(r"[-0-9A-Za-z*/, ?]+", spec["schedule"]) is None:
            count = len(spec["schedule"].split())
            wrong.append(f'spec.schedule: Invalid value: "{spec["schedule"]}": expected exactly 5 fields, found {count}: [{spec["schedule"]}]')
        if spec.get("concurrencyPolicy", "Allow") not in ("Allow", "Forbid", "Replace"):
            values = '"Allow", "Forbid", "Replace"'
            wrong.append(f'spec.concurrencyPolicy: Unsupported value: "{spec["concurrencyPolicy"]}": supported values: {values}')
        spec, path = spec["jobTemplate"]["spec"], "spec.jobTemplate.spec"
    pod = spec["template"]["spec"]
    wrong += wrong_spec(pod, f"{path}.template.spec")
    if pod.get("restartPolicy", "Always") not in ("OnFailure", "Never"):
        wrong.append(f'{path}.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"')
    refuse(resource.kind, body["metadata"].get("name", ""), wrong)


def _left(start: str, seconds: int | None) -> float | None:
    if seconds is None:
        return None
    begun = datetime.strptime(start, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    return seconds - (datetime.now(timezone.utc) - begun).total_seconds()


def _condition(kind: str, reason: str, message: str) -> Json:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now()}
