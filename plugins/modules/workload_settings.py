#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_settings
short_description: Where StatefulSets and Deployments run, and how large they are
version_added: 0.1.0
description:
  - Sets node selectors and tolerations on the pod templates of named workloads, and takes away again what it has put there.
  - Sets replicas and resources, rolls the change out and waits for it. A roll-out that hangs is explained by its pods.
  - A change to a pod template starts its pods anew and kills the tasks that run in them. Without O(restart) it is shown and not made.
  - A field that the deployment's templates say (C(kubectl.kubernetes.io/last-applied-configuration)) would be set back by the next
    deployment. Such a change is refused, unless you insist with O(force).
options:
  namespace:
    description: The workloads' namespace.
    type: str
    required: true
  workloads:
    description:
      - The workloads that get O(node_selector) and O(tolerations), each as C(statefulset/NAME), C(deployment/NAME), or the bare name
        where only one has it.
      - Keep a workload in the list until what was put on it is taken away.
    type: list
    elements: str
    default: []
  node_selector:
    description:
      - "Labels that a node must have, such as C({env: stage}). Labels that the pod template has already stay."
      - Where it is empty, what an earlier task has put there is taken away.
    type: dict
    default: {}
  tolerations:
    description:
      - Tolerations for the pod templates, as in M(packit.deployment.namespace_tolerations). Those that are there already stay.
      - Where the list is empty, what an earlier task has put there is taken away.
    type: list
    elements: dict
    default: []
  sizes:
    description: Replicas and resources of workloads.
    type: list
    elements: dict
    default: []
    suboptions:
      workload:
        description: The workload, as in O(workloads).
        type: str
        required: true
      replicas:
        description:
          - How many pods. Where it gets smaller, the claims of the pods that go stay as they are, and are named.
        type: int
      container:
        description: The container, where there are several.
        type: str
        default: ""
      requests:
        description: "Quantities by resource, such as C({cpu: 50m, memory: 256Mi}), merged over what is there."
        type: dict
        default: {}
      limits:
        description: The same for the limits. A request may not be beyond its limit.
        type: dict
        default: {}
  restart:
    description: Make changes of pod templates. That starts the pods anew, and kills the tasks that run in them.
    type: bool
    default: false
  force:
    description:
      - Make changes that the next deployment would set back, use a node selector with which pods find no node now, or which the
        namespace's own excludes, and scale down a StatefulSet that deletes claims.
    type: bool
    default: false
  timeout:
    description: Seconds for the whole task, all roll-outs included. From 30 to 604800.
    type: int
    default: 300
extends_documentation_fragment:
  - packit.deployment.deployment
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: The server checks each change and keeps nothing. Nothing is waited for.
  diff_mode:
    support: full
    details: Shows each field that changes, before and after.
author:
  - Packit deployment contributors (@packit)
seealso:
  - module: packit.deployment.namespace_tolerations
"""

EXAMPLES = r"""
- name: The workers run on the nodes for staging
  packit.deployment.workload_settings:
    namespace: packit-stg
    workloads: [statefulset/packit-worker]
    node_selector:
      env: stage
    restart: true

- name: One worker, and a small database
  packit.deployment.workload_settings:
    namespace: packit-stg
    sizes:
      - workload: statefulset/packit-worker
        replicas: 1
      - workload: deployment/postgres
        requests: {cpu: 50m, memory: 256Mi}
        limits: {memory: 512Mi}
    restart: true
"""

RETURN = r"""
workloads:
  description:
    - Per workload C(workload), C(changed), C(fields) that were changed and C(pending) ones, which wait for O(restart). A field has C(path),
      C(before) and C(after).
  returned: when nothing failed
  type: list
  elements: dict
  sample:
    - workload: statefulset/packit-worker
      changed: true
      fields:
        - path: spec.template.spec.nodeSelector.env
          before: null
          after: stage
      pending: []
summary:
  description: What became of each workload, a line each.
  returned: when nothing failed
  type: list
  elements: str
requests:
  description: Requests that were sent to the API.
  returned: when nothing failed
  type: int
"""

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.staging.workload_settings import ARGUMENT_SPEC, workload_settings


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        workload_settings(module)


if __name__ == "__main__":
    main()
