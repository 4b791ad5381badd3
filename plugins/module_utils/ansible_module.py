# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge at which words leave a module of ours: results, errors and warnings hold no secret of the run, and are printable."""

from __future__ import annotations

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from .printable import in_one_line, printable_lines
from .redaction import SECRETS


class TellingModule(AnsibleModule):  # type: ignore[misc]
    """An AnsibleModule from which no secret leaves, no control character, no bidirectional one and no forged line."""

    def exit_json(self, **kwargs: Any) -> NoReturn:
        """See AnsibleModule."""
        super().exit_json(**self._shown(kwargs))
        raise AssertionError("exit_json ends the process")

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        """Fail. Where the options are wrong, with every error that was found in them.

        AnsibleModule reports one of them, which may not name its option. An error that is part of another one is left out.
        """
        told = [str(msg)]
        if (found := getattr(self, "validation_result", None)) and told[0] in found.error_messages:
            told = [error for error in found.error_messages if not any(error in other and error != other for other in found.error_messages)]
        super().fail_json(shown("\n".join(told)), **self._shown(kwargs))
        raise AssertionError("fail_json ends the process")

    def warn(self, warning: str, **kwargs: Any) -> None:
        """See AnsibleModule."""
        super().warn(in_one_line(SECRETS.text(str(warning))), **kwargs)

    def _shown(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer as it may be shown, with what Ansible would add to it."""
        self.no_log_values.update(SECRETS.known)  # for what Ansible itself still adds
        return {key: shown(value) for key, value in {"invocation": {"module_args": getattr(self, "params", {})}, **answer}.items()}


def shown(value: Any) -> Any:
    """Return a JSON value with all its texts, keys too, as they may be shown: first without secrets, then printable."""
    return _printable(SECRETS.data(value))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable_lines(value)
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_printable(item) for item in value]
    return value
