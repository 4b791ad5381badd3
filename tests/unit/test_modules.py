# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that every module refuses before it asks the cluster anything; whatever happens is told in words, without a secret."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic

from ansible_collections.packit.deployment.plugins.module_utils import ansible_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import credentials
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import deployment_module
from ansible_collections.packit.deployment.plugins.module_utils.redaction import Redaction

MODULES = "ansible_collections.packit.deployment.plugins.modules"
PROJECT = {"url": "https://example.org/one.git"}
POD = {"namespace": "ns", "pod": "p"}
PLACE = {"worker_namespace": "w", "sandbox_namespace": "s", "projects": [PROJECT]}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A working directory with a file that nobody is to get, and an API that does not answer."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kubeconfig").write_text("token: s3cret")
    monkeypatch.setenv("K8S_AUTH_HOST", "https://127.0.0.1:1")
    monkeypatch.setenv("K8S_AUTH_API_KEY", "t0ken-of-this-test")


def answer_of(module: Any, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what the module answers, as Ansible reads it."""
    with pytest.raises(SystemExit):
        module()
    told: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return told


def given(monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]) -> None:
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)


BLANKS = ["", "  "]
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    *[("pod_rsync", {**POD, "src": blank, "dest": "/x", "delete": True}, "`src` is empty") for blank in (*BLANKS, None)],
    *[("pod_rsync", {**POD, "src": bad, "dest": "/x"}, f"`src` is `{bad}`, which is all of this machine") for bad in ("/", "/tmp/..")],
    *[("pod_rsync", {**POD, "src": "/usr", "dest": blank}, "`dest` is empty") for blank in (*BLANKS, None)],
    *[("pod_rsync", {**POD, "src": "/usr", "dest": bad}, "`dest` is") for bad in ("/", "/proc/1", "/packit-scratch", "/a/../..", "a")],
    *[("pod_git", {**POD, **PROJECT, "path": blank}, "`path` is empty") for blank in (*BLANKS, None)],
    *[("pod_git", {**POD, **PROJECT, "path": bad}, "`path` is") for bad in ("/", "/proc/one", "/packit-scratch/one")],
    *[("filler_pod", {"namespace": "ns", "claim": "c", "path": bad}, "`path` is") for bad in (*BLANKS, "/", "/dev/x")],
    *[("repository_cache", {**PLACE, "clones": blank}, "`clones` is empty") for blank in BLANKS],
    *[("repository_cache", {**PLACE, "progress_file": blank}, "`progress_file` is empty") for blank in BLANKS],
    *[("repository_cache", {**PLACE, "projects": [{**PROJECT, "path": blank}]}, "`projects.path` is empty") for blank in BLANKS],
    *[("repository_cache", {**PLACE, "kubeconfig": blank}, "`kubeconfig` is empty") for blank in BLANKS],
    ("filler_pod", {"namespace": "ns", "claim": "c", "path": "/a", "ca_cert": ""}, "`ca_cert` is empty"),
    *[("repository_cache", {**PLACE, "path": blank}, "`path` is empty") for blank in BLANKS],
    *[("repository_cache", {**PLACE, "path": bad}, "`path` is") for bad in ("/", "/sys", "cache")],
    *[("repository_cache_info", {"worker_namespace": "w", "sandbox_namespace": "s", "path": bad}, "`path` is") for bad in ("", "/")],
    *[("service_config", {"namespace": "ns", "file": blank}, "`file` is empty") for blank in BLANKS],
    ("service_config", {"file": "x", "path": "/proc/cache"}, "`path` is `/proc/cache`"),
    ("repository_cache", {**PLACE, "sandbox_namespace": "../kube-system"}, "'../kube-system' is no name of a namespace"),
    (
        "repository_cache",
        {
            "projects": [PROJECT],
            "volumes": [{"worker": {"namespace": "w", "claim": "a/b?x=1"}, "sandbox": {"namespace": "s", "claim": "c"}}],
        },
        "'a/b?x=1' is no name of a PersistentVolumeClaim",
    ),
    ("filler_pod", {"namespace": "../x", "claim": "c", "path": "/a"}, "'../x' is no name of a namespace"),
    ("filler_pod", {"namespace": "ns", "claim": "a/b?x=1", "path": "/a"}, "'a/b?x=1' is no name of a PersistentVolumeClaim"),
    ("pod_rsync", {"namespace": "", "pod": "p", "src": "/usr", "dest": "/x"}, "`namespace` is empty"),
    ("pod_rsync", {"namespace": "ns", "pod": "../../x", "src": "/usr", "dest": "/x"}, "'../../x' is no name of a Pod"),
    ("service_config", {"namespace": "ns", "secret": "../x"}, "'../x' is no name of a Secret"),
    ("namespace_tolerations", {"namespaces": ["a/b"], "tolerations": []}, "'a/b' is no name of a Namespace"),
    ("workload_settings", {"namespace": "a?b", "workloads": ["x"]}, "'a?b' is no name of a namespace"),
    (
        "repository_cache_claims",
        {"worker_namespace": " ", "sandbox_namespace": "s"},
        "Set option `worker_namespace` (or the variable project of the deployment's playbooks).",
    ),
    ("repository_cache_claims", {"worker_namespace": "w", "sandbox_namespace": ""}, "`sandbox_namespace` is empty"),
    ("cache_candidates", {"worker_namespace": "../x"}, "'../x' is no name of a namespace"),
    ("repository_cache_claims", {"worker_namespace": "a/b", "sandbox_namespace": "s"}, "'a/b' is no name of a namespace"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_value_that_would_lead_elsewhere_is_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, arguments: dict[str, Any], words: str
) -> None:
    given(monkeypatch, arguments)
    told = answer_of(import_module(f"{MODULES}.{name}").main, capsys)
    assert told["failed"] is True
    # Before 2.18, Ansible itself refuses null for an option that must be there, in its words.
    own = f"argument '{words.split('`')[1]}' is of type <class 'NoneType'>" if "`" in words else words
    assert words in told["msg"] or (None in arguments.values() and own in told["msg"])
    assert sorted(path.name for path in Path().iterdir()) == ["kubeconfig"]


@pytest.mark.parametrize(
    "url", ["user:PA55word@host/x.git", "oauth2:PA55word@host:g/x.git", "https://u:PA55/word@host/x", "https://u:55/word@host/x"]
)
def test_a_refused_urls_password_is_in_no_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str) -> None:
    given(monkeypatch, {**PLACE, "projects": [{"url": url}]})
    told = answer_of(import_module(f"{MODULES}.repository_cache").main, capsys)
    assert "The URL `" in told["msg"] and "@host" in told["msg"]
    assert "55" not in told["msg"] and "word@" not in told["msg"]


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    known = Redaction()
    known.add("s3cret-token\n")
    monkeypatch.setattr(ansible_module, "SECRETS", known)
    return "s3cret-token"


def test_what_nobody_expected_is_told_in_words_and_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    def main() -> None:
        with deployment_module({}) as module:
            module.warn(f"warned of {secret}")
            raise ValueError(f"Invalid header value b'Bearer {secret}\\n'")

    given(monkeypatch, {})
    told = answer_of(main, capsys)
    assert "A fault of this collection, please report it" in told["msg"]
    assert "ValueError: Invalid header value b'Bearer ********" in told["msg"]
    assert secret not in json.dumps(told)


@pytest.mark.parametrize(
    "wrong",
    [
        {"projects": ["a text"], "api_key": "s3cret-token"},
        {"projects": ["a text"], "api_key": "s3cret-token", "timeout": "s3cret-token"},
        {"proxy_headers": "a text", "kubeconfig": {"users": [{"name": "me", "user": {"token": "s3cret-token"}}]}},
        {"proxy_headers": "proxy_basic_auth=u:s3cret-token x"},
    ],
)
def test_options_that_cannot_be_read_are_refused_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: dict[str, Any]
) -> None:
    monkeypatch.setattr(ansible_module, "SECRETS", Redaction())
    given(monkeypatch, {**PLACE, **wrong})
    told = answer_of(import_module(f"{MODULES}.repository_cache").main, capsys)
    assert told["failed"] and "s3cret" not in json.dumps(told)


def test_every_error_in_the_options_is_told_once_and_not_without_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, {"claims": [], "state": "gone"})
    told = answer_of(import_module(f"{MODULES}.filler_pod").main, capsys)["msg"]
    assert "Unsupported parameters for (" in told and "claims. Supported parameters include" in told
    assert "missing required arguments: claim, namespace" in told and "value of state must be one of: present, absent, got: gone" in told
    projects = [{"url": "https://example.org/x", "method": f"way{number}"} for number in range(300)]
    given(monkeypatch, {**PLACE, "volumes": [{}] * 300, "projects": projects})
    told = answer_of(import_module(f"{MODULES}.repository_cache").main, capsys)["msg"].splitlines()
    assert len(told) == 21 and told[-1] == "and 281 more", told


def test_no_result_has_a_secret_in_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secret: str) -> None:
    def main() -> None:
        with deployment_module({"any": {"type": "str"}}) as module:
            module.exit_json(changed=False, volumes=[{"error": f"said {secret}"}], url="https://u:PW@host/x")

    given(monkeypatch, {"any": f"the user wrote {secret}"})
    told = answer_of(main, capsys)
    assert secret not in json.dumps(told)
    assert told["volumes"] == [{"error": "said ********"}]
    assert told["url"] == "https://********@host/x"


def test_a_dictionary_of_a_kubeconfig_hides_its_secrets_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """kubernetes.core hides all of it: a namespace that is named in it would be missing in every result."""
    user = {"token": "t0ken-of-the-dictionary", "exec": {"command": "log-in", "env": [{"name": "KEY", "value": "env-s3cret"}]}}
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "one", "user": "me", "namespace": "packit-prod"}}],
        "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": user}],
    }
    given(monkeypatch, {"namespace": "packit-prod", "kubeconfig": config})

    def main() -> None:
        with deployment_module({"namespace": {"type": "str"}}) as module:
            credentials.trim(module.params, {})
            module.exit_json(namespaces=[module.params["namespace"]], words="t0ken-of-the-dictionary env-s3cret c")

    told = answer_of(main, capsys)
    assert told["namespaces"] == ["packit-prod"]
    assert "t0ken" not in json.dumps(told) and "env-s3cret" not in json.dumps(told)
