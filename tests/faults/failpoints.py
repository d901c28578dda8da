"""censusd with points at which it, or what it depends on, can be killed or stopped: ``python failpoints.py run ...``.

Points are named after where they are: before and after every commit, after the function whose transaction it is; and
before and after some other functions and system calls that change something for good. What is to be done is in the
environment (``Plan``). It is the daemon's own code that runs: what is wrapped calls what was there.
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
                self._fired[0] = 1
                self._kill()

    def _kill(self) -> None:
        if self._plan.target == "self":
            # The one call of its kind that worker processes are left.
            signal.pthread_kill(threading.get_ident(), self._plan.signal)
            return
        postmaster = int(Path(self._plan.cluster, "postmaster.pid").read_text().split()[0])
        stat = Path(f"/proc/{postmaster}/stat").read_text()
        keeper = int(stat.rpartition(")")[2].split()[1])
        os.kill(postmaster if self._plan.target == "postmaster" else keeper, self._plan.signal)


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
                name = _caller(sys._getframe())
                points.passing(f"before commit {name}")
                super().commit()
                points.passing(f"after commit {name}")

        return Connection

    connection._connection_class = outer  # type: ignore[assignment]


def _caller(frame: FrameType | None) -> str:
    """The function of censusd that the transaction belongs to."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("censusd.") and module != "censusd.catalogue.connection":
            return f"{module.removeprefix('censusd.')}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return "?"


def commits() -> frozenset[str]:
    """The functions whose transactions are committed, by the names that their points have, read from the code."""
    import censusd  # noqa: PLC0415, only for the place of its code

    (top,) = map(Path, censusd.__path__)
    return frozenset(
        ".".join((*file.relative_to(top).with_suffix("").parts, *function))
        for file in top.rglob("*.py")
        for function in _functions_with_transactions(ast.parse(file.read_text(encoding="utf-8")), ())
    )


def _functions_with_transactions(node: ast.AST, within: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for child in ast.iter_child_nodes(node):
        inside = within
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inside = (*within, *(["<locals>"] if isinstance(node, ast.FunctionDef) else []), child.name)
        elif isinstance(child, ast.Attribute) and child.attr in {"transaction", "session"}:
            yield within
        yield from _functions_with_transactions(child, inside)


def wrap_calls(points: Failpoints) -> None:
    """Put points before system calls that give a file another name or none."""

    def hook(event: str, _arguments: Any) -> None:
        if event in _AUDITED:
            name = _caller(sys._getframe())
            if name != "?":
                points.passing(f"before {event} {name}")

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
