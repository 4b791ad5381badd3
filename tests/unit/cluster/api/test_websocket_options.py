# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An exec asks, trusts and goes as every other request does."""

from __future__ import annotations

import ssl

import pytest
from kubernetes.client import Configuration

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import websocket_options
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.websocket_options import headers, proxy_options, tls_options
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption


def configuration(**settings: object) -> Configuration:
    made = Configuration()
    for name, value in settings.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"api_key": {"authorization": "Bearer abc"}}, ["Authorization: Bearer abc"]),
        ({"api_key": {"authorization": "abc"}}, ["Authorization: Bearer abc"]),
        ({"username": "me", "password": "pw"}, ["Authorization: Basic bWU6cHc="]),
    ],
)
def test_a_token_or_a_password_is_sent(settings: dict[str, object], expected: list[str]) -> None:
    assert headers(configuration(**settings), {"User-Agent": "x"}) == expected


def test_whom_to_impersonate_is_sent_too() -> None:
    assert headers(configuration(), {"Impersonate-User": "other"}) == ["Impersonate-User: other"]


def test_the_configured_authority_is_trusted_or_else_the_given_ones() -> None:
    assert tls_options(configuration(ssl_ca_cert="/own.crt"), "wss://a", "/all.crt")["ca_certs"] == "/own.crt"
    plain = tls_options(configuration(), "wss://a", "/all.crt")
    assert (plain["ca_certs"], plain["cert_reqs"], plain["check_hostname"]) == ("/all.crt", ssl.CERT_REQUIRED, True)
    assert tls_options(configuration(verify_ssl=False), "wss://a", "/all.crt")["cert_reqs"] == ssl.CERT_NONE
    assert tls_options(configuration(tls_server_name="api.x"), "wss://a", "/all.crt")["server_hostname"] == "api.x"
    own = tls_options(configuration(cert_file="/me.crt", key_file="/me.key"), "wss://a", "/all.crt")
    assert (own["certfile"], own["keyfile"]) == ("/me.crt", "/me.key")


def test_a_proxy_is_used_with_its_user_and_its_exceptions() -> None:
    assert proxy_options(configuration(proxy=None)) == {}
    found = proxy_options(configuration(proxy="http://me:pw@proxy.x:3128", no_proxy="a.x, b.x"))
    assert found == {
        "http_proxy_host": "proxy.x",
        "http_proxy_port": 3128,
        "proxy_type": "http",
        "http_proxy_auth": ("me", "pw"),
        "http_no_proxy": ["a.x", "b.x"],
    }


def test_the_proxys_password_may_be_in_its_headers_as_for_every_other_request() -> None:
    found = proxy_options(configuration(proxy="http://proxy.x:3128", proxy_headers={"proxy-authorization": "Basic bWU6cHc="}))
    assert found["http_proxy_auth"] == ("me", "pw")
    with pytest.raises(InvalidOption, match="none of a user and a password") as caught:
        proxy_options(configuration(proxy="http://proxy.x:3128", proxy_headers={"Proxy-Authorization": "Bearer t0p"}))
    assert "t0p" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["https://me:s3cret@proxy.x:3128", "ftp://proxy.x", "proxy.x:3128"])
def test_a_proxy_that_cannot_serve_an_exec_is_refused_in_words(proxy: str) -> None:
    with pytest.raises(InvalidOption, match="reached through http and SOCKS proxies only") as caught:
        proxy_options(configuration(proxy=proxy))
    assert "s3cret" not in str(caught.value)


def test_a_socks_proxy_is_used_as_such_or_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_options, "find_spec", lambda _name: None)
    with pytest.raises(InvalidOption, match="-m pip install python-socks"):
        proxy_options(configuration(proxy="socks5h://proxy.x"))
    monkeypatch.setattr(websocket_options, "find_spec", lambda _name: object())
    found = proxy_options(configuration(proxy="socks5h://proxy.x"))
    assert (found["proxy_type"], found["http_proxy_port"]) == ("socks5h", 1080)
