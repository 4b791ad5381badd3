# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``service_config``: validate, compute, act, report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..cluster.workloads import Workload
from ..deadline import Deadline
from ..errors import DeploymentError, InvalidOption
from ..given_values import State
from . import deployed, local_file
from .edit import Edit, created, edit
from .options import ARGUMENT_SPEC, ConfigOptions, parse_options
from .redacted_diff import diff
from .secret import ConfigSecret, Content
from .wanted import lines
from .yaml_nodes import require_parser

_TIMEOUT = 120.0
"""Seconds for all that is not a restart."""


def service_config(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    require_parser()
    options = parse_options(module.params)
    if options.state is State.PRESENT and not options.wanted.read_only:
        module.warn("read_only is off: sandboxes run strangers' commands, and can write to the cache that all jobs of their worker use.")
    if options.file:
        _file(module, options)
    else:
        _secret(module, options)


def _file(module: Any, options: ConfigOptions) -> None:
    data = local_file.read(options.file)
    if data is None and options.state is State.PRESENT and not options.create:
        raise InvalidOption(
            f"There is no file {options.file}.", "Check the path; or let this make one with nothing but the cache's keys (option `create: true`)."
        )
    made = _edit(options, options.file, data)
    backup = ""
    if made.changed and not module.check_mode:
        backup = local_file.write(options.file, made.after.encode(), backup=options.backup)
    _exit(module, options, options.file, made, backup_file=backup)


def _secret(module: Any, options: ConfigOptions) -> None:
    client, place = connect(module), options.place
    deadline = Deadline(_TIMEOUT, f"editing {place}")
    around = deployed.look(client, place.namespace, deadline)
    readers = around.readers(place)
    inconsistencies: tuple[str, ...] = (around.blind,) if around.blind else ()

    def make(content: Content) -> Edit:
        """Everything that can fail is asked before something is written."""
        nonlocal inconsistencies
        made = _edit(options, str(place), _wanted_content(options, content))
        if options.state is State.PRESENT:
            namespace = options.sandbox_namespace or made.sandbox_namespace
            inconsistencies = deployed.inconsistencies(client, around, options.wanted, namespace, deadline)
        if made.changed and options.restart:
            deployed.require_restart(client, place.namespace, readers, deadline)
        return made

    written = ConfigSecret(client, place, deadline).change(make, backup=options.backup, check_mode=module.check_mode)
    made = written.edit
    for words in inconsistencies:
        module.warn(words)
    if options.sandbox_namespace and made.sandbox_namespace not in ("", options.sandbox_namespace):
        module.warn(
            f"{place} has its sandboxes in namespace {made.sandbox_namespace}, and sandbox_namespace is {options.sandbox_namespace}: "
            "the claims of one are not seen from the other. Make both the same."
        )
    if made.changed and written.owner:
        module.warn(f"{place} is kept by {written.owner}, which will put back what it has: make the same change there.")
    elif made.changed:
        module.warn(
            f"{place} is applied again from its source at the next deployment: change the source in the same way"
            + (" (the lines are in the result)." if options.state is State.PRESENT else ".")
        )
    names = [item.named for item in readers] if made.changed else []
    paused = [item.named for item in readers if item.paused] if made.changed else []
    failure = _restart(module, options, client, readers, around.blind) if made.changed else ""
    _exit(
        module,
        options,
        str(place),
        made,
        failure,
        backup=written.backup,
        inconsistencies=list(inconsistencies),
        must_restart=paused if options.restart else names,
        restarted=[name for name in names if name not in paused] if options.restart and not failure else [],
        requests=client.requests,
    )


def _wanted_content(options: ConfigOptions, content: Content) -> bytes | None:
    """Return what the key has; None where a new one is to be made. Raises InvalidOption where that was not asked for."""
    place = options.place
    if content.data is not None or options.create or options.state is State.ABSENT:
        return content.data
    by_hand = f"from the service's configuration: kubectl create secret generic {place.secret} -n {place.namespace} --from-file={place.key}"
    anew = "or let this make one with nothing but the cache's keys (option `create: true`)."
    if not content.version:
        raise InvalidOption(f"There is no Secret {place.namespace}/{place.secret}.", f"Create it {by_hand}; {anew}")
    names = ", ".join(content.keys) or "none at all"
    raise InvalidOption(f"Secret {place.namespace}/{place.secret} has no key `{place.key}`.", f"It has: {names}. Name one of them; {anew}")


def _edit(options: ConfigOptions, source: str, data: bytes | None) -> Edit:
    if data is not None:
        return edit(source, data, options.state, options.wanted)
    return created(options.wanted) if options.state is State.PRESENT else Edit("", "")


def _restart(module: Any, options: ConfigOptions, client: Client, readers: Sequence[Workload], blind: str) -> str:
    """Restart those that read it, if asked; else say who has to. Returns what went wrong, empty where nothing did."""
    place = options.place
    if not readers and not blind:
        module.warn(f"No workload of namespace {place.namespace} uses the Secret {place.secret}, so nobody sees the change.")
    elif readers and not options.restart:
        names = " ".join(item.named for item in readers)
        module.warn(f"These see the change when they start anew: kubectl rollout restart -n {place.namespace} {names}")
    elif not module.check_mode:
        try:
            for words in deployed.restart_all(client, readers, options.timeout):
                module.warn(words)
        except DeploymentError as error:
            return f"{place} was changed, but not all that read it could be restarted. {error}"
    return ""


def _exit(module: Any, options: ConfigOptions, title: str, made: Edit, failure: str = "", **more: Any) -> None:
    for words in made.warnings:
        module.warn(words)
    if not made.before and made.changed:
        module.warn(f"{title} was made with the cache's keys only. The service needs more, at least the key `deployment`.")
    answer = {
        "changed": made.changed,
        "lines": lines(options.wanted) if options.state is State.PRESENT else [],
        "diff": diff(title, made.before, made.after),
        **{name: value for name, value in more.items() if value != ""},
    }
    if failure:
        module.fail_json(msg=failure, **answer)
    module.exit_json(**answer)


__all__ = ["ARGUMENT_SPEC", "service_config"]
