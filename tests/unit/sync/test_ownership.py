"""Names of owners: what people are told of them, whoever has left them in the catalogue."""

from __future__ import annotations

import os
import socket

import pytest

from censusd.sync import ownership


def test_a_daemon_of_this_host_is_told_by_host_and_process() -> None:
    assert ownership.described(ownership.own_name()) == f"{socket.gethostname()} (process {os.getpid()})"


@pytest.mark.parametrize(
    ("owner", "said"), [("", ""), ("somebody", "somebody"), ("a/1/b", "a (process 1)"), ("a/", "a")]
)
def test_any_name_can_be_told(owner: str, said: str) -> None:
    assert ownership.described(owner) == said


def test_this_process_is_not_gone_and_nobody_knows_of_strange_names() -> None:
    assert not ownership.is_gone(ownership.own_name())
    assert not ownership.is_gone("somebody")


def test_a_process_of_this_boot_that_ended_is_gone() -> None:
    host, _, rest = ownership.own_name().partition("/")
    _, _, place = rest.partition("/")
    boot, _, rest = place.partition("/")
    namespace, _, _ = rest.partition("/")
    assert ownership.is_gone(f"{host}/{os.getpid()}/{boot}/{namespace}/1")
