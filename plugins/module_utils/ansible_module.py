# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge at which words leave a module of ours: results, errors and warnings hold no secret of the run, and are printable."""

from __future__ import annotations

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import UnsupportedError

from .printable import in_one_line, printable_lines
from .redaction import SECRETS

_ERRORS = 20
"""Errors in options that are told at once."""


class TellingModule(AnsibleModule):  # type: ignore[misc]
    """An AnsibleModule from which no secret leaves, no control character, no bidirectional one and no forged line."""

    def __init__(self, **settings: Any) -> None:
        """Read the options, which Ansible gives to the process. Ends the module where they are wrong."""
        try:
            super().__init__(**settings)
        except ValueError:  # ansible-core 2.17, of a text such as `a=b c`
            texts = [name for name, option in self.argument_spec.items() if _is_text_for_a_mapping(option, self.params.get(name))]
            if not texts:
                raise
            self.fail_json(f"A text stands where a mapping is wanted: {', '.join(texts)}.", invocation={})

    def exit_json(self, **kwargs: Any) -> NoReturn:
        """See AnsibleModule."""
        super().exit_json(**self._shown(kwargs))
        raise AssertionError("exit_json ends the process")

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        """Fail. Where the options are wrong, with every error that was found in them, and without the options.

        AnsibleModule reports one of them, which may not name its option; and it does not know then which values are secret.
        """
        told = [str(msg)]
        if told[0] in (errors := self._errors_of_options()):
            told, kwargs["invocation"] = _without_parts(errors), {}
            for name, option in self.argument_spec.items():
                if option.get("no_log"):
                    SECRETS.add(str(self.params.get(name) or ""))
        super().fail_json(shown("\n".join(told)), **self._shown(kwargs))
        raise AssertionError("fail_json ends the process")

    def warn(self, warning: str, **kwargs: Any) -> None:
        """See AnsibleModule."""
        super().warn(in_one_line(SECRETS.text(str(warning))), **kwargs)

    def _errors_of_options(self) -> list[str]:
        """Return what was found wrong with the options, in Ansible's words."""
        found = getattr(self, "validation_result", None)
        prefixes = {UnsupportedError: f"Unsupported parameters for ({self._name}) module: "}
        return [f"{prefixes.get(type(error), '')}{error.msg}" for error in (found.errors if found is not None else ())]

    def _shown(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer as it may be shown, with what Ansible would add to it."""
        self.no_log_values.update(SECRETS.known)  # for what Ansible itself still adds
        return {key: shown(value) for key, value in {"invocation": {"module_args": getattr(self, "params", {})}, **answer}.items()}


def _is_text_for_a_mapping(option: dict[str, Any], value: Any) -> bool:
    """Return whether a text is given for an option that is a mapping, or in one that is a list of them."""
    texts = value if option.get("elements") == "dict" and isinstance(value, list) else [value] if option.get("type") == "dict" else []
    return any(isinstance(item, str) for item in texts)


def _without_parts(errors: list[str]) -> list[str]:
    """Return the first of these texts, each once, without those that are part of another one."""
    first = list(dict.fromkeys(errors))
    more = [f"and {len(first) - _ERRORS} more"] if len(first) > _ERRORS else []
    first = first[:_ERRORS]
    return [error for error in first if not any(error in other and error != other for other in first)] + more


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
