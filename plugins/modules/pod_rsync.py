#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_rsync
short_description: Copy a local directory to a path in a pod by rsync
version_added: 0.1.0
description:
  - Runs the real rsync at both ends, with the pod's exec as its remote shell. No C(oc) or C(kubectl) is needed.
  - Data is streamed; the controller's memory does not grow with it. A transfer that was cut goes on where it was.
  - Where O(dest) is on the volume of a claim, the claim is locked meanwhile, and another run that is at work there is waited for. Without
    the right to patch claims it goes on without a lock, and warns.
options:
  src:
    description:
      - The directory on the controller, whose content is copied. It may not be empty, nor lead to C(/), by C(..) or a link.
      - The working directory, and what that is in, are copied only where they are named by an absolute path.
    type: path
    required: true
  dest:
    description:
      - The absolute path of the directory in the pod; it is made where it is missing.
      - Not C(/), nor anything in C(/proc), C(/sys), C(/dev) or C(/packit-scratch).
    type: str
    required: true
  delete:
    description: Delete what is in O(dest) and not in O(src). Refused where O(dest) is a whole volume.
    type: bool
    default: false
  exclude:
    description: Patterns that are left out, as rsync's C(--exclude).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - packit.deployment.deployment
  - packit.deployment.deployment.pod
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Runs rsync with C(--dry-run).
  diff_mode:
    support: none
requirements:
  - rsync on the controller and in the pod
author:
  - Packit deployment contributors (@packit)
"""

EXAMPLES = r"""
- name: A local clone into a filler pod
  packit.deployment.pod_rsync:
    namespace: packit-prod-sandbox
    pod: "{{ filler.name }}"
    src: /var/lib/clones/private.git
    dest: /repository-cache/private
"""

RETURN = r"""
files:
  description: The number of files that were transferred.
  returned: success
  type: int
bytes:
  description: Their size together.
  returned: success
  type: int
seconds:
  description: Seconds that it took.
  returned: success
  type: float
"""

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.pods.pod_rsync import ARGUMENT_SPEC, pod_rsync


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        pod_rsync(module)


if __name__ == "__main__":
    main()
