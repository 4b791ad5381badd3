# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""300 inputs that nobody would send in good faith, made from a seed: each is used or refused in words, and nothing of it leaves raw.

The number in a test's name is its seed: `pytest tests/unit/test_fuzz.py -k "options and 17"` has that one again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.ansible_module import shown
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.packs import parse_checks, parse_checksums, parse_contents
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import parse as parse_record
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.entry import Entry, parse_entry
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetch_errors import explained_fetch
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.publication import check_usable
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import parse_ls_remote
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.channels import NotStarted, exit_code
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_event, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.refusals import answer_body, refused
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.agent import Answers
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.frames import BadFrame, Decoder
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.diagnosis import Observed, judge
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.populate.options import ARGUMENT_SPEC, parse_options
from ansible_collections.packit.deployment.plugins.module_utils.populate.progress_lines import Lines
from ansible_collections.packit.deployment.plugins.module_utils.printable import in_one_line
from ansible_collections.packit.deployment.plugins.module_utils.progress import Progress
from ansible_collections.packit.deployment.plugins.module_utils.shell import CommandFailed, Completed
from ansible_collections.packit.deployment.tests.repositories import make

NASTY = (
    "\x1b[31m", "\x1b]0;title\a", "\n", "\r\n", "\r", "\t", "\0", "\x7f", "\x85", "\x9b2J", "\u2028", "\u2029", "\u202e", "\u2066", "\u200b",
    "\ufeff", "\ud800", "\udce9", "\U000e0041", "é", "日本", "a", "main", " ", "/", "..", "-", "--upload-pack=x", "@{1}", ".lock", "*", "%s",
    "{0}", "$(id)", "`id`", "'", '"', "\\", ":", "@", "#", "?", "http://", "https://", "ssh://", "file://", "0", "-1", "9" * 30, "x" * 5000,
    "refs/heads/", "refs/tags/v1", "^{}", "ok: [localhost]", "kind repository\n", "ref: ", "=", "[", "]", ".", "true",
)  # fmt: skip
ID = "1" * 40


