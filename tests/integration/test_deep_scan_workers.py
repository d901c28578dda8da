"""Several workers share the work, and whoever is killed loses nothing."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from censusd.catalogue import deep_queue
from censusd.catalogue.deep_queue import Selection
from censusd.deepscan import process, processes, scanner, upkeep
from censusd.deepscan.idle import Condition
from censusd.deepscan.messages import Finding, Job, Settings
from censusd.errors import CensusError
from tests.tools.library import Library
from tests.tools.scanning import (
    RULES,
    claim,
    found,
    hashes,
    scanning,
    sha256,
    site,
    waiting,
    write,
)
from tests.tools.waiting import until


def test_two_scanners_share_the_work(library: Library) -> None:
    for number in range(300):
        library.write(f"d{number % 5}/f{number}", f"{number}")
    library.reconcile()
    with (
        scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, batch=10)),
        scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, batch=10)),
    ):
        until(lambda: not waiting(library))
    assert hashes(library) == {path: sha256(library.root / path) for path in hashes(library)}
    # Each file was written once, whoever wrote it.
    assert library.query("SELECT sum(files_scanned), sum(problems) FROM sync_operations WHERE trigger = 'idle'") == [
        (300, 0)
    ]
    assert library.query("SELECT count(*) FROM deep_scan_claims") == [(0,)]


def test_nobody_gets_what_another_has(library: Library) -> None:
    for number in range(500):
        library.write(f"f{number}")
    library.reconcile()
    got: list[int] = []
    lock = threading.Lock()

    def take(worker: str) -> None:
        while True:
            with library.repository.catalogue.transaction() as cursor:
                identity = library.repository.id
                claim = deep_queue.claim(cursor, identity, worker, Selection(), most=7, lease=60)
            with lock:
                got.extend(file.id for file in claim.files)
            if not claim.more:
                return

    threads = [threading.Thread(target=take, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    twice = [number for number, count in Counter(got).items() if count > 1]
    assert not twice
    # What was locked in the very moment that somebody looked is left for the next look.
    assert len(got) + len(claim(library)) == 500


def test_whoever_comes_late_overwrites_nothing(library: Library) -> None:
    library.write("file")
    library.reconcile()
    (file,) = claim(library, "dead")
    assert claim(library, "other") == []
    with library.repository.catalogue.transaction() as cursor:
        assert deep_queue.workers(cursor) == ["dead"]
        assert deep_queue.expire(cursor, ["dead"]) == 1
    (again,) = claim(library, "other")
    assert (again.id, again.attempts) == (file.id, 0)
    # The first was not dead after all: what it has found is right, and the other's is not needed any more.
    assert write(library, [found(file)], "dead").files == 1
    assert write(library, [found(again)], "other").overtaken == 1
    assert library.query("SELECT count(*) FROM deep_scan_claims") == [(0,)]


def test_files_whose_worker_ends_are_never_given_up_but_left_alone_for_ever_longer(library: Library) -> None:
    library.write("file")
    library.reconcile()

    def taken_after(seconds: float) -> bool:
        shift = "UPDATE deep_scan_claims SET lease_expires_at = now() - make_interval(secs => %s)"
        library.query(shift, seconds)
        return bool(claim(library, "another"))

    assert claim(library, "first")
    for _ in range(3):
        assert taken_after(0.001)
    assert not taken_after(7)
    assert taken_after(9)
    assert not taken_after(15)
    assert taken_after(17)
    for _ in range(20):
        assert taken_after(5000)
    assert library.query("SELECT attempts, quarantined_at, last_error FROM deep_scan_claims") == [
        (0, None, "its worker ended without a word")
    ]


_SCANNER = """
import sys
from censusd.catalogue.connection import Catalogue
from tests.tools.scanning import RULES, site
from censusd.deepscan.scanner import Scanner
from dataclasses import replace
from pathlib import Path
dsn, root, name = sys.argv[1:]
with Catalogue(dsn) as catalogue:
    scanner = Scanner(catalogue, replace(RULES, batch=5), [site(Path(root))], name)
    scanner.start()
    scanner.join()
