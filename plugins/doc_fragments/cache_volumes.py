# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules that work on the volumes of the repository cache."""

from __future__ import annotations


class ModuleDocFragment:
    """The options for the volumes and their fillers."""

    DOCUMENTATION = r"""
options:
  worker_namespace:
    description: The workers' namespace. Required unless O(volumes) lists the claims.
    type: str
    default: ""
  sandbox_namespace:
    description: The sandboxes' namespace. Required unless O(volumes) lists the claims.
    type: str
    default: ""
  volumes:
    description:
      - The pairs of claims. Where the list is empty they are found by their names, C(packit-worker-repository-cache-<pod>)
        in O(worker_namespace) and C(sandcastle-repository-cache-<pod>) in O(sandbox_namespace).
    type: list
    elements: dict
    default: []
    suboptions:
      worker:
        description: The worker's claim.
        type: dict
        required: true
        suboptions:
          namespace: {type: str, required: true, description: Its namespace.}
          claim: {type: str, required: true, description: Its name.}
      sandbox:
        description: The claim of that worker's sandboxes.
        type: dict
        required: true
        suboptions:
          namespace: {type: str, required: true, description: Its namespace.}
          claim: {type: str, required: true, description: Its name.}
  select:
    description:
      - A JMESPath expression over the pairs, for a subset. A pair has C(worker.namespace), C(worker.claim), C(worker.pod),
        C(sandbox.namespace) and C(sandbox.claim).
    type: str
    default: ""
  path:
    description: Where the volumes are mounted by the service, and by the filler pods.
    type: str
    default: /repository-cache
  image:
    description:
      - The filler pods' image; it needs sh, coreutils, findutils, grep, sed, git, and rsync for each method but V(git).
        It is pulled before a volume is taken.
      - The default is the image of the running pod that uses the volume, else C(quay.io/packit/sandcastle).
    type: str
    default: ""
  filler:
    description:
      - What is different about the filler pods, merged over the defaults.
      - Known keys are the options of M(packit.deployment.filler_pod) that describe the pod. C(labels), C(annotations), C(resources),
        C(pod_security_context), C(security_context), C(tolerations), C(node_selector), C(pull_policy), C(image_pull_secrets),
        C(service_account), C(priority_class), C(proxy), C(active_deadline), C(start_timeout), C(heartbeat).
      - What is under C(worker) or C(sandbox) is for the fillers of that side only. It takes the place of the same key for both. So
        each side can have the ids of its own volumes' consumers. The seed pod, and the pod that reads refs, are of the worker's side.
      - A request above the default limit raises that limit.
      - C(heartbeat) is of the pods. The wait for an API that is away, and holds inside another's pod, always have its default.
      - The seed pod has the same, but for C(resources), C(start_timeout) and C(active_deadline).
    type: dict
    default: {}
  in_use:
    description:
      - What to do where a running pod holds a volume. V(same_node) puts the filler on that pod's node, which locks nobody
        out. V(holder) works inside the pod that holds it, with a lock on the claim.
        V(wait) waits until it is free. V(skip) leaves it alone.
    type: str
    choices: [same_node, holder, wait, skip]
    default: same_node
"""
