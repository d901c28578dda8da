"""Describing pictures: real files, a real PostgreSQL, a real HTTP server. What is sent, what is stored, what is not."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from censusd.catalogue import descriptions
from censusd.deepscan.idle import Condition, IdleRules, Window
from censusd.describe.describer import State, Terms
from censusd.model import Strategy
from tests.tools.describing import (
    add,
    claims,
    described,
    describing,
    numbers,
    picture,
    sample,
    scan,
    shown,
    terms,
    undescribed,
)
from tests.tools.library import Library
from tests.tools.pictures import jpeg, segment
from tests.tools.scanning import NEVER_BUSY, claim, found, site, write
from tests.tools.vision_server import Model, Request, VisionServer, answering, pictures
from tests.tools.vision_server import describing as good
from tests.tools.waiting import until

TOTAL = "censusd_describe_pictures_total"


def test_each_picture_is_described_once_wherever_it_is(library: Library, make_library: Callable[..., Library]) -> None:
    add(library, 1, 2, 3)
    add(library, 2, 3, directory="copies")
    other = make_library(library.root.parent / "other", "other")
    add(other, 3, 4, directory="d")
    before = sample(TOTAL, outcome="described"), sample("censusd_describe_request_duration_seconds_count")
    with (
        VisionServer(Model()) as server,
        describing(library.repository.catalogue, terms(library, other, server=server, language="German")) as describer,
    ):
        until(lambda: len(described(library)) == 7)
        (library.root / "1.png").rename(library.root / "moved.png")
        add(library, 5)
        until(lambda: len(described(library)) == 8)
        until(lambda: describer.state is State.NOTHING)
        assert describer.status()["breaker"] == "closed"
    assert sorted(filter(None, numbers(server))) == [1, 2, 3, 4, 5]
    assert "moved.png" in described(library)
    rows = library.query("SELECT DISTINCT model, language, description, tags FROM file_descriptions")
    assert rows == [("llava", "German", "A cat on a mat.", ["cat", "mat"])]
    assert library.query("SELECT count(*) FROM image_descriptions WHERE tags @> '{cat}'") == [(5,)]
    assert claims(library) == 0
    after = sample(TOTAL, outcome="described"), sample("censusd_describe_request_duration_seconds_count")
    assert (after[0] - before[0], after[1] - before[1]) == (5, 5)


def test_the_last_changes_come_first(library: Library) -> None:
    for number in (1, 2, 3):
        add(library, number)
    with VisionServer(Model()) as server, describing(library.repository.catalogue, terms(library, server=server)):
        until(lambda: len(described(library)) == 3)
    assert numbers(server) == [3, 2, 1]


def test_nothing_is_sent_but_what_shows_the_picture(library: Library) -> None:
    secret = b"48.2082 N 16.3738 E"
    content = jpeg(segment(0xE1, b"Exif\0\0" + secret)) + secret
    (library.root / f"{secret.decode()}.jpg").write_bytes(content)
    scan(library, orientation=8, camera_make=secret.decode())
    with VisionServer(Model()) as server, describing(library.repository.catalogue, terms(library, server=server)):
        until(lambda: len(described(library)) == 1)
    (request,) = server.requests
    assert secret not in request.body
    (sent,) = pictures([request])
    assert secret not in sent
    assert sent.endswith(jpeg()[2:])
    assert sent[2:6] == b"\xff\xe1\0\x22"
    assert b"library" not in request.body
    assert b"censusd" not in "".join(request.headers.values()).lower().encode()


def test_what_cannot_be_sent_is_skipped_and_says_why(library: Library) -> None:
    for name in ("a.heic", "b.gif", "c.tiff"):
        (library.root / name).write_bytes(name.encode())
    (library.root / "fake.png").write_bytes(b"this is no picture")
    (library.root / "large.png").write_bytes(picture(2) + bytes(5000))
    add(library, 1)
    before = sample(TOTAL, outcome="skipped")
    with (
        VisionServer(Model()) as server,
        describing(library.repository.catalogue, terms(library, server=server, largest=4096)) as describer,
    ):
        until(lambda: len(undescribed(library)) == 5)
        until(lambda: describer.state is State.NOTHING)
        assert numbers(server) == [1]
        reasons = undescribed(library)
        assert reasons["a.heic"] == (True, 0, "image/heic is not sent: only JPEG, PNG and WebP are")
        assert reasons["fake.png"] == (False, 1, "its content is that of neither a JPEG nor a PNG nor a WebP")
        assert reasons["large.png"][2].endswith(" bytes, and describe.max_size is 4,096")
        # What was too large is not, under another limit.
        describer.reconfigure(terms(library, server=server, largest=1 << 20))
        until(lambda: len(described(library)) == 2)
    assert pictures(server.requests)[1] == shown(2)
    assert set(undescribed(library)) == {"a.heic", "b.gif", "c.tiff", "fake.png"}
    assert sample(TOTAL, outcome="skipped") - before == 4


def test_a_picture_that_the_server_cannot_do_costs_three_attempts_and_nobody_else_anything(library: Library) -> None:
    def moody(request: Request, connection: socket.socket) -> None:
        bad = pictures([request]) == [shown(2)]
        answering(500, b'{"error": "out of memory"}')(request, connection) if bad else Model()(request, connection)

    add(library, 1, 2, 3)
    before = {outcome: sample(TOTAL, outcome=outcome) for outcome in ("failed", "given up")}
    with (
        VisionServer(moody) as server,
        describing(library.repository.catalogue, terms(library, server=server)) as describer,
    ):
        until(lambda: "2.png" in undescribed(library))
        until(lambda: describer.state is State.NOTHING)
        assert set(described(library)) == {"1.png", "3.png"}
        assert sorted(filter(None, numbers(server))) == [1, 2, 2, 2, 3]
        assert undescribed(library) == {
            "2.png": (False, 3, "it does not want this picture, or cannot do it (HTTP 500: out of memory)")
        }
        with library.repository.catalogue.transaction() as cursor:
            (failure,) = descriptions.failures(cursor, library.repository.id, 10)
        assert (failure["path"], failure["attempts"], failure["model"]) == ("2.png", 3, "llava")
        assert "out of memory" in failure["reason"]
        assert failure["quarantined_at"] is not None
        server.converse = Model()
        with library.repository.catalogue.transaction() as cursor:
            assert descriptions.retry(cursor, library.repository.id, "elsewhere") == 0
            assert descriptions.retry(cursor, library.repository.id, "2.png") == 1
        until(lambda: len(described(library)) == 3)
    assert undescribed(library) == {}
    assert sample(TOTAL, outcome="failed") - before["failed"] == 2
    assert sample(TOTAL, outcome="given up") - before["given up"] == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{}", b'{"message": {"content": "no JSON"}}', bytes(2 << 20)],
    ids=["empty", "html", "json", "prose", "huge"],
)
def test_an_answer_that_makes_no_sense_is_not_stored(library: Library, body: bytes) -> None:
    add(library, 1)
    with (
        VisionServer(answering(200, body)) as server,
        describing(library.repository.catalogue, terms(library, server=server)),
    ):
        until(lambda: "1.png" in undescribed(library))
    assert described(library) == {}
    assert numbers(server).count(1) == 3


@pytest.mark.parametrize("change", ["content", "touched", "removed", "link", "fifo", "directory", "unreadable root"])
def test_a_file_that_is_not_what_is_on_record_is_not_sent(library: Library, change: str) -> None:
    add(library, 1, directory="d")
    path = library.root / "d" / "1.png"
    elsewhere = library.root.parent / "elsewhere.png"
    elsewhere.write_bytes(picture(1))
    if change == "content":
        stat = path.stat()
        path.write_bytes(picture(1).replace(b"secret", b"SECRET"))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        # As if the change time had not told: the hash does.
        library.query("UPDATE files SET ctime_ns = %s", path.stat().st_ctime_ns)
    elif change == "touched":
        os.utime(path)
    elif change == "directory":
        (library.root / "d").rename(library.root.parent / "gone")
        (library.root / "d").symlink_to(library.root.parent / "gone")
    elif change == "unreadable root":
        library.root.rename(library.root.parent / "away")
    else:
        path.unlink()
        if change == "link":
            path.symlink_to(elsewhere)
        elif change == "fifo":
            os.mkfifo(path)
    before = sample(TOTAL, outcome="put off")
    with VisionServer(Model()) as server, describing(library.repository.catalogue, terms(library, server=server)):
        until(lambda: sample(TOTAL, outcome="put off") >= before + 3)
    assert server.requests == []
    assert (described(library), undescribed(library)) == ({}, {})


def sites(library: Library, **rules: Any) -> Callable[[Terms], Terms]:
    return lambda by: replace(by, sites=(site(library.root, **rules),))


NOW = datetime.now().astimezone()
CLOSED = Window((NOW + timedelta(hours=6)).time(), (NOW + timedelta(hours=7)).time())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda by: replace(by, idle=replace(NEVER_BUSY, hours=(CLOSED,))), "hours: it may work at "),
        (lambda by: replace(by, idle=replace(NEVER_BUSY, quiet=1e9)), "changes: files are being changed"),
        (lambda by: replace(by, idle=replace(NEVER_BUSY, cpu_busy=-1.0)), "cpu: "),
        (lambda by: replace(by, idle=IdleRules(enabled=False)), "the deep scan is switched off"),
        (lambda by: replace(by, rules=replace(by.rules, enabled=False)), ""),
    ],
    ids=["hours", "changes", "load", "off", "disabled"],
)
def test_it_waits_while_others_need_the_machine(library: Library, change: Callable[[Terms], Terms], why: str) -> None:
    library.query("UPDATE repositories SET lease_expires_at = now() + interval '1 day'")
    add(library, 1)
    with VisionServer(Model()) as server:
        by = terms(library, server=server)
        with describing(library.repository.catalogue, change(by)) as describer:
            expected = State.WAITING if why else State.OFF
            until(lambda: describer.state is expected and describer.why.startswith(why))
            assert server.requests == []
            assert sample("censusd_describe_state", state=expected) == 1
            describer.reconfigure(by)
            until(lambda: len(described(library)) == 1)


def test_the_deep_scan_comes_first(library: Library) -> None:
    add(library, 1)
    condition = Condition.WORKING
    with (
        VisionServer(Model()) as server,
        describing(
            library.repository.catalogue, terms(library, server=server), deep_scan=lambda: condition
        ) as describer,
    ):
        until(lambda: describer.why == "the deep scan comes first")
        assert server.requests == []
        condition = Condition.NOTHING
        until(lambda: len(described(library)) == 1)


def test_what_the_deep_scan_leaves_alone_is_not_sent(library: Library) -> None:
    for number, directory in enumerate(("", "never", "never/below", "nevermore", "asked")):
        add(library, number, directory=directory)
    with VisionServer(Model()) as server:
        by = sites(library, never=("never",), on_demand=("asked",))(terms(library, server=server))
        with describing(library.repository.catalogue, by) as describer:
            until(lambda: len(described(library)) == 2)
            until(lambda: describer.state is State.NOTHING)
            describer.reconfigure(sites(library, strategy=Strategy.ON_DEMAND)(by))
            add(library, 9)
            library.query("UPDATE repositories SET state = 'offline'")
            describer.reconfigure(terms(library, server=server))
            until(lambda: describer.state is State.NOTHING)
            assert set(described(library)) == {"0.png", "nevermore/3.png"}
            library.query("UPDATE repositories SET state = 'held'")
            until(lambda: "9.png" in described(library))


def test_another_model_describes_everything_anew(library: Library) -> None:
    add(library, 1, 2)
    with (
        VisionServer(Model()) as server,
        describing(library.repository.catalogue, terms(library, server=server)) as describer,
    ):
        until(lambda: len(described(library)) == 2)
        server.converse = answering(200, good("A dog."))
        describer.reconfigure(terms(library, server=server, model="other"))
        until(lambda: len(library.query("SELECT 1 FROM file_descriptions WHERE model = 'other'")) == 2)
        describer.reconfigure(terms(library, server=server))
        until(lambda: describer.status()["model"] == "llava" and describer.state is State.NOTHING)
    assert len(server.requests) == 4
    rows = library.query("SELECT DISTINCT model, description FROM file_descriptions ORDER BY 1")
    assert rows == [("llava", "A cat on a mat."), ("other", "A dog.")]


def test_what_was_said_of_a_picture_that_is_gone_goes_some_time_later(library: Library) -> None:
    add(library, 1, 2)
    with VisionServer(Model()) as server, describing(library.repository.catalogue, terms(library, server=server)):
        until(lambda: len(described(library)) == 2)

    def purge(keep: float) -> int:
        with library.repository.catalogue.transaction() as cursor:
            return descriptions.purge(cursor, keep)

    assert purge(0) == 0
    library.query("UPDATE files SET content_hash = NULL WHERE name = '1.png'")
    assert purge(3600) == 0
    # Its content was only read anew.
    library.query("UPDATE files SET content_hash = sha256(%s) WHERE name = '1.png'", picture(1))
    assert purge(3600) == 0
    assert library.query("SELECT count(*) FROM image_descriptions WHERE unused_since IS NOT NULL") == [(0,)]
    library.query("DELETE FROM files WHERE name = '1.png'")
    assert purge(3600) == 0
    library.query("UPDATE image_descriptions SET unused_since = unused_since - interval '2 hours'")
    assert purge(3600) == 1
    assert set(described(library)) == {"2.png"}


def test_names_of_any_bytes(library: Library) -> None:
    directory = os.fsencode(library.root) + b"/\xff\xfe dir\n"
    os.mkdir(directory)
    with open(directory + b"/caf\xe9.png", "wb") as file:
        file.write(picture(1))
    library.reconcile()
    (one,) = claim(library)
    metadata = {"kind": "generated_image", "mime_type": "image/png"}
    write(library, [found(one, picture(1), extractor="images", version=1, metadata=metadata)])
    with VisionServer(Model()) as server, describing(library.repository.catalogue, terms(library, server=server)):
        until(lambda: len(described(library)) == 1)
