#!/usr/bin/python

# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_config
short_description: The repository cache's keys in the configuration of a Packit Service
version_added: 0.1.0
description:
  - Puts C(repository_cache), C(add_repositories_to_repository_cache=false) and the cache's item of
    C(command_handler_pvc_volume_specs) into the service's configuration, a YAML file in a Secret or on this host, or takes
    them out.
  - Every other byte stays as it is, comments, order, quoting and line ends included. Items for other paths stay as they are.
  - Refuses, with line and remedy, what would stop or cripple the service, such as duplicate keys or a misspelt field in the
    cache's item, which shows otherwise only when the first sandbox starts.
  - Warns where the deployment does not fit, such as a worker that mounts its cache elsewhere, does not set the variable, or
    looks up a claim that does not exist.
  - Shows only the lines that change, never another line of the file nor another key of the Secret.
  - Another writer's change is not lost. The Secret is written only as it was read, and otherwise read again.
options:
  namespace:
    description: The service's namespace, in which the Secret is. Required unless O(file) is set.
    type: str
    default: ""
  secret:
    description: The Secret's name.
    type: str
    default: packit-config
  key:
    description: The key with the configuration.
    type: str
    default: packit-service.yaml
  file:
    description:
      - A local file instead of a Secret. No request is sent then.
      - A Jinja source (C(.j2)) is edited line by line, and checked by rendering it with all variables empty and with all of them
        true. Where that is not possible, it stays as it is, and the error has the lines to add.
    type: path
  state:
    description:
      - V(present) puts the keys in. V(absent) takes them out, unless C(repository_cache) is another path than O(path).
    type: str
    choices: [present, absent]
    default: present
  filled_path:
    description: Where the volumes are filled. Where it is given and is not O(path), the task fails.
    type: str
    default: ""
  path:
    description: Where workers and sandboxes have the cache.
    type: str
    default: /repository-cache
  pvc_from_env:
    description: The environment variable in which a worker has the name of its sandboxes' claim.
    type: str
    default: SANDCASTLE_REPOSITORY_CACHE_VOLUME
  read_only:
    description: Whether sandboxes may only read the cache. Off, strangers' commands can write to what later jobs use.
    type: bool
    default: true
  sandbox_namespace:
    description:
      - The sandboxes' namespace, whose claims are looked at.
      - The default is what the configuration itself says (C(command_handler_k8s_namespace)).
    type: str
    default: ""
  create:
    description: Make the Secret, key or file if it is missing, with nothing but the cache's keys. The service needs more.
    type: bool
    default: false
  backup:
    description:
      - Keep the former content. Of a Secret, in a Secret beside it, named after it and its version (C(packit-config-before-4711)),
        with the label C(packit.dev/backup-of); of a file, in a file beside it.
    type: bool
    default: false
  restart:
    description:
      - After a change, restart the workloads that use the Secret, one after the other, and wait for each. This ends the tasks that
        workers have at that moment.
    type: bool
    default: false
  timeout:
    description: Seconds for the restart of one workload. From 30 to 604800.
    type: int
    default: 600
extends_documentation_fragment:
  - packit.deployment.deployment
  - kubernetes.core.k8s_auth_options
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Tells what would change, and refuses what would be refused.
  diff_mode:
    support: full
    details: Shows the lines that change, and no others.
requirements:
  - ruamel.yaml
author:
  - Packit deployment contributors (@packit)
"""

EXAMPLES = r"""
- name: Tell the service of its repository cache
  packit.deployment.service_config:
    namespace: packit-prod
    sandbox_namespace: packit-prod-sandbox

- name: The same in the source from which the Secret is made
  packit.deployment.service_config:
    file: "{{ playbook_dir }}/../secrets/packit/prod/packit-service.yaml.j2"
"""

RETURN = r"""
lines:
  description: The lines that the source of the configuration needs, ready to be printed.
  returned: when O(state=present)
  type: list
  elements: str
  sample: ["repository_cache: /repository-cache", "add_repositories_to_repository_cache: false"]
inconsistencies:
  description: What of the deployment does not fit the configuration, with what to do; each is a warning too.
  returned: for a Secret
  type: list
  elements: str
must_restart:
  description: The workloads that see the change only when they start anew.
  returned: for a Secret
  type: list
  elements: str
  sample: [statefulset/packit-worker]
restarted:
  description: The workloads that were restarted, and are up again. A Deployment that is paused is in RV(must_restart) instead.
  returned: for a Secret
  type: list
  elements: str
backup:
  description: The Secret with the former content.
  returned: when O(backup=true) and a Secret was changed
  type: str
backup_file:
  description: The file with the former content.
  returned: when O(backup=true) and a file was changed
  type: str
requests:
  description: Requests that were sent to the API.
  returned: for a Secret
  type: int
"""

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.service_config.module import ARGUMENT_SPEC, service_config


def main() -> None:
    with deployment_module(ARGUMENT_SPEC) as module:
        service_config(module)


if __name__ == "__main__":
    main()
