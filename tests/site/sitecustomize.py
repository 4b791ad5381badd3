# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what Python compiles out of zip files, as it does for other files: where this directory is in PYTHONPATH, and PYTHONPYCACHEPREFIX set.

Ansible gives a module to Python as a zip file of sources, some hundred each time, which take longer to compile than all else that a
module does in a test. A kept one is known by its source, and by the version of Python.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport
from types import CodeType

_compile = zipimport._compile_source  # type: ignore[attr-defined]


def _compiled(path: str, source: bytes) -> CodeType:
    """Return a source's code, kept or compiled."""
    digest = _imp.source_hash(len(source), source).hex()
    kept = f"{sys.pycache_prefix}/zipped/{sys.implementation.cache_tag}-{len(source)}-{digest}"
    try:
        with open(kept, "rb") as file:  # noqa: PTH123  every process of the tests begins here: pathlib is not imported for it
            code: CodeType = marshal.loads(file.read())
    except (OSError, EOFError, ValueError, TypeError):  # there is none, or it was cut short
        code = _compile(path, source)
        _keep(code, kept)
    _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]
    return code


def _keep(code: CodeType, kept: str) -> None:
    """Keep a code. Whoever reads it meanwhile finds all of it or nothing; where nothing can be written, it is compiled each time."""
    try:
        os.makedirs(os.path.dirname(kept), exist_ok=True)  # noqa: PTH103, PTH120
        new = f"{kept}.{os.getpid()}"
        with open(new, "wb") as file:  # noqa: PTH123
            file.write(marshal.dumps(code))
        os.replace(new, kept)  # noqa: PTH105
    except OSError:
        return


if sys.pycache_prefix and not sys.dont_write_bytecode:
    zipimport._compile_source = _compiled  # type: ignore[attr-defined]
