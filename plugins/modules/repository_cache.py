#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository_cache
short_description: Fill every repository-cache volume of a Packit Service
version_added: 0.1.0
description:
  - Brings git repositories into the repository-cache volume of each worker and of each worker's sandbox, concurrently,
    sandboxes before their workers, verifies them, and leaves no pod behind.
  - One snapshot of each project (every ref with its object id) is taken for the whole run. A volume that holds it already,
    by its claim's annotation, is not touched, and no pod is made for it.
  - Objects are only ever added. A repository appears under its name by one rename, when it is complete and on disk.
  - Where a claim was made to start as a clone by M(packit.deployment.repository_cache_claims), has no volume yet, and the storage refuses
    the clone, or a pod uses its source, an empty claim takes its place. The volume's warnings tell why.
  - A volume that fails does not stop the others. The task fails at the end and lists what happened to each, and what to do.
options:
  state:
    description: V(present) brings the projects to the volumes; V(absent) removes them, from each worker before its sandbox.
    type: str
    choices: [present, absent]
    default: present
  seed:
    description:
      - The seed pod of method V(seed), merged over the defaults.
      - C(size) is the size of its scratch space (C(4Gi)), on the node's own storage. C(claim) names a claim in the workers'
        namespace that is used instead, and kept for the next run, which then fetches only the difference.
      - C(resources) are its requests and limits (200m and 2 processors, 256Mi and 3Gi of memory). Where a quota or a LimitRange of the
        namespace has no room for 3Gi beside the run's fillers, the limit of memory is 768Mi. git needs about 190 bytes for each object of a
        repository; for one that needs more than the limit the fetch is ended when upstream tells how many objects it sends.
      - C(network_policy), V(false) by default, makes network policies for the time of the run where the fillers cannot reach
        the seed pod. Without them the packs go through the API server then, which is slower.
      - C(count) is the number of seed pods, 1 to 8, or V(0) to have it decided. More than one pays with many volumes.
    type: dict
    default: {}
  clones:
    description: A directory on the controller where method V(rsync) keeps clones of projects without a C(path) for the next run.
    type: path
    default: ~/.cache/packit-deployment/clones
  compact:
    description:
      - When packs are put together. Each update brings a pack, and with hundreds of them consumers' clones and updates take longer. A compaction
        only adds, one pack with all that the small ones hold, to the sandbox's volume first. The small ones go when the time of
        O(compact_grace) is over, and never an object with them.
      - With V(auto), where a worker's volume has 50 packs more than are left by the last compaction. A volume is taken for it then also where
        nothing else is to be done.
      - With V(always), also each time when a worker's volume is taken anyway, as soon as two packs are worth it.
      - With V(never), no pack is made, and none goes, also of those for which O(compact_grace) is over.
    type: str
    choices: [auto, always, never]
    default: auto
  compact_grace:
    description:
      - Seconds for which packs stay after a newer one has all of their objects, by the API server's clock. Longer than any task of the
        service lives, and than any other process that reads the volumes.
      - From 3600 to 31536000.
    type: int
    default: 172800
  resolve_from:
    description:
      - Where upstream's refs are read, V(controller) or V(pod), which is a pod without volumes in the workers' namespace.
        Check mode always reads them on the controller.
    type: str
    choices: [controller, pod]
    default: controller
  verify:
    description:
      - Look inside every volume and check all that is there, instead of trusting the claims' annotations. A full walk of a
        repository of 470 MB takes about 4 seconds and 400 MB of memory in the filler; raise its memory limit accordingly.
      - What is found damaged is mended, from the other volume of the pair, the seed or upstream. Where that cannot be done now, it is written
        on the claim, and every later run tries.
      - On a sandbox's volume every object is compared with its name, too, as strangers' commands can write there. What was
        tampered with is reported, and replaced from a good source. Packs that the worker's volume does not have as well
        are read in full, which takes 30 seconds and 750 MB of memory for 470 MB.
    type: bool
    default: false
extends_documentation_fragment:
  - packit.deployment.deployment
  - packit.deployment.deployment.stall
  - packit.deployment.projects
  - packit.deployment.cache_volumes
  - packit.deployment.runs
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Tells the plan from the claims' annotations and upstream's refs. No pod is made.
  diff_mode:
    support: full
    details: Shows each volume's projects with their snapshots, before and after.
requirements:
  - jmespath (for O(select))
  - git on the controller
  - rsync on the controller (for methods that copy packs from there, such as V(rsync))
  - prometheus_client (for O(pushgateway) and O(metrics_file))
author:
  - Packit deployment contributors (@packit)
seealso:
  - module: packit.deployment.repository_cache_info
"""

EXAMPLES = r"""
- name: Bring two projects to every volume
  packit.deployment.repository_cache:
    projects:
      - url: https://github.com/packit/packit.git
      - url: https://src.fedoraproject.org/rpms/kernel.git
        refs: [refs/heads/rawhide]
    worker_namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox

