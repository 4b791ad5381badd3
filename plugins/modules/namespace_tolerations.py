#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: namespace_tolerations
short_description: The tolerations that every pod of a namespace gets
version_added: 0.1.0
description:
  - Merges tolerations into the annotation C(scheduler.alpha.kubernetes.io/defaultTolerations) of namespaces. What is there stays, in its
    order; a toleration is recognised however it is written.
  - An annotation that the API server cannot use stops every pod creation in its namespace. That is found before anything else, in all
    namespaces before anything is written, and repaired only with O(repair).
  - Proves that it works. Two pods, one without and one with requests, are admitted by the server as a dry run. Where they do not get the
    tolerations the admission plugin PodTolerationRestriction is off, and a warning says what to do.
options:
  namespaces:
    description: The namespaces.
    type: list
    elements: str
    required: true
  tolerations:
    description:
      - The tolerations, each with C(key), C(operator) (V(Equal) or V(Exists)), C(value), C(effect) (V(NoSchedule), V(PreferNoSchedule),
        V(NoExecute), or none for all), and C(tolerationSeconds) for V(NoExecute).
      - Where the list is empty the annotations are only checked.
    type: list
    elements: dict
    required: true
  state:
    description: V(present) adds what is missing; V(absent) takes out those that say the same as one of O(tolerations).
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description: Take out all others. Only with O(state=present).
    type: bool
    default: false
  repair:
    description:
      - Repair annotations that stop pods. What cannot be read is taken away, a toleration that the API refuses is taken out, and a whitelist
        (C(scheduler.alpha.kubernetes.io/tolerationsWhitelist)) is extended by the tolerations that it forbids, those that
        the cluster itself gives to every pod included. A warning tells what was there.
    type: bool
    default: false
  forbidden:
    description:
      - What to do where you may not annotate a namespace, as project administrators on OpenShift may not. Both show the command for a cluster
        administrator; V(fail) fails then, V(warn) does not.
    type: str
    choices: [fail, warn]
    default: fail
  timeout:
    description: Seconds for the whole task. From 30 to 604800.
    type: int
    default: 60
extends_documentation_fragment:
  - packit.deployment.deployment
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: The server is asked whether it would take the change. A change that was not made is not proved.
  diff_mode:
    support: full
    details: Shows each annotation that changes, before and after.
author:
  - Packit deployment contributors (@packit)
seealso:
  - module: packit.deployment.workload_settings
"""

EXAMPLES = r"""
- name: Every pod of staging may run on the nodes for staging
  packit.deployment.namespace_tolerations:
    namespaces: [packit-stg, packit-stg-sandbox]
    tolerations:
      - key: environment
        operator: Equal
        value: stage
        effect: NoSchedule

- name: Take it out again
  packit.deployment.namespace_tolerations:
    namespaces: [packit-stg, packit-stg-sandbox]
    tolerations:
      - {key: environment, value: stage, effect: NoSchedule}
    state: absent

- name: Only look whether the annotations let pods be made, and repair them
  packit.deployment.namespace_tolerations:
    namespaces: [packit-stg]
    tolerations: []
    repair: true
"""

RETURN = r"""
namespaces:
  description:
    - Per namespace C(namespace), C(changed), C(before) and C(after) (both annotations, V(none) where one is not there), C(works) and C(command).
    - C(works) tells whether pods really get the tolerations. It is V(none) where that could not be proved, or was not asked.
    - C(command) is for a cluster administrator, empty where it is not needed.
  returned: always, unless something is wrong with the options or the annotations
  type: list
  elements: dict
  sample:
    - namespace: packit-stg
      changed: true
      works: true
      command: ""
      before: {scheduler.alpha.kubernetes.io/defaultTolerations: null, scheduler.alpha.kubernetes.io/tolerationsWhitelist: null}
      after:
        scheduler.alpha.kubernetes.io/defaultTolerations: '[{"key":"environment","operator":"Equal","value":"stage","effect":"NoSchedule"}]'
        scheduler.alpha.kubernetes.io/tolerationsWhitelist: null
commands:
  description: The commands for a cluster administrator.
  returned: always, unless something is wrong with the options or the annotations
  type: list
  elements: str
unreached:
  description: The namespaces whose pods do not get the tolerations, because you may not annotate them or the cluster does not heed it.
  returned: always, unless something is wrong with the options or the annotations
  type: list
  elements: str
summary:
  description: What the pods of each namespace get, a line each.
  returned: always, unless something is wrong with the options or the annotations
  type: list
  elements: str
requests:
  description: Requests that were sent to the API.
  returned: always, unless something is wrong with the options or the annotations
  type: int
"""

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.staging.namespace_tolerations import ARGUMENT_SPEC, namespace_tolerations


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        namespace_tolerations(module)


if __name__ == "__main__":
    main()
