# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded cluster: a process of its own, ready in about a second."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.bounds import BOUND
from tests.waiting import until

from .base import BLOCKS, LOCAL, TestCluster

ROOT = Path(__file__).parents[2]


class EmbeddedTestCluster(TestCluster):
    """See ``tests/embedded_cluster``."""

    upstream_host = "127.0.0.1"

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="embedded-cluster-"))
        # It ends with this process, however that ends. What it says goes to a file: nobody would empty a pipe.
        argv = ["setpriv", "--pdeathsig=TERM", sys.executable, "-m", "tests.embedded_cluster", "--dir", str(self.directory)]
        with tempfile.TemporaryFile("w+") as errors:
            self._process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
            assert self._process.stdout is not None
            line = self._process.stdout.readline().strip()
            if not line:
                errors.seek(0)
                raise RuntimeError(f"The embedded cluster did not start: {errors.read()}")
        self.kubeconfig = Path(line)
        self._config = yaml.safe_load(self.kubeconfig.read_text())
        self.connect()

    @property
    def orders(self) -> Path:
        return self.directory / "orders"

    def volume(
        self,
        namespace: str,
        claim: str,
        *,
        size: str,
        node: str,
        access_mode: str,
        make_claim: bool = True,
        storage_class: str = LOCAL,
    ) -> None:
        limited = size.endswith("M") and int(size[:-1]) <= 128
        pinned = {} if storage_class in BLOCKS else {"embedded.test/node": node}
        annotations = {**pinned, **({"embedded.test/limited": "true"} if limited else {})}
        self.make_claim(namespace, claim, size=size, access_mode=access_mode, storage_class=storage_class, annotations=annotations)

    def room(self, namespace: str, claim: str) -> None:
        """Every claim finds its volume here."""

    def volume_path(self, namespace: str, claim: str) -> Path:
        path = self.directory / "volumes" / f"{namespace}-{claim}"
        meta = self.core.read_namespaced_persistent_volume_claim(claim, namespace).metadata
        if "embedded.test/limited" in (meta.annotations or {}):
            # It is mounted in the server's own namespace, where git of this machine cannot work: a copy, as it is now.
            if not path.exists():
                return path
            copy = Path(tempfile.mkdtemp(prefix="seen-", dir=self.directory)) / claim
            subprocess.run(["cp", "-a", f"/proc/{self._inner()}/root{path}", str(copy)], check=True, timeout=BOUND)
            return copy
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(0o2777)
            (path / "lost+found").mkdir(mode=0o700)
        return path

    def _inner(self) -> int:
        """The server's process id: a child of the child of what we started."""
        number = self._process.pid
        for _generation in range(2):
            number = int(Path(f"/proc/{number}/task/{number}/children").read_text().split()[0])
        return number

    def remove_volumes(self, namespace: str) -> None:
        for path in (self.directory / "volumes").glob(f"{namespace}-*"):
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def without_api(self) -> Iterator[None]:
        os.kill(self._inner(), signal.SIGUSR1)
        until(lambda: not self.answers(), "the end of the API server")
        try:
            yield
        finally:
            os.kill(self._inner(), signal.SIGUSR2)
            until(self.answers, "an API that answers")

    def fault(self, kind: str, **where: Any) -> None:
        """Switch a fault on."""
        self._control("POST", "faults", {"kind": kind, **where})

    def faults_left(self) -> int:
        """Return how many faults have not happened as often as they were asked for."""
        left: int = self._control("GET", "faults")
        return left

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._control("DELETE", "faults")

    def requests(self, clear: bool = False) -> dict[str, int]:
        """Return how often each user asked what."""
        counted: dict[str, int] = self._control("DELETE" if clear else "GET", "requests")
        return counted

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        server, token = self._config["clusters"][0]["cluster"]["server"], self._config["users"][0]["user"]["token"]
        request = urllib.request.Request(f"{server}/_embedded/{path}", method=method, headers={"Authorization": f"Bearer {token}"})
        context = ssl.create_default_context(cafile=self._config["clusters"][0]["cluster"]["certificate-authority"])
        data = json.dumps(body).encode() if body is not None else None
        with urllib.request.urlopen(request, data=data, timeout=BOUND, context=context) as answer:
            return json.load(answer)

    def reset(self) -> None:
        self.clear_faults()
        super().reset()

    def close(self) -> None:
        self._process.terminate()
        until(lambda: self._process.poll() is not None, "the end of the embedded cluster")
        shutil.rmtree(self.directory, ignore_errors=True)
