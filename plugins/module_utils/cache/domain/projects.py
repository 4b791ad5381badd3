# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's list of projects, checked: anything that could not work is refused here, before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ...errors import InvalidOption
from .model import AUTO, BY_RSYNC, DEFAULT_REFS
from .ref_names import is_ref_name

_SCHEMES = ("https", "http", "ssh", "git")
_SCP_LIKE = re.compile(r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*):(?P<path>[^-:][^:]*)")
_RESERVED = ("lost+found",)
_NAME_LIMIT = 200
"""Characters; a directory name has at most 255 bytes, and the work directory needs room for its own suffixes."""

CREDENTIALS_REMEDY = (
    f"Keep credentials out of URLs: they would end in logs and annotations. Use {BY_RSYNC}, which reads upstream on the "
    "controller, where git's credential helpers or an ssh key apply, or give a local clone as `path`."
)


@dataclass(frozen=True)
class Project:
    """One git repository that every volume is to hold. ``name`` is its directory; ``refs`` are full patterns;
    ``method`` is a method's name, or AUTO; ``path`` is a complete clone on the controller, or empty."""

    name: str
    url: str
    refs: tuple[str, ...] = DEFAULT_REFS
    method: str = AUTO
    path: str = ""


PROJECT_OPTIONS: dict[str, dict[str, Any]] = {
    "url": {
        "description": [
            "Where the service clones the repository from. https, http, ssh, git, or C(user@host:path).",
            "No user name, password or token may be in it.",
        ],
        "type": "str",
        "required": True,
    },
    "name": {
        "description": ["The directory's name. The default is what the service looks up, the last part of the URL without C(.git)."],
        "type": "str",
    },
    "refs": {
        "description": ["Full patterns of the refs. C(*) stands for anything, C(/) included. The default is all branches and tags."],
        "type": "list",
        "elements": "str",
    },
    "method": {"description": ["The method for this project, instead of O(method)."], "type": "str"},
    "path": {
        "description": [
            "A path on the controller, which is read instead of upstream; for method V(rsync), a complete local clone.",
            "The snapshot is then what is there. O(method) says which methods take a path, and of what.",
        ],
        "type": "path",
    },
}
"""The options of a project, as the module documents them; ``cache.transfer.registry`` adds the methods that there are."""


def parse_projects(raw: Iterable[Mapping[str, object]], method: str = AUTO, with_path: str = AUTO) -> tuple[Project, ...]:
    """The projects of the option ``projects``, in the user's order; ``method`` is for those that name none, ``with_path`` for those of them with a path.

    Raises InvalidOption, naming the value.
    """
    projects = tuple(parse_project(item, method, with_path) for item in raw)
    if not projects:
        raise InvalidOption("Option `projects` is empty.", "List at least one project: `- url: https://…`.")
    seen: dict[str, Project] = {}
    for project in projects:
        other = seen.get(project.name)
        if other is not None:
            raise InvalidOption(
                f"Two projects have the directory name `{project.name}`: {other.url} and {project.url}. "
                "The service finds a repository by that name alone, so only one of them can be in the cache.",
                "Remove one of them.",
            )
        seen[project.name] = project
    return projects


def parse_project(raw: Mapping[str, object], method: str = AUTO, with_path: str = AUTO) -> Project:
    """One project from its options; the methods as for ``parse_projects``. Raises InvalidOption."""
    unknown = sorted(set(raw) - PROJECT_OPTIONS.keys())
    if unknown:
        raise InvalidOption(f"Unknown key `{unknown[0]}` in a project.", f"Known keys: {', '.join(sorted(PROJECT_OPTIONS))}.")
    url = _text(raw, "url")
    if not url:
        raise InvalidOption("A project has no `url`.", "Give every project the URL that the service clones.")
    path_in_url = check_url(url)
    given = raw.get("name")
    name = _text(raw, "name") if given is not None else name_from_path(path_in_url)
    check_name(name, url)
    path = _check_path(_text(raw, "path"), name)
    if raw.get("method"):
        method = _text(raw, "method")
    elif path:
        method = with_path  # a clone that is named is used, whatever the method of the others
    return Project(name=name, url=url, refs=check_refs(raw.get("refs"), name), method=method, path=path)


def check_url(url: str) -> str:
    """The path part of a URL that git may be given. Raises InvalidOption; the message never shows a password."""
    shown = redacted(url)
    if re.search(r"[\x00-\x20\x7f]", url) or url.startswith("-"):
        raise InvalidOption(f"The URL `{shown}` starts with `-` or has white space or control characters in it.")
    scp = _SCP_LIKE.fullmatch(url)
    if scp is not None and "://" not in url:
        return scp["path"]
    scheme, separator, _rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        credentials = CREDENTIALS_REMEDY if shown != url else ""
        raise InvalidOption(
            f"The URL `{shown}` has a form that is not allowed.",
            f"Use https, http, ssh, git, or the form user@host:path. {credentials}".rstrip(),
        )
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port  # each is judged as it is asked for
    except ValueError as error:
        remedy = CREDENTIALS_REMEDY if shown != url else ""  # its own words may show a part of a password
        raise InvalidOption(f"The URL `{shown}` cannot be parsed: its host or its port is none.", remedy) from error
    # A password may have a `/` in it, which ends what is before the `@` too early.
    before, in_path, _after = f"{parts.netloc.rpartition(']')[2]}{parts.path}".rpartition("@")
    if parts.password is not None or (parts.username is not None and scheme in ("https", "http")) or (in_path and ":" in before):
        raise InvalidOption(f"The URL `{shown}` has a user name or a password in it.", CREDENTIALS_REMEDY)
    if parts.query or parts.fragment:
        raise InvalidOption(f"The URL `{shown}` has a query or a fragment.", CREDENTIALS_REMEDY)
    if not host or host.startswith("-") or not parts.path.strip("/"):
        raise InvalidOption(f"The URL `{shown}` names no host or no repository.")
    return parts.path


