"""The figures of the running daemon: bursts, latency, overflow and memory: ``make bench ARGS=live``.

BURST (60000), WATCHED (20000), FILES (1000000) and SAMPLES (200) in the environment make it smaller.
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from censusd.catalogue.embedded import EmbeddedServer
from tests.tools.daemon import DaemonProcess
from tests.tools.library import disk
from tests.tools.trees import fill, make_tree, remove_tree

BURST = int(os.environ.get("BURST", "60000"))
WATCHED = int(os.environ.get("WATCHED", "20000"))
FILES = int(os.environ.get("FILES", "1000000"))
SAMPLES = int(os.environ.get("SAMPLES", "200"))
DEBOUNCE = 0.5


def show(what: str, value: str, aim: str) -> None:
    """One line of the table."""
    print(f"{what:60} {value:>24}   to reach {aim}", flush=True)


def configuration(root: Path) -> str:
    """The repository ``tree`` with the default settings."""
    return f'[[repository]]\nname = "tree"\npath = "{root}"\n'


def show_memory(daemon: DaemonProcess, what: str) -> None:
    """How much memory a first scan takes, of the daemon itself and of the processes that help it meanwhile."""
    assert daemon.process is not None
    pid, helpers, done = daemon.process.pid, [0.0], threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            helpers.append(sum(_peak(child) for child in _children(pid)))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        daemon.sync("tree")
    finally:
        done.set()
        looking.join()
    show(f"memory, {what}", f"{_peak(pid):.0f} MiB", "< 150 MiB")
    show("  all the processes that it started, at the same time", f"{max(helpers):.0f} MiB", "little")


def _peak(pid: int) -> float:
    """The most MiB that a process has had."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024 if "VmHWM" in status else 0.0


def _children(pid: int) -> list[int]:
    """The processes that a process has started, each listed with the thread that did."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def latency(daemon: DaemonProcess, root: Path) -> None:
    """One file written: how long after its close the row can be seen."""
    taken = []
    with (
        psycopg.connect(daemon.dsn, autocommit=True) as listening,
        psycopg.connect(daemon.dsn, autocommit=True) as asking,
    ):
        listening.execute("LISTEN censusd_changes")
        for number in range(SAMPLES):
            path = f"000/00000/latency_{number}"
            (root / path).write_text("x")
            closed = time.perf_counter()
            # Other notifications come in between: those of the deep scan, for instance.
            for _ in listening.notifies(timeout=30):
                if asking.execute("SELECT FROM file_records WHERE file_path = %s", (path,)).rowcount:
                    break
            taken.append(time.perf_counter() - closed)
    taken.sort()
    median, late = statistics.median(taken), taken[int(len(taken) * 0.99) - 1]
    show(
        f"one file written, {SAMPLES} times: median, 99th percentile",
        f"{median * 1000:.0f} ms, {late * 1000:.0f} ms",
        f"<= {DEBOUNCE * 1000 + 50:.0f} ms",
    )


def burst(daemon: DaemonProcess, root: Path) -> None:
    """Many files created at once."""
    began = time.perf_counter()
    directory = root / "burst"
    make_tree(directory, BURST // 100, 100)
    closed = time.perf_counter()
    with psycopg.connect(daemon.dsn, autocommit=True) as connection:
        while True:
            (row,) = connection.execute("SELECT count(*) FROM file_records WHERE file_path LIKE 'burst/%'").fetchall()
            if row[0] == BURST:
                break
            if time.perf_counter() - closed > 60:
                show(f"burst of {BURST:,} files", f"{BURST - row[0]} missed", "none missed")
                return
    committed = time.perf_counter()
    show(
        f"{BURST:,} files created in {closed - began:.1f} s: last row after the last close",
        f"{committed - closed:.2f} s",
        "<= 5 s, none missed",
    )


def overflow(daemon: DaemonProcess, root: Path) -> None:
    """Many directories watched, the kernel's queue overflowed on purpose."""
    began = time.perf_counter()
    daemon.sync("tree")
    before = daemon.status()["repositories"][0]
    first = time.perf_counter() - began
    daemon.signal(signal.SIGSTOP)
    for round_ in range(3):
        for number in range(0, WATCHED, 3):
            (root / f"{number // 100:03d}" / f"{number:05d}" / f"overflow_{round_}").touch()
    daemon.signal(signal.SIGCONT)
    began = time.perf_counter()
    daemon.sync("tree")
    repaired = time.perf_counter() - began
    after = daemon.status()["repositories"][0]
    equal = daemon.records("tree") == disk(root)
    show(
        f"{WATCHED:,} directories watched (set up in {first:.1f} s), overflow",
        f"repaired in {repaired:.1f} s",
        "converges",
    )
    overflows = after["watch"]["overflows"] - before["watch"]["overflows"]
    show("  catalogue equal to the disk, overflows", f"{equal}, {overflows}", "True, some")
    show("  watches before, after", f"{before['watch']['used']}, {after['watch']['used']}", "none rebuilt")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="censusd-bench-") as name:
        place = Path(name)
        place.chmod(0o755)
        root = place / "tree"
        with EmbeddedServer.start(place / "server") as server:

            def database(name: str) -> str:
                with psycopg.connect(server.conninfo, autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {name}")
                return make_conninfo(server.conninfo, dbname=name)

            make_tree(root, 500, 100)
            with DaemonProcess(place, database("burst"), configuration(root)) as daemon:
                daemon.sync("tree")
                latency(daemon, root)
                burst(daemon, root)
                daemon.stop()
            remove_tree(root)
            make_tree(root, WATCHED, 3)
            with DaemonProcess(place, database("overflow"), configuration(root)) as daemon:
                overflow(daemon, root)
                daemon.stop()
            remove_tree(root)
            make_tree(root, FILES // 100, 100)
            with DaemonProcess(place, database("memory"), configuration(root)) as daemon:
                show_memory(daemon, f"{FILES:,} files in {FILES // 100:,} directories")
                daemon.stop()
            remove_tree(root)
            root.mkdir()
            fill(root, FILES)
            with DaemonProcess(place, database("huge"), configuration(root)) as daemon:
                show_memory(daemon, f"{FILES:,} files in one directory")
                daemon.stop()


if __name__ == "__main__":
    main()
