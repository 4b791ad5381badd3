# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that the user named is the one that is asked, with the token that they named, and no token is ever told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import credentials
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.access import user
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.connect import connect
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.kubeconfig import read_login
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.websocket_options import headers
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError, InvalidOption

TOKEN = "sha256~kubeconfigs-token"
OTHER_TOKEN = "sha256~the-users-own-token"
WARNED: list[str] = []


class Api:
    """Answers everything, and remembers who asked for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                return

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.path.partition("?")[0], self.headers.get("Authorization", "")))
                data = json.dumps({"items": [], "groups": [], "versions": ["v1"], "resources": []}).encode()
                if self.path.endswith("/selfsubjectreviews"):
                    data = json.dumps({"status": {"userInfo": {"username": "system:serviceaccount:ns:filler"}}}).encode()
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def pods_asked_by(self) -> list[str]:
        """The Authorization of each request for pods."""
        return [authorization for path, authorization in self.asked if path.endswith("/pods")]


@pytest.fixture
def apis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Api, Api]]:
    """The kubeconfig's API, and another one; nothing is named yet but the kubeconfig."""
    made = (Api(), Api())
    WARNED.clear()
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name in ("HOST", "API_KEY", "KUBECONFIG", "CONTEXT", "VERIFY_SSL", "VALIDATE_CERTS"):
        monkeypatch.delenv(f"K8S_AUTH_{name}", raising=False)
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", kubeconfig(tmp_path, made[0].url, {"token": TOKEN}))
    yield made
    for api in made:
        api.server.shutdown()
        api.server.server_close()


