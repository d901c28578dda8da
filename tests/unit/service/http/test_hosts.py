"""Which Host a request may be for."""

from __future__ import annotations

import socket

import pytest

from censusd.service.http.hosts import Hosts

OWN = socket.gethostname()


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:9764", "127.0.0.1", "127.0.0.1:80", "[::1]:9764", "192.168.1.5", OWN, f"{OWN}.local"],
)
@pytest.mark.parametrize("listen", ["127.0.0.1", "::1", "localhost", "0.0.0.0"])
def test_addresses_and_own_names_are_allowed(listen: str, host: str) -> None:
    assert Hosts(listen).allow(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:9764",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "a b",
        "x@localhost",
        "localhost:9764:1",
        "[::1",
        "127.0.0.1/",
        "2130706433",
    ],
)
def test_public_names_are_not(host: str | None) -> None:
    assert not Hosts("127.0.0.1").allow(host)


@pytest.mark.parametrize("host", ["nas", "nas.local", "censusd.internal:9764", "nas.home.arpa"])
def test_private_names_only_lead_to_what_the_network_can_reach_anyway(host: str) -> None:
    assert Hosts("0.0.0.0").allow(host)
    assert Hosts("::").allow(host)
    assert not Hosts("127.0.0.1").allow(host)
    assert not Hosts("::1").allow(host)


def test_a_name_can_be_allowed() -> None:
    assert Hosts("127.0.0.1", ("Metrics.Example.org",)).allow("metrics.example.org:443")
    assert Hosts("files.example.org").allow("files.example.org")
    assert not Hosts("0.0.0.0").allow("files.example.org")
