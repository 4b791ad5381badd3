# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real rsync whose remote shell is an exec, the exec a process of this machine."""

from __future__ import annotations

import os
import select
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.rsync import killed
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.channels import STDERR, STDOUT
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec import rsync_peer as module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.rsync_peer import serve_rsync
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.streams import Descriptor
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed, RsyncPeer
from ansible_collections.packit.deployment.tests.bounds import BOUND

Received = tuple[list[tuple[int, bytes]], set[int], set[int]]


class LocalExec:
    """As ExecStream, but the process is a child. ``cut_after`` bytes of its input the connection is lost."""

    def __init__(self, argv: Sequence[str], cut_after: float = float("inf"), silent: bool = False) -> None:
        self._silent = silent
        self.argv = tuple(argv)
        self.closed = self.broken = False
        self.exit_code: int | None = None
        self._left = cut_after
        self._out = bytearray()
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None and stdout is not None and stderr is not None
        for file in (stdin, stdout, stderr):
            os.set_blocking(file.fileno(), False)
        self._streams = {stdout: STDOUT, stderr: STDERR}

    @property
    def outgoing(self) -> int:
        return len(self._out)

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        self._out += data

    def close(self) -> None:
        self.closed = True
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._process.stderr):
            if file is not None:
                file.close()

    def exchange(
        self, seconds: float, others: Sequence[Descriptor] = (), writers: Sequence[Descriptor] = (), read: bool = True
    ) -> Received:
        if self._left < 0:
            self.closed = True
            return [], set(), set()
        stdin = self._process.stdin
        assert stdin is not None
        reading: list[IO[bytes] | Descriptor] = [*(self._streams if read and not self._silent else {}), *others]
        writing: list[IO[bytes] | Descriptor] = [*([stdin] if self._out else []), *writers]
        readable, writable, _failed = select.select(reading, writing, [], seconds)
        if stdin in writable:
            try:
                del self._out[: os.write(stdin.fileno(), self._out[:65536])]
            except BrokenPipeError:
                self._out.clear()  # a kubelet, too, drops what a process that has ended does not read
        received = []
        for file in [item for item in readable if item in self._streams]:
            data = file.read(65536)
            if data:
                received.append((self._streams[file], data))
            else:
                del self._streams[file]
        if not self._streams:
            self.exit_code, self.closed = self._process.wait(), True
        return received, {item.fileno() for item in others if item in readable}, {item.fileno() for item in writers if item in writable}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files that are larger together than all that may be on its way."""
    directory = tmp_path / "source"
    directory.mkdir()
    for number in range(3):
        (directory / f"file {number}").write_bytes(os.urandom(4_000_000))
    return directory


@contextmanager
def served(opened: Callable[[Sequence[str]], LocalExec]) -> Iterator[RsyncPeer]:
    with serve_rsync(opened, Deadline(BOUND, "this test")) as peer:  # type: ignore[arg-type]
        yield peer


def rsync(peer: RsyncPeer, *words: str) -> subprocess.CompletedProcess[str]:
    argv = ["rsync", "-s", "-r", *peer.options, *words]
    return subprocess.run(argv, env={**os.environ, **peer.env}, capture_output=True, text=True, timeout=BOUND, check=False)


@pytest.mark.parametrize("way", ["there", "back"])
def test_both_directions_carry_more_than_their_bound(tmp_path: Path, source: Path, way: str) -> None:
    to = tmp_path / "to"
    with served(LocalExec) as peer:
        ends = [f"{source}/", f"{peer.prefix}{to}"] if way == "there" else [f"{peer.prefix}{source}/", str(to)]
        done = rsync(peer, "--", *ends)
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in to.iterdir()} == {path.name: path.read_bytes() for path in source.iterdir()}


def test_the_argv_is_rsyncs_own_and_one_peer_serves_many(tmp_path: Path, source: Path) -> None:
    execs: list[LocalExec] = []

    def opened(argv: Sequence[str]) -> LocalExec:
        execs.append(LocalExec(argv))
        return execs[-1]

    with served(opened) as peer:
        for name in ("one", "two"):
            assert rsync(peer, "--", f"{source}/", f"{peer.prefix}{tmp_path}/{name}").returncode == 0
    assert [item.argv[:2] for item in execs] == [("rsync", "--server")] * 2


def test_the_other_sides_words_and_exit_code_are_rsyncs(tmp_path: Path, source: Path) -> None:
    def failing(_argv: Sequence[str]) -> LocalExec:
        return LocalExec(("sh", "-c", "echo 'sh: rsync: not found' >&2; exit 127"))

    with served(failing) as peer:
        done = rsync(peer, "--", f"{source}/", f"{peer.prefix}{tmp_path}/to")
    assert done.returncode == 127
    assert "sh: rsync: not found" in done.stderr


def test_a_remote_shell_that_takes_its_time_to_end_still_has_its_exit_code(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a busy machine, between the end of its files and its own."""
    last = f"os._exit(int(link.recv(16) or {module._LOST}))"
    assert last in module.PROGRAM
    slowly = "import time; code = int(link.recv(16)); link.close(); time.sleep(0.5); os._exit(code)"
    monkeypatch.setattr(module, "PROGRAM", module.PROGRAM.replace(last, slowly))
    with served(lambda _argv: LocalExec(("sh", "-c", "exit 127"))) as peer:
        done = rsync(peer, "--", f"{source}/", f"{peer.prefix}{tmp_path}/to")
    assert done.returncode == 127