def redacted(url: str) -> str:
    """``url`` with user, password, query and fragment hidden, for messages, whatever it looks like."""
    scheme, separator, rest = url.partition("://")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) or not separator:
        scheme, separator, rest = "", "", url
    authority = rest.partition("/")[0]
    before, at, after = rest.rpartition("@")
    if at and not _SCP_LIKE.fullmatch(url) and (not separator or "@" in authority or ":" in before):
        rest = f"***@{after}"
    return scheme + separator + re.sub(r"[?#].*", "?***", rest, flags=re.DOTALL)


def refused(arguments: Mapping[str, object]) -> str:
    """Return why a URL in a task's arguments cannot be used, empty where none is refused: before a module is invoked, which shows them.

    What is no URL at all is left for the module to judge.
    """
    projects = arguments.get("projects")
    urls = [arguments.get("url"), *(projects if isinstance(projects, list) else [projects])]
    for item in urls:
        url = item.get("url") if isinstance(item, Mapping) else item
        if isinstance(url, str):
            try:
                check_url(url)
            except InvalidOption as error:
                return str(error)
    return ""


def name_from_path(path: str) -> str:
    """Return what the service looks up: the last part of the URL, without ``.git``."""
    last = PurePosixPath(path.rstrip("/")).name
    return last[: -len(".git")] if last.endswith(".git") else last


def check_name(name: str, url: str = "") -> None:
    """Raises InvalidOption if ``name`` cannot be a project's directory."""
    of = f" of {redacted(url)}" if url else ""
    reason = ""
    if not name:
        reason = "it is empty"
    elif "/" in name:
        reason = "it has a `/` in it"
    elif name in (".", "..") or name[0] in ".-":
        reason = "it starts with `.` or `-`"
    elif ".." in name:
        reason = "it has `..` in it"
    elif name in _RESERVED:
        reason = "every ext4 volume has a directory of that name"
    elif len(name) > _NAME_LIMIT:
        reason = f"it is longer than {_NAME_LIMIT} characters"
    elif not re.fullmatch(r"[A-Za-z0-9._+@~-]+", name):
        reason = "it has characters other than letters, digits and `._+@~-`"
    if reason:
        raise InvalidOption(
            f"The project name `{name}`{of} cannot be used: {reason}.",
            "The name is the last part of the URL without `.git`, as the service looks it up.",
        )


def check_refs(raw: object, project: str) -> tuple[str, ...]:
    """The ref patterns of a project. Raises InvalidOption."""
    if raw is None:
        return DEFAULT_REFS
    if isinstance(raw, str) or not isinstance(raw, (list, tuple)) or not raw:
        raise InvalidOption(f"`refs` of project `{project}` is no list of ref patterns.", "For example: [refs/heads/*].")
    for pattern in raw:
        if not isinstance(pattern, str) or not pattern.startswith("refs/") or len(pattern) < 6 or pattern.count("/") < 2:
            raise InvalidOption(
                f"`{pattern}` in `refs` of project `{project}` is no full ref pattern.",
                "Write it in full, such as refs/heads/main, refs/heads/* or refs/tags/v*.",
            )
        if not is_ref_name(pattern.replace("*", "x", 1)):
            raise InvalidOption(f"`{pattern}` in `refs` of project `{project}` cannot be the name of a ref, or has more than one `*`.")
    return tuple(raw)


def matches(patterns: Iterable[str], ref: str) -> bool:
    """Return whether a ref is wanted. ``*`` stands for anything, ``/`` included, as in git's refspecs."""
    for pattern in patterns:
        before, star, after = pattern.partition("*")
        if ref == pattern or (star and len(ref) >= len(before) + len(after) and ref.startswith(before) and ref.endswith(after)):
            return True
    return False


def is_ssh(url: str) -> bool:
    """Return whether a URL needs an ssh key."""
    return url.startswith("ssh://") or "://" not in url


def _check_path(path: str, project: str) -> str:
    if path and not path.startswith("/"):
        raise InvalidOption(f"`path` of project `{project}` is not absolute: `{path}`.")
    return path


def _text(raw: Mapping[str, object], key: str) -> str:
    value = raw.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidOption(f"`{key}` of a project is no text, but a {type(value).__name__}.")
    return value.strip() if key != "url" else value
