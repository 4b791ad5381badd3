# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain the scheduler's words for a pod without a node, and what to do (kubernetes pkg/scheduler/framework/plugins)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unschedulable:
    """A pattern of the scheduler's messages, its meaning, and what to do: for a pod of ours, and for a workload's.

    ``fatal`` is for ours, which is not worth waiting for; a workload's pod may well get its node later.
    """

    patterns: tuple[str, ...]
    meaning: str
    remedy: str
    workload_remedy: str
    fatal: bool = True


_MAKE_AGAIN = "Delete the claim and its pod, and make it again."
_PROVISION = "See the claim's events: the storage class may not provision."
_FIT = "Make a persistent volume that fits, or take a storage class that provisions."
_STORAGE = "Ask for less in the claim, or add storage."
_NOT_OURS = (
    "It is not ours: something adds it to every pod of the namespace. Keep it away by option `filler.labels` or option `filler.annotations`."
)
_SICK = r"untolerated taint \{node\.(cloudprovider\.)?kubernetes\.io/"

# The first that is found counts: a message names every node, and the reason that is nearest to the volume's own node comes first here.
UNSCHEDULABLE = (
    Unschedulable(("bound to non-existent",), "A claim is Lost: its volume is gone.", _MAKE_AGAIN, _MAKE_AGAIN),
    Unschedulable(
        ("is being deleted",),
        "The claim is being deleted.",
        "Wait until it is gone, or leave this pair out.",
        "Wait until it is gone, and delete the pod.",
    ),
    Unschedulable(
        ('persistentvolumeclaim "',),
        "A claim is missing.",
        "Create the claim, or leave this pair out (option `select`).",
        "Create the claim.",
    ),
    Unschedulable(("unbound immediate PersistentVolumeClaims",), "A claim is not bound to a volume.", _PROVISION, _PROVISION, fatal=False),
    Unschedulable(("find available persistent volumes to bind",), "No volume fits the claim.", _FIT, _FIT),
    Unschedulable(("did not have enough free storage",), "The storage has no room for the claim's volume.", _STORAGE, _STORAGE),
    Unschedulable(
        ("ReadWriteOncePod",),
        "The claim allows only one pod, and another one has it.",
        "Use option `in_use: holder`, or wait.",
        "Remove the other pod.",
    ),
    Unschedulable(
        ("exceed max volume count",),
        "The node has as many volumes as it can have.",
        "Wait until other pods there have ended, or use option `in_use: holder`.",
        "Free the node of other pods with volumes, or add a node.",
    ),
    Unschedulable(("Too many pods",), "The node has no place for another pod.", "Use option `in_use: holder`.", "Free a node."),
    Unschedulable(
        ("Insufficient",),
        "The node has not enough room for {whose}'s requests.",
        "Make option `{option}.resources.requests` smaller, or use option `in_use: holder`.",
        "Make its requests or the number of replicas smaller.",
    ),
    Unschedulable(
        (rf"(?!{_SICK})untolerated taint", "taints that the pod didn't tolerate"),
        "A taint of the node keeps {whose} away.",
        "Add a toleration to option `filler.tolerations`.",
        "Tolerate it (option `tolerations` of workload_settings), or choose other nodes.",
    ),
    Unschedulable(
        (_SICK,),
        "The node is not well, and takes no pods.",
        "See why: kubectl describe node. Run again when it is well.",
        "See why: kubectl describe node.",
    ),
    Unschedulable(("unschedulable",), "The node is cordoned.", "Uncordon it, or use option `in_use: holder`.", "Uncordon it."),
    Unschedulable(
        ("pod affinity", "anti-affinity", "topology spread", "scheduler-enforced"),
        "A rule of where pods may run (affinity or topology spread) keeps {whose} away.",
        _NOT_OURS,
        "Change the rule, or add nodes.",
    ),
    Unschedulable(
        ("scheduling gates",), "A scheduling gate holds {whose} back.", _NOT_OURS, "See who has set its schedulingGates.", fatal=False
    ),
    Unschedulable(
        ("volume node affinity conflict", "no available volume zone"),
        "The volume is in another zone or on another node than {whose} may use.",
        "Check option `filler.node_selector`.",
        "Its volume stays where it is: take the node selector away, or start with a new claim.",
    ),
    Unschedulable(
        ("node affinity/selector",),
        "No node matches {whose}'s node selector.",
        "Check option `filler.node_selector`.",
        "Check its node selector (option `node_selector` of workload_settings).",
    ),
)
