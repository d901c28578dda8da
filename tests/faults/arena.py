"""Where a fault is tried: the real daemon, a database with a witness in it, a workload, and the judgement."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
import pytest

from tests.faults import second_referee, witness
from tests.faults.bystanders import Bystanders, survey
from tests.faults.referee import differences, listing, on_record
from tests.faults.workload import Workload
from tests.tools.daemon import BUSY_IS_FINE, DaemonProcess
from tests.tools.waiting import stays, until

REPOSITORY: Final = "tree"

SETTINGS: Final = f'{BUSY_IS_FINE}[defaults]\ndebounce = "20ms"\nlease_ttl = "5s"\npoll_interval = "1s"\n'
"""Everything at once, also on a machine that is busy. [defaults] is last, so that keys can be put behind it."""


OVERLOAD: Final = 12
"""Processes that want to run, for each processor: with more than that, what does not happen in time tells nothing."""


def overloaded(load: float, processors: int) -> str:
    """Why nothing can be tried with so much to do for so many processors; empty if it can be."""
    limit = OVERLOAD * processors
    if load <= limit:
        return ""
    return f"the machine is overloaded: its load is {load:.1f}, and {limit} is the most ({OVERLOAD} for each processor)"


@dataclass(frozen=True)
class Trial:
    """How long a fault is tried.

    Attributes:
        seed: of the workload, and of whatever the fault leaves to chance.
        operations: about how many are done while the fault lasts.
        long: whether everything is tried that can be, and not a sample of it.
    """

    seed: int = 0
    operations: int = 100
    long: bool = False


def trials(seeds: int = 3, operations: int = 1000, minutes: float = 10) -> pytest.MarkDecorator:
    """Have a test, which takes ``trial``, run in a short form and for so many seeds in a long one (`make faults`).

    Args:
        seeds: how many.
        operations: of each run of the long form.
        minutes: that one run of the long form may take at most.
    """
    marks = (pytest.mark.faults, pytest.mark.timeout(60 * minutes))
    long = [pytest.param(Trial(seed, operations, True), id=f"seed{seed}", marks=marks) for seed in range(seeds)]
    return pytest.mark.parametrize("trial", [pytest.param(Trial(), id="short"), *long])


def long_only(*values: object) -> object:
    """A parameter that is left to `make faults`, in its short form too: another is much like it."""
    return pytest.param(*values, marks=pytest.mark.faults)


@dataclass
class Verdict:
    """What came of one run.

    Attributes:
        fault: what happened, in a few words: the row of the table.
        seed: the workload's.
        lost: what is on disk and not on record as it is, or the other way round.
        wrongly_missing: what was taken off the record although it was there all the time.
        ids_changed: what has another row than it must have.
        repair: seconds from the end of the fault to the end of the barrier; the longest, if it happened repeatedly.
        note: a figure worth telling.
        unseconded: why the second referee was not asked; empty if it was, and agreed.
    """

    fault: str
    seed: int
    lost: list[str] = field(default_factory=list)
    wrongly_missing: list[str] = field(default_factory=list)
    ids_changed: list[str] = field(default_factory=list)
    repair: float = 0.0
    note: str = ""
    unseconded: str = ""

    def row(self) -> dict[str, Any]:
        """The same as numbers, for the table."""
        counts = {name: len(value) for name, value in asdict(self).items() if isinstance(value, list)}
        return asdict(self) | counts


class Fault(Protocol):
    """What happens while files change: it begins, lasts for as long as the block, and has ended after it.

    What waits in it for things to be repaired says by ``fault_is_over`` where it ended really.
    """

    def __call__(self, arena: Arena, /) -> AbstractContextManager[object]: ...


class Arena:
    """A place for one run; on a machine that has too much to do there is none, and the test is skipped.

    Args:
        place: a directory with a path short enough for sockets.
        database: one with an empty catalogue; where the judgement looks.
        trial: how long it is.
        rows: where the verdicts go, for the table.

    Attributes:
        root: the tree.
        daemon: not started; may be another one, before ``run``.
        settings: its configuration but for the repository, and keys of the repository.
        workload: on the tree; made by ``prepare``.
        bystanders: the other files in it.
        rows: as given.
        note: a figure for the table, if the fault has one to tell.
        imprecision: seconds by which the witness's clock may be wrong.
    """

    def __init__(self, place: Path, database: str, trial: Trial, rows: list[tuple[str, object]]) -> None:
        if why := overloaded(os.getloadavg()[0], os.cpu_count() or 1):
            pytest.skip(why)
        self.place = place
        self.database = database
        self.trial = trial
        self.root = place / "tree"
        self.settings = SETTINGS
        self.daemon = DaemonProcess(place, database, "")
        self.workload: Workload
        self.bystanders = Bystanders()
        self.note = ""
        self.imprecision = 0.0
        self.rows = rows
        self._retried = 0.0
        self._fault_over: float | None = None
        self._repair = 0.0

    def run(self, name: str, fault: Fault) -> Verdict:
        """Start, let the fault happen under the workload, and judge.

        Args:
            name: the row of the table.
            fault: what happens.
        """
        self.prepare()
        with self.daemon:
            return self.round(name, fault)

    def round(self, name: str, fault: Fault) -> Verdict:
        """The same, with a daemon that has been started, in a place that has been prepared; as often as one likes."""
        self.begin()
        with self.workload:
            self.workload.wait(20)
            with fault(self):
                self.workload.wait(self.trial.operations)
            ended = time.monotonic() if self._fault_over is None else self._fault_over
        return self.judge(name, ended)

    def fault_is_over(self) -> None:
        """The fault has ended just now: the time to repair counts from the last call, else from the end of its block.

        Whatever may be waited for from here on is part of it, such as the daemon's saying that all is well.
        """
        self._fault_over = time.monotonic()

    def repaired(self) -> None:
        """Take the barrier: the time to repair ends here, though the workload goes on, or the fault comes again."""
        self.daemon.sync(REPOSITORY)
        if self._fault_over is not None:
            self._repair = max(self._repair, time.monotonic() - self._fault_over)
        self._fault_over = None

    def prepare(self, **workload: Any) -> None:
        """Make the tree and the configuration."""
        witness.install(self.database)
        self.workload = Workload(self.root, self.trial.seed, **workload)
        self.daemon.configure(self.configuration())

    def configuration(self) -> str:
        """The settings and the repository."""
        return f'{self.settings}[[repository]]\nname = "{REPOSITORY}"\npath = "{self.root}"\n'

    def begin(self) -> None:
        """Have everything on record, with hashes: from here on rows must be kept. The daemon has been started."""
        self._fault_over, self._repair = None, 0.0
        self.daemon.sync(REPOSITORY)
        self.deep_scanned()
        recorded, rows = on_record(self.database, REPOSITORY)
        assert not (wrong := differences(recorded, listing(self.root))), wrong
        self.workload.on_record(rows)
        self.bystanders.on_record(survey(self.root, recorded.keys() - self.workload.files.keys()), rows)

    def judge(self, name: str, ended: float) -> Verdict:
        """Take the barrier and compare; the test fails unless everything is as it should be.

        The workload has been stopped, the fault has ended, and the daemon runs.

        Args:
            name: the row of the table.
            ended: when the fault did, by the monotonic clock.
        """
        verdict = Verdict(name, self.trial.seed, note=self.note)
        self.note = ""
        self.daemon.sync(REPOSITORY)
        verdict.repair = max(self._repair, time.monotonic() - ended)
        found, (recorded, rows) = listing(self.root), on_record(self.database, REPOSITORY)
        verdict.lost = differences(recorded, found, hashes=False)
        if not verdict.lost:
            self.deep_scanned()
            recorded, rows = on_record(self.database, REPOSITORY)
            verdict.lost = differences(recorded, found)
        verdict.unseconded = second_referee.why_not()
        if not verdict.lost and not verdict.unseconded:
            verdict.lost = second_referee.disagreements(recorded, self.root)
        asked = time.time()
        marks = survey(self.root, found.keys() - self.workload.files.keys())
        self.bystanders.at_rest(marks, asked)
        verdict.wrongly_missing = witness.wrongly_missing(self.database, REPOSITORY, self._was_there)
        verdict.ids_changed = self._ids_changed(rows, self.bystanders.expected(marks))
        self.rows.append(("fault", verdict.row()))
        for wrong in (verdict.lost, verdict.wrongly_missing, verdict.ids_changed):
            assert not wrong, verdict
        return verdict

    def _was_there(self, path: bytes, inode: int, since: float, to: float) -> bool:
        times = since - self.imprecision, to + self.imprecision
        return any(known.was_there(path, inode, *times) for known in (self.workload, self.bystanders))

    def _ids_changed(self, rows: dict[bytes, int], bystanders: dict[bytes, int]) -> list[str]:
        heirs = witness.heirs(self.database, REPOSITORY)
        files = [(path, file.row, "; ".join(file.story)) for path, file in self.workload.files.items()]
        files += [(path, row, "not the workload's") for path, row in bystanders.items()]
        changed = []
        for path, row, what in files:
            expected, found = row, rows.get(path)
            while expected in heirs and expected != found:
                expected = heirs[expected]
            if expected is not None and expected != found:
                story = witness.story(self.database, row, found)
                changed.append(f"{path!r}: row {found} instead of {row}; {what}; notes: {story}")
        return changed

    def lasts(self, seconds: float) -> None:
        """Let a fault last, with the workload going on and the daemon alive."""
        process = self.daemon.process
        assert process is not None
        stays(lambda: process.poll() is None, seconds, self.daemon.log_text)

    def deep_scanned(self) -> None:
        """Wait until no file waits for its hash; files that were changed while they were read are not waited for."""
        until(self._is_deep_scanned, self._waiting)

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a statement, past whatever fault there is between the daemon and its database."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(statement, values).fetchall()

    def _is_deep_scanned(self) -> bool:
        waiting = (
            "SELECT FROM files f JOIN repositories r ON r.id = f.repository_id"
            " WHERE r.name = %s AND f.scan_phase = 0 AND f.state = 0 LIMIT 1"
        )
        if not self.query(waiting, REPOSITORY):
            return True
        # Not all the time: what was put off is looked at by the owner, once it has lain for a moment.
        if time.monotonic() > self._retried + 5.0:
            self._retried = time.monotonic()
            self.daemon.ctl("retry", REPOSITORY)
        return False

    def _waiting(self) -> str:
        waiting = self.query(
            "SELECT v.file_path, c.worker, c.attempts, c.put_off, c.last_error, c.lease_expires_at FROM file_records v"
            " LEFT JOIN deep_scan_claims c USING (repository_id, file_id) WHERE scan_phase = 0 LIMIT 5"
        )
        try:
            status = self.daemon.ctl("--json", "status").stdout
        except subprocess.TimeoutExpired as error:
            status = str(error)
        return f"these wait for the deep scan: {waiting}\n{status}\n{self.daemon.log_text()[-3000:]}"
