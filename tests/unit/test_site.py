# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that Ansible packs are kept (``tests/site``)."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from ansible_collections.packit.deployment.tests.bounds import BOUND

SITE = Path(__file__).parents[1] / "site"


def said(archive: Path, kept: Path, source: str) -> str:
    """Pack a module, import it out of the archive, and return what its ``tell`` returns."""
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("packed.py", source)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{SITE}:{archive}", "PYTHONPYCACHEPREFIX": str(kept)}
    argv = [sys.executable, "-c", "import packed; print(packed.tell())"]
    return subprocess.run(argv, env=environment, check=True, capture_output=True, text=True, timeout=BOUND).stdout.strip()


def test_what_is_compiled_is_kept_for_the_same_source_alone_and_names_its_own_archive(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    own = "def tell():\n    return 'one ' + tell.__code__.co_filename\n"
    assert said(tmp_path / "a.zip", kept, own) == f"one {tmp_path}/a.zip/packed.py"
    (first,) = (kept / "zipped").iterdir()
    when = first.stat().st_mtime_ns
    assert said(tmp_path / "b.zip", kept, own) == f"one {tmp_path}/b.zip/packed.py"
    assert first.stat().st_mtime_ns == when and [first] == [*(kept / "zipped").iterdir()]
    assert said(tmp_path / "a.zip", kept, own.replace("one", "two")) == f"two {tmp_path}/a.zip/packed.py"


def test_a_place_that_cannot_be_written_and_a_file_that_is_no_code_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    assert said(tmp_path / "a.zip", tmp_path / "kept", "def tell():\n    return 1\n") == "1"
    kept = tmp_path / "other"
    assert said(tmp_path / "a.zip", kept, "def tell():\n    return 1\n") == "1"
    (first,) = (kept / "zipped").iterdir()
    first.write_bytes(b"cut")
    assert said(tmp_path / "a.zip", kept, "def tell():\n    return 1\n") == "1"