"""


def test_kill_9_of_a_whole_scanner_loses_nothing(library: Library, database: str) -> None:
    for number in range(400):
        library.write(f"d{number % 5}/f{number}", f"{number}" * 50)
    library.reconcile()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for round_ in range(3):
        before = len(waiting(library))
        command = [sys.executable, "-B", "-c", _SCANNER, database, str(library.root), f"killed {round_}"]
        scanner = subprocess.Popen(command, env=environment)
        until(lambda: len(waiting(library)) < before - 20)  # noqa: B023
        scanner.send_signal(signal.SIGKILL)
        scanner.wait(60)
    assert waiting(library)
    ((left,),) = library.query("SELECT count(*) FROM deep_scan_claims WHERE lease_expires_at > now()")
    catalogue = library.repository.catalogue
    with scanning(catalogue, site(library.root), is_gone=lambda name: name.startswith("killed")):
        until(lambda: not waiting(library))
    assert hashes(library) == {path: sha256(library.root / path) for path in hashes(library)}
    assert library.query("SELECT sum(files_scanned) FROM sync_operations WHERE trigger = 'idle'") == [(400,)]
    assert left < 100


def test_stopping_is_prompt_inside_a_large_file_and_lets_go(library: Library) -> None:
    with (library.root / "large").open("wb") as file:
        file.truncate(1 << 40)
    library.write("small")
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, workers=1)):
        until(lambda: waiting(library) == {"large"})
        until(lambda: bool(library.query("SELECT worker FROM deep_scan_claims WHERE worker IS NOT NULL")))
    assert library.query("SELECT worker, attempts FROM deep_scan_claims") == [(None, 0)]


def test_worker_processes_that_do_not_start_are_said_and_tried_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.write("file")
    library.reconcile()
    monkeypatch.setattr(process, "_BOOTSTRAP", "raise SystemExit(4)")
    with scanning(library.repository.catalogue, site(library.root)) as scanner:
        until(lambda: scanner.condition is Condition.STUCK)
        assert "status 4" in scanner.status()["why"]
        with pytest.raises(CensusError, match="status 4"):
            scanner.demand("library", "").wait(60)
        monkeypatch.undo()
        until(lambda: not waiting(library))
        until(lambda: scanner.condition is Condition.NOTHING)
    assert library.query("SELECT count(*) FROM deep_scan_claims") == [(0,)]


def test_what_was_found_and_lost_by_a_fault_of_ours_is_looked_at_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on no worker's list any more, and must not stay claimed for that."""
    receive = process.Process.receive
    lost: list[tuple[Job, Finding]] = []

    def receive_and_lose(one: process.Process) -> list[tuple[Job, Finding]]:
        found = receive(one)
        if found and not lost:
            lost.extend(found)
            raise MemoryError
        return found

    library.write("file")
    library.reconcile()
    monkeypatch.setattr(process.Process, "receive", receive_and_lose)
    monkeypatch.setattr(scanner, "_LAST_RETRY", 0.1)
    monkeypatch.setattr(upkeep, "_RENEW_EVERY", 0.2)
    with scanning(library.repository.catalogue, site(library.root)):
        until(lambda: not waiting(library), within=30)
    assert lost


def test_a_worker_process_that_starts_at_the_second_attempt_is_not_stopped_before_it_has(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    fd = os.open(gate, os.O_RDWR | os.O_NONBLOCK)
    os.write(fd, b".")  # for the first one
    prepare = processes.Processes.prepare
    refused: list[Settings] = []

    def let_one_start_if_paused(pool: processes.Processes, poll: select.poll) -> None:
        prepare(pool, poll)
        if pool._paused and pool.pids:
            os.write(fd, b".")

    def refuse_once(settings: Settings) -> process.Process:
        if settings.nice and not refused:
            refused.append(settings)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return process.Process(settings)

    library.write("file")
    library.reconcile()
    monkeypatch.setattr(processes, "Process", refuse_once)
    monkeypatch.setattr(processes.Processes, "prepare", let_one_start_if_paused)
    # At once, and it takes until the next look at what holds the backlog back: the machine is busy.
    monkeypatch.setattr(processes, "_START_AGAIN", 0.0)
    monkeypatch.setattr(process, "_BOOTSTRAP", f"open({str(gate)!r}, 'rb', 0).read(1);{process._BOOTSTRAP}")
    with scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, idle_nice=1)) as scanner:
        until(lambda: not waiting(library), lambda: str(scanner.status()), within=30)
    assert refused
    os.close(fd)
