"""censusd with points at which it, or what it depends on, can be killed or stopped: ``python failpoints.py run ...``.

Points are named after where they are: before and after every commit, after the function whose transaction it is, with
``#1``, ``#2`` and so on behind it if it has several; and before and after some other functions and system calls that
change something for good. What is to be done is in the environment (``Plan``). It is the daemon's own code that runs:
what is wrapped calls what was there.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import json
import mmap
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, Final

VARIABLE: Final = "CENSUSD_FAILPOINTS"

BETWEEN: Final = (
    "censusd.sync.looks.Looks.run",
    "censusd.sync.run.Run.apply",
    "censusd.sync.run.Run.finish",
    "censusd.sync.run.Run._marks",
    "censusd.sync.withdrawal.withdraw_absent",
    "censusd.sync.withdrawal.withdraw_directories",
    "censusd.sync.ownership.acquire",
    "censusd.catalogue.repositories.begin_write",
    "censusd.deepscan.work.Work.gather",
    "censusd.deepscan.work.Work.write",
)
"""Functions, before and after which something may be known that is not written, or written and not known."""

IN_WORKER_PROCESSES: Final = ("censusd.deepscan.child.Worker._examine", "censusd.deepscan.child.Worker._send")
_AUDITED: Final = ("os.rename", "os.remove", "os.link")
_BOOTSTRAP: Final = (
    "import sys; sys.path[:] = sys.argv[1:-1]; from tests.faults.failpoints import arm_child; arm_child({!r});"
    " from censusd.deepscan.child import main; main()"
)


@dataclass(frozen=True)
class Plan:
    """What is to happen.

    Attributes:
        log: a file in which each passing of a point makes a line, if nothing is to happen. Worker processes make none.
        fired: a page of zeros, which has something in it once it has happened, which it does once.
        point: where; empty: nowhere.
        nth: at which passing, in each process.
        signal: what is sent, SIGKILL if nothing else is said.
        target: who gets it: ``self``, or the ``keeper`` of the private PostgreSQL, or its ``postmaster``.
        cluster: PostgreSQL's data directory, for those.
    """

    log: str
    fired: str
    point: str = ""
    nth: int = 1
    signal: int = signal.SIGKILL
    target: str = "self"
    cluster: str = ""


class Failpoints:
    """The points of this process."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._log = os.open(plan.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        # In memory, since a worker process may not write to any file once it has begun.
        with open(plan.fired, "r+b") as file:
            self._fired = mmap.mmap(file.fileno(), 0)

    def passing(self, name: str) -> None:
        """Somebody passes a point."""
        with self._lock:
            self._counts[name] += 1
            if not self._plan.point:
                with contextlib.suppress(OSError):
                    os.write(self._log, f"{name}\n".encode())
            if name == self._plan.point and self._counts[name] >= self._plan.nth and not self._fired[0]:
                self._happen()

    def _happen(self) -> None:
        """Send the signal; if there is nobody to send it to, the next passing is tried."""
        if self._plan.target == "self":
            self._fired[0] = 1
            # The one call of its kind that worker processes are left.
            signal.pthread_kill(threading.get_ident(), self._plan.signal)
            return
        victim = self._server()
        if victim is not None:
            self._fired[0] = 1
            try:
                os.kill(victim, self._plan.signal)
            except OSError:
                self._fired[0] = 0

    def _server(self) -> int | None:
        """The private PostgreSQL's postmaster, or its keeper, whose child that is; None if it is not there."""
        try:
            victim = int(Path(self._plan.cluster, "postmaster.pid").read_text().split()[0])
            name, parent = _called(victim)
            # The file may be left over, and its number be somebody else's; and whose parent has died gets another.
            if name == "postgres" and self._plan.target == "keeper":
                victim = parent
                name, _ = _called(victim)
        except (OSError, ValueError, IndexError):
            return None
        return victim if name == {"postmaster": "postgres", "keeper": "censusd-keeper"}[self._plan.target] else None


def _called(process: int) -> tuple[str, int]:
    """The name of a process, and the number of its parent."""
    before, _, after = Path(f"/proc/{process}/stat").read_text().rpartition(") ")
    return before.partition("(")[2], int(after.split()[1])


def wrap(where: str, points: Failpoints) -> None:
    """Put points before and after a function, given by module, perhaps class, and name."""
    owner, name = _owner(where)
    inner = getattr(owner, name)
    short = where.removeprefix("censusd.")

    @functools.wraps(inner)
    def outer(*arguments: Any, **named: Any) -> Any:
        points.passing(f"before {short}")
        result = inner(*arguments, **named)
        points.passing(f"after {short}")
        return result

    setattr(owner, name, outer)


def _owner(where: str) -> tuple[Any, str]:
    path, _, name = where.rpartition(".")
    try:
        return import_module(path), name
    except ModuleNotFoundError:
        module, _, kind = path.rpartition(".")
        return getattr(import_module(module), kind), name


