# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of a task in the background, in place of Ansible's own wrapper, where C(ANSIBLE_LIBRARY) names this folder.

Ansible's own ends after 2.5 seconds, begun or not. A job that begins later on a busy machine has nobody left to tell it to
(C(BrokenPipeError)), and its file says for ever that it is at work. This one takes the same arguments, ends when the module has, and
leaves the same file for C(async_status).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ansible.module_utils.common.text.converters import to_text


def main() -> None:
    """Run the module, write what it printed to the job's file, and print what Ansible expects of a job that has begun."""
    job, limit, module, arguments = sys.argv[1:5]
    name = f"{job}.{os.getpid()}"
    file = Path(os.environ["ANSIBLE_ASYNC_DIR"]).expanduser() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, module, *([] if arguments == "_" else [arguments])]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=float(limit), check=False)
    file.write_text(to_text(done.stdout))
    print(json.dumps({"started": True, "finished": False, "ansible_job_id": name, "results_file": str(file)}))
    sys.exit(0)  # A module that returns has crashed, for Ansible.


if __name__ == "__main__":
    main()
