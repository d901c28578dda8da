"""How PostgreSQL goes about the deep scan's queue: by its index, whatever the planner believes of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from censusd.catalogue import content, deep_queue, repositories
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.catalogue.deep_queue import Selection
from censusd.model import ASKED, EVERYTHING, Places, Strategy

FILES = 200_000
WAITING = 661
"""Each so many-th of them; a prime number, so that they are anywhere."""
DIRECTORIES = 2_000
QUEUE = "files_deep_queue"
LARGE = ("files", "directories")

SOME = Places(Strategy.AUTO, (("d1", Strategy.NEVER), ("d1/d11", Strategy.AUTO), ("d2", Strategy.ON_DEMAND)))
SELECTIONS = {
    "everything": Selection(),
    "some places": Selection(places=SOME),
    "on demand": Selection(places=SOME, strategies=ASKED),
    "below": Selection(below=("d3", "d4/d44", "no")),
    "what has just changed": Selection(after=FILES // 1000 - 5, largest=1 << 30),
    "the rest of the way": Selection(until=FILES // 2000),
    "a file": Selection(file=7),
}


class Explaining:
    """A cursor that has each statement explained before it is executed."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.nodes: list[dict[str, Any]] = []

    def execute(self, statement: str, *arguments: Any) -> Any:
        """Explain, and execute."""
        self._cursor.execute("EXPLAIN (FORMAT JSON) " + statement, *arguments)
        ((plans,),) = self._cursor.fetchall()
        self.nodes += nodes_of(plans[0]["Plan"])
        return self._cursor.execute(statement, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's nodes."""
    yield plan
    for one in plan.get("Plans", ()):
        yield from nodes_of(one)


def fill(cursor: Cursor) -> UUID:
    """A repository of many files, of which few wait: those of each thousandth change. Returns its row."""
    number = repositories.register(cursor, "library", "/library")
    cursor.execute(
        "INSERT INTO directories (repository_id, id, parent_id, inode, change_number, name, path)"
        " SELECT %(r)s, n, least(n - 1, 1), n, 1, path, path FROM generate_series(1, %(d)s) n,"
        " LATERAL (SELECT CASE n WHEN 1 THEN '' ELSE 'd' || n %% 10 || '/d' || n %% 100 || '/d' || n END AS path) p",
        {"r": number, "d": DIRECTORIES},
    )
    cursor.execute(
        "INSERT INTO files (repository_id, id, directory_id, size, mtime_ns, ctime_ns, inode, change_number, links,"
        " scan_phase, name, content_hash)"
        " SELECT %(r)s, n, 1 + n %% %(d)s, 100, n, n, n, n / 1000, 1, phase, 'f' || n,"
        "        CASE phase WHEN 1 THEN decode(md5(n::text), 'hex') END"
        "   FROM generate_series(1, %(f)s) n, LATERAL (SELECT (n %% %(w)s <> 7)::int AS phase) p",
        {"r": number, "d": DIRECTORIES, "f": FILES, "w": WAITING},
    )
    return number


def never_analyzed(_: str) -> None:
    """Right after a bulk load: the planner knows no statistics at all."""


def never_analyzed_and_all_waiting(database: str) -> None:
    """The same, with everything still to be done: right after a first scan."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE files SET scan_phase = 0, content_hash = NULL WHERE scan_phase = 1")


def analyzed(database: str) -> None:
    """The planner knows what is there."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ANALYZE")


def analyzed_when_all_were_waiting(database: str) -> None:
    """The planner takes everything to be waiting, as at the beginning of a first deep scan that is now done."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE done AS SELECT id FROM files WHERE scan_phase = 1")
        connection.execute("UPDATE files SET scan_phase = 0")
        connection.execute("ANALYZE")
        connection.execute("UPDATE files f SET scan_phase = 1 FROM done WHERE done.id = f.id")


def analyzed_when_none_was(database: str) -> None:
    """The planner takes nothing to be waiting, as after a first deep scan; now a great many are."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE files SET scan_phase = 1 WHERE scan_phase = 0")
        connection.execute("ANALYZE")
        connection.execute("UPDATE files SET scan_phase = 0 WHERE id % 11 = 7")