def wrap_commits(points: Failpoints) -> None:
    """Put points before and after each commit."""
    from censusd.catalogue import connection  # noqa: PLC0415, a worker process knows nothing of databases

    inner = connection._connection_class

    def outer(*arguments: Any) -> Any:
        class Connection(inner(*arguments)):  # type: ignore[misc]
            def commit(self) -> None:
                name = _transaction(sys._getframe())
                points.passing(f"before commit {name}")
                super().commit()
                points.passing(f"after commit {name}")

        return Connection

    connection._connection_class = outer  # type: ignore[assignment]


def _caller(frame: FrameType | None) -> FrameType | None:
    """The function of censusd that asks for something of the database or the system."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("censusd.") and module != "censusd.catalogue.connection":
            return frame
        frame = frame.f_back
    return None


def _name(frame: FrameType) -> str:
    return f"{frame.f_globals['__name__'].removeprefix('censusd.')}.{frame.f_code.co_qualname}"


def _transaction(frame: FrameType | None) -> str:
    """The transaction that is about to be committed, by the name that its points have."""
    frame = _caller(frame)
    if frame is None:
        return "?"
    module = frame.f_globals["__name__"].removeprefix("censusd.")
    name = transaction_at(Path(frame.f_code.co_filename), frame.f_code.co_qualname, frame.f_lineno)
    # One that is not in the code, as far as anybody can tell from it, is a point that nobody knows of.
    return f"{module}.{name}" if name else f"{_name(frame)}#?"


@dataclass(frozen=True)
class Transaction:
    """One in the code.

    Attributes:
        function: whose it is.
        name: the function, and which one of its transactions if it has several, in the order of the code.
        first: line of its statement, which is a ``with`` and has the whole transaction in it.
        last: its last line.
    """

    function: str
    name: str
    first: int
    last: int


def transaction_at(file: Path, function: str, line: int) -> str | None:
    """The name of a function's transaction that has a line in it: the innermost one, if there are several."""
    around = [one for one in transactions(file) if one.function == function and one.first <= line <= one.last]
    return max(around, key=lambda one: one.first).name if around else None


@functools.cache
def transactions(file: Path) -> tuple[Transaction, ...]:
    """All of a module, read from its code."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = sorted(
        (function, one.lineno, one.end_lineno or one.lineno) for function, one in _statements(tree, (), None)
    )
    how_many = Counter(function for function, _, _ in found)
    seen: Counter[str] = Counter()
    named = []
    for function, first, last in found:
        seen[function] += 1
        name = f"{function}#{seen[function]}" if how_many[function] > 1 else function
        named.append(Transaction(function, name, first, last))
    return tuple(named)


def _statements(node: ast.AST, within: tuple[str, ...], around: ast.stmt | None) -> Iterator[tuple[str, ast.stmt]]:
    """The statements that begin transactions, and the functions that they are in."""
    for child in ast.iter_child_nodes(node):
        inside = within
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inside = (*within, *(["<locals>"] if isinstance(node, ast.FunctionDef) else []), child.name)
        elif isinstance(child, ast.Attribute) and child.attr in {"transaction", "session"} and around is not None:
            yield ".".join(within), around
        yield from _statements(child, inside, child if isinstance(child, ast.stmt) else around)


def commits() -> frozenset[str]:
    """The transactions that are committed, by the names that their points have, read from the code."""
    import censusd  # noqa: PLC0415, only for the place of its code

    (top,) = map(Path, censusd.__path__)
    return frozenset(
        ".".join((*file.relative_to(top).with_suffix("").parts, one.name))
        for file in top.rglob("*.py")
        for one in transactions(file)
    )


def function_of(point: str) -> str:
    """The function that a point is in, or whose it is."""
    return point.rsplit(maxsplit=1)[-1].partition("#")[0]


def wrap_calls(points: Failpoints) -> None:
    """Put points before system calls that give a file another name or none."""

    def hook(event: str, _arguments: Any) -> None:
        if event in _AUDITED:
            caller = _caller(sys._getframe())
            if caller is not None:
                points.passing(f"before {event} {_name(caller)}")

    sys.addaudithook(hook)


def arm_child(plan: str) -> None:
    """The points of the deep scan's worker processes."""
    points = Failpoints(Plan(**json.loads(plan)))
    for where in IN_WORKER_PROCESSES:
        wrap(where, points)


def environment(plan: Plan) -> dict[str, str]:
    """What makes a plan known."""
    return {VARIABLE: json.dumps(dataclasses.asdict(plan))}


def program() -> list[str]:
    """What to run in the place of ``python -m censusd``."""
    return [sys.executable, os.fspath(Path(__file__))]


def main() -> None:
    """Run censusd."""
    root = Path(__file__).parents[2]
    sys.path[0] = os.fspath(root)
    plan = Plan(**json.loads(os.environ.pop(VARIABLE)))
    points = Failpoints(plan)
    wrap_commits(points)
    for where in BETWEEN:
        wrap(where, points)
    wrap_calls(points)
    process: Any = import_module("censusd.deepscan.process")
    process._BOOTSTRAP = _BOOTSTRAP.format(json.dumps(dataclasses.asdict(plan)))
    run: Callable[[], None] = import_module("censusd.cli.daemon").main
    run()


if __name__ == "__main__":
    main()
