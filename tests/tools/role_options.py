# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the roles' `meta/argument_specs.yml`: an option that a role only hands down to a module is documented in the module's words.

`make role-options` writes the files. Options of a role's own, and those with a default of the deployment's, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from ..modules.documented import options as documented

ROLES = Path(__file__).parents[2] / "roles"
CONNECTION = ("host", "api_key", "validate_certs", "kubeconfig", "context")
"""Options of each module that a role takes from the deployment's own variables."""
_COLLECTION = "packit.deployment."
HANDED_DOWN = re.compile(r"\{\{ (\w+)(?: \| default\(omit, true\))? \}\}")


def main() -> None:
    """Write the file of each role."""
    for path in sorted(ROLES.iterdir()):
        specs_file(path.name).write_text(specs_text(path.name))


def specs_file(role: str) -> Path:
    """Return the file with a role's argument specs."""
    return ROLES / role / "meta/argument_specs.yml"


def specs_text(role: str) -> str:
    """Return the text that the file of a role's argument specs should have."""
    form = YAML()
    form.preserve_quotes, form.width, form.explicit_start = True, 130, True
    form.indent(mapping=2, sequence=4, offset=2)
    specs = form.load(specs_file(role))
    known, given = specs["argument_specs"]["main"]["options"], defaults(role)
    for module, arguments in calls(role):
        variables = _variables(arguments, known)
        for option, variable in handed_down(role).get(module, {}).items():
            if "{{" not in str(given[variable]):
                secret = {"no_log": True} if known.get(variable, {}).get("no_log") else {}
                known[variable] = _of_role(documented(module)[option], module, variables) | secret
                known[variable].pop("required", None)
                if given[variable] is not None:
                    known[variable]["default"] = given[variable]
    text = StringIO()
    form.dump(specs, text)
    return re.sub(r" +\n", "\n", text.getvalue())  # it leaves a blank at the end of a line that it breaks


def defaults(role: str) -> dict[str, Any]:
    """Return a role's variables with their defaults."""
    found: dict[str, Any] = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    return found


def calls(role: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the arguments of each of our modules that a role runs."""
    for path in sorted((ROLES / role / "tasks").glob("*.yml")):
        tasks = yaml.safe_load(path.read_text())
        while tasks:
            task = tasks.pop()
            tasks += [inner for part in ("block", "rescue", "always") for inner in task.get(part, [])]
            yield from ((name.removeprefix(_COLLECTION), value) for name, value in task.items() if name.startswith(_COLLECTION))


def handed_down(role: str) -> dict[str, dict[str, str]]:
    """Return, by module, the options whose value is one variable of the role and nothing else, if no other option uses that variable."""
    given = [(module, option, str(value)) for module, arguments in calls(role) for option, value in arguments.items()]
    found: dict[str, dict[str, str]] = {}
    for module, option, value in given:
        plain = HANDED_DOWN.fullmatch(value)
        if plain and option not in CONNECTION and sum(bool(re.search(rf"\b{plain[1]}\b", other)) for _module, _option, other in given) == 1:
            found.setdefault(module, {})[option] = plain[1]
    return found


def _variables(arguments: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, str]:
    """Return for each option of a task the first option of the role in its value."""
    words = {option: re.findall(r"\w+", str(value)) for option, value in arguments.items() if option not in CONNECTION}
    return {option: next(word for word in found if word in known) for option, found in words.items() if known.keys() & set(found)}


def _of_role(option: Mapping[str, Any], module: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return a module's option as a role's: its options by the role's variables, where the role has them."""

    def name(found: re.Match[str]) -> str:
        kind, words = found[1], found[2]
        top = re.split(r"[.=\[]", words)[0]
        if kind == "O" and top in variables:
            return f"O({variables[top]}{words[len(top) :]})"
        return f"{kind}({_COLLECTION}{module}#module:{words})"

    result: dict[str, Any] = {}
    for key, value in option.items():
        if key == "description":
            lines = [value] if isinstance(value, str) else value
            result[key] = [re.sub(r"\b(O|RV)\(([^)#]+)\)", name, line) for line in lines]
        elif key == "suboptions":
            result["options"] = {inner: _of_role(about, module, variables) for inner, about in value.items()}
        else:
            result[key] = value
    if "choices" in result:
        result["choices"] = CommentedSeq(result["choices"])
        result["choices"].fa.set_flow_style()
    return result


if __name__ == "__main__":
    main()