def kubeconfig(directory: Path, server: str, login: dict[str, Any]) -> str:
    file = directory / "kubeconfig"
    content = {
        "current-context": "c",
        "clusters": [{"name": "one", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": login}],
        "contexts": [{"name": "c", "context": {"cluster": "one", "user": "me"}}],
    }
    file.write_text(yaml.safe_dump(content))
    return str(file)


def connected(**params: Any) -> Client:
    return connect(SimpleNamespace(params=params, requires=lambda *_words, **_more: None, server_side_dry_run=False, warn=WARNED.append))


def ask(client: Client) -> None:
    for _time in range(2):  # the library's hook works at each use
        client.list("Pod", "ns", Deadline(10, "this test"))


def test_a_kubeconfig_alone_is_used_as_it_is(apis: tuple[Api, Api]) -> None:
    client = connected(host="", api_key=" ")
    ask(client)
    assert (client.host, apis[0].pods_asked_by) == (apis[0].url, [f"Bearer {TOKEN}"] * 2)


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_host_with_the_token_of_another_cluster_is_refused_and_both_are_named(
    apis: tuple[Api, Api], monkeypatch: pytest.MonkeyPatch, by_variable: bool
) -> None:
    if by_variable:
        monkeypatch.setenv("K8S_AUTH_HOST", apis[1].url)
    with pytest.raises(InvalidOption) as caught:
        connected(api_key="", **({} if by_variable else {"host": apis[1].url}))
    assert f"`host` is {apis[1].url}, and the token that would be used is one for {apis[0].url}" in caught.value.message
    assert "Give the api_key" in caught.value.remedy
    assert TOKEN not in str(caught.value)
    assert not [who for _path, who in apis[1].asked if TOKEN in who]


def test_a_host_that_is_the_kubeconfigs_own_is_used_however_it_is_written(apis: tuple[Api, Api]) -> None:
    client = connected(host=apis[0].url.replace("http", "HTTP", 1) + "/ ", api_key="")
    ask(client)
    assert apis[0].pods_asked_by == [f"Bearer {TOKEN}"] * 2


def test_a_host_is_used_where_the_kubeconfig_has_no_token_for_another(apis: tuple[Api, Api], tmp_path: Path) -> None:
    kubeconfig(tmp_path, apis[0].url, {})
    ask(connected(host=apis[1].url))
    assert (apis[0].asked, apis[1].pods_asked_by) == ([], ["", ""])


def test_what_is_named_is_in_use_at_every_moment_as_other_threads_look(apis: tuple[Api, Api]) -> None:
    client = connected(validate_certs=False)
    seen = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(client._configuration.verify_ssl)

    looking = threading.Thread(target=look)
    looking.start()
    for _time in range(2000):
        client._configuration.get_api_key_with_prefix("BearerToken")
    done.set()
    looking.join()
    assert seen == {False}


def test_a_token_that_is_named_is_used_with_the_kubeconfigs_host_and_with_a_host_that_is_named(apis: tuple[Api, Api]) -> None:
    client = connected(api_key=OTHER_TOKEN)
    ask(client)
    assert apis[0].pods_asked_by == [f"Bearer {OTHER_TOKEN}"] * 2
    ask(connected(api_key=OTHER_TOKEN, host=apis[1].url))
    assert apis[1].pods_asked_by == [f"Bearer {OTHER_TOKEN}"] * 2
    assert headers(client._configuration, {}) == [f"Authorization: Bearer {OTHER_TOKEN}"]


def test_other_options_that_are_named_stay_after_the_tokens_use(apis: tuple[Api, Api], tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_text("")
    client = connected(validate_certs=False, ca_cert=str(authority), proxy=None)
    ask(client)
    assert (client._configuration.verify_ssl, client._configuration.ssl_ca_cert) == (False, str(authority))


@pytest.mark.parametrize("key", [f"{OTHER_TOKEN}\n", f" {OTHER_TOKEN}\r\n", f"\t{OTHER_TOKEN} "])
@pytest.mark.parametrize("by_variable", [False, True])
def test_white_space_around_a_token_is_no_part_of_it(
    apis: tuple[Api, Api], monkeypatch: pytest.MonkeyPatch, key: str, by_variable: bool
) -> None:
    if by_variable:
        monkeypatch.setenv("K8S_AUTH_API_KEY", key)
    client = connected(host=f"{apis[1].url}\n", **({} if by_variable else {"api_key": key}))
    ask(client)
    assert apis[1].pods_asked_by == [f"Bearer {OTHER_TOKEN}"] * 2
    assert headers(client._configuration, {}) == [f"Authorization: Bearer {OTHER_TOKEN}"]


@pytest.mark.parametrize("key", ["sha256~in\nthe-middle", "sha256~in\x7fthe-middle", "sha256~\N{SNOWMAN}the-middle"])
@pytest.mark.parametrize("of", ["option", "kubeconfig"])
def test_a_token_that_is_none_is_refused_without_being_told(
    apis: tuple[Api, Api], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, of: str
) -> None:
    if of == "kubeconfig":
        kubeconfig(tmp_path, apis[0].url, {"token": key})
    with pytest.raises(DeploymentError) as caught:
        ask(connected(**({"host": apis[1].url, "api_key": key} if of == "option" else {})))
    assert "the-middle" not in str(caught.value)
    assert "characters" in str(caught.value)


@pytest.mark.parametrize(
    "host", ["api.example.org:6443", "https://u:PA55word@api.example.org", "https://", "https://a b", "https://h:port"]
)
def test_a_host_that_is_none_is_refused_without_its_password(apis: tuple[Api, Api], host: str) -> None:
    with pytest.raises(InvalidOption, match="`host` is no URL of an API") as caught:
        connected(host=host, api_key=OTHER_TOKEN)
    assert "PA55word" not in str(caught.value)


def test_who_we_are_is_what_the_server_says(apis: tuple[Api, Api]) -> None:
    assert user(connected(), Deadline(10, "this test")) == "system:serviceaccount:ns:filler"


def test_a_token_beside_a_kubeconfigs_own_credentials_is_said_and_alone_is_sent(apis: tuple[Api, Api], tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, apis[0].url, {"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"})
    client = connected(api_key=OTHER_TOKEN)
    place = f"`api_key` at the host of the kubeconfig ({file}, context c)"
    assert [f"Used is {place}, and not the kubeconfig's own credentials. To use those, leave `api_key` out."] == WARNED
    assert (client._configuration.cert_file, client._configuration.key_file) == (None, None)
    ask(client)
    assert apis[0].pods_asked_by == [f"Bearer {OTHER_TOKEN}"] * 2


def test_a_kubeconfig_that_is_not_read_is_said(apis: tuple[Api, Api]) -> None:
    connected(api_key=OTHER_TOKEN, host=apis[1].url, context="c")
    assert WARNED == ["Not used, as `host` and `api_key` are given: the variable K8S_AUTH_KUBECONFIG, `context`."]


def test_a_kubeconfig_alone_is_nothing_to_be_warned_of(apis: tuple[Api, Api]) -> None:
    connected()
    assert WARNED == []


@pytest.mark.parametrize("of", ["the kubeconfig ({file}, context c)", "`api_key` at the host of the kubeconfig ({file}, context c)"])
def test_a_token_that_is_not_accepted_is_told_with_where_it_is_from(apis: tuple[Api, Api], tmp_path: Path, of: str) -> None:
    client = connected(**({"api_key": OTHER_TOKEN} if of.startswith("`api_key`") else {}))
    apis[0].status = 401
    with pytest.raises(DeploymentError) as caught:
        client.list("Pod", "ns", Deadline(10, "this test"))
    assert f"It was {of.format(file=tmp_path / 'kubeconfig')}. Log in again" in str(caught.value)
    assert "sha256" not in str(caught.value)


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        (
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-login", "installHint": "See\x1b the wiki."}},
            "logs in by the program `no-such-login`, which is not installed here, or not on the PATH. See\\x1b the wiki.",
        ),
        (
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-login"}},
            "Install it for the user that runs Ansible, or give host and api_key.",
        ),
        ({"auth-provider": {"name": "azure"}}, "logs in by the auth-provider `azure`, of which the client library makes no credentials"),
    ],
)
def test_a_login_that_cannot_work_here_is_told_with_file_and_context(
    apis: tuple[Api, Api], tmp_path: Path, credentials: dict[str, Any], words: str
) -> None:
    file = kubeconfig(tmp_path, apis[0].url, credentials)
    with pytest.raises(InvalidOption) as caught:
        connected()
    assert words in str(caught.value)
    assert f"The kubeconfig ({file}, context c)" in str(caught.value)
    assert apis[0].asked == []


def test_a_kubeconfig_and_a_context_that_are_not_there_are_told(apis: tuple[Api, Api], tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"There is no kubeconfig /no/such/file\. Check kubeconfig"):
        connected(kubeconfig="/no/such/file")
    with pytest.raises(InvalidOption) as caught:
        connected(context="prod")
    assert f"{tmp_path / 'kubeconfig'} has no context `prod`. It has: c." in str(caught.value)


def test_of_several_kubeconfigs_that_one_is_told_which_the_library_uses(apis: tuple[Api, Api], tmp_path: Path) -> None:
    first, second = tmp_path / "kubeconfig", tmp_path / "second"
    content = {
        "current-context": "d",
        "clusters": [{"name": "two", "cluster": {"server": apis[1].url}}],
        "users": [{"name": "you", "user": {"token": OTHER_TOKEN}}],
        "contexts": [{"name": "d", "context": {"cluster": "two", "user": "you"}}],
    }
    second.write_text(yaml.safe_dump(content))
    both = f"{first}:{second}"
    ask(connected(kubeconfig=both))
    used, other = apis if apis[0].pods_asked_by else apis[::-1]  # the library's versions differ
    context, token = ("c", TOKEN) if used is apis[0] else ("d", OTHER_TOKEN)
    ask(connected(kubeconfig=both, host=used.url))
    assert used.pods_asked_by == [f"Bearer {token}"] * 4
    with pytest.raises(InvalidOption) as refused:
        connected(kubeconfig=both, host=other.url)
    assert f"one for {used.url}: it is that of the kubeconfig ({both}, context {context})" in str(refused.value)
    assert other.pods_asked_by == []
    ask(connected(kubeconfig=both, context="d" if context == "c" else "c"))
    assert len(other.pods_asked_by) == 2


def test_the_text_of_a_kubeconfig_is_refused_and_not_shown(apis: tuple[Api, Api], tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="`kubeconfig` is the text of a kubeconfig") as caught:
        connected(kubeconfig=(tmp_path / "kubeconfig").read_text())
    assert TOKEN not in str(caught.value)


def test_a_program_beside_its_kubeconfig_and_a_token_beside_a_provider_are_the_librarys_matter(
    apis: tuple[Api, Api], tmp_path: Path
) -> None:
    program = tmp_path / "log-in"
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": OTHER_TOKEN}}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    program.chmod(0o700)
    kubeconfig(tmp_path, apis[0].url, {"exec": {"apiVersion": answer["apiVersion"], "command": "./log-in", "interactiveMode": "Never"}})
    ask(connected())
    assert apis[0].pods_asked_by == [f"Bearer {OTHER_TOKEN}"] * 2
    kubeconfig(tmp_path, apis[0].url, {"auth-provider": {"name": "of-old"}, "token": TOKEN})
    ask(connected())
    assert apis[0].pods_asked_by[2:] == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize("content", ["", "- 1", "users: {}\ncontexts: 3\n", "current-context: [a]\n", "contexts: [x, {name: c}]\n", "{"])
def test_a_kubeconfig_of_any_shape_can_be_looked_at(tmp_path: Path, content: str) -> None:
    (tmp_path / "kubeconfig").write_text(content)
    login = read_login(str(tmp_path / "kubeconfig"), "")
    assert login is None or login.user == {}


@pytest.mark.parametrize("text", ["{json: x}", "apiVersion: v1, token: t0ken", "users: [{name: me, user: {token: t0ken}}]"])
def test_no_text_of_a_kubeconfig_is_taken_for_a_path(text: str) -> None:
    with pytest.raises(InvalidOption, match="`kubeconfig` is the text of a kubeconfig") as caught:
        read_login(text, "")
    assert "t0ken" not in str(caught.value)


def test_a_path_that_no_system_takes_is_not_there() -> None:
    with pytest.raises(InvalidOption, match="There is no kubeconfig"):
        read_login("x" * 5000, "")


def test_a_user_and_a_password_are_said_not_to_be_used(apis: tuple[Api, Api]) -> None:
    ask(connected(username="admin", password="pw"))
    assert "Not used: `username`, as no Kubernetes API takes users and passwords" in WARNED[0]
    assert apis[0].pods_asked_by == [f"Bearer {TOKEN}"] * 2


def test_in_a_pod_of_a_cluster_of_ipv6_the_host_has_brackets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    monkeypatch.setattr(credentials, "_SERVICE_ACCOUNT", token)
    found = credentials.find_credentials({}, {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}, lambda _file: "")
    assert (found.host, found.words) == ("https://[fd00::1]:443", "the service account of the pod that this runs in")
