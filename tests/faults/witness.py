"""A witness in the database itself: triggers that note where every file is on record, so that no moment is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import psycopg

from tests.faults.referee import name_of

WasThere = Callable[[bytes, int, float, float], bool]
"""Whether a file, by path and inode, was there from one time of the clock to another."""

_PRESENT: Final = 0

_TRIGGERS: Final = """
CREATE TABLE witness (
    number bigint GENERATED ALWAYS AS IDENTITY, at double precision DEFAULT extract(epoch FROM clock_timestamp()),
    transaction xid8 DEFAULT pg_current_xact_id(), repository uuid, what text, id bigint, state smallint,
    directory bigint, inode bigint, name text COLLATE "C"
);
CREATE FUNCTION witness_file() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO witness (repository, what, id, state) VALUES (OLD.repository_id, 'file', OLD.id, NULL);
    ELSE
        INSERT INTO witness (repository, what, id, state, directory, inode, name)
        VALUES (NEW.repository_id, 'file', NEW.id, NEW.state, NEW.directory_id, NEW.inode, NEW.name);
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION witness_directory() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO witness (repository, what, id, name) VALUES (NEW.repository_id, 'directory', NEW.id, NEW.path);
    RETURN NULL;
END $$;
CREATE SEQUENCE witness_refused;
CREATE FUNCTION witness_refusal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF strpos(current_query(), 'change_number + 1') > 0 AND strpos(current_query(), 'lease_token') > 0
       AND NOT EXISTS (SELECT FROM written) THEN
        PERFORM nextval('witness_refused');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER witness_refusal AFTER UPDATE ON repositories REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION witness_refusal();
CREATE TRIGGER witness_come_and_go AFTER INSERT OR DELETE ON files FOR EACH ROW EXECUTE FUNCTION witness_file();
CREATE TRIGGER witness_change AFTER UPDATE ON files FOR EACH ROW
    WHEN ((OLD.state, OLD.directory_id, OLD.inode, OLD.name) IS DISTINCT FROM
          (NEW.state, NEW.directory_id, NEW.inode, NEW.name)) EXECUTE FUNCTION witness_file();
CREATE TRIGGER witness_come AFTER INSERT ON directories FOR EACH ROW EXECUTE FUNCTION witness_directory();
CREATE TRIGGER witness_move AFTER UPDATE ON directories FOR EACH ROW
    WHEN (OLD.path IS DISTINCT FROM NEW.path) EXECUTE FUNCTION witness_directory();
"""


@dataclass
class _Row:
    """A file's row: where it says that the file is."""

    state: int
    directory: int
    inode: int
    name: str
    since: float


@dataclass
class _Record:
    """The catalogue of one repository at one moment, as the notes tell it.

    Attributes:
        rows: number -> row, missing ones included.
        paths: number of a directory -> (its path, since when).
        places: (number of a directory, name) -> number of the row that is there.
    """

    rows: dict[int, _Row] = field(default_factory=dict)
    paths: dict[int, tuple[str, float]] = field(default_factory=dict)

    def place(self, row: _Row) -> tuple[bytes, int]:
        """Path and inode."""
        path = self.paths[row.directory][0]
        return name_of(f"{path}/{row.name}" if path else row.name), row.inode

    def since(self, row: _Row) -> float:
        """When it came to be on record as it is."""
        return max(row.since, self.paths[row.directory][1])


def install(database: str) -> None:
    """Call the witness to a database with an empty catalogue."""
    with psycopg.connect(database) as connection:
        connection.execute(_TRIGGERS)


def wrongly_missing(database: str, repository: str, was_there: WasThere) -> list[str]:
    """What was taken off the record although it was on disk, where it was on record, all the time; a line each.

    A file may lose one row and get another in the same transaction (a move that is understood later); what counts is
    whether it was on record as present before and after it.

    Args:
        database: where the witness has been since the catalogue was empty.
        repository: which one.
        was_there: the evidence.
    """
    wrong = []
    record = _Record()
    for at, notes in _transactions(database, repository):
        touched = {note["id"] for note in notes if note["what"] == "file"}
        moved = {note["id"] for note in notes if note["what"] == "directory"} & record.paths.keys()
        if moved:
            touched |= {number for number, row in record.rows.items() if row.directory in moved}
        before = _places(record, touched)
        _apply(record, notes)
        if gone := before.keys() - _places(record, touched).keys():
            inodes = {inode for _, inode in gone}
            gone -= _places(record, [number for number, row in record.rows.items() if row.inode in inodes]).keys()
        wrong += [
            f"{path!r} (inode {inode}), on record since {before[path, inode]:.3f}, not any more at {at:.3f}"
            for path, inode in gone
            if was_there(path, inode, before[path, inode], at)
        ]
    return wrong


def refused(database: str) -> int:
    """How many writes found that their fencing token is not the repository's any more.

    That is counted by a sequence, which no rollback takes back.
    """
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM witness_refused"
        ).fetchone()
    assert row is not None
    return int(row[0])


def heirs(database: str, repository: str) -> dict[int, int]:
    """Row that is no more -> the row that is in its place since, with the same file.

    That is how a file gets the row back that it had before a move that was understood only later, by its content.
    """
    record, inherited = _Record(), {}
    for _, notes in _transactions(database, repository):
        before = {note["id"]: record.rows.get(note["id"]) for note in notes if note["what"] == "file"}
        _apply(record, notes)
        came = {(row.directory, row.name, row.inode): number for number in before if (row := record.rows.get(number))}
        for number, row in before.items():
            if row and number not in record.rows and (heir := came.get((row.directory, row.name, row.inode))):
                inherited[number] = heir
    return inherited


def story(database: str, *rows: int | None) -> str:
    """What became of some rows, for whoever has to understand a failure."""
    with psycopg.connect(database) as connection:
        notes = connection.execute(
            "SELECT round(at::numeric, 3), transaction, id, state, directory, inode, name FROM witness"
            " WHERE what = 'file' AND id = ANY(%s) ORDER BY number",
            [[row for row in rows if row is not None]],
        ).fetchall()
    return "; ".join(" ".join(map(str, note)) for note in notes)


def _transactions(database: str, repository: str) -> Iterator[tuple[float, list[dict[str, Any]]]]:
    """The notes of each transaction, in the order of their commits, and when the last one was taken.

    A repository's row is locked by whoever writes its files, so transactions follow each other.
    """
    with psycopg.connect(database, row_factory=psycopg.rows.dict_row) as connection:
        notes = connection.execute(
            "SELECT w.* FROM witness w JOIN repositories r ON r.id = w.repository WHERE r.name = %s ORDER BY number",
            [repository],
        ).fetchall()
    for _, group in groupby(notes, key=lambda note: note["transaction"]):
        together = list(group)
        yield together[-1]["at"], together


def _places(record: _Record, numbers: Any) -> dict[tuple[bytes, int], float]:
    """Where these rows say that a file is present, and since when they say it."""
    rows = (record.rows[number] for number in numbers if number in record.rows)
    return {record.place(row): record.since(row) for row in rows if row.state == _PRESENT}


def _apply(record: _Record, notes: list[dict[str, Any]]) -> None:
    for note in notes:
        if note["what"] == "directory":
            record.paths[note["id"]] = note["name"], note["at"]
        elif note["state"] is None:
            record.rows.pop(note["id"], None)
        else:
            record.rows[note["id"]] = _Row(note["state"], note["directory"], note["inode"], note["name"], note["at"])