def test_a_connection_that_is_lost_in_the_middle_can_be_gone_on_with(tmp_path: Path, source: Path) -> None:
    with served(lambda argv: LocalExec(argv, cut_after=6_000_000)) as peer:
        # Whichever it notices first, that it cannot write or that its remote shell has ended.
        cut = rsync(peer, "--append", "--", f"{source}/", f"{peer.prefix}{tmp_path}/to")
    assert cut.returncode in (10, 12)
    assert not killed(Completed((), cut.returncode, b"", cut.stderr))
    with served(LocalExec) as peer:
        assert rsync(peer, "--append", "--", f"{source}/", f"{peer.prefix}{tmp_path}/to").returncode == 0
    assert all((tmp_path / "to" / path.name).read_bytes() == path.read_bytes() for path in source.iterdir())


# $1 and so on: an rsync, whose receiver is killed as soon as there is one.
_KILLING = """
exec 3<&0
"$@" <&3 &
main=$!
until [ -n "$receiver" ] || ! kill -0 $main; do sleep 0.02; read -r receiver <"/proc/$main/task/$main/children"; done
kill -9 $receiver
wait $main
"""


def test_a_receiver_that_is_killed_is_told_from_a_lost_connection(tmp_path: Path, source: Path) -> None:
    with served(lambda argv: LocalExec(("sh", "-c", _KILLING, "killing", *argv))) as peer:
        done = rsync(peer, "--bwlimit=1", "--", f"{source}/", f"{peer.prefix}{tmp_path}/to")
    assert done.returncode in (10, 12)
    assert killed(Completed((), done.returncode, b"", done.stderr)), done.stderr


def test_an_rsync_that_gives_up_on_a_silent_cluster_is_not_waited_for(tmp_path: Path, source: Path) -> None:
    with served(lambda argv: LocalExec(argv, silent=True)) as peer:
        argv = ["rsync", "-s", "-r", "--timeout=1", *peer.options, "--", f"{source}/", f"{peer.prefix}{tmp_path}/to"]
        done = LocalShell().run(argv, deadline=Deadline(BOUND, "this test"), env=peer.env)
    assert done.returncode == 30  # and no DeadlineExceeded: nothing of ours holds rsync's streams any more
    assert "timeout" in done.stderr


def test_a_pod_that_is_gone_is_told_in_rsyncs_own_error(tmp_path: Path, source: Path) -> None:
    def gone(_argv: Sequence[str]) -> LocalExec:
        raise ClusterError("The pod is gone.", "Run again.")

    with served(gone) as peer:
        done = rsync(peer, "--", f"{source}/", f"{peer.prefix}{tmp_path}/to")
    assert done.returncode == 12
    assert "The pod is gone." in done.stderr


def test_nothing_is_left_open_with_or_without_an_rsync(tmp_path: Path, source: Path) -> None:
    def own() -> set[object]:
        found: set[object] = {*threading.enumerate()}
        for file in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # the list's own, and what others close meanwhile
                found.add((file.name, file.readlink()))
        return found

    before = own()
    with served(LocalExec):
        pass
    with served(LocalExec) as peer:
        rsync(peer, "--", f"{source}/", f"{peer.prefix}{tmp_path}/to")
    assert not own() - before  # what other tests have left may end meanwhile


def test_what_nobody_expected_is_told_in_rsyncs_own_error(tmp_path: Path, source: Path) -> None:
    def opened(_argv: Sequence[str]) -> LocalExec:
        raise MemoryError

    with served(opened) as peer:
        done = rsync(peer, f"{source}/", f"{peer.prefix}{tmp_path}/to")
    assert done.returncode
    assert "The way to the pod ended by an error that was not expected: MemoryError." in done.stderr


def test_a_server_that_has_ended_leaves_no_rsync_waiting_and_says_why(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_words: object) -> None:
        raise TypeError("not to be expected")

    monkeypatch.setattr(module, "_handed_over", broken)
    with pytest.raises(DeploymentError, match="rsync's way to the pod ended by an error that was not expected: TypeError: not to be"):
        with served(LocalExec) as peer:
            assert rsync(peer, f"{source}/", f"{peer.prefix}{tmp_path}/to").returncode
            assert rsync(peer, f"{source}/", f"{peer.prefix}{tmp_path}/to").returncode


@pytest.mark.parametrize("name", ["with a space", 'it\'s "quoted" $HOME', "a" * 200])
def test_the_place_for_temporary_files_may_have_any_name(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    place = tmp_path / name
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with served(LocalExec) as peer:
        program = Path(peer.rsh[-1])
        assert stat.S_IMODE(program.parent.stat().st_mode) == 0o700
        done = rsync(peer, "--", f"{source}/", f"{peer.prefix}{tmp_path}/to")
    assert done.returncode == 0, done.stderr
    assert not program.parent.exists()
    assert {path.name for path in (tmp_path / "to").iterdir()} == {path.name for path in source.iterdir()}


def test_a_place_where_nothing_can_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/self")
    with pytest.raises(DeploymentError, match=r"In /proc/self on this machine no directory can be made .* Set TMPDIR"):
        with served(LocalExec):
            raise AssertionError("never")
