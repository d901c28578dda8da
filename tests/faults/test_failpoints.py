"""The points themselves: each transaction is one, and nothing has happened where nothing could be done."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.faults import failpoints
from tests.faults.failpoints import Failpoints, Plan
from tests.tools.waiting import until

SEVERAL = """
def several(catalogue):
    with catalogue.transaction() as cursor:
        for number in range(2):
            if number == 1:
                print(
                    number,
                )
    while True:
        with (
            catalogue.transaction() as cursor
        ):
            if cursor is None:
                break
    with catalogue.transaction():
        with catalogue.session() as session:
            [one for one in [
                1,
            ]]
    for number in range(2):
        try:
            with catalogue.transaction():
                if number == 0:
                    continue
                return [
                    number,
                ]
        finally:
            number = 2

def one(catalogue):
    with catalogue.transaction():
        pass
"""


class Catalogue:
    """Notes which transactions are committed."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.committed: list[str | None] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield
        # Past this generator and the context manager around it.
        frame = sys._getframe(2)
        self.committed.append(failpoints.transaction_at(self.file, frame.f_code.co_qualname, frame.f_lineno))

    session = transaction


def test_every_transaction_of_a_function_is_a_point_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "several.py"
    file.write_text(SEVERAL)
    names = [f"several#{number}" for number in range(1, 6)]
    assert [one.name for one in failpoints.transactions(file)] == ["one", *names]
    specification = spec_from_file_location("several", file)
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    catalogue = Catalogue(file)
    module.several(catalogue)
    module.one(catalogue)
    first, second, outer, inner, last = names
    assert catalogue.committed == [first, second, inner, outer, last, last, "one"]


def test_the_code_has_transactions_that_share_a_function() -> None:
    assert {f"sync.purge.purge#{number}" for number in (1, 2, 3)} <= failpoints.commits()
    assert failpoints.function_of("before commit sync.purge.purge#2") == "sync.purge.purge"


@pytest.mark.parametrize("target", ["postmaster", "keeper"])
def test_where_nobody_can_be_killed_nothing_has_happened(tmp_path: Path, target: str) -> None:
    fired = tmp_path / "fired"
    fired.write_bytes(bytes(4096))
    plan = Plan(str(tmp_path / "log"), str(fired), "here", target=target, cluster=str(tmp_path))
    points = Failpoints(plan)
    points.passing("here")
    # A number that belongs to somebody else by now.
    postmaster = tmp_path / "postmaster.pid"
    with subprocess.Popen(["sleep", "60"]) as other:
        postmaster.write_text(f"{other.pid}\n")
        points.passing("here")
        assert other.poll() is None
        assert fired.read_bytes()[0] == 0
        other.kill()
    postmaster.write_text(f"{other.pid}\n")
    points.passing("here")
    assert fired.read_bytes()[0] == 0


def test_what_is_killed_at_a_later_passing_counts(tmp_path: Path) -> None:
    fired, server = tmp_path / "fired", tmp_path / "postgres"
    fired.write_bytes(bytes(4096))
    shutil.copy(shutil.which("sleep") or "", server)
    points = Failpoints(Plan(str(tmp_path / "log"), str(fired), "here", target="postmaster", cluster=str(tmp_path)))
    points.passing("here")
    with subprocess.Popen([server, "60"]) as postmaster:
        until(lambda: Path(f"/proc/{postmaster.pid}/comm").read_text() == "postgres\n")
        (tmp_path / "postmaster.pid").write_text(f"{postmaster.pid}\n")
        points.passing("here")
        assert fired.read_bytes()[0] > 0
        assert postmaster.wait() == -signal.SIGKILL