class Chance:
    """Chance values that a seed makes."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def text(self, most: int = 8) -> str:
        return "".join(self._random.choice(NASTY) for _part in range(self._random.randint(0, most)))

    def data(self, most: int = 8) -> bytes:
        text = self.text(most).encode("utf-8", "surrogatepass")
        return self._random.randbytes(self._random.randint(0, 40)) if self.one_in(4) else text

    def one_in(self, number: int) -> bool:
        return self._random.randrange(number) == 0

    def among(self, *values: Any) -> Any:
        return self._random.choice(values)

    def value(self, depth: int = 2) -> Any:
        """Any JSON value."""
        kind = self._random.randrange(8 if depth else 5)
        if kind < 5:
            return (self.text(), self._random.randint(-(2**70), 2**70), None, self.one_in(2), 1.5)[kind]
        if kind == 5:
            return [self.value(depth - 1) for _item in range(self._random.randint(0, 3))]
        return {self.text(3): self.value(depth - 1) for _item in range(self._random.randint(0, 3))}

    def mutated(self, good: bytes) -> bytes:
        """Good data with a part replaced, cut out, or doubled."""
        start = self._random.randint(0, len(good))
        end = self._random.randint(start, min(len(good), start + 30))
        part: bytes = self.among(b"", self.data(), good[start:end] * 2)
        return good[:start] + part + good[end:]


def seeds(number: int) -> Callable[[Any], Any]:
    return pytest.mark.parametrize("chance", [pytest.param(Chance(seed), id=str(seed)) for seed in range(number)])


def leaves(texts: Iterable[str]) -> None:
    """Each is one line, and printable."""
    for text in texts:
        assert text.isprintable(), ascii(text)
        text.encode("utf-8")


def in_words(error: DeploymentError) -> None:
    leaves([error.message, *error.remedy.replace("\t", " ").split("\n")])


def used_or_refused(use: Callable[[], Any]) -> Any:
    """Return what a use returns, or None where it is refused in words."""
    try:
        return use()
    except DeploymentError as error:
        in_words(error)
        return None


@seeds(60)
def test_options(chance: Chance) -> None:
    params = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    project = {"url": chance.among("https://example.org/one.git", chance.text(), "https://" + chance.text())}
    project |= {key: chance.among(None, chance.text()) for key in ("name", "method", "path")}
    project["refs"] = chance.among(None, [chance.text()], ["refs/heads/" + chance.text()])
    params |= {"projects": [project], "worker_namespace": chance.among("work", chance.text()), "sandbox_namespace": "sand"}
    for name in chance.among(("path",), ("select", "method"), ("seed", "filler"), ("volumes", "clones"), ("image",)):
        params[name] = {
            "seed": {chance.among("size", "image", chance.text()): chance.value()},
            "filler": {chance.among("resources", "node_selector", "tolerations", chance.text()): chance.value()},
            "volumes": [{side: {key: chance.text() for key in ("namespace", "claim")} for side in ("worker", "sandbox")}],
        }.get(name, chance.text())
    used_or_refused(lambda: parse_options(params))


@seeds(40)
def test_an_upstreams_advertisement(chance: Chance) -> None:
    lines = [
        f"ref: refs/heads/{chance.text(2)}\tHEAD",
        *(f"{chance.among(ID, chance.text(2))}\trefs/heads/{chance.text(4)}" for _n in range(20)),
    ]
    output = chance.among("\n", "").join([*lines, chance.text(20)]).encode("utf-8", "surrogatepass")
    snapshot = used_or_refused(lambda: parse_ls_remote(output, ("refs/heads/*",)))
    for ref in snapshot.refs:
        assert "\n" not in ref.name and "\0" not in ref.name and ref.name.startswith("refs/heads/")
    said = Completed(("git", "ls-remote"), chance.among(1, 128, 137), b"", chance.text(30))
    in_words(CommandFailed(chance.text(), said, chance.text()))
    in_words(explained_fetch("https://example.org/one.git", "pod a/b", said))


def words_of(entry: Entry, root: str) -> None:
    leaves([entry.reason, *map(in_one_line, entry.warnings)])
    assert entry.remedy == "" or entry.remedy.isprintable()
    repository = Repository(LocalShell(), root, "one", "/nowhere", Limits())
    used_or_refused(lambda: check_usable(repository, entry, shared=True))


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return what a look at a good entry prints."""
    directory = tmp_path_factory.mktemp("inspected")
    make.make(directory / "root/one", commits=3)
    looked = Repository(LocalShell(), str(directory / "root"), "one", str(directory / "scratch"), Limits())
    output: list[bytes] = []
    script = looked.script

    def kept(*words: Any, **more: Any) -> Completed:
        done = script(*words, **more)
        output.append(done.stdout)
        return done

    looked.script = kept  # type: ignore[method-assign]
    looked.glance(Deadline(60, "this test"))
    return output[0]


@seeds(25)
def test_what_a_look_at_an_entry_prints(chance: Chance, inspected: bytes) -> None:
    head, middle, _settings = inspected.partition(b"\nkind repository\n")
    settings = b"".join(
        chance.among(b"extensions.", b"url.", b"core.", b"") + chance.data(6) + b"\n" + chance.data() + b"\0" for _n in range(5)
    )
    for output in (head + middle + settings, chance.mutated(head + middle), chance.mutated(chance.mutated(head) + middle)):
        found = used_or_refused(lambda output=output: parse_entry(output, "/repository-cache", "one"))  # type: ignore[misc]
        if found is not None:
            words_of(found, "/repository-cache")


@seeds(25)
def test_an_entrys_configuration_and_refs_by_git_itself(chance: Chance, tmp_path: Path) -> None:
    entry = make.make(tmp_path / "root/one", commits=2)
    name = chance.text(5).replace("\n", "").replace("\0", "").replace("\\", "").replace('"', "")
    value = chance.text(3).replace("\n", "").replace("\0", "").replace('"', "").replace("\\", "")
    section = chance.among(
        f'[extensions "{name}"]\n\tx = 1\n', f'[extensions]\n\tobjectformat = "{value}"\n', f'[url "{name}"]\n\tinsteadOf = "x"\n'
    )
    with (entry / "config").open("ab") as file:
        file.write(chance.among(section.encode("utf-8", "surrogatepass"), chance.data(20)))
    lines = b"".join(chance.among(ID.encode(), chance.data(2)) + b" refs/heads/" + chance.data(4) + b"\n" for _n in range(5))
    (entry / "packed-refs").write_bytes(chance.among(b"", lines, lines + chance.data()))
    before = {path: path.read_bytes() for path in entry.rglob("*") if path.is_file()}
    looked = Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits())
    found = used_or_refused(lambda: looked.inspect(Deadline(60, "this test")))
    if found is not None:
        words_of(found, str(tmp_path / "root"))
    assert before == {path: path.read_bytes() for path in entry.rglob("*") if path.is_file()}
    assert not (tmp_path / "root/x").exists()


