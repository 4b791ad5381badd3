#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: schedule
short_description: The repository cache filled on a schedule, inside the cluster
version_added: 0.1.0
description:
  - Makes a CronJob that runs the playbook C(packit.deployment.populate_cache) in a pod, with a service account of its own, and what
    that needs - the service account, a Role and a RoleBinding in each of the two namespaces, and a ConfigMap with the variables.
  - A run that is ended before its time, as its node is drained or O(timeout) is over, gives all volumes back first.
  - An object of the same name that is none of a schedule is left alone, and the module fails.
options:
  state:
    description:
      - V(absent) removes all of it. A job that runs is ended, and gives its volumes back before its rights go.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: The name of all objects. At most 52 characters.
    type: str
    default: repository-cache-schedule
  namespace:
    description: The workers' namespace. The job runs there.
    type: str
    required: true
  sandbox_namespace:
    description: The sandboxes' namespace.
    type: str
    required: true
  cron:
    description: When it runs, as minute, hour, day of the month, month and day of the week.
    type: str
    default: 17 3 * * *
  time_zone:
    description: The time zone of O(cron), such as V(Europe/Prague). The default is the cluster's, most often UTC.
    type: str
    default: ""
  suspend:
    description: Start no run until further notice. One that is at work goes on.
    type: bool
    default: false
  image:
    description:
      - The image of the job's pod, an execution environment with this collection. It is required, unless O(state=absent).
    type: str
    default: ""
  variables:
    description:
      - The playbook's variables, with the names that the role P(packit.deployment.repository_cache#role) documents. Whoever may read
        ConfigMaps can read them.
    type: dict
    default: {}
  rules:
    description:
      - The rules of the job's Roles. The role P(packit.deployment.schedule#role) gives those of C(docs/rbac.yml). They are required,
        unless O(state=absent). The API lets you give on only rights that you have.
    type: list
    elements: dict
    default: []
  pod:
    description:
      - What is different about the job's pod, merged over the defaults. The keys are C(labels), C(annotations), C(resources),
        C(pod_security_context), C(security_context), C(tolerations), C(node_selector), C(pull_policy), C(image_pull_secrets),
        C(priority_class) and C(proxy), as in O(packit.deployment.repository_cache#module:filler).
    type: dict
    default: {}
  upstream_secret:
    description:
      - A Secret in O(namespace) with credentials for private upstreams - C(ssh-privatekey) and C(known_hosts), or C(netrc). It is mounted
        in the job's pod only, never in a filler or a seed. Only a method that reads upstream on the
        controller can use them, such as V(rsync).
      - Its key C(variables.yml) may have variables of the playbook that are secret, such as C(repository_cache_notify).
    type: str
    default: ""
  trusted_ca:
    description:
      - A ConfigMap in O(namespace) with all certificates that the job trusts for upstreams, the notification and the Pushgateway, as
        C(ca-bundle.crt). OpenShift fills one that has the label
        C(config.openshift.io/inject-trusted-cabundle=true).
    type: str
    default: ""
  timeout:
    description:
      - Seconds for a run. Then it is ended.
      - From 30 to 604800.
    type: int
    default: 14400
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
    details: Shows each object that changes, before and after.
author:
  - Packit deployment contributors (@packit)
seealso:
  - module: packit.deployment.repository_cache
"""

EXAMPLES = r"""
- name: The cache is filled every night
  packit.deployment.schedule:
    namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox
    image: registry.example.org/packit-deployment:1
    rules:
      - apiGroups: [""]
        resources: [pods]
        verbs: [get, list, watch, create, delete]
      # and the others of docs/rbac.yml
    variables:
      repository_cache_worker_namespace: packit-prod
      repository_cache_sandbox_namespace: packit-prod-sandbox
      repository_cache_projects:
        - url: https://github.com/packit/packit.git

- name: No schedule any more
  packit.deployment.schedule:
    namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox
    state: absent
"""

RETURN = r"""
objects:
  description: The schedule's objects, in the order in which they are made or removed.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: What it is.
      type: str
    namespace:
      description: Where it is.
      type: str
    name:
      description: Its name.
      type: str
    action:
      description: V(create), V(update), V(delete) or V(unchanged).
      type: str
summary:
  description: What is not as it was, a line each, ready to be printed.
  returned: success
  type: list
  elements: str
requests:
  description: Requests that were sent to the API.
  returned: success
  type: int
"""

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.schedule.module import ARGUMENT_SPEC, schedule


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        schedule(module)


if __name__ == "__main__":
    main()
