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
  - Tells what every volume holds, from the claims' annotations, without a pod; and how old that is, from what each run leaves behind in the
    ConfigMap C(packit-repository-cache) of the workers' namespace.
  - With O(look_inside=true), a filler pod looks into each volume, where what people put there by hand is seen too, and what the space goes to.
  - Warns of a volume that will be full within 30 days, where the runs of the last weeks tell how fast it grows.
options:
  query:
    description: A JMESPath expression over this module's answer; what it yields is returned as RV(result).
    type: str
    default: ""
  look_inside:
    description: Look into the volumes. In check mode it is not done.
    type: bool
    default: false
    aliases: [inside]
  upstream:
    description:
      - Read what each upstream has now, on the controller, and tell which volumes are behind. Without it, that is told from what the runs have read.
      - The URLs are those in the claims' annotations. Ask only where you trust who may write them.
    type: bool
    default: false
  max_age:
    description:
      - Fail where a project on a volume is missing, was last known to be what upstream has more than so many seconds ago, or where that is
        not known, as of what people put there by hand (seen with O(look_inside=true)). V(0) is no limit.
      - From 0 to 31536000.
    type: int
    default: 0
  concurrency:
    description: Volumes looked into at once. From 1 to 256.
    type: int
    default: 8
  timeout:
    description: Seconds for one volume, and for all upstreams together (O(upstream)). From 30 to 604800.
    type: int
    default: 600
extends_documentation_fragment:
  - packit.deployment.deployment
  - packit.deployment.cache_volumes
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing in any mode.
  diff_mode:
    support: none
requirements:
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
time:
  description: When it was so, by the API server's clock.
  returned: success
  type: str
  sample: "2026-11-28T12:34:56Z"
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
      description:
        - By name, C(url), C(snapshot), C(refs), C(bytes), C(layout), C(method), C(time), C(inventory) (of its objects), C(patterns) (of its refs)
          and C(includes).
      type: dict
    absent:
      description: Projects that were taken off it.
      type: list
      elements: str
    inside:
      description: What was seen there, with O(look_inside=true).
      type: dict
      contains:
        entries:
          description:
            - By name what is usable, and what is not and why; C(bytes), C(packs), C(loose_objects), C(owner), C(layout) and C(warnings).
            - Where the indexes of its packs could be read, also the last four of C(space), for this entry.
          type: dict
        error:
          description: Why it could not be looked at, or what was not looked at. Empty where all was.
          type: str
        held_seconds:
          description: For how long the volume was held.
          type: float
        free_bytes:
          description: The bytes that are free, where the file system says so.
          type: int
        space:
          description:
            - What the space goes to, in bytes on disk. C(used_bytes) is all that du finds below the root but for C(lost+found), and the sum of the next four.
            - Of these bytes, C(leaving_bytes) are of packs of which a newer one has all objects, which go when their grace is over. What is in a pack
              that stays, and in a larger one too, takes C(duplicate_bytes) of pack. C(compaction_bytes) is what a compaction would give back on disk; the
              pack that it makes takes its own space until the grace is over.
            - C(estimated) is true where these three were told by samples, as there are very many objects or packs, or where not all packs could be read.
            - It is left out where it takes more than ten seconds to sum up the sizes.
          type: dict
          contains:
            used_bytes:
              description: All of it.
              type: int
            project_bytes:
              description: The entries that a run has filled.
              type: int
            by_hand_bytes:
              description: Other repositories, which people have put there.
              type: int
            leftover_bytes:
              description: What runs and gits that were interrupted have left, and what a run that works there at the moment has there.
              type: int
            foreign_bytes:
              description: Everything else.
              type: int
            leaving_bytes:
              description: Packs that go by themselves.
              type: int
            duplicate_bytes:
              description: Objects that a larger pack has too.
              type: int
            compaction_bytes:
              description: About what a compaction would give back.
              type: int
            estimated:
              description: Whether the last three were told by samples.
              type: bool
copies:
  description: Each project on each volume, also one that should be there and is not. What is not known is left out.
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
    project:
      description: The project's name.
      type: str
    age:
      description: Seconds since a run last brought this project to this volume from upstream.
      type: int
    checked:
      description: Seconds since it was last known to be what upstream has.
      type: int
    behind:
      description: Whether upstream had something else when it was last read.
      type: bool
    bytes:
      description: The size of its packs.
      type: int
    packs:
      description: Their number.
      type: int
summary:
  description: The same as a table, a line each, ready to be printed. FREE is about, by what is known to be on a volume, unless somebody looked inside.
  returned: success
  type: list
  elements: str
  sample:
    - VOLUME                                                           PROJECT  AGE     CHECKED  BEHIND  SIZE  FREE    PACKS
    - packit-prod-sandbox/sandcastle-repository-cache-packit-worker-0  packit   5d4h    1h2min   no      22MB  ~4.2GB  3
    - packit-prod/packit-worker-repository-cache-packit-worker-0       packit   5d4h    1h2min   no      22MB  ~4.2GB  3
space_summary:
  description: What the space of each volume goes to as a table, a line each. With C(~) before what was told by samples.
  returned: with O(look_inside=true), not in check mode
  type: list
  elements: str
runs:
  description: The last runs, the newest first, each as RV(packit.deployment.repository_cache#module:run).
  returned: success
  type: list
  elements: dict
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
