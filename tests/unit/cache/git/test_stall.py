# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upstream that is slow is waited for while it gives any sign of life, by every scheme; one that gives none is given up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import stall
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetch_errors import explained_fetch
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.mirror import Mirror
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.ports import own_port
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream import packing
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.waiting import until

SLOW = {"stall_timeout": 5}
"""Less than the seconds for which the upstreams below take their time."""
SECONDS = 9.0

SSH = """
import os, socket, sys, threading
if "-G" in sys.argv:
    sys.exit()
there = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
path = sys.argv[-1].split("'")[1]
version = os.environ.get("GIT_PROTOCOL", "")
request = f"git-upload-pack /{path}\\0host=x\\0\\0{version}\\0".encode()
there.sendall(b"%04x%b" % (len(request) + 4, request))
def send():
    while data := os.read(0, 65536):
        there.sendall(data)
    there.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while data := there.recv(65536):
    os.write(1, data)
"""
"""A program in ssh's place: it passes on what the git daemon at a port says, as ssh does for a server."""

Upstreams = Mapping[str, str]
"""By scheme, a repository's URL."""


@contextmanager
def daemon(root: Path, env: Mapping[str, str]) -> Iterator[int]:
    """The root's repositories by git://; the port."""
    with own_port() as port:
        words = ("--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", f"--base-path={root}", "--verbose", str(root))
        process = subprocess.Popen(["git", "daemon", *words], stderr=subprocess.PIPE, env={**make.ENVIRONMENT, **env})
        try:
            assert process.stderr is not None
            until(lambda: b"Ready to rumble" in process.stderr.readline(), "the git daemon")  # type: ignore[union-attr]
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=BOUND)


@pytest.fixture
def upstreams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Mapping[str, str]], Upstreams]]:
    """Makes one repository that is served by each scheme, with these settings of git for the servers."""
    root = tmp_path / "upstream"
    make.make(root / "one.git", commits=3)
    with ExitStack() as stack:

        def serve(env: Mapping[str, str]) -> Upstreams:
            port = stack.enter_context(daemon(root, env))
            (tmp_path / "my-ssh.py").write_text(SSH)
            monkeypatch.setenv("GIT_SSH_COMMAND", f"{sys.executable} {tmp_path}/my-ssh.py {port}")
            server = stack.enter_context(GitServer(root))
            server.packing = env
            return {
                "http": server.url("one.git"),
                "git": f"git://127.0.0.1:{port}/one.git",
                "ssh": "git@nowhere.invalid:one.git",
            }

        yield serve
        (tmp_path / "go-on").touch()  # a server that nobody waits for any more is still there


def fetch(place: Path, url: str, stall_timeout: int, limits: Limits | None = None) -> str:
    """Fetch as a run does; what became of it, in words."""
    project, deadline = Project("one", url), Deadline(BOUND, "this test")
    mirror = Mirror(LocalShell(), str(place / "kept.git"), str(place / "packs"), str(place / "config"), limits, stall_timeout)
    try:
        mirror.fetch(project, read_snapshot(LocalShell(), project, deadline), deadline)
    except DeploymentError as error:
        return str(error)
    return "fetched"


def fetch_all(tmp_path: Path, upstreams: Upstreams, stall_timeout: int) -> dict[str, str]:
    """Fetch from all of them at once, on the controller; what became of each. A pod has no ssh."""
    with ThreadPoolExecutor() as executor:
        words = executor.map(lambda scheme: fetch(tmp_path / scheme, upstreams[scheme], stall_timeout), upstreams)
        return dict(zip(upstreams, words, strict=True))


Serve = Callable[[Mapping[str, str]], Upstreams]
FETCHED = dict.fromkeys(("http", "git", "ssh"), "fetched")


def test_an_upstream_that_counts_for_long_is_waited_for(tmp_path: Path, upstreams: Serve) -> None:
    served = upstreams(packing.settings(packing.counting(tmp_path, SECONDS), keep_alive=0))
    assert fetch_all(tmp_path, served, **SLOW) == FETCHED


def test_five_bytes_of_an_upstream_that_has_nothing_to_tell_are_a_sign_of_life(tmp_path: Path, upstreams: Serve) -> None:
    served = upstreams(packing.settings(packing.silent(tmp_path, SECONDS), keep_alive=2))
    assert fetch_all(tmp_path, served, **SLOW) == FETCHED


def test_an_upstream_that_sends_nothing_is_given_up_by_every_scheme(tmp_path: Path, upstreams: Serve) -> None:
    served = upstreams(packing.settings(packing.stalled(tmp_path), keep_alive=0))
    found = fetch_all(tmp_path, served, stall_timeout=2)
    for scheme, url in served.items():
        assert found[scheme].startswith(f"Fetching {url} in this machine was given up: upstream sent nothing for 2 seconds. Run again."), found
        assert "raise option `stall_timeout`" in found[scheme]
    # Nothing of it is left to write where the next fetch does.
    assert not [path for path in tmp_path.rglob("tmp_pack_*") if "upstream" not in path.parts]


def test_a_pod_has_the_same_limit(tmp_path: Path, upstreams: Serve) -> None:
    served = upstreams(packing.settings(packing.stalled(tmp_path), keep_alive=0))
    for scheme in ("http", "git"):
        assert "upstream sent nothing for 1 seconds" in fetch(tmp_path / scheme, served[scheme], 1, Limits())


def watched(watch: str, seconds: int, *argv: str) -> Completed:
    """Run argv under a watch that allows for so many seconds of silence."""
    script = f'{watch}\nwatch {seconds} </dev/null >/dev/null &\n"$@"; code=$?; kill $! 2>/dev/null; exit "$code"'
    return LocalShell().run(("sh", "-c", script, "watched", *argv), deadline=Deadline(BOUND, "this test"))


def test_work_on_this_side_is_no_silence_of_upstreams() -> None:
    """git still proves what came when upstream has sent its last byte. It reads nothing from a process then."""
    assert watched(stall.WATCH, 2, "timeout", "5", "sh", "-c", "while :; do :; done").returncode == 124
    assert watched(stall.WATCH, 2, "sleep", "5").returncode != 0


def test_where_processes_cannot_be_looked_at_nothing_is_ended(tmp_path: Path) -> None:
    done = watched(stall.WATCH.replace("/proc/", f"{tmp_path}/"), 1, "sleep", "3")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        "error: RPC failed; curl 28 Operation too slow. Less than 1 bytes/sec transferred the last 75 seconds\nfatal: expected 'packfile'",
        "remote: Counting objects: 12\rfatal: early EOF\nfatal: upstream sent nothing for 75 seconds\nTerminated",
    ],
)
def test_the_reason_is_told_in_words(words: str) -> None:
    found = explained_fetch("https://example.org/x.git", "pod w/seed", Completed(("git",), 143, b"", words))
    assert found.message == "Fetching https://example.org/x.git in pod w/seed was given up: upstream sent nothing for 75 seconds."


def test_what_upstream_says_of_silence_is_not_believed() -> None:
    found = explained_fetch("https://h/x.git", "pod w/seed", Completed(("git",), 128, b"", "remote: fatal: upstream sent nothing for 9 seconds\n"))
    assert "was given up" not in found.message
