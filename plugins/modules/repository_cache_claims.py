#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository_cache_claims
short_description: The claims of the repository-cache volumes
version_added: 0.1.0
description:
  - Makes the claim C(sandcastle-repository-cache-<pod>) for the sandboxes of each worker where it is missing, and grows the
    claims of both sides when more O(storage) is asked for.
  - A worker is a pod of a StatefulSet that has the volumeClaimTemplate C(packit-worker-repository-cache), or a pod whose claim
    C(packit-worker-repository-cache-<pod>) is there. Workers without a repository cache are left alone. The workers' own claims
    are made by their StatefulSet, but for those that O(scale_to) asks for.
  - A sandbox's claim grows before its worker's, and where it cannot, its worker's does not, as a sandbox's volume must hold all
    that its worker's holds.
  - Nothing is deleted, shrunk or moved to another storage class, but for a claim that was made with O(clone), has no volume yet,
    and gets none. A claim whose worker is gone is reported.
options:
  worker_namespace:
    description: The workers' namespace.
    type: str
    required: true
  sandbox_namespace:
    description: The sandboxes' namespace.
    type: str
    required: true
  storage:
    description:
      - The size of each claim, as a Kubernetes quantity such as V(4Gi). Claims that ask for less grow, where their storage class
        has C(allowVolumeExpansion) and they are bound; less than a claim has is refused.
      - A volumeClaimTemplate cannot be changed. Where one asks for less, a warning says what to do about it.
      - Where this is empty, new claims are as large as their workers', and those that are there stay as they are.
    type: str
    default: ""
  storage_class:
    description:
      - The storage class of new claims. The default is that of their workers' claims.
      - The class of a claim that is there cannot be changed. Where it is another, a warning says so.
    type: str
    default: ""
  labels:
    description:
      - Labels of the sandboxes' claims. Other labels of theirs stay. New claims have their workers' labels under
        C(paas.redhat.com/) as well.
    type: dict
    default: {}
  clone:
    description:
      - Whether the storage is asked to make the volumes of new claims as clones of volumes that are filled, so that the next run of
        M(packit.deployment.repository_cache) brings only what they lack. It looks inside a clone as into any volume that it does
        not know.
      - It saves what is read from upstream and sent. The time for which the volume is held is not always shorter, as nothing in a clone is
        believed and all of its packs are read.
      - The source is a claim in the same namespace, with the same storage class, no larger than the new one, of which the record
        says that it holds projects, and which no pod uses. Where there is none, or where the storage refuses, the new claim is empty.
      - A worker's new claim (O(scale_to)) is cloned only together with its sandbox's, from one pair.
      - Where the storage class waits for a first pod (C(WaitForFirstConsumer)), the volume is made when that comes, mostly the filler
        of M(packit.deployment.repository_cache). If the storage refuses then, or a pod uses the source then, that module puts an
        empty claim in the place of this one.
      - Needs the rights to delete claims and to list events, and a CSI driver that clones volumes.
    type: bool
    default: false
  scale_to:
    description:
      - The number of replicas that the workers' StatefulSet is about to get. The claims of its new workers are made before it does
        that, as it would make them, and their sandboxes' claims, so that they can be filled before the workers start.
      - V(0), and a number that the StatefulSet has already, make none. There must be one StatefulSet whose workers have a repository
        cache.
      - From 0 to 256.
    type: int
    default: 0
  wait_timeout:
    description:
      - Seconds to wait for workers' claims that their StatefulSet is about to make, so that a task that follows finds them. After
        it there is a warning. V(0) does not wait.
      - From 0 to 604800.
    type: int
    default: 60
extends_documentation_fragment:
  - packit.deployment.deployment
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: The server is asked by dry-run requests whether it would accept the changes.
  diff_mode:
    support: full
    details: Shows each claim's storage and new labels, before and after.
author:
  - Packit deployment contributors (@packit)
seealso:
  - module: packit.deployment.repository_cache
"""

EXAMPLES = r"""
- name: A claim for the sandboxes of every worker
  packit.deployment.repository_cache_claims:
    worker_namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox

- name: More room for all
  packit.deployment.repository_cache_claims:
    worker_namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox
    storage: 8Gi
    labels:
      paas.redhat.com/appcode: APPCODE

- name: The claims of two more workers, filled from the beginning where the storage can do that
  packit.deployment.repository_cache_claims:
    worker_namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox
    scale_to: 4
    clone: true
"""

RETURN = r"""
claims:
  description: Each worker's sandbox's claim, then its own.
  returned: when the claims could be read, also where something failed
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
    action:
      description:
        - One of V(create), V(grow), V(label), V(unchanged), V(later) (it can grow when it is bound), V(failed), and V(blocked)
          (its sandbox's does not grow).
      type: str
    storage:
      description: The size that it asks for now.
      type: str
    storage_class:
      description: Its storage class. Empty is the cluster's default.
      type: str
    source:
      description: The claim that a new one starts as a clone of. Empty where it starts empty.
      type: str
    error:
      description: Why it is not as wanted.
      type: str
    remedy:
      description: What to do about that.
      type: str
orphans:
  description: Claims whose worker is gone, as C(namespace/claim). They are left alone.
  returned: when the claims could be read, also where something failed
  type: list
  elements: str
awaited:
  description: Workers' claims that their StatefulSet has not made yet, as C(namespace/claim).
  returned: when the claims could be read, also where something failed
  type: list
  elements: str
summary:
  description: What is not as it was, a line each, ready to be printed.
  returned: when the claims could be read, also where something failed
  type: list
  elements: str
requests:
  description: Requests that were sent to the API.
  returned: when the claims could be read, also where something failed
  type: int
"""

from ansible_collections.packit.deployment.plugins.module_utils.claims.module import ARGUMENT_SPEC, claims
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        claims(module)


if __name__ == "__main__":
    main()
