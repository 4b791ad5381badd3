#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cache_candidates
short_description: Which repositories are worth a place in the repository cache
version_added: 0.1.0
description:
  - Reads the workers' logs for the clones that packit makes, and lists the repositories by the seconds that the cache would have saved.
  - packit tells of its clones at level DEBUG, which is the default of the service's workers (C(LOGLEVEL)). A kubelet keeps a log
    of 10 MiB by default, so a busy worker's log may tell of some hours only.
  - A clone that failed, or goes on, counts as a clone and not in the seconds.
  - A URL with credentials in it is never shown. Its clones are counted in a warning.
  - Logs hold what strangers' projects print, so read the list before it becomes your configuration.
options:
  worker_namespace:
    description: The workers' namespace.
    type: str
    required: true
  container:
    description: The container whose log is read, in each pod that has one of that name.
    type: str
    default: packit-worker
  lines:
    description: The newest lines of a log that are read. At most 64 MiB are read of one. From 1 to 10000000.
    type: int
    default: 200000
  timeout:
    description: Seconds for all logs. From 30 to 604800.
    type: int
    default: 600
extends_documentation_fragment:
  - packit.deployment.deployment
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing in any mode.
  diff_mode:
    support: none
author:
  - Packit deployment contributors (@packit)
"""

EXAMPLES = r"""
- name: Which repositories do the workers clone
  packit.deployment.cache_candidates:
    worker_namespace: packit-prod
  register: found

- name: Show the ten of which most can be saved
  ansible.builtin.debug:
    msg: "{{ found.candidates[:10] }}"
"""

RETURN = r"""
candidates:
  description: The repositories, those of which most can be saved first.
  returned: success
  type: list
  elements: dict
  contains:
    url:
      description: The URL that the service clones.
      type: str
    name:
      description: The name that the project would have in the cache.
      type: str
    clones:
      description: Clones that the logs tell of.
      type: int
    cached:
      description: Those of them that had the cache's repository as their reference.
      type: int
    seconds:
      description: Seconds that the clones took whose end the logs tell.
      type: float
    saved_seconds:
      description: An estimate of what the cache would have saved of the clones without it.
      type: float
projects:
  description:
    - Those that would have saved something, as the option O(packit.deployment.repository_cache#module:projects) takes them.
    - Of several with one name, it has the one of which most can be saved, and a warning names the others.
  returned: success
  type: list
  elements: dict
pods:
  description: The pods whose logs were read.
  returned: success
  type: list
  elements: str
summary:
  description: The candidates as a table.
  returned: success
  type: list
  elements: str
requests:
  description: Requests that were sent to the API.
  returned: success
  type: int
"""

from ansible_collections.packit.deployment.plugins.module_utils.candidates.module import ARGUMENT_SPEC, cache_candidates
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        cache_candidates(module)


if __name__ == "__main__":
    main()
