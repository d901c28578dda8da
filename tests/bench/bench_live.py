"""The figures of the running daemon: bursts, latency, overflow and memory: ``make bench ARGS=live``.

BURST (60000), WATCHED (20000), FILES (1000000) and SAMPLES (200) in the environment make it smaller.
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import time
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


def peak_memory(daemon: DaemonProcess) -> tuple[float, float]:
    """Peak MiB of the daemon, and now of the processes it has started."""
    assert daemon.process is not None
    own = 0.0
    for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            own = int(line.split()[1]) / 1024
    return own, _children(daemon.process.pid)


def _children(pid: int) -> float:
    total = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"\nPPid:\t{pid}\n" in text and "VmHWM" in text and "lister" in (status.parent / "cmdline").read_text():
            total += int(text.split("VmHWM:")[1].split()[0]) / 1024
    return total


def latency(daemon: DaemonProcess, root: Path) -> None:
    """One file written: how long after its close the row can be seen."""
    taken = []
    with psycopg.connect(daemon.dsn, autocommit=True) as listening:
        listening.execute("LISTEN censusd_changes")
        for number in range(SAMPLES):
            (root / "000" / "00000" / f"latency_{number}").write_text("x")
            closed = time.perf_counter()
            next(listening.notifies(timeout=30, stop_after=1))
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
                daemon.sync("tree")
                own, helpers = peak_memory(daemon)
                show(f"memory, {FILES:,} files in {FILES // 100:,} directories", f"{own:.0f} MiB", "< 150 MiB")
                daemon.stop()
            remove_tree(root)
            root.mkdir()
            fill(root, FILES)
            with DaemonProcess(place, database("huge"), configuration(root)) as daemon:
                daemon.sync("tree")
                own, helpers = peak_memory(daemon)
                show(f"memory, {FILES:,} files in one directory", f"{own:.0f} MiB", "< 150 MiB")
                daemon.stop()
            del helpers


if __name__ == "__main__":
    main()