- name: Only the first worker and its sandbox, from a clone on this machine
  packit.deployment.repository_cache:
    projects:
      - url: https://git.example.com/team/private.git
        path: /var/lib/clones/private.git
    worker_namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox
    select: "[?worker.pod=='packit-worker-0']"

- name: Take a project off all volumes
  packit.deployment.repository_cache:
    state: absent
    projects:
      - url: https://github.com/packit/packit.git
    worker_namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox
"""

RETURN = r"""
volumes:
  description: What happened to each volume, those that failed included. Empty in check mode.
  returned: when the cluster could be read, also where something failed
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
      description: The worker pod for which the volume is there.
      type: str
    changed:
      description: Whether something was written.
      type: bool
    failed:
      description: Whether something is not as wanted.
      type: bool
    held_seconds:
      description: Seconds for which the volume was held, from the filler pod's creation until it was gone, over all turns.
      type: float
    locks:
      description:
        - Each time it was held, in seconds, as C(attach), C(work) and C(release).
        - C(release) ends when the filler is gone. Where another node wants a block volume, the storage detaches it after that.
        - The attachment of a block volume (C(kubectl get volumeattachments)) begins within C(attach). It ends after C(release), when the node
          has told that the volume is not in use, which it does every 10 seconds by default, and the storage has detached it.
          It was 1.5 seconds later in tests with a node that told so every 2 seconds.
      type: list
      elements: dict
    waits:
      description:
        - Pods of consumers for which the volume was given back, as they waited for it on another node. Per C(pod), the C(seconds) from its creation
          until the volume was attached for it, by the cluster's events.
        - C(seconds) is null where the pod had not got it a minute after the run's work, or is gone.
      type: list
      elements: dict
    warnings:
      description: What the user should know of how the volume was held.
      type: list
      elements: str
    projects:
      description:
        - Per project C(name), C(action), C(method), C(seconds), C(bytes) (of the packs that came), C(snapshot) (a digest of all refs), C(refs)
          (their number), C(layout), C(warnings), C(notes) (on packs that were put together, or went), C(error) and C(remedy). Of an unchanged
          one they are what its record says is there.
        - C(action) is one of V(add), V(update), V(replace), V(repair) (what was not whole is, and its good objects stayed), V(compact)
          (packs were put together, or went, and nothing else), V(remove), V(unchanged), V(failed), V(blocked) (its partner's volume did
          not get it), V(skipped).
        - A project that nobody lists is here where something was done about it.
      type: list
      elements: dict
  sample:
    - namespace: packit-prod-sandbox
      claim: sandcastle-repository-cache-packit-worker-0
      role: sandbox
      serves: packit-worker-0
      changed: true
      failed: false
      held_seconds: 2.9
      locks: [{attach: 0.8, work: 1.9, release: 0.2}]
      waits: []
      projects: []
summary:
  description:
    - A table of volumes and projects, ready to be printed, a line each; in check mode, of what would be done. What stays as it is is one line.
    - It is printed when the task ends.
  returned: when the cluster could be read, also where something failed
  type: list
  elements: str
summary_line:
  description: The run in one line, fit for a chat message; in check mode, what it would do.
  returned: when the cluster could be read, also where something failed
  type: str
  sample: "packit-prod: 4 volumes, 3 projects: 2 updated, 1 failed (kernel: The refs of … could not be read); longest sandbox hold 7.4 s; 2 min 3 s"
run:
  description:
    - The run as it stands in the ConfigMap C(packit-repository-cache) of the workers' namespace, which keeps the last 20. Check mode writes none.
    - C(id), C(started) (by the API server's clock), C(seconds), C(by), C(state), C(volumes) and C(projects) (their numbers), C(changed) (by
      project, on how many volumes), C(failed) (by project, why and what to do), C(error) (why nothing could be done, or a volume is not
      free), C(longest_hold) (of a sandbox's volume, in seconds), C(held) (which one that was) and C(left_out) (projects that are not named
      for want of room).
  returned: when the cluster could be read, also where something failed
  type: dict
failures:
  description: What failed, a paragraph for each cause, with all projects and volumes where it did, and what to do.
  returned: where something is not as wanted
  type: list
  elements: str
  sample:
    - "packit, on packit-prod-sandbox/sandcastle-repository-cache-packit-worker-1 (so not on
      packit-prod/packit-worker-repository-cache-packit-worker-1 either): packit needs 22 MB more on the volume, which has 9 MB free."
unread:
  description: Names of the projects whose upstream could not be read. They are among those that failed.
  returned: when the cluster could be read, also where something failed
  type: list
  elements: str
plan:
  description:
    - What was to be done to each project on each volume, by which C(method) and C(why). C(action) is V(look) where that is
      decided inside.
  returned: when the cluster could be read, also where something failed
  type: list
  elements: dict
requests:
  description: Requests that were sent to the API.
  returned: when the cluster could be read, also where something failed
  type: int
"""

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.populate.module import ARGUMENT_SPEC, populate


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        populate(module)


if __name__ == "__main__":
    main()
