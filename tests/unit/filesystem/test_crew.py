"""Walking with helper processes: the same observations as without, whatever happens to the helpers."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from itertools import count
from math import inf
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censusd.filesystem import crew, helper
from censusd.filesystem.crew import Help, Walk
from censusd.filesystem.ignore import IgnorePolicy
from censusd.model import ROOT, Listing, Observation, Problem, ProblemKind, is_below
from tests.tools.private import apart, beside
from tests.tools.waiting import until
from tests.tools.walking import ALONE

DEADLINE = 30.0
TWO = Help(most=2, after=0.0)
"""Nothing is listed but by helpers."""

LONG = "x" * 250


def make(root: Path, *paths: str) -> None:
    """Make files, and directories where a path ends in a slash."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).mkdir() if path.endswith("/") else (root / path).touch()


def fill(directory: Path, files: int, name: str = "") -> None:
    """Many files with long names."""
    directory.mkdir(parents=True, exist_ok=True)
    fd = os.open(directory, os.O_RDONLY)
    for number in range(files):
        os.close(os.open(f"{number:05}{name}", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


def walk(root: Path, terms: Help = TWO, policy: IgnorePolicy | None = None, **others: object) -> Walk:
    return Walk(root, policy or IgnorePolicy(), (ROOT,), terms=terms, **others)  # type: ignore[arg-type]


def observed(root: Path, terms: Help, policy: IgnorePolicy | None = None) -> list[Observation]:
    with walk(root, terms, policy) as walking:
        return list(walking)


def seen(observations: list[Observation]) -> dict[str, Listing | Problem]:
    """By path; each comes once, and after its parent."""
    found: dict[str, Listing | Problem] = {}
    for path, what in ((observation.path, observation.seen) for observation in observations):
        assert path not in found
        assert not path or path.rpartition("/")[0] in found
        found[path] = what
    return found


def pids(walking: Walk) -> list[int]:
    return [each.pid for each in walking._helpers]


def state_of(pid: int) -> str:
    """One letter, as in proc_pid_stat(5); empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def children() -> set[int]:
    """Every child of this process, dead ones that nobody took notice of included."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(stat.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No walk leaves a descriptor or a child behind, a zombie for instance."""
    descriptors, before = len(os.listdir("/proc/self/fd")), children()
    yield
    assert len(os.listdir("/proc/self/fd")) == descriptors
    until(lambda: not children() - before)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A tree that takes many requests."""
    for number in range(600):
        (tmp_path / f"{number % 20}/{number}").mkdir(parents=True)
        (tmp_path / f"{number % 20}/{number}/{number}.jpg").touch()
    return tmp_path


WIDE = 1 + 20 + 600
"""Directories in it."""


# The same observations ----------------------------------------------------------------------------------------------

_NAMES = st.binary(min_size=1, max_size=6).filter(lambda name: not {0, 0x2F} & {*name} and name not in {b".", b".."})
_ODD = st.sampled_from([b"a", b".hidden", b"z.tmp", b"\xff\xfe", b"\xee\xbe\x80", b"a\nb", "é".encode(), b"keep~"])
_RULES = st.sampled_from([b"*\n", b"a\n!keep~\n", b"", b"a/\n", b"/\xff*\n"])
_TREES = st.recursive(
    st.none(),
    lambda below: st.fixed_dictionaries({}, optional={b".censusignore": _RULES}).flatmap(
        lambda rules: st.dictionaries(_NAMES | _ODD, below, max_size=6).map(lambda tree: {**tree, **rules})
    ),
    max_leaves=40,
).filter(lambda tree: tree is not None)
_POLICIES = st.fixed_dictionaries(
    {
        "default_excludes": st.booleans(),
        "exclude": st.sampled_from([(), ("a",), ("*.jpg", "!keep~")]),
        "protected": st.sampled_from([(), ("z*",)]),
        "hidden_paths": st.sampled_from([(), ("a",)]),
    }
)


def plant(directory: bytes, tree: dict[bytes, object]) -> None:
    for name, below in tree.items():
        path = directory + b"/" + name
        if isinstance(below, dict):
            os.mkdir(path)
            plant(path, below)
        else:
            with open(path, "wb") as file:
                file.write(below if isinstance(below, bytes) else b"")


@given(tree=_TREES, policy=_POLICIES)
@settings(max_examples=25)
def test_helpers_see_what_this_process_sees(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[bytes, object], policy: dict[str, object]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    plant(os.fsencode(root), tree)
    rules = IgnorePolicy(**policy)  # type: ignore[arg-type]
    assert seen(observed(root, TWO, rules)) == seen(observed(root, ALONE, rules))
    shutil.rmtree(os.fsencode(root))


def test_many_directories_are_each_observed_once(wide: Path) -> None:
    alone = seen(observed(wide, ALONE))
    assert len(alone) == WIDE
    assert seen(observed(wide, TWO)) == alone
    # Begun here, and gone on with elsewhere.
    assert seen(observed(wide, Help(most=2, after=0.01))) == alone


def test_starting_points_and_made_up_inode_numbers(wide: Path) -> None:
    with Walk(
        wide, IgnorePolicy(), ("3", "3/23", "4", "5/absent"), made_up=frozenset({wide.stat().st_dev}), terms=TWO
    ) as walking:
        found = {each.path: each.seen for each in walking}
    assert {path.partition("/")[0] for path in found} == {"3", "4", "5"}
    assert len(found) == 1 + 30 + 1 + 30 + 1
    assert all(entry[4] == 0 for each in found.values() if isinstance(each, Listing) for entry in each.files())
    absent = found["5/absent"]
    assert isinstance(absent, Problem)
    assert absent.kind is ProblemKind.VANISHED


def test_a_huge_directory_comes_without_its_files(tmp_path: Path) -> None:
    fill(tmp_path / "huge", 10_000)
    alone, helped = seen(observed(tmp_path, ALONE)), seen(observed(tmp_path, TWO))
    assert helped == alone
    huge = helped["huge"]
    assert isinstance(huge, Listing)
    assert (huge.huge, huge.count, huge.packed) == (True, 10_000, [])
    assert huge.digest


def test_a_listing_too_large_to_send_is_made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap = helper._BOOTSTRAP.replace(
        "; main()", "; import censusd; censusd.filesystem.lister.LARGEST = 2000; main()"
    )
    monkeypatch.setattr(helper, "_BOOTSTRAP", bootstrap)
    fill(tmp_path / "a" / "many", 200)
    fill(tmp_path / "b", 2)
    faults: list[str] = []
    with walk(tmp_path, fault=faults.append) as walking:
        found = seen(list(walking))
    assert found == seen(observed(tmp_path, ALONE))
    assert not faults


def test_paths_too_long_to_send_are_listed_here(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_MOST_CHARACTERS", 5)
    covered: list[str] = []
    with walk(wide, cover=lambda path, _: covered.append(path)) as walking:
        found = seen(list(walking))
    assert found == seen(observed(wide, ALONE))
    assert sorted(covered) == sorted(found)


def _closed_doors(root: str) -> None:
    # Root's children lose root's rights to every file; nobody else has them anyway. From <linux/prctl.h> and
    # <linux/capability.h>: PR_CAPBSET_DROP of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
    found = seen(observed(Path(root), TWO, IgnorePolicy(ignore_file="")))
    closed, dim = found["closed"], found["dim"]
    assert isinstance(closed, Problem)
    assert (closed.kind, closed.detail) == (ProblemKind.PERMISSION, "Permission denied (EACCES)")
    assert isinstance(dim, Listing)
    assert {name: problem.kind for name, problem in dim.unknown.items()} == {"file": ProblemKind.PERMISSION}
    assert not dim.digest
    assert isinstance(found["open"], Listing)


def test_what_a_helper_cannot_see_is_a_problem(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(root, "closed/file", "dim/file", "open/file")
    (root / "closed").chmod(0)
    (root / "dim").chmod(0o400)
    try:
        apart(_closed_doors, root)
    finally:
        (root / "closed").chmod(0o700)
        (root / "dim").chmod(0o700)


# Covering, settling, cancelling -------------------------------------------------------------------------------------


def test_each_directory_is_covered_before_it_is_listed(wide: Path) -> None:
    covered: list[str] = []

    def cover(path: str, fd: int) -> None:
        covered.append(path)
        os.close(os.open("made-while-covered", os.O_CREAT | os.O_WRONLY, dir_fd=fd))

    with walk(wide, cover=cover) as walking:
        found = seen(list(walking))
    assert sorted(covered) == sorted(found)
    for listing in found.values():
        assert isinstance(listing, Listing)
        assert "made-while-covered" in [entry[0] for entry in listing.files()]


def test_what_cannot_be_covered_or_listed_any_more_is_a_problem(tmp_path: Path) -> None:
    make(tmp_path, "a/b", "c/d/e")

    def cover(path: str, fd: int) -> None:
        if path == "c":
            # Covered already, and asked for together with this one.
            (tmp_path / "a").rename(tmp_path / "elsewhere")
            (tmp_path / "a").symlink_to("c")
        if path == "c/d":
            raise OSError(errno.ENOSPC, "no watch is left")

    with Walk(tmp_path, IgnorePolicy(), ("c", "a"), terms=Help(1, after=0.0), cover=cover) as walking:
        found = {each.path: each.seen for each in walking}
    kinds = {path: each.kind for path, each in found.items() if isinstance(each, Problem)}
    assert kinds == {"a": ProblemKind.NOT_A_DIRECTORY, "c/d": ProblemKind.OTHER}
    assert set(found) == {"a", "c", "c/d"}


def test_after_settling_nothing_is_on_its_way(wide: Path) -> None:
    found: list[Observation] = []
    with walk(wide) as walking:
        for number, observation in enumerate(walking):
            found.append(observation)
            if number % 100 == 50:
                found += walking.settle()
                assert not any(each.waiting for each in walking._helpers)
                # What changes now is seen by whoever lists it from now on.
                for path in walking._stack:
                    (wide / path / "late").touch()
    listings = {path: each for path, each in seen(found).items() if isinstance(each, Listing)}
    late = {path for path, each in listings.items() if "late" in [entry[0] for entry in each.files()]}
    assert late == {str(path.parent.relative_to(wide)) for path in wide.rglob("late")}
    assert len(seen(found)) == WIDE


def test_a_walk_is_cancelled_though_its_helpers_are_stopped(wide: Path) -> None:
    turns = count()
    with walk(wide, cancelled=lambda: next(turns) > 200) as walking:
        next(iter(walking))
        for pid in pids(walking):
            os.kill(pid, signal.SIGSTOP)
        turns = count(195)
        began = time.monotonic()
        list(walking)
        assert time.monotonic() - began < 1.0
        began = time.monotonic()
    assert time.monotonic() - began < 1.0


def test_a_walk_may_be_left_in_the_middle(wide: Path) -> None:
    with walk(wide) as walking:
        for number, _ in enumerate(walking):
            if number == 100:
                break


# Failing helpers ----------------------------------------------------------------------------------------------------


class Accident:
    """Sends a signal to helpers in the middle of a walk: to each once, to so many in all.

    A helper is struck when it was asked for something, before it hears of it or, if it is slow enough, in the middle.
    """

    def __init__(self, number: int, most: int, *, idle: bool = False, patience: float = inf) -> None:
        self.walk: Walk | None = None
        self.struck: set[int] = set()
        self.faults: list[str] = []
        self.silence = 0.0
        self._number, self._most, self._idle, self._patience = number, most, idle, patience

    def __call__(self) -> bool:
        """To be asked whether the walk is cancelled, which it is if there has been no answer for too long."""
        for each in self.walk._helpers if self.walk else []:
            if each.waiting or self._idle:
                self._strike(each.pid)
        self.silence = self.walk.silence if self.walk else 0.0
        return self.silence > self._patience

    def _strike(self, pid: int) -> None:
        if pid not in self.struck and len(self.struck) < self._most:
            self.struck.add(pid)
            os.kill(pid, self._number)

    def observed(self, root: Path, terms: Help = TWO) -> list[Observation]:
        send = helper.Helper.send

        def strike_and_send(to: helper.Helper) -> None:
            if to.waiting:
                self._strike(to.pid)
            send(to)

        with (
            patch.object(helper.Helper, "send", strike_and_send),
            walk(root, terms, cancelled=self, fault=self.faults.append) as self.walk,
        ):
            return list(self.walk)


def test_nothing_is_lost_when_helpers_are_killed(wide: Path) -> None:
    accident = Accident(signal.SIGKILL, 3)
    assert seen(accident.observed(wide)) == seen(observed(wide, ALONE))
    assert len(accident.faults) == len(accident.struck) >= 1
    assert all("signal 9" in fault for fault in accident.faults)


def test_when_no_helper_survives_this_process_goes_on(wide: Path) -> None:
    accident = Accident(signal.SIGKILL, 99, idle=True)
    assert seen(accident.observed(wide)) == seen(observed(wide, ALONE))
    assert len(accident.faults) == 2 + crew._REPLACEMENTS


@pytest.mark.parametrize(
    "says",
    [
        pytest.param("os.write(1, b'list\\x01\\0\\0\\0T' + b'not a frame' * 100)", id="no-frame"),
        pytest.param("os.write(1, b'list\\x01\\0\\0\\0T' + b'list\\xff\\xff\\xff\\xff')", id="too-large"),
        pytest.param("os.write(1, b'list\\x01\\0\\0\\0T' + b'list\\x01\\0\\0\\0T'); os.read(0, 9)", id="no-listing"),
        pytest.param("os.write(1, b'list\\x02\\0\\0\\0((')", id="no-marshal"),
        pytest.param("os.write(1, b'list\\x09\\0\\0\\0T'); os.close(1)", id="cut-short"),
        pytest.param("sys.exit(3)", id="ends"),
        pytest.param("os.close(0)", id="does-not-listen"),
    ],
)
def test_a_helper_that_makes_no_sense_is_done_without(wide: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    monkeypatch.setattr(helper, "_BOOTSTRAP", f"import os, sys; {says}")
    faults: list[str] = []
    with walk(wide, fault=faults.append) as walking:
        found = seen(list(walking))
    assert found == seen(observed(wide, ALONE))
    assert len(faults) >= 3


def test_where_no_process_can_be_started_this_one_does_it(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    faults: list[str] = []
    with walk(wide, fault=faults.append) as walking:
        assert len(seen(list(walking))) == WIDE
    assert len(faults) == 2
    assert "No such file" in faults[0]


def test_a_stuck_helper_costs_what_it_was_asked_for(wide: Path) -> None:
    accident = Accident(signal.SIGSTOP, 1)
    found = seen(accident.observed(wide, Help(most=2, after=0.0, patience=0.2)))
    problems = {path: each for path, each in found.items() if isinstance(each, Problem)}
    assert problems
    assert {each.kind for each in problems.values()} == {ProblemKind.TIMEOUT}
    assert len(accident.faults) == 1
    expected = {
        path: each
        for path, each in seen(observed(wide, ALONE)).items()
        if not any(is_below(path, lost) for lost in problems)
    }
    assert {path: each for path, each in found.items() if path not in problems} == expected


def test_when_every_helper_is_stuck_the_rest_counts_as_unseen(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper, "_BOOTSTRAP", "import time; time.sleep(3600)")
    faults: list[str] = []
    with walk(wide, Help(most=2, after=0.0, patience=0.1), fault=faults.append) as walking:
        [observation] = list(walking)
    assert isinstance(observation.seen, Problem)
    assert observation.seen.kind is ProblemKind.TIMEOUT
    assert len(faults) == 2 + crew._REPLACEMENTS


@pytest.mark.parametrize("idle", [False, True], ids=["asked for something", "not even begun"])
def test_who_asks_is_told_for_how_long_there_has_been_no_answer(wide: Path, idle: bool) -> None:
    accident = Accident(signal.SIGSTOP, 2, idle=idle, patience=0.5)
    assert len(accident.observed(wide, Help(most=2, after=0.0, patience=60.0))) < WIDE
    assert accident.silence > 0.5


def test_a_slow_helper_is_not_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a/b")
    monkeypatch.setattr(
        helper,
        "_BOOTSTRAP",
        "import sys, time; sys.path[:] = sys.argv[1:]; [time.sleep(0.02) for _ in range(100)]; "
        "from censusd.filesystem.lister import main; main()",
    )
    assert len(observed(tmp_path, Help(most=1, after=0.0, patience=0.3))) == 2


# What fills up ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("helpers", [1, 2])
def test_large_answers_and_large_requests_do_not_wait_for_each_other(tmp_path: Path, helpers: int) -> None:
    # Requests of a megabyte, answers of many: far more than any pipe holds.
    deep = "/".join([LONG] * 15)
    for number in range(300):
        fill(tmp_path / deep / f"{number}", 10, LONG)
    for number in range(2):
        fill(tmp_path / f"large-{number}", 9_999, LONG)
    found = seen(observed(tmp_path, Help(helpers, after=0.0)))
    assert found == seen(observed(tmp_path, ALONE))
    assert sum(each.count for each in found.values() if isinstance(each, Listing)) == 300 * 10 + 2 * 9_999


# The helpers' life --------------------------------------------------------------------------------------------------


def test_a_small_tree_calls_nobody(tmp_path: Path) -> None:
    make(tmp_path, "a/b", "c/d", "e/f")
    with walk(tmp_path, Help(most=2)) as walking:
        for _ in walking:
            assert not pids(walking)


def test_helpers_keep_to_themselves(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CENSUSD_DSN", "secret")
    found: list[Observation] = []
    faults: list[str] = []
    with open(wide / "0" / "inherited", "w") as inherited, walk(wide, fault=faults.append) as walking:
        os.set_inheritable(inherited.fileno(), True)
        for observation in walking:
            found.append(observation)
            if len(found) == 1:
                for pid in pids(walking):
                    until(lambda: "2" in os.listdir(f"/proc/{pid}/fd"))  # noqa: B023
                    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
                    assert not any("inherited" in link for link in links)
                    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
                    assert os.getpgid(pid) != os.getpgid(0)
                    assert os.getsid(pid) == os.getsid(0)
                while not all(each.is_up for each in walking._helpers):
                    walking._wait(0.01)
                for pid in pids(walking):
                    os.kill(pid, signal.SIGINT)
                    os.kill(pid, signal.SIGTERM)
    assert len(seen(found)) == WIDE
    assert not faults


def _be_killed(root: str) -> None:
    with walk(Path(root)) as walking:
        for _ in walking:
            while not all(each.is_up for each in walking._helpers):
                walking._wait(0.01)
            # They cannot read that nobody writes to them any more.
            for pid in pids(walking):
                os.kill(pid, signal.SIGSTOP)
            print("ready", flush=True)  # noqa: T201
            time.sleep(DEADLINE)


def test_helpers_do_not_outlive_a_daemon_that_is_killed(wide: Path) -> None:
    before = {int(path.name) for path in Path("/proc").glob("[0-9]*")}
    with beside(_be_killed, wide) as process:
        orphans = {pid for pid in _descendants(process.pid) if pid not in before}
        assert len(orphans) == 2
        process.kill()
        until(lambda: all(state_of(pid) in {"", "Z"} for pid in orphans))


def _descendants(pid: int) -> set[int]:
    return {int(each) for task in Path(f"/proc/{pid}/task").glob("*/children") for each in task.read_text().split()}
