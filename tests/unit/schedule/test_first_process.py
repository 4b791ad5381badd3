# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first process of a scheduled run's container, by each sh that images have."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.schedule.first_process import UPSTREAM, argv
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.shells import HERE, SHELLS
from ansible_collections.packit.deployment.tests.waiting import until

CONTAINER = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
"""It ends with its first process, as a container does."""

pytestmark = pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*CONTAINER, "true"], check=False, capture_output=True, timeout=BOUND).returncode != 0,
    reason="no namespaces here",
)


def contained(shell: str, script: str, place: Path) -> list[str]:
    first, *rest = argv(["sh", "-c", script, "sh", str(place)])
    assert first == "sh"
    return [*CONTAINER, *SHELLS[shell], *rest]


@pytest.mark.parametrize("shell", HERE)
def test_it_ends_as_the_command_does(shell: str, tmp_path: Path) -> None:
    for code in (0, 2):
        assert subprocess.run(contained(shell, f"exit {code}", tmp_path), check=False, timeout=BOUND).returncode == code


@pytest.mark.parametrize("shell", HERE)
def test_secret_variables_are_read_from_the_secret_where_it_has_them(shell: str, tmp_path: Path) -> None:
    def words() -> list[str]:
        command = contained(shell, 'place=$1; shift; printf "%s\\n" "$@" >"$place/words"', tmp_path)
        subprocess.run([word.replace(UPSTREAM, str(tmp_path)) for word in command], check=True, timeout=BOUND)  # the Secret is mounted there
        return (tmp_path / "words").read_text().split()

    assert words() == []
    (tmp_path / "variables.yml").write_text("repository_cache_notify: https://hooks.example.com/x")
    assert words() == ["-e", f"@{tmp_path}/variables.yml"]


@pytest.mark.parametrize("shell", HERE)
def test_on_term_what_outlives_the_command_may_end_in_peace(shell: str, tmp_path: Path) -> None:
    # As ansible-playbook does: it tells its worker, whose module is in a session of its own, and ends at once.
    module = "trap 'sleep 0.5; echo given-back >>$1/told; exit' TERM; echo up >>$1/told; while :; do sleep 0.1; done"
    script = f"setsid sh -c \"{module.replace('$', chr(92) + '$')}\" sh $1 & worker=$!; trap 'kill -TERM $worker; exit 1' TERM; wait"
    told = tmp_path / "told"
    with subprocess.Popen(contained(shell, script, tmp_path)) as process:
        until(told.exists, "the module")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        subprocess.run(["kill", f"-{signal.SIGTERM.value}", *children], check=True, timeout=BOUND)
        process.wait(BOUND)
    assert told.read_text().split() == ["up", "given-back"]
