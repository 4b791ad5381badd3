# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ansible module whose every word is free of the run's secrets."""

from __future__ import annotations

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..redaction import SECRETS


class TellingModule(AnsibleModule):  # type: ignore[misc]
    """An Ansible module that tells everything through the one redaction."""

    def exit_json(self, **kwargs: Any) -> NoReturn:
        """See AnsibleModule."""
        self.no_log_values.update(SECRETS.known)  # for what Ansible itself adds, the invocation
        super().exit_json(**SECRETS.data(kwargs))
        raise AssertionError("exit_json ends the process")

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        """See AnsibleModule."""
        self.no_log_values.update(SECRETS.known)
        super().fail_json(SECRETS.text(msg), **SECRETS.data(kwargs))
        raise AssertionError("fail_json ends the process")

    def warn(self, warning: str, **kwargs: Any) -> None:
        """See AnsibleModule."""
        super().warn(SECRETS.text(warning), **kwargs)
