"""Addresses of the socket engine, as they are written."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from objstream.engines import address as addresses
from objstream.engines.address import Address, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("tcp://127.0.0.1:80", Address("tcp", host="127.0.0.1", port=80)),
        ("tcp://host.example:0", Address("tcp", host="host.example", port=0)),
        ("tcp://[::1]:65535", Address("tcp", host="::1", port=65535)),
        ("unix:///run/a b/socket", Address("unix", path="/run/a b/socket")),
        ("unix:///run/a#b?c%20d", Address("unix", path="/run/a#b?c%20d")),
    ],
)
def test_an_address_is_read_as_it_is_written(url: str, address: Address) -> None:
    assert parse(url) == address
    assert str(address) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:80",
        "tcp:host:80",
        "tcp://host",
        "tcp://:80",
        "tcp://host:x",
        "tcp://host:65536",
        "tcp://host:-1",
        "tcp://host:80/path",
        "unix:relative",
        "unix://host/path",
        "http://host:80",
        "tcp://[::1:80",
        "tcp://user@host:80",
        "tcp://host:80?query",
        "tcp://host:80#fragment",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match="tcp://HOST:PORT"):
        parse(url)


def test_a_site_listens_on_ipv6_where_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def create_server(where: tuple[str, int], **options: Any) -> Any:
        asked.append((where, options["family"]))
        return socket.socket()

    asked: list[Any] = []
    monkeypatch.setattr(addresses.socket, "create_server", create_server)
    listener, _ = addresses.listen(parse("tcp://[::1]:80"))
    listener.close()
    assert asked == [(("::1", 80), socket.AF_INET6)]
