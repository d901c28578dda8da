"""The configuration changes while files do: reloads by the hundred, faults, repositories that come, go and move."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

from tests.faults.arena import REPOSITORY, Arena, trials
from tests.tools.waiting import until

OTHER = "other"
FILES = 3000
MOST_TRIES = 30
"""How often a pass is hoped to be under way at the right moment, at the most."""

PASSES = """
    SELECT FROM sync_operations o JOIN repositories r ON r.id = o.repository_id
    WHERE r.name = %s AND operation_type IN ('quick_scan', 'reconciliation', 'verify')
"""


def reload(arena: Arena, text: str) -> None:
    """Have the daemon read another configuration, and wait until it has."""
    daemon = arena.daemon
    assert daemon.notifications is not None
    before = len(daemon.notifications.messages)
    daemon.configure(text)
    daemon.signal(signal.SIGHUP)
    began = daemon.notifications.wait_for(lambda message: message.startswith("RELOADING=1"), before)
    daemon.notifications.wait_for(lambda message: message == "READY=1", began)


def ids(arena: Arena, repository: str) -> dict[str, int]:
    """Path -> number of the row, of every file on record, also where nobody looks after it any more."""
    return dict(
        arena.query(
            "SELECT d.path || '/' || f.name, f.id FROM files f JOIN directories d ON d.id = f.directory_id"
            " JOIN repositories r ON r.id = f.repository_id WHERE r.name = %s AND f.state = 0",
            repository,
        )
    )


def more_than(arena: Arena, number: int) -> bool:
    """Whether more than so many of the other repository's files are on record."""
    return len(ids(arena, OTHER)) > number


def is_scanning(arena: Arena, repository: str) -> bool:
    """Whether a pass is under way."""
    return bool(arena.query(PASSES + " AND status = 'running'", repository))


def grow(root: Path) -> None:
    """Make so many directories that a pass takes a while."""
    for number in range(FILES):
        directory = root / f"wide/{number % 100}/{number}"
        directory.mkdir(parents=True)
        (directory / "file").touch()


def fill(tree: Path) -> None:
    """Make so many files that a first pass takes a while."""
    for number in range(FILES):
        directory = tree / str(number // 100)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / str(number)).touch()


@trials()
def test_a_storm_of_reloads(arena: Arena) -> None:
    @contextmanager
    def storm(arena: Arena) -> Iterator[None]:
        while_scanning = 0
        for number in range(500 if arena.trial.long else 150):
            arena.daemon.signal(signal.SIGHUP)
            if number % 10 == 0:
                # Something differs at times, so that there is something to do.
                arena.daemon.configure(arena.configuration() + f'reconcile_max = "{7 + number} days"\n')
                arena.workload.wait(5)
            if number % 50 == 0:
                arena.daemon.ctl("scan", "--verify", REPOSITORY)
            while_scanning += is_scanning(arena, REPOSITORY)
        assert while_scanning, "no pass was under way while it was told to read its configuration"
        arena.note = f"{while_scanning} while scanning"
        yield
        reload(arena, arena.configuration())

    grow(arena.root)
    arena.run("hundreds of SIGHUPs while scanning", storm)


@trials()
def test_a_configuration_that_is_not_valid(arena: Arena) -> None:
    wrong = ("[[repository]\n", '[daemon]\nlog_level = "loud"\n', "\0", '[[repository]]\nname = "x"\n')

    @contextmanager
    def broken(arena: Arena) -> Iterator[None]:
        while_scanning = 0
        for number, text in enumerate(cycle(wrong)):
            if number >= len(wrong) and while_scanning:
                break
            assert number < MOST_TRIES, "no pass was under way while it was told to read its configuration"
            arena.daemon.ctl("scan", "--verify", REPOSITORY)
            reload(arena, text)
            while_scanning += is_scanning(arena, REPOSITORY)
            assert "the old one stays in force" in arena.daemon.ctl("status").stdout
            arena.workload.wait(arena.trial.operations // len(wrong))
        arena.note = f"{while_scanning} while scanning"
        arena.daemon.config.unlink()
        arena.daemon.signal(signal.SIGHUP)
        yield
        reload(arena, arena.configuration())
        assert "the old one stays in force" not in arena.daemon.ctl("status").stdout

    grow(arena.root)
    arena.run("a configuration that is not valid, while scanning", broken)


@trials()
def test_a_repository_comes_and_goes(arena: Arena) -> None:
    tree = arena.place / OTHER

    @contextmanager
    def to_and_fro(arena: Arena) -> Iterator[None]:
        alone = arena.configuration()
        both = f'{alone}[[repository]]\nname = "{OTHER}"\npath = "{tree}"\n'
        known: dict[str, int] = {}
        cancelled = 0
        for number in range(MOST_TRIES):
            if number >= 4 and cancelled:
                break
            fill(tree / str(number))
            reload(arena, both)
            until(partial(more_than, arena, len(known)), arena.daemon.log_text)
            reload(arena, alone)
            rows = ids(arena, OTHER)
            assert rows.items() >= known.items()
            assert arena.query("SELECT state FROM repositories WHERE name = %s", OTHER) == [("retired",)]
            known = rows
            cancelled = len(arena.query(PASSES + " AND status = 'cancelled'", OTHER))
        assert cancelled, "it was not scanned at any time when it was removed"
        arena.note = f"{cancelled} of {number} while scanning"
        reload(arena, both)
        arena.daemon.sync(OTHER)
        assert ids(arena, OTHER).items() >= known.items()
        assert len(ids(arena, OTHER)) == sum(len(names) for *_, names in os.walk(tree))
        yield

    arena.run("a repository added and removed while it is scanned", to_and_fro)


@trials()
def test_a_root_is_renamed(arena: Arena) -> None:
    @contextmanager
    def renamed(arena: Arena) -> Iterator[None]:
        places = [arena.place / "moved", arena.place / "deeper/moved again", arena.root]
        for place in places:
            with arena.workload.paused():
                move(arena, place)
            arena.workload.wait(arena.trial.operations // 6)
            reload(arena, arena.configuration())
            arena.workload.wait(arena.trial.operations // 6)
            arena.daemon.sync(REPOSITORY)
        yield

    arena.run("a root that is renamed, on disk and in the configuration", renamed)
    assert not (
        wrong := [event["exception"] for event in arena.daemon.log_events() if event["event"] == "unexpected"]
    ), wrong[0]


def move(arena: Arena, place: Path) -> None:
    """Have the tree somewhere else."""
    place.parent.mkdir(exist_ok=True)
    arena.root.rename(place)
    arena.root = place
    arena.workload.root = os.fsencode(place)