@seeds(40)
def test_what_the_agent_and_the_scripts_answer(chance: Chance) -> None:
    good = b"ready\nunknown 1\ndone 2 0 5 0\nhello" + b"done 3 1 0 5\nerror"
    answers = Answers()

    def feed() -> None:
        for _piece in range(3):
            for answer in answers.feed(chance.mutated(good)):
                assert answer.completed is None or len(answer.completed.stdout) < 10_000

    used_or_refused(feed)
    checks = chance.mutated(f"pack-{ID} 500 {ID} {ID} {ID} {ID} {ID} {ID}\n".encode() * 2).decode("utf-8", "surrogateescape")
    used_or_refused(lambda: parse_checks(chance.among(chance.text(20), checks), chance.text()))
    parse_contents(chance.among(chance.text(20), checks))
    sums = chance.mutated(f"holds {ID} {ID}\nfalse {ID}\ndamaged {ID} pack-{ID}\nloose 0\n".encode()).decode("utf-8", "surrogateescape")
    used_or_refused(lambda: parse_checksums(chance.among(chance.text(20), sums)))
    text = Lines().show(Progress(chance.text(), chance.text(), chance.text(), chance.text()))
    leaves([text] if text is not None else [])


@seeds(40)
def test_what_an_execs_connection_brings(chance: Chance) -> None:
    status = json.dumps({"status": "Failure", "message": chance.text(), "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}})
    try:
        code = exit_code(chance.among(chance.data(), chance.mutated(status.encode()), json.dumps(chance.value(3)).encode()))
        assert code is None or isinstance(code, int)
    except NotStarted as error:
        in_words(ClusterError(f"It could not be started: {error}"))
    decoder = Decoder()
    try:
        for _piece in range(5):
            for _opcode, payload in decoder.feed(
                chance.among(chance.data(20), b"\x82\x05hello", b"\x82\x7f" + b"\xff" * 8, b"\x02\x7e\x00\x80")
            ):
                assert len(payload) <= 1_000_000
    except BadFrame as error:
        in_words(ClusterError(str(error)))


@seeds(70)
def test_what_the_api_answers(chance: Chance) -> None:
    body = chance.among(
        chance.data(20), json.dumps(chance.value(3)).encode(), json.dumps({"message": chance.text(20), "reason": chance.text()})
    )
    in_words(refused(chance.among(400, 401, 403, 404, 409, 410, 422, 500), answer_body(body), "get a pod", "https://api"))
    message = {"reason": chance.among("FailedMount", "FailedAttachVolume", chance.text()), "message": chance.text(20)}
    waiting = {"waiting": {"reason": chance.among("ImagePullBackOff", "CreateContainerError", chance.text()), "message": chance.text(20)}}
    ended = {"terminated": {"reason": chance.text(), "exitCode": 3}}
    status = {
        "phase": chance.among("Pending", "Failed", chance.text()),
        "reason": chance.among("Evicted", "", chance.text()),
        "message": chance.text(20),
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": chance.text(20)}],
        "containerStatuses": [{"name": "filler", "image": chance.text(), "state": chance.among(waiting, ended)}],
    }
    spec = {"containers": [{"name": "filler", "image": chance.text()}], "nodeName": chance.text()}
    pod = parse_pod({"metadata": {"name": "pod", "namespace": "ns", "uid": "u"}, "spec": spec, "status": status})
    found = judge(Observed(pod, [parse_event({"type": "Warning", **message})], chance.text(20), [chance.text()]))
    in_words(ClusterError(found.sentence, found.remedy))
    record = {"version": 2, "claim_uid": "u", "volume_name": "v", "projects": chance.value(3), "absent": chance.value()}
    parse_record(chance.among(chance.text(20), json.dumps(record), json.dumps(chance.value(3))), "u", "v")
    for text in texts_in(shown({"facts": chance.value(4)})):
        leaves(text.replace("\t", "").split("\n"))


def texts_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in texts_in(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    return [value] if isinstance(value, str) else []
