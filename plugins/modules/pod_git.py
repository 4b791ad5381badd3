#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_git
short_description: Bring a git repository's snapshot to a path in a running pod
version_added: 0.1.0
description:
  - Reads upstream's refs once, on the controller, and brings exactly these object ids into a repository in the pod, by a clone
    where there is none, else by a fetch of what it lacks.
  - What is received is checked before it is visible. A new repository appears by one rename, complete and on disk; into an
    existing one, objects are only added, and refs are written last.
  - git runs with a configuration of ours, never with that of the repository in the pod.
  - Where O(path) is on the volume of a claim, the claim is locked meanwhile, and another run that is at work there is waited for. Without
    the right to patch claims it goes on without a lock, and warns.
options:
  url:
    description: Upstream, by https, http or git. No user name, password or token may be in it.
    type: str
    required: true
  path:
    description: The absolute path of the repository in the pod, not in C(/proc), C(/sys), C(/dev) or C(/packit-scratch). Its parent must be there.
    type: str
    required: true
  refs:
    description: Full patterns of the refs. The default is all branches and tags.
    type: list
    elements: str
  verify:
    description: Check all that is there, not only what is new.
    type: bool
    default: false
extends_documentation_fragment:
  - packit.deployment.deployment
  - packit.deployment.deployment.pod
  - packit.deployment.deployment.stall
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Compares the refs in the pod with upstream's.
  diff_mode:
    support: none
requirements:
  - git on the controller and in the pod
author:
  - Packit deployment contributors (@packit)
"""

EXAMPLES = r"""
- name: A repository in a filler pod
  packit.deployment.pod_git:
    namespace: packit-prod-sandbox
    pod: "{{ filler.name }}"
    url: https://github.com/packit/packit.git
    path: /repository-cache/packit
"""

RETURN = r"""
action:
  description: What was done, V(add), V(update), V(replace) or V(unchanged).
  returned: success, not in check mode
  type: str
snapshot:
  description: A digest (SHA-256) of HEAD and all refs.
  returned: success
  type: str
refs:
  description: The number of refs.
  returned: success
  type: int
bytes:
  description: Bytes of the packs that were received.
  returned: success, not in check mode
  type: int
seconds:
  description: Seconds that it took.
  returned: success, not in check mode
  type: float
layout:
  description: V(bare) or V(non-bare).
  returned: success, not in check mode
  type: str
packs:
  description: The number of packs that the repository has now.
  returned: success, not in check mode
  type: int
"""

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.pods.pod_git import ARGUMENT_SPEC, pod_git


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        pod_git(module)


if __name__ == "__main__":
    main()
