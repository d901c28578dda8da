"""The catalogue's statements by themselves: moves in any order, the change feed, purging, fencing, the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from censusd.catalogue import directories, files, journal, repositories
from censusd.catalogue.connection import Catalogue, Cursor, PoolSettings
from censusd.errors import CatalogueUnavailableError, LeaseLostError, OperationRunningError
from censusd.model import (
    Counts,
    Effect,
    FileEntry,
    FileState,
    KnownDirectory,
    Listing,
    OperationStatus,
    OperationType,
    Problem,
    ProblemKind,
    SyncOperation,
    Trigger,
    join,
    split,
)
from censusd.sync.context import Repository
from tests.tools.library import Library

PRESENT, MISSING, IGNORED = FileState
TROUBLE = Problem(ProblemKind.PERMISSION, "Permission denied (EACCES)")


def entry(name: str, number: int = 1) -> FileEntry:
    return (name, number, number, number, number, 1)


def write(repository: Repository, what: Callable[[Cursor, UUID, int], object]) -> int:
    """Do it in a fenced transaction. Returns its change number."""
    with repository.catalogue.transaction() as cursor:
        change = repositories.begin_write(cursor, repository.lease)
        what(cursor, repository.id, change)
    return change


def make_directories(repository: Repository, *paths: str) -> dict[str, int]:
    """Rows for directories, parents before children. Returns their numbers by path; the root is always there."""
    numbers: dict[str, int] = {}

    def create(cursor: Cursor, identity: UUID, change: int) -> None:
        for path in ("", *paths):
            (number,) = directories.allocate(cursor, 1)
            parent = numbers[split(path)[0]] if path else directories.ROOT_PARENT
            record = KnownDirectory(number, parent, split(path)[1], path, 0, number, 0, int(PRESENT), None, False)
            directories.create(cursor, identity, change, [record])
            numbers[path] = number

    write(repository, create)
    return numbers


def make_files(repository: Repository, directory: int, *names: str) -> dict[str, int]:
    """Rows for files. Returns their numbers by name."""
    created = [entry(name, number) for number, name in enumerate(names, 1)]
    write(repository, lambda cursor, identity, change: files.create(cursor, identity, change, [(directory, created)]))
    with repository.catalogue.transaction() as cursor:
        rows = files.known(cursor, repository.id, [directory])[directory]
    return {row[3]: row[1] for row in rows}


def clear(library: Library) -> None:
    library.query("DELETE FROM files")
    library.query("DELETE FROM directories")


def withdraw(repository: Repository, *numbers: int, state: FileState = MISSING) -> int:
    count = 0

    def mark(cursor: Cursor, identity: UUID, change: int) -> None:
        nonlocal count
        count = files.withdraw(cursor, identity, change, numbers, state)

    write(repository, mark)
    return count


def listing(inode: int = 1) -> Listing:
    return Listing(device=1, inode=inode, birth_ns=1, packed=[], subdirectories=[], digest=b"digest")


def listed(repository: Repository, generation: int, *numbers: int) -> None:
    """Record complete listings in the pass of that number."""
    now = datetime.now(UTC)
    write(
        repository,
        lambda cursor, identity, _: directories.listed(
            cursor, identity, generation, now, [(number, listing(), b"digest") for number in numbers]
        ),
    )


# Moves ----------------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(data=st.data())
def test_files_move_in_any_permutation(library: Library, data: st.DataObject) -> None:
    """Present rows go to places that are free, left by others, or claimed by missing rows, all in one statement."""
    repository = library.repository
    clear(library)
    numbers = make_directories(repository, "d", "e")
    paths = {number: path for path, number in numbers.items()}
    places = data.draw(st.permutations([(number, name) for number in numbers.values() for name in "abc"]))
    present, missing = places[:5], places[5 : data.draw(st.integers(5, 8))]
    rows: dict[tuple[int, str], int] = {}
    for directory in paths:
        names = [name for at, name in present + missing if at == directory]
        rows |= {(directory, name): number for name, number in make_files(repository, directory, *names).items()}
    withdraw(repository, *(rows[place] for place in missing))
    movers = present[: data.draw(st.integers(0, 5))]
    staying = present[len(movers) :]
    targets = data.draw(st.permutations([place for place in places if place not in staying]))
    moves = {rows[place]: target for place, target in zip(movers, targets, strict=False)}

    def move(cursor: Cursor, identity: UUID, change: int) -> None:
        files.move(cursor, identity, change, [(number, *place) for number, place in moves.items()])
        files.update(cursor, identity, change, [(n, entry(name), Effect.NONE) for n, (_, name) in moves.items()])

    for _ in range(2):  # the second time every row is where it goes, and the missing ones have stepped aside
        write(repository, move)
        now = {rows[place]: place for place in staying} | moves
        assert {n: p for p, n in library.ids().items()} == {n: join(paths[at], name) for n, (at, name) in now.items()}
        shown = dict(library.query("SELECT file_id, file_path FROM missing_files"))
        assert shown == {rows[at, name]: join(paths[at], name) for at, name in missing}


def move_directory(repository: Repository, record: KnownDirectory, parent: int, place: str) -> None:
    write(
        repository, lambda cursor, identity, change: directories.move(cursor, identity, change, record, parent, place)
    )


@settings(max_examples=40)
@given(data=st.data())
def test_directories_move_with_all_that_is_below(library: Library, data: st.DataObject) -> None:
    """Paths follow from names wherever a directory goes; what is missing at its new place steps aside."""
    repository = library.repository
    clear(library)
    numbers = make_directories(repository, "a", "a/b", "a/b/c", "d", "d/b", "d/b/e", "f")
    parents = {number: numbers[split(path)[0]] for path, number in numbers.items() if path}
    names = {number: split(path)[1] for path, number in numbers.items()}
    gone = set(data.draw(st.sets(st.sampled_from([numbers["d/b/e"], numbers["f"], numbers["a/b/c"]]))))
    write(
        repository,
        lambda cursor, identity, change: directories.withdraw(cursor, identity, change, gone, MISSING),
    )

    def path_of(number: int) -> str:
        return join(path_of(parents[number]), names[number]) if number in parents else ""

    for _ in range(data.draw(st.integers(1, 5))):
        mover = data.draw(st.sampled_from(sorted(set(parents) - gone)))
        below = {number for number in parents if path_of(number).startswith(path_of(mover) + "/")}
        parent = data.draw(st.sampled_from(sorted(set(numbers.values()) - below - gone - {mover})))
        name = data.draw(st.sampled_from("abef"))
        if any(parents[other] == parent and names[other] == name for other in set(parents) - gone - {mover}):
            continue
        with repository.catalogue.transaction() as cursor:
            record = directories.by_id(cursor, repository.id, [mover])[mover]
        place = join(path_of(parent), name)
        aside = {other for other in gone if parents.get(other) == parent and names[other] == name}
        move_directory(repository, record, parent, place)
        parents[mover], names[mover] = parent, name
        for other in aside:  # it keeps its path, and nobody finds it by its name any more
            del parents[other]
    known = {number: rest for number, *rest in library.query("SELECT id, parent_id, path FROM directories")}
    for number, parent in parents.items():
        assert known[number] == [parent, path_of(number)]


def test_a_directory_in_itself_does_not_go_round_for_ever(library: Library) -> None:
    """Nothing makes such rows; should they be there all the same, no statement may run until the disk is full."""
    repository = library.repository
    numbers = make_directories(repository, "a", "a/b", "c")
    library.query("UPDATE directories SET parent_id = %s WHERE path = 'a'", numbers["a/b"])
    with repository.catalogue.transaction() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '5s'")
        below = directories.below(cursor, repository.id, [numbers["a"]])
        record = directories.by_id(cursor, repository.id, [numbers["a"]])[numbers["a"]]
    assert {number for number, _ in below} == {numbers["a"], numbers["a/b"]}
    move_directory(repository, record, numbers["c"], "c/a")
    assert library.query("SELECT path FROM directories ORDER BY path") == [("",), ("c",), ("c/a",), ("c/a/b",)]


def test_a_missing_directory_that_moves_is_present_again(library: Library) -> None:
    repository = library.repository
    numbers = make_directories(repository, "a", "a/b", "c")
    listed(repository, 1, *numbers.values())
    write(
        repository,
        lambda cursor, identity, change: directories.withdraw(
            cursor, identity, change, [numbers["a"], numbers["a/b"]], MISSING
        ),
    )
    with repository.catalogue.transaction() as cursor:
        record = directories.by_id(cursor, repository.id, [numbers["a"]])[numbers["a"]]
    write(
        repository,
        lambda cursor, identity, change: directories.move(cursor, identity, change, record, numbers["c"], "c/x"),
    )
    rows = library.query("SELECT path, state, missing_since IS NULL, digest IS NULL FROM directories ORDER BY path")
    assert rows == [("", 0, True, False), ("c", 0, True, False), ("c/x", 0, True, True), ("c/x/b", 1, False, True)]


# Missing, ignored, purged ---------------------------------------------------------------------------------------------


def test_only_what_was_there_is_counted_and_dated(library: Library) -> None:
    repository = library.repository
    numbers = make_directories(repository)
    rows = make_files(repository, numbers[""], "a", "b", "c")
    assert withdraw(repository, rows["a"], state=IGNORED) == 1
    assert withdraw(repository, rows["a"], rows["b"]) == 1
    before = library.query("SELECT name, state, missing_since, change_number FROM files ORDER BY name")
    assert withdraw(repository, rows["a"], rows["b"]) == 0
    assert withdraw(repository, rows["a"], rows["b"], state=IGNORED) == 0
    assert library.query("SELECT name, state, missing_since, change_number FROM files ORDER BY name") == before
    assert [(name, state, since is None) for name, state, since, _ in before] == [
        ("a", 1, False),
        ("b", 1, False),
        ("c", 0, True),
    ]


def test_a_row_that_comes_back_is_as_it_was_but_for_what_changed(library: Library) -> None:
    repository = library.repository
    rows = make_files(repository, make_directories(repository)[""], "a", "b", "c")
    library.query("UPDATE files SET content_hash = '\\x01', scan_phase = 1")
    created = library.query("SELECT id, created_at FROM files ORDER BY id")
    withdraw(repository, *rows.values())
    effects = [
        (rows["a"], entry("a", 9), Effect.NONE),
        (rows["b"], entry("b", 9), Effect.VERIFY),
        (rows["c"], entry("c", 9), Effect.CONTENT),
    ]
    write(repository, lambda cursor, identity, change: files.update(cursor, identity, change, effects))
    found = library.query("SELECT file_path, content_hash, scan_phase FROM file_records ORDER BY 1")
    assert found == [("a", "01", 1), ("b", "01", 0), ("c", None, 0)]
    assert library.query("SELECT id, created_at FROM files ORDER BY id") == created
    assert library.missing() == {}


def test_rows_are_purged_after_their_grace_and_directories_when_they_are_empty(library: Library) -> None:
    repository = library.repository
    numbers = make_directories(repository, "old", "old/below", "kept")
    old = make_files(repository, numbers["old/below"], "a", "b")
    kept = make_files(repository, numbers["kept"], "c", "d", "e")
    withdraw(repository, *old.values(), kept["c"], kept["d"])
    withdraw(repository, kept["e"], state=IGNORED)
    write(
        repository,
        lambda cursor, identity, change: directories.withdraw(
            cursor, identity, change, [numbers["old"], numbers["old/below"]], MISSING
        ),
    )
    library.query("UPDATE files SET missing_since = missing_since - interval '1 hour' WHERE id <> %s", kept["d"])
    library.query("UPDATE directories SET missing_since = missing_since - interval '1 hour'")

    def purge(what: Callable[[Cursor, UUID, float, int], int], most: int = 10) -> int:
        with repository.catalogue.transaction() as cursor:
            return what(cursor, repository.id, 1800.0, most)

    assert purge(directories.purge) == 0  # there are files in one, and a directory in the other
    assert [purge(files.purge, 2), purge(files.purge, 2), purge(files.purge, 2)] == [2, 1, 0]
    assert [purge(directories.purge), purge(directories.purge), purge(directories.purge)] == [1, 1, 0]
    assert {number for (number,) in library.query("SELECT id FROM files")} == {kept["d"], kept["e"]}
    assert {path for (path,) in library.query("SELECT path FROM directories")} == {"", "kept"}


# The views ------------------------------------------------------------------------------------------------------------


def test_last_scanned_stands_still_where_nothing_can_be_seen(library: Library) -> None:
    repository = library.repository
    numbers = make_directories(repository, "good", "bad", "bad/below", "bad/below/deeper")
    for path, number in numbers.items():
        make_files(repository, number, f"in-{split(path)[1]}")

    def complete() -> None:
        with repository.catalogue.transaction() as cursor:
            repositories.complete_pass(cursor, repository.lease, repositories.database_time(cursor))

    def seen() -> dict[str, tuple[datetime, int]]:
        rows = library.query("SELECT file_path, last_scanned, scan_generation FROM file_records")
        return {path: (when, generation) for path, when, generation in rows}

    listed(repository, 1, *numbers.values())
    complete()
    first = seen()
    assert {generation for _, generation in first.values()} == {1}
    write(repository, lambda cursor, identity, _: directories.trouble(cursor, identity, {numbers["bad"]: TROUBLE}))
    complete()
    second = seen()
    assert {path for path in second if second[path] == first[path]} == {
        *("bad/in-bad", "bad/below/in-below", "bad/below/deeper/in-deeper")
    }
    assert library.query("SELECT path, problem_kind, problem FROM directory_problems") == [
        ("bad", "permission", "Permission denied (EACCES)")
    ]
    # What lies below an unreadable directory was not learnt of; what lies beside an odd name was.
    listed(repository, 3, numbers["bad"], numbers["bad/below"])
    write(
        repository,
        lambda cursor, identity, _: directories.trouble(cursor, identity, {numbers["bad"]: TROUBLE}, only_there=True),
    )
    complete()
    third = {path: generation for path, (_, generation) in seen().items()}
    assert third == {
        "in-": 3,
        "good/in-good": 3,
        "bad/in-bad": 3,
        "bad/below/in-below": 3,
        "bad/below/deeper/in-deeper": 1,
    }
    listed(repository, 4, *numbers.values())
    assert library.query("SELECT * FROM directory_problems") == []


# The change feed ------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(sizes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=8), at_most=st.integers(1, 6))
def test_a_reader_that_pages_misses_nothing_and_repeats_nothing(
    library: Library, sizes: list[tuple[int, int]], at_most: int
) -> None:
    repository = library.repository
    clear(library)
    after = library.query("SELECT change_number FROM repositories")[0][0]
    root = make_directories(repository)[""]
    expected = [("directory", root)]

    def batch(cursor: Cursor, identity: UUID, change: int, number: int, files_: int, directories_: int) -> None:
        new = [(root, [entry(f"f{number}-{each}") for each in range(files_)])]
        files.create(cursor, identity, change, new)
        for each in directories.allocate(cursor, directories_):
            name = f"d{number}-{each}"
            directories.create(
                cursor, identity, change, [KnownDirectory(each, root, name, name, 0, 0, 0, 0, None, False)]
            )

    for number, (count, folders) in enumerate(sizes):
        write(repository, lambda c, i, n, number=number, a=count, b=folders: batch(c, i, n, number, a, b))  # type: ignore[misc]
    expected = sorted(
        [("file", number) for (number,) in library.query("SELECT id FROM files")]
        + [("directory", number) for (number,) in library.query("SELECT id FROM directories")]
    )
    read: list[tuple[str, int]] = []
    while page := library.query("SELECT * FROM changes_since(%s, %s, %s)", repository.id, after, at_most):
        changes = [change for change, *_ in page]
        assert changes == sorted(changes)
        assert len(page) >= min(at_most, len(expected) - len(read))
        read += [(kind, number) for _, kind, number, _, _ in page]
        after = changes[-1]
    assert sorted(read) == expected


def test_a_reader_beside_writers_misses_nothing(library: Library) -> None:
    """Changes of several connections come in the order of their numbers, however the transactions overlap."""
    repository = library.repository
    root = make_directories(repository)[""]
    written: list[int] = []

    def writer(which: int) -> None:
        for number in range(25):
            created = [(root, [entry(f"{which}-{number}-{each}") for each in range(which + 1)])]
            write(repository, lambda cursor, identity, change: files.create(cursor, identity, change, created))  # noqa: B023

    def read(after: int) -> int:
        for change, kind, number, _, _ in library.query("SELECT * FROM changes_since(%s, %s, 3)", repository.id, after):
            assert change >= after
            after = change
            if kind == "file":
                written.append(number)
        return after

    threads = [threading.Thread(target=writer, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    after = 0
    while any(thread.is_alive() for thread in threads):
        after = read(after)
    while (later := read(after)) != after:
        after = later
    assert len(written) == len(set(written)) == 25 * (1 + 2 + 3)
    assert sorted(written) == [number for (number,) in library.query("SELECT id FROM files ORDER BY id")]


def test_the_feed_tells_where_things_are_now(library: Library) -> None:
    repository = library.repository
    numbers = make_directories(repository, "d")
    rows = make_files(repository, numbers["d"], "a", "b")
    withdraw(repository, rows["a"])
    moves = [(rows["b"], numbers["d"], "a")]
    change = write(repository, lambda cursor, identity, change: files.move(cursor, identity, change, moves))
    write(repository, lambda c, i, n: files.update(c, i, n, [(rows["b"], entry("a"), Effect.NONE)]))
    feed = library.query("SELECT kind, id, path, state FROM changes_since(%s, %s)", repository.id, change - 1)
    assert feed == [("file", rows["a"], "d/a", "missing"), ("file", rows["b"], "d/a", "present")]


# Owners and the journal -----------------------------------------------------------------------------------------------


def test_whoever_has_an_older_lease_writes_nothing(library: Library) -> None:
    repository = library.repository
    root = make_directories(repository)[""]
    before = library.query("SELECT change_number, state, dirty_since, scan_generation, identity FROM repositories")
    with repository.catalogue.transaction() as cursor:
        lease = repositories.acquire(cursor, repository.id, "somebody else", 60.0, dead=["test"])
    assert lease is not None
    assert lease.token > repository.lease.token
    with pytest.raises(LeaseLostError):
        write(
            repository, lambda cursor, identity, change: files.create(cursor, identity, change, [(root, [entry("a")])])
        )
    with repository.catalogue.transaction() as cursor:
        assert not repositories.renew(cursor, repository.lease, 60.0)
        repositories.mark_dirty(cursor, repository.lease, "too late")
        repositories.release(cursor, repository.lease)
        repositories.set_schedule(cursor, repository.lease, 1.0, 1.0)
    with pytest.raises(LeaseLostError), repository.catalogue.transaction() as cursor:
        repositories.complete_pass(cursor, repository.lease, repositories.database_time(cursor))
    assert (
        library.query("SELECT change_number, state, dirty_since, scan_generation, identity FROM repositories") == before
    )
    assert library.query("SELECT lease_owner, lease_token FROM repositories") == [("somebody else", lease.token)]
    write(replace(repository, lease=lease), lambda c, i, n: files.create(c, i, n, [(root, [entry("a")])]))
    assert list(library.ids()) == ["a"]


def test_a_lease_is_free_when_it_was_let_go_has_run_out_or_its_owner_is_dead(library: Library) -> None:
    repository = library.repository

    def acquire(owner: str, *dead: str) -> bool:
        with repository.catalogue.transaction() as cursor:
            return repositories.acquire(cursor, repository.id, owner, 60.0, dead) is not None

    assert not acquire("b")
    assert acquire("b", "test")
    assert not acquire("c", "test")
    library.query("UPDATE repositories SET lease_expires_at = now() - interval '1 second'")
    assert acquire("c")
    library.query("UPDATE repositories SET lease_owner = NULL")
    assert acquire("d")


def start(repository: Repository, kind: OperationType) -> int:
    with repository.catalogue.transaction() as cursor:
        return journal.start(cursor, repository.lease, kind, Trigger.MANUAL, "/")


def test_one_pass_at_a_time(library: Library) -> None:
    repository = library.repository
    number = start(repository, OperationType.VERIFY)
    for kind in (OperationType.QUICK_SCAN, OperationType.RECONCILIATION, OperationType.VERIFY):
        with pytest.raises(OperationRunningError):
            start(repository, kind)
    start(repository, OperationType.REALTIME)
    with repository.catalogue.transaction() as cursor:
        journal.update(cursor, repository.lease, number, Counts(added=3), OperationStatus.COMPLETED)
    start(repository, OperationType.RECONCILIATION)


def test_what_was_left_running_is_closed_by_whoever_comes_next(library: Library) -> None:
    repository = library.repository
    number = start(repository, OperationType.RECONCILIATION)
    with repository.catalogue.transaction() as cursor:
        assert journal.close_interrupted(cursor, repository.lease) == 0  # it is his own
        lease = repositories.acquire(cursor, repository.id, "next", 60.0, dead=["test"])
        assert lease is not None
        assert journal.close_interrupted(cursor, lease) == 1
        assert journal.close_interrupted(cursor, lease) == 0
    ((status, ended, error),) = library.query("SELECT status, end_time IS NOT NULL, error_message FROM sync_operations")
    assert (status, ended) == ("failed", True)
    assert "interrupted" in error
    # Whoever was interrupted comes too late to say anything about it.
    with repository.catalogue.transaction() as cursor:
        journal.update(cursor, repository.lease, number, Counts(added=9), OperationStatus.COMPLETED)
    assert library.query("SELECT status, files_added FROM sync_operations") == [("failed", 0)]
    own = replace(repository, lease=lease)
    start(own, OperationType.RECONCILIATION)
    with repository.catalogue.transaction() as cursor:
        assert journal.close_interrupted(cursor, lease, own=True) == 1


def test_the_journal_says_how_long_it_took_and_is_trimmed(library: Library) -> None:
    repository = library.repository
    operation = SyncOperation(
        *(0, repository.id, OperationType.REALTIME, Trigger.REALTIME, "d/f", OperationStatus.COMPLETED),
        counts=Counts(added=1),
        duration=1.5,
    )
    with repository.catalogue.transaction() as cursor:
        journal.record(cursor, repository.lease, operation)
    start(repository, OperationType.RECONCILIATION)
    ((took, span),) = library.query(
        "SELECT duration_ms, extract(epoch FROM end_time - start_time)::float8 FROM sync_operations"
        " WHERE status = 'completed'"
    )
    assert (took, round(span, 3)) == (1500, 1.5)
    library.query("UPDATE sync_operations SET start_time = start_time - interval '1 day'")
    with repository.catalogue.transaction() as cursor:
        assert journal.trim(cursor, repository.id, 3600.0, 10) == 1
    assert library.query("SELECT status FROM sync_operations") == [("running",)]


# Connections --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dbname": "nowhere"}, 'database "nowhere" does not exist'),
        ({"user": "nobody at all"}, "nobody at all"),
        ({"host": "127.0.0.1,127.0.0.2", "port": "1"}, 'connection to server at "127.0.0.2", port 1 failed'),
        ({"host": "/nonexistent"}, "No such file or directory"),
    ],
)
def test_why_there_is_no_connection_is_said_without_the_password(
    server: str, changes: dict[str, str], says: str
) -> None:
    conninfo = make_conninfo(server, password="sesame", **changes)
    with (
        Catalogue(conninfo, PoolSettings(timeout=1.0)) as catalogue,
        pytest.raises(CatalogueUnavailableError) as caught,
        catalogue.transaction(),
    ):
        pass
    text = str(caught.value)
    assert text.startswith("no connection to the database could be had in time: ")
    assert says in text
    assert "sesame" not in text
    assert "\n" not in text
