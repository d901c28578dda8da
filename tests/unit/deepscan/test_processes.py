"""Worker processes: what they find, what they may do, and what is left of them when a file kills them."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from censusd.deepscan import process as process_module
from censusd.deepscan.messages import Finding, Job, Outcome, Settings
from censusd.deepscan.processes import LARGE, Casualty, Processes, wait
from censusd.filesystem.digest import fingerprint_of
from censusd.filesystem.names import text_of
from tests.tools.scanning import DEADLINE, sha256
from tests.tools.waiting import until

FAMILIES = ("tests.tools.hostile:Obedient",)
SETTINGS = Settings(memory=1 << 30, nice=0, families=FAMILIES)


def state_of(pid: int) -> str:
    """The state of a process: R, S, D, T, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class Pool:
    """A pool over files in one directory, and everything that came of them."""

    def __init__(self, root: Path, count: int = 1, settings: Settings = SETTINGS) -> None:
        self.root = root
        self.processes = Processes(count, settings)
        self.found: dict[str, Finding] = {}
        self.casualties: list[Casualty] = []
        self._number = 0

    def submit(self, *paths: str) -> None:
        """Have files looked at."""
        self.processes.submit(self.job(path) for path in paths)

    def job(self, path: str) -> Job:
        """A job for a file as it is now."""
        self._number += 1
        version = fingerprint_of((self.root / path).stat())
        directory, _, name = path.rpartition("/")
        numbers = (version.size, version.mtime_ns, version.ctime_ns, version.inode)
        return Job(self._number, text_of(bytes(self.root)), directory, name, numbers, hashing=True)

    def step(self) -> None:
        """Take what there is."""
        found, casualties = wait([self.processes], 0.05)
        self.found |= {job.name: finding for job, finding in found}
        self.casualties += casualties

    def until(self, condition: Callable[[], bool]) -> None:
        """Go on until something is true."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, (self.found, self.casualties, self.processes.fault)
            self.step()

    def finish(self) -> None:
        """Go on until everything is answered."""
        self.until(lambda: not self.processes.pending)

    def ask(self, expression: str) -> Any:
        """What a Python expression gives, evaluated in a worker process."""
        (self.root / "ask").write_text(f"!{expression}")
        self.submit("ask")
        self.finish()
        finding = self.found.pop("ask")
        assert finding.metadata is not None, finding
        return json.loads(finding.metadata["details"])["found"]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    pool = Pool(tmp_path)
    yield pool
    pool.processes.close()


def test_files_are_hashed_and_read(pool: Pool, tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"f{number}").write_bytes(bytes(number * 10))
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/said").write_text("!(source.name, source.size, source.directories)")
    pool.submit(*(f"f{number}" for number in range(300)), "a/b/said")
    pool.finish()
    assert len(pool.found) == 301
    said = pool.found.pop("said")
    for name, finding in pool.found.items():
        assert finding == Finding(finding.number, Outcome.DONE, hash=sha256(tmp_path / name))
    assert said.hash == sha256(tmp_path / "a/b/said")
    assert (said.extractor, said.version, said.metadata["kind"]) == ("obedient", 1, "document")
    assert json.loads(said.metadata["details"])["found"] == ["said", (tmp_path / "a/b/said").stat().st_size, ["a", "b"]]


def test_companion_files_are_given_along(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "Note.TXT").write_bytes(b"beside it")
    assert pool.ask("source.siblings['Note.TXT'].decode()") == "beside it"


def test_it_may_neither_talk_nor_run_nor_write(pool: Pool, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("x")
    other = tmp_path / "other"
    for expression in (
        "socket.socket",
        "socket.socket, socket.AF_UNIX, socket.SOCK_DGRAM",
        "socket.socketpair",
        "os.fork",
        "subprocess.run, ['/bin/true']",
        "os.execv, '/bin/true', ['true']",
        "os.posix_spawn, '/bin/true', ['true'], {}",
        f"os.kill, {os.getpid()}, 0",
        f"open, {str(victim)!r}, 'a'",
        f"open, {str(victim)!r}, 'r+'",
        f"open, {str(other)!r}, 'x'",
        f"os.open, {str(tmp_path)!r}, os.O_TMPFILE | os.O_RDWR",
        f"os.truncate, {str(victim)!r}, 0",
        f"os.unlink, {str(victim)!r}",
        f"os.rename, {str(victim)!r}, {str(other)!r}",
        f"os.link, {str(victim)!r}, {str(other)!r}",
        f"os.symlink, 'x', {str(other)!r}",
        f"os.mkdir, {str(other)!r}",
        f"os.mkfifo, {str(other)!r}",
        f"os.chmod, {str(victim)!r}, 0",
        f"os.chown, {str(victim)!r}, 1, 1",
        f"os.utime, {str(victim)!r}",
        f"os.setxattr, {str(victim)!r}, 'user.a', b''",
        "os.setpriority, os.PRIO_PROCESS, 0, -5",
        "os.setuid, 0",
    ):
        result = pool.ask(f"attempt({expression})")
        assert result in {"PermissionError", "OSError"} or expression == "os.setuid, 0", (expression, result)
    assert victim.read_text() == "x"
    assert not other.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ask", "victim"]
    assert pool.processes.started == 1


def test_threads_and_reading_are_allowed(pool: Pool) -> None:
    run = "[t := threading.Thread(target=lambda: None), t.start(), t.join(), open('/proc/self/comm').read()][-1]"
    assert pool.ask(run)


def test_every_layer_holds_here(pool: Pool) -> None:
    pool.ask("1")
    greeting = pool.processes.greeting
    assert greeting is not None
    assert greeting.extractors == {"obedient": 1}
    assert {name: why for name, why in greeting.sandbox.items() if why} == {}
    limits = pool.ask("[__import__('resource').getrlimit(kind)[0] for kind in (1, 4, 9)]")  # FSIZE, CORE, AS
    assert limits == [0, 0, 1 << 30]
    assert pool.ask("open('/proc/self/oom_score_adj').read()") == "1000\n"
    if os.geteuid() == 0:
        assert pool.ask("[line for line in open('/proc/self/status') if line.startswith('CapEff')]") == [
            "CapEff:\t0000000000000004\n"
        ]


def test_the_backlogs_workers_give_way_to_everybody(tmp_path: Path) -> None:
    pool = Pool(tmp_path, settings=SETTINGS._replace(nice=19))
    pool.processes.warm_up()
    pool.until(lambda: pool.processes.greeting is not None)
    (pid,) = pool.processes.pids
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    pool.processes.close()


def test_what_a_library_prints_harms_nobody(pool: Pool, tmp_path: Path) -> None:
    assert pool.ask("[print('x' * 10**6), os.write(1, b'deep'), os.write(2, b'deep'), 7][-1]") == 7
    assert not pool.casualties


@pytest.mark.parametrize(
    ("expression", "said"), [("segfault()", "signal 11"), ("os.abort()", "signal 6"), ("os._exit(3)", "status 3")]
)
def test_a_file_that_kills_its_worker_is_the_only_one_that_pays(
    pool: Pool, tmp_path: Path, expression: str, said: str
) -> None:
    for number in range(20):
        (tmp_path / f"f{number}").write_text(f"content {number}")
    (tmp_path / "killer").write_text(f"!{expression}")
    pool.submit(*(f"f{n}" for n in range(10)), "killer", *(f"f{n}" for n in range(10, 20)))
    pool.finish()
    assert [casualty.job.name for casualty in pool.casualties] == ["killer"]
    assert said in pool.casualties[0].why
    assert sorted(pool.found) == sorted(f"f{n}" for n in range(20))
    assert pool.processes.started == 2


def test_kill_9_at_any_moment_loses_nothing(pool: Pool, tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"f{number}").write_bytes(os.urandom(2000))
    pool.submit(*(f"f{n}" for n in range(200)))
    killed = 0
    while killed < 5:
        before = len(pool.found)
        pool.until(lambda: len(pool.found) > before or not pool.processes.pending)  # noqa: B023
        if not pool.processes.pending:
            break
        for pid in pool.processes.pids:
            os.kill(pid, signal.SIGKILL)
            killed += 1
    pool.finish()
    # Who was at work on a file when it was killed pays for it; every other file is done.
    assert len(pool.found) + len(pool.casualties) == 200
    assert len(pool.casualties) <= killed
    assert all(finding.hash == sha256(tmp_path / name) for name, finding in pool.found.items())


def test_a_file_that_takes_for_ever_is_ended(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_GRACE", 1.0)
    (tmp_path / "endless").write_text("!spin()")
    (tmp_path / "asleep").write_text("!time.sleep(1000)")
    (tmp_path / "fine").write_text("x")
    pool.submit("endless", "fine", "asleep")
    pool.finish()
    assert [casualty.job.name for casualty in pool.casualties] == ["endless", "asleep"]
    assert "more than 1 seconds" in pool.casualties[0].why
    assert "fine" in pool.found


def test_a_file_that_eats_memory_has_a_problem(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "hungry").write_text("!eat()")
    (tmp_path / "fine").write_text("x")
    pool.submit("hungry", "fine")
    pool.finish()
    assert not pool.casualties
    assert pool.found["hungry"].outcome == Outcome.DONE
    assert pool.found["hungry"].hash == sha256(tmp_path / "hungry")
    assert pool.found["hungry"].problem[0] == "resources"
    # It had better not go on after that.
    assert pool.processes.started == 2


def test_a_worker_that_has_retired_unnoticed_costs_nobody_anything(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "hungry").write_text("!eat()")
    (tmp_path / "fine").write_text("x")
    pool.processes.warm_up()
    pool.until(lambda: pool.processes.greeting is not None)
    (pid,) = pool.processes.pids
    pool.submit("hungry")
    pool.processes.prepare(select.poll())
    # It has answered, asked to be replaced and ended, and its parent has not heard of any of it yet.
    until(lambda: state_of(pid) == "Z")
    pool.submit("fine")
    pool.finish()
    assert not pool.casualties
    assert set(pool.found) == {"hungry", "fine"}


def test_an_extractor_that_fails_is_a_problem_of_the_file(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("!1 / 0")
    (tmp_path / "deep").write_text("!(lambda f: f(f))(lambda f: f(f))")
    (tmp_path / "said").write_text("!Problem(ProblemKind.OTHER, 'encrypted')")
    (tmp_path / "large").write_text("!['x' * 60000 for _ in range(200)]")
    (tmp_path / "odd").write_text("!{1: float('nan'), 'a\\x00': '\\ud800', 'b': b'bytes', 'c': 1 << 70}")
    pool.submit("bad", "deep", "said", "large", "odd")
    pool.finish()
    assert not pool.casualties
    assert "ZeroDivisionError" in pool.found["bad"].problem[1]
    assert "RecursionError" in pool.found["deep"].problem[1]
    assert pool.found["said"].problem == ["other", "encrypted"]
    assert pool.found["large"].problem[0] == "resources"
    assert json.loads(pool.found["odd"].metadata["details"])["found"] == {
        "1": None,
        "a\ufffd": "\ufffd",
        "b": "b'bytes'",
        "c": str(1 << 70),
    }
    assert all(finding.hash for finding in pool.found.values())


def test_files_that_are_not_what_the_catalogue_says(pool: Pool, tmp_path: Path) -> None:
    for name in ("changed", "gone", "fine"):
        (tmp_path / name).write_text(name)
    jobs = [pool.job(name) for name in ("changed", "gone", "fine")]
    (tmp_path / "changed").write_text("something else")
    (tmp_path / "gone").unlink()
    pool.processes.submit(jobs)
    pool.finish()
    assert pool.found["changed"].outcome == Outcome.CHANGED
    assert pool.found["gone"].outcome == Outcome.CHANGED
    assert pool.found["fine"].outcome == Outcome.DONE


def test_an_empty_root_says_nothing_about_its_files(pool: Pool, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_text("x")
    pool.root = root
    jobs = [pool.job("file"), pool.job("file")]
    root.rename(tmp_path / "elsewhere")
    pool.processes.submit(jobs[:1])
    pool.finish()
    assert pool.found["file"].outcome == Outcome.UNSEEN
    root.mkdir()
    pool.processes.submit(jobs[1:])
    pool.finish()
    assert pool.found["file"].outcome == Outcome.UNSEEN


def test_a_large_file_holds_up_nothing(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with (tmp_path / "larger").open("wb") as file:
        file.truncate(1 << 41)
    for number in range(100):
        (tmp_path / f"f{number}").write_text(str(number))
    try:
        pool.submit("large", "larger", *(f"f{n}" for n in range(100)))
        pool.until(lambda: len(pool.found) == 100)
        assert pool.processes.pending == 2
        assert len(pool.processes.pids) == 2
        began = time.monotonic()
        cancelled = pool.processes.cancel()
        assert time.monotonic() - began < 5
        assert sorted(job.name for job in cancelled) == ["large", "larger"]
        assert not pool.processes.pending
    finally:
        pool.processes.close()
    assert LARGE < 1 << 40


def test_pausing_stops_a_worker_inside_a_file(pool: Pool, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    pool.submit("large")
    pool.until(lambda: pool.processes.greeting is not None)
    (pid,) = pool.processes.pids
    pool.processes.pause()
    until(lambda: state_of(pid) == "T")
    pool.step()
    assert state_of(pid) == "T"
    pool.processes.resume()
    until(lambda: state_of(pid) != "T")
    pool.processes.cancel()


def test_a_worker_without_work_ends(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("censusd.deepscan.processes._IDLE_SECONDS", 0.2)
    (tmp_path / "f").write_text("x")
    pool.submit("f")
    pool.finish()
    pool.until(lambda: not pool.processes.pids)


def test_workers_that_are_of_no_use_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "_BOOTSTRAP", "raise SystemExit(4)")
    pool = Pool(tmp_path)
    (tmp_path / "f").write_text("x")
    pool.submit("f")
    pool.until(lambda: bool(pool.processes.fault))
    assert "status 4" in pool.processes.fault
    assert not pool.casualties
    monkeypatch.undo()
    pool.finish()
    assert pool.found["f"].outcome == Outcome.DONE
    assert pool.processes.fault == ""
    pool.processes.close()


def test_an_extractor_that_cannot_be_had_is_said_and_the_others_work(tmp_path: Path) -> None:
    pool = Pool(
        tmp_path, settings=SETTINGS._replace(families=("no.such:Thing", "tests.tools.hostile:Nobody", *FAMILIES))
    )
    assert pool.ask("5") == 5
    assert pool.processes.greeting is not None
    assert set(pool.processes.greeting.missing) == {"no.such:Thing", "tests.tools.hostile:Nobody"}
    pool.processes.close()


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            pool = Pool(tmp_path)
            pool.processes.warm_up()
            pool.until(lambda: pool.processes.greeting is not None)
            os.write(writer, str(pool.processes.pids[0]).encode())
            signal.pause()
        finally:
            os._exit(1)
    worker = int(os.read(reader, 20))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    until(lambda: not Path(f"/proc/{worker}").exists())
