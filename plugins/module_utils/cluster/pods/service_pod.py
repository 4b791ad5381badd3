# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod of ours without a cache volume that serves a whole run: made when it is first needed, made again when it is lost."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace

from ...deadline import Deadline
from ...errors import DeploymentError, PlaceLost
from ...progress import OnLine
from ..api.api_errors import ClusterError, NotFound, PodLost
from ..api.client import Client
from ..api.objects import Pod, parse_pod
from ..exec.pod_shell import PodShell
from .diagnosis import explain
from .filler import Filler
from .manifest import FillerSpec

_LIVES = 3
"""Pods that one run makes, one after the other."""


class ServicePod:
    """The pod and its shell. Safe for threads; close it at the end of the run. ``left``: why pods that it made are still there."""

    def __init__(self, client: Client, spec: FillerSpec, stop: threading.Event, tell: OnLine) -> None:
        self._client = client
        self._spec = spec
        self._stop = stop
        self._tell = tell
        self._stack = ExitStack()
        self._filler: Filler | None = None
        self._pod: Pod | None = None
        self._shell: PodShell | None = None
        self._suspect = False
        self._why = ""
        self.lives = 0
        self.left: list[str] = []

    @property
    def suspected(self) -> bool:
        """Return whether ``suspect`` was called since it was last looked at."""
        return self._suspect

    def suspect(self) -> None:
        """Something that it was asked for was not had: look at it before it is used again."""
        self._suspect = True

    def ready(self, deadline: Deadline) -> tuple[Pod, PodShell]:
        """The pod and its shell; another pod than before where that was lost. One thread at a time.

        Raises ClusterError where it cannot be made, or was lost too often; in words that say what became of it.
        """
        if self._pod is not None and self._shell is not None and not (self._suspect and self._is_lost(deadline)):
            self._suspect = False
            return self._pod, self._shell
        self.close()
        if self.lives >= _LIVES:
            raise DeploymentError(f"The {self._spec.purpose.value} pod was lost, or did not start, {self.lives} times. {self._why}", "Run again.")
        self._tell("starts")
        self.lives += 1
        spec = self._spec if self.lives == 1 else replace(self._spec, name=f"{self._spec.name}-{self.lives}"[:253])
        starting = deadline.within(spec.overrides.start_timeout, f"the start of pod {spec.namespace}/{spec.name}")
        filler = Filler(self._client, spec, starting, (), self._tell, self.left.append)
        try:
            self._stack.enter_context(filler)
        except DeploymentError as error:
            self._why = error.message
            raise
        self._filler = filler
        self._shell = self.shell(filler.pod.uid)
        self._pod, self._suspect = filler.pod, False
        return self._pod, self._shell

    def shell(self, uid: str) -> PodShell:
        """One more shell in the pod of that uid, for work that others must not wait for; it ends with the pod. Raises PodLost."""
        filler = self._filler
        if filler is None or filler.pod.uid != uid:
            raise PodLost(f"The {self._spec.purpose.value} pod is gone.", "Run again.")
        return self._stack.enter_context(filler.shell())

    def close(self) -> None:
        """Remove the pod."""
        self._stack.close()
        self._pod = self._shell = self._filler = None

    def _is_lost(self, deadline: Deadline) -> bool:
        if self._pod is None or self._shell is None:
            return True
        try:
            pod = parse_pod(self._client.get("Pod", self._pod.namespace, self._pod.name, deadline))
            if pod.uid == self._pod.uid and pod.phase == "Running" and not pod.deleting:
                self._shell.run(("true",), deadline=deadline)
                return False
            found = explain(self._client, pod, deadline)
        except NotFound:
            words = f"Pod {self._pod.namespace}/{self._pod.name} is gone: somebody or something deleted it."
            return self._again(words, "Run again.")
        except PlaceLost as error:
            return self._again(error.message, error.remedy)
        if found.outgrown:
            raise ClusterError(found.sentence, found.remedy)
        return self._again(found.sentence, found.remedy)

    def _again(self, words: str, remedy: str) -> bool:
        self._tell(words)
        self._why = words
        if self.lives >= _LIVES:
            raise DeploymentError(f"The {self._spec.purpose.value} pod was lost {self.lives} times. {words}", remedy)
        return True
