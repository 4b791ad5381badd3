# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of claims, in the shapes that people and playbooks see. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..cache.domain.model import Volume
from .claim_plan import CHANGES, ClaimAction, ClaimStep

UNREAD = (
    "The StatefulSets of the workers may not be read, so only workers whose claims exist are known. "
    "The right to list statefulsets (apiGroup apps) in the workers' namespace lets new workers be seen."
)


def changes(step: ClaimStep) -> bool:
    """Return whether the claim is made or changed."""
    return step.action in CHANGES


def facts(step: ClaimStep) -> dict[str, object]:
    """One claim, as the module returns it."""
    return {
        "namespace": step.volume.namespace,
        "claim": step.volume.claim,
        "role": step.volume.role.value,
        "serves": step.volume.serves,
        "action": step.action.value,
        "storage": step.storage,
        "storage_class": step.storage_class,
        "source": step.source,
        "error": step.why,
        "remedy": step.remedy,
    }


def summary(steps: Sequence[ClaimStep], orphans: Sequence[Volume]) -> list[str]:
    """Return what is not as it was, a line each, ready to be printed."""
    lines = [f"{step.volume}: {step.action.value} ({_words(step)})" for step in steps if step.action is not ClaimAction.NOTHING]
    lines += [f"{volume}: its worker {volume.serves} is gone. It is left alone; delete it when nobody needs it." for volume in orphans]
    return lines or [f"Nothing to do: all {len(steps)} claims are as they should be."]


def _words(step: ClaimStep) -> str:
    if step.action is ClaimAction.CREATE:
        clone = f", clone of {step.source}" if step.source else ""
        return f"{step.storage}, storage class {step.storage_class or 'of the cluster'}{clone}"
    if step.action is ClaimAction.GROW:
        return f"{step.before} to {step.storage}"
    if step.action is ClaimAction.LABEL:
        return ", ".join(f"{key}={value}" for key, value in sorted(step.labels.items()))
    return step.why


def failures(steps: Sequence[ClaimStep]) -> str:
    """Return what failed, cause by cause, with its claims and what to do; empty where nothing did."""
    failed = [step for step in steps if step.action in (ClaimAction.FAILED, ClaimAction.BLOCKED)]
    if not failed:
        return ""
    causes: dict[str, list[str]] = {}
    for step in failed:
        causes.setdefault(f"{step.why} {step.remedy}".rstrip(), []).append(str(step.volume))
    lines = [f"- {', '.join(places)}: {words}" for words, places in causes.items()]
    return f"{len(failed)} of {len(steps)} claims are not as wanted; nothing was taken from them.\n" + "\n".join(lines)


def later(steps: Sequence[ClaimStep]) -> list[str]:
    """Return what a later run is to do, a sentence a claim."""
    return [f"{step.volume}: {step.why} {step.remedy}".rstrip() for step in steps if step.action is ClaimAction.LATER]


def still_missing(volume: Volume) -> str:
    """A worker's claim that its StatefulSet has not made."""
    return f"The claim {volume} is not there yet: its StatefulSet has not made the pod {volume.serves}. Run again when it has."


def diff(steps: Sequence[ClaimStep]) -> list[dict[str, str]]:
    """Return what ``--diff`` shows of each claim that changes."""
    shown = []
    for step in filter(changes, steps):
        before = f"storage: {step.before}\n" if step.before else ""
        after = f"storage: {step.storage}\n" + "".join(f"label {key}: {value}\n" for key, value in sorted(step.labels.items()))
        if not step.before:
            after += f"storage class: {step.storage_class or 'of the cluster'}\n"
        if step.source:
            after += f"clone of: {step.source}\n"
        shown.append({"before_header": str(step.volume), "after_header": str(step.volume), "before": before, "after": after})
    return shown
