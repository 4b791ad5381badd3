#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: filler_pod
short_description: A pod that holds a volume for a while
version_added: 0.1.0
description:
  - Makes a small pod that mounts the named claim, and returns when it is Ready, with its node and name; or removes it, and
    returns when it is really gone.
  - While it lives, it locks out consumers of its volume on other nodes. So it ends itself when nobody works in it any more.
  - Its name comes from the claim's uid, so no two fillers hold a volume at once. Plays that ask for the same claim share
    its pod, and it is gone for all of them when one removes it.
options:
  namespace:
    description: The namespace of the claim and the pod.
    type: str
    required: true
  claim:
    description: The name of the claim that the pod mounts. For another volume, run the module again.
    type: str
    required: true
  path:
    description:
      - The absolute path at which the claim is mounted, not in C(/proc), C(/sys), C(/dev) or C(/packit-scratch). Required when
        O(state=present). Another path than that of a pod that is there already is refused.
    type: str
  state:
    description: V(present) makes the pod unless it is there; V(absent) removes it and waits until it is gone.
    type: str
    choices: [present, absent]
    default: present
  image:
    description:
      - The image; it needs sh, and what the work in it needs.
      - The default is the image of the running pod that uses the claim, else C(quay.io/packit/sandcastle).
    type: str
    default: ""
  pull_policy:
    description: When the image is pulled.
    type: str
    choices: [Always, IfNotPresent, Never]
    default: IfNotPresent
  image_pull_secrets:
    description: Names of Secrets with credentials for the image's registry.
    type: list
    elements: str
    default: []
  labels:
    description: More labels. Labels under C(paas.redhat.com/) are copied from the claim.
    type: dict
    default: {}
  annotations:
    description: More annotations.
    type: dict
    default: {}
  resources:
    description: Requests and limits, merged over requests of 100m and 64Mi, and limits of 500m and 256Mi.
    type: dict
    default: {}
  pod_security_context:
    description:
      - Merged over non-root, RuntimeDefault seccomp, C(fsGroupChangePolicy=OnRootMismatch) and the ids of the volume's consumer.
      - On OpenShift, where the namespace's own range decides, user and group ids are left out.
    type: dict
    default: {}
  security_context:
    description: The container's, merged over no escalation, no capabilities, read-only root file system.
    type: dict
    default: {}
  tolerations:
    description: More tolerations. Those of the volume's consumer are copied.
    type: list
    elements: dict
    default: []
  node_selector:
    description: A node selector. It is ignored where O(node) is given, or a pod already uses the volume on a node.
    type: dict
    default: {}
  node:
    description: The node on which it must run. The default is the node of the pod that uses the claim.
    type: str
    default: ""
  service_account:
    description: A service account, whose token is mounted then. By default there is no token in the pod.
    type: str
    default: ""
  priority_class:
    description: The pod's priority class.
    type: str
    default: ""
  proxy:
    description:
      - Proxy variables of the pod's environment, where the cluster has no direct way out. C(HTTP_PROXY), C(HTTPS_PROXY), C(ALL_PROXY) and
        C(NO_PROXY), set in both spellings, without a user or a password.
    type: dict
    default: {}
  active_deadline:
    description: Seconds after which the cluster ends the pod, whatever happens. V(0) stands for 1800. From 0 to 2147483647.
    type: int
    default: 3600
  heartbeat:
    description:
      - Seconds without a sign of life after which the pod ends itself and frees the volume. Each task of M(packit.deployment.pod_git)
        or M(packit.deployment.pod_rsync) in it, and each repetition of this one, is a sign of life.
      - V(0) switches this off; then only O(active_deadline) bounds its life. Values from 1 to 11 are refused.
      - How long a task waits for an API that is away is not changed by it.
      - From 0 to 604800.
    type: int
    default: 120
  start_timeout:
    description: Seconds that the pod may take to become Ready. If it takes longer, it is removed and the task fails with an explanation. From 1 to 604800.
    type: int
    default: 180
  timeout:
    description: Seconds for the whole task, waiting for another filler or for quota included. From 30 to 604800.
    type: int
    default: 600
extends_documentation_fragment:
  - packit.deployment.deployment
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Tells whether a pod would be made or removed.
  diff_mode:
    support: none
author:
  - Packit deployment contributors (@packit)
"""

EXAMPLES = r"""
- name: Hold a volume
  packit.deployment.filler_pod:
    namespace: packit-prod-sandbox
    claim: sandcastle-repository-cache-packit-worker-0
    path: /repository-cache
  register: filler

- name: Release it
  packit.deployment.filler_pod:
    state: absent
    namespace: packit-prod-sandbox
    claim: sandcastle-repository-cache-packit-worker-0
"""

RETURN = r"""
name:
  description: The pod's name, which comes from the claim's uid, so that no two runs hold that volume at once.
  returned: always, unless there was none to remove
  type: str
namespace:
  description: The pod's namespace.
  returned: always, unless there was none to remove
  type: str
node:
  description: The node on which it runs.
  returned: when O(state=present)
  type: str
seconds:
  description: Seconds until it was Ready.
  returned: when O(state=present), not in check mode
  type: float
"""

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.pods.filler_pod import ARGUMENT_SPEC, filler_pod


def main() -> None:
    with deployment_module(ARGUMENT_SPEC, required_if=[("state", State.PRESENT.value, ["path"])]) as module:
        filler_pod(module)


if __name__ == "__main__":
    main()