def claim_and_settle(cursor: Any, number: UUID) -> None:
    """Take files on every way there is, and say what became of them; and see for how long any has waited."""
    for selection in SELECTIONS.values():
        claim = deep_queue.claim(cursor, number, "me", selection, most=100, lease=60.0)
        assert claim.files, selection
        ids = [file.id for file in claim.files]
        deep_queue.renew(cursor, number, "me", ids, 60.0)
        deep_queue.put_off(cursor, number, "me", dict.fromkeys(ids[:1], "it had changed"))
        deep_queue.fail(cursor, number, "me", dict.fromkeys(ids[1:2], "it bites"))
        deep_queue.complete(cursor, number, 10**6, [(file, b"x" * 32) for file in claim.files[2:4]])
        deep_queue.finish(cursor, number, "me", ids[2:4])
        deep_queue.let_go(cursor, number, "me", ids)
        cursor.execute("DELETE FROM deep_scan_claims")
    for places in (EVERYTHING, SOME):
        assert deep_queue.oldest(cursor, number, places) is not None


def count(cursor: Any, number: UUID) -> None:
    """Count what waits in every way there is."""
    for places in (EVERYTHING, SOME):
        assert sum(queue.waiting for queue in content.queues(cursor, number, places).values()) > FILES // WAITING // 2
        content.queues(cursor, number, places, below="d3")
        content.queues(cursor, number, places, file=7)
    deep_queue.count(cursor, number)


@contextmanager
def undone(catalogue: Catalogue) -> Iterator[Any]:
    """A transaction of which nothing stays."""
    with catalogue.transaction() as cursor:
        yield cursor
        cursor.connection.rollback()


def sequential_scans(database: str) -> dict[str, int]:
    """Table -> how often it was read from end to end."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        return dict(connection.execute("SELECT relname, seq_scan FROM pg_stat_user_tables").fetchall())


@pytest.mark.parametrize(
    ("statistics", "works"),
    [
        (never_analyzed, (claim_and_settle, count)),
        (never_analyzed_and_all_waiting, (claim_and_settle,)),
        (analyzed, (claim_and_settle, count)),
        (analyzed_when_none_was, (claim_and_settle, count)),
        # Whoever counts what he takes for everything reads everything, until the table is analyzed.
        pytest.param(analyzed_when_all_were_waiting, (claim_and_settle,), marks=pytest.mark.slow),
    ],
)
def test_what_waits_is_read_by_its_index(
    catalogue: Catalogue, database: str, statistics: Callable[[str], None], works: Iterable[Callable[[Any, UUID], None]]
) -> None:
    with catalogue.transaction() as cursor:
        number = fill(cursor)
    statistics(database)
    for work in works:
        with undone(catalogue) as cursor:
            explaining = Explaining(cursor)
            work(explaining, number)
        nodes = explaining.nodes
        assert [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE] == []
        used = [node for node in nodes if node.get("Index Name", "").startswith(LARGE)]
        assert QUEUE in {node["Index Name"] for node in used}
        # Otherwise rows are looked up one by one.
        others = [node for node in used if node["Index Name"] != QUEUE]
        assert {node["Index Name"] for node in others} <= {"files_pkey", "directories_pkey"}
        assert [node for node in others if "(id = " not in node["Index Cond"]] == []
        # The same as a daemon does it after some time: by plans that are made once, for whatever is asked.
        before = sequential_scans(database)
        generic = "-c plan_cache_mode=force_generic_plan"
        with psycopg.connect(database, prepare_threshold=0, options=generic) as connection:
            work(connection.cursor(binary=True), number)
            connection.rollback()
            connection.execute("SELECT pg_stat_force_next_flush()")
        after = sequential_scans(database)
        assert {name: after[name] - before[name] for name in LARGE} == dict.fromkeys(LARGE, 0)
