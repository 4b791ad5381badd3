#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository_cache_info
short_description: What the repository-cache volumes hold
version_added: 0.1.0
description:
  - Tells what every volume holds, from the claims' annotations, without a pod.
  - With O(look_inside=true), a filler pod looks into each volume, where what people put there by hand is seen too.
options:
  query:
    description: A JMESPath expression over this module's answer; what it yields is returned as RV(result).
    type: str
    default: ""
  look_inside:
    description: Look into the volumes. In check mode it is not done.
    type: bool
    default: false
  concurrency:
    description: Volumes looked into at once. From 1 to 256.
    type: int
    default: 8
  timeout:
    description: Seconds for one volume. From 30 to 604800.
    type: int
    default: 600
extends_documentation_fragment:
  - packit.deployment.cache_volumes
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing in any mode.
  diff_mode:
    support: none
  platform:
    platforms: posix
requirements:
  - python >= 3.10
  - kubernetes >= 25.3
  - openshift (used where it is there)
  - jmespath (for O(select) and O(query))
author:
  - Packit deployment contributors (@packit)
"""

EXAMPLES = r"""
- name: Which volumes do not hold packit
  packit.deployment.repository_cache_info:
    worker_namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox
    query: "volumes[?!contains(keys(projects), 'packit')].claim"
"""

RETURN = r"""
volumes:
  description: Every volume.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: The claim's namespace.
      type: str
    claim:
      description: The claim's name.
      type: str
    role:
      description: V(worker) or V(sandbox).
      type: str
    serves:
      description: The worker pod for which it is there.
      type: str
    capacity:
      description: The claim's size in bytes.
      type: int
    known:
      description: Whether the claim's annotation says anything of this very volume.
      type: bool
    projects:
      description: By name, C(url), C(snapshot), C(refs), C(bytes), C(layout), C(method), C(time) and C(objects).
      type: dict
    absent:
      description: Projects that were taken off it.
      type: list
      elements: str
    inside:
      description: With O(look_inside=true), C(entries) by name, C(error) and C(held_seconds).
      type: dict
pairs:
  description: The pairs of claims.
  returned: success
  type: list
  elements: dict
incomplete:
  description: Workers whose sandboxes have no claim.
  returned: success
  type: list
  elements: dict
orphans:
  description: Sandboxes' claims without a worker.
  returned: success
  type: list
  elements: str
result:
  description: What O(query) yields.
  returned: when O(query) is given
  type: raw
requests:
  description: Requests that were sent to the API.
  returned: success
  type: int
"""

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.info.module import ARGUMENT_SPEC, info


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        info(module)


if __name__ == "__main__":
    main()
