# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation that modules share: all of them, and those with one option or kind of options in common."""

from __future__ import annotations


class ModuleDocFragment:
    """C(packit.deployment.deployment) is for each module, C(packit.deployment.deployment.pod) for those that work in a pod, and so on."""

    DOCUMENTATION = r"""
attributes:
  platform:
    platforms: posix
requirements:
  - python >= 3.10
  - kubernetes >= 25.3
  - openshift (used where it is there)
"""

    POD = r"""
options:
  namespace:
    description: The pod's namespace.
    type: str
    required: true
  pod:
    description: The pod's name.
    type: str
    required: true
  container:
    description: The container. The default is the pod's first.
    type: str
    default: ""
  timeout:
    description: Seconds for the whole task. From 30 to 604800.
    type: int
    default: 1800
"""

    STALL = r"""
options:
  stall_timeout:
    description:
      - Seconds without a single byte from upstream after which a fetch from it is given up. While a server counts the objects of a large
        repository it tells how far it is each second, and that is enough.
      - A proxy that passes on nothing, or only pieces of many kilobytes, hides that. Raise this then above the time that counting takes.
      - From 10 to 604800.
    type: int
    default: 300
"""
