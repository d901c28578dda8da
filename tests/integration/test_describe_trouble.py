"""Describing pictures while the server, the database or the describer itself comes and goes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from censusd.catalogue import descriptions
from censusd.catalogue.connection import Catalogue, PoolSettings
from censusd.catalogue.descriptions import Picture, Position, Wanted
from censusd.describe.breaker import MOST_FAILURES
from censusd.describe.describer import State
from tests.tools.describing import (
    add,
    claims,
    described,
    describing,
    numbers,
    sample,
    shown,
    terms,
    undescribed,
)
from tests.tools.library import Library
from tests.tools.vision_server import Conversation, Model, Request, VisionServer, answering, pictures
from tests.tools.waiting import until

KEY = "sk-hunter2"
TOTAL = "censusd_describe_pictures_total"


def breaker(state: str) -> float:
    return sample("censusd_describe_breaker", state=state)


def test_while_the_server_is_away_nothing_is_lost_and_no_picture_is_blamed(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    add(library, *range(8))
    with VisionServer(Model()) as server:
        by = terms(library, server=server)
    before = sample(TOTAL, outcome="failed"), sample(TOTAL, outcome="given up")
    with describing(library.repository.catalogue, by) as describer:
        until(lambda: describer.state is State.AWAY)
        until(lambda: describer.status()["breaker"] == "half-open" or describer._work.breaker.failures > 7)
        status = describer.status()
        assert status["state"] == "server away"
        assert "Connection refused" in status["server_trouble"]
        assert breaker("closed") == 0
        assert breaker("open") + breaker("half-open") == 1
        with VisionServer(Model(), port=by.rules.endpoint.port) as again:
            until(lambda: len(described(library)) == 8)
            until(lambda: describer.state is State.NOTHING)
            # It had to prove itself first.
            assert numbers(again)[0] is None
            assert sorted(number for number in numbers(again) if number is not None) == list(range(8))
        assert (breaker("closed"), breaker("open")) == (1, 0)
    assert undescribed(library) == {}
    assert (sample(TOTAL, outcome="failed"), sample(TOTAL, outcome="given up")) == before
    log = capsys.readouterr().out
    assert log.count("the server is left alone for some time") == 1
    assert log.count("the server answers again") == 1


def broken(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


@pytest.mark.parametrize(
    "converse",
    [answering(500), answering(404), answering(503), answering(301, Location="http://elsewhere.invalid/"), broken],
    ids=["500", "404", "503", "redirect", "broken"],
)
def test_while_the_server_fails_it_is_sent_nobodys_picture_alone(library: Library, converse: Conversation) -> None:
    add(library, *range(12))
    with (
        VisionServer(converse) as server,
        describing(library.repository.catalogue, terms(library, server=server)) as describer,
    ):
        server.wait_for(MOST_FAILURES + 5)
        assert len([number for number in numbers(server) if number is not None]) == MOST_FAILURES
        assert all(number is None for number in numbers(server)[MOST_FAILURES:])
        assert described(library) == {}
        assert describer.state is State.AWAY
        server.converse = Model()
        until(lambda: len(described(library)) == 12)
    assert undescribed(library) == {}


def test_pictures_that_no_server_could_do_do_not_keep_it_away_for_ever(library: Library) -> None:
    """More of them than the breaker stands for, and nothing else: they are given up, and the next one is described."""
    hostile = {shown(number) for number in range(2 * MOST_FAILURES)}

    def moody(request: Request, connection: socket.socket) -> None:
        mood = answering(400) if set(pictures([request])) & hostile else Model()
        mood(request, connection)

    add(library, *range(2 * MOST_FAILURES))
    with VisionServer(moody) as server, describing(library.repository.catalogue, terms(library, server=server)):
        until(lambda: len(undescribed(library)) == 2 * MOST_FAILURES)
        add(library, 60)
        until(lambda: set(described(library)) == {"60.png"})
    assert {attempts for _, attempts, _ in undescribed(library).values()} == {3}
    assert None in numbers(server)


def test_a_server_is_left_alone_for_as_long_as_it_asks(library: Library) -> None:
    add(library, 1)
    times: list[float] = []

    def busy(request: Request, connection: socket.socket) -> None:
        times.append(time.monotonic())
        mood = answering(429, Retry_After="2") if len(times) == 1 else Model()
        mood(request, connection)

    with (
        VisionServer(busy) as server,
        describing(library.repository.catalogue, terms(library, server=server)) as describer,
    ):
        until(lambda: describer.state is State.WAITING and "it has no time now (HTTP 429)" in describer.why)
        assert describer.status()["breaker"] == "closed"
        until(lambda: len(described(library)) == 1)
    assert times[1] - times[0] >= 2
    assert undescribed(library) == {}


def thinking(released: threading.Event) -> Conversation:
    def think(request: Request, connection: socket.socket) -> None:
        released.wait(60)
        Model()(request, connection)

    return think


def test_a_slow_server_has_so_long_and_no_longer(library: Library) -> None:
    add(library, 1)
    released = threading.Event()
    with (
        VisionServer(thinking(released)) as server,
        describing(library.repository.catalogue, terms(library, server=server, timeout=0.3)),
    ):
        until(lambda: "1.png" in undescribed(library))
        released.set()
    assert undescribed(library) == {"1.png": (False, 3, "no answer within 0.3 s")}


def test_it_stops_while_the_server_thinks_and_another_goes_on_at_once(library: Library) -> None:
    add(library, 1)
    released = threading.Event()
    with VisionServer(thinking(released)) as server:
        by = terms(library, server=server)
        with describing(library.repository.catalogue, by) as describer:
            server.wait_for(1)
            began = time.monotonic()
            describer.stop()
            assert describer.join(10)
            assert time.monotonic() - began < 5
        released.set()
        with describing(library.repository.catalogue, by):
            until(lambda: len(described(library)) == 1)
    assert library.query("SELECT count(*) FROM description_claims") == [(0,)]


def test_switching_it_off_ends_what_is_under_way(library: Library) -> None:
    add(library, 1)
    released = threading.Event()
    with (
        VisionServer(thinking(released)) as server,
        describing(library.repository.catalogue, terms(library, server=server)) as describer,
    ):
        server.wait_for(1)
        describer.reconfigure(terms(library, server=server, enabled=False))
        until(lambda: describer.state is State.OFF)
        released.set()
    assert described(library) == {}
    assert len(server.requests) == 1


def test_two_at_once_send_no_picture_twice(library: Library, database: str) -> None:
    add(library, *range(30))
    with VisionServer(Model()) as server, Catalogue(database) as other:
        by = terms(library, server=server)
        with describing(library.repository.catalogue, by), describing(other, by):
            until(lambda: len(described(library)) == 30)
    assert sorted(number for number in numbers(server) if number is not None) == list(range(30))


def test_one_that_died_costs_the_picture_an_attempt_and_three_of_them_give_it_up(library: Library) -> None:
    add(library, 1)
    wanted = Wanted("llava", ("image/png",), 1 << 20)
    repository = library.repository

    def claim(worker: str, picture: Picture) -> int | None:
        with repository.catalogue.transaction() as cursor:
            return descriptions.claim(cursor, repository.id, "llava", worker, picture, 0.0)

    with repository.catalogue.transaction() as cursor:
        _, (picture,) = descriptions.page(cursor, repository.id, wanted, -1, Position(), 10)
    assert [claim(str(number), picture) for number in range(3)] == [0, 1, 2]
    with VisionServer(Model()) as server, describing(repository.catalogue, terms(library, server=server)):
        until(lambda: "1.png" in undescribed(library))
    assert server.requests == []
    assert undescribed(library) == {"1.png": (False, 3, "the daemon ended while it was being described")}


def test_what_comes_too_late_is_not_stored(library: Library) -> None:
    add(library, 1)
    before = sample(TOTAL, outcome="described")
    released = threading.Event()
    with (
        VisionServer(thinking(released)) as server,
        describing(library.repository.catalogue, terms(library, server=server)) as describer,
    ):
        server.wait_for(1)
        # As if it had slept for a day, and somebody else had taken the picture over.
        library.query("UPDATE description_claims SET worker = 'another', not_before = now() + interval '1 hour'")
        released.set()
        until(lambda: describer.state is State.NOTHING)
        assert described(library) == {}
        assert claims(library) == 1
    assert sample(TOTAL, outcome="described") == before


@contextmanager
def away(server: str, database: str) -> Iterator[None]:
    """No connection to a database, and no way to get one."""
    name = str(conninfo_to_dict(database)["dbname"])
    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(allow.format(sql.Identifier(name), sql.Literal(False)))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            connection.execute(allow.format(sql.Identifier(name), sql.Literal(True)))


def test_what_was_said_while_the_database_was_away_is_stored_when_it_is_back(
    library: Library, server: str, database: str
) -> None:
    add(library, 1, 2)
    released, asked = threading.Event(), threading.Event()

    def think(request: Request, connection: socket.socket) -> None:
        asked.set()
        thinking(released)(request, connection)

    with (
        Catalogue(database, PoolSettings(timeout=1.0)) as impatient,
        VisionServer(think) as model,
        describing(impatient, terms(library, server=model)) as describer,
    ):
        assert asked.wait(60)
        with away(server, database):
            released.set()
            until(lambda: not describer._work._catalogue.statistics().get("pool_available"))
            threading.Event().wait(2.0)
            assert describer.is_alive
        until(lambda: len(described(library)) == 2)
    assert sorted(filter(None, numbers(model))) == [1, 2]


def test_the_key_is_sent_and_never_told(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    def telling(request: Request, connection: socket.socket) -> None:
        answering(400, b'{"error": "' + request.headers["authorization"].encode() + b'"}')(request, connection)

    add(library, 1)
    with (
        VisionServer(telling) as server,
        describing(library.repository.catalogue, terms(library, server=server, key=KEY)) as describer,
    ):
        until(lambda: "1.png" in undescribed(library))
        assert KEY not in str(describer.status())
        server.converse = answering(401, KEY.encode())
        add(library, 2)
        until(lambda: "refuses the key" in describer.status()["server_trouble"])
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert undescribed(library)["1.png"][2].endswith("(HTTP 400: Bearer (key))")
    said = capsys.readouterr()
    assert "could not be described" in said.out
    assert KEY not in said.out + said.err
    rows = library.query("SELECT x::text FROM description_claims x")
    assert rows
    assert KEY not in str(rows)


def test_a_fault_of_our_own_is_survived(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong, the loop goes on and beats."""
    add(library, 1)
    with (
        VisionServer(Model()) as server,
        describing(library.repository.catalogue, terms(library, server=server, enabled=False)) as describer,
    ):
        monkeypatch.setattr("censusd.describe.describer._AFTER_FAULT", 0.05)
        library.query("ALTER TABLE description_claims RENAME TO elsewhere")
        describer.reconfigure(terms(library, server=server))
        threading.Event().wait(0.5)
        assert describer.is_alive
        library.query("ALTER TABLE elsewhere RENAME TO description_claims")
        until(lambda: len(described(library)) == 1)


def test_what_was_at_hand_when_the_database_did_not_answer_is_not_forgotten(library: Library, database: str) -> None:
    add(library, 1, 2)
    with (
        Catalogue(database, PoolSettings(statement_timeout=0.5)) as impatient,
        VisionServer(answering(503, Retry_After="3")) as model,
        describing(impatient, terms(library, server=model)) as describer,
        psycopg.connect(database) as connection,
    ):
        # It has the other picture at hand, which it will claim as soon as the server may be asked again.
        until(lambda: describer._next is not None and describer.state is State.WAITING)
        connection.execute("LOCK TABLE description_claims")
        model.converse = Model()
        until(lambda: describer.why.startswith("database: it is away"))
        connection.rollback()
        until(lambda: len(described(library)) == 2)
