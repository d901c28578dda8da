"""fanotify beside inotify: ``PYTHONPATH=daemon:. python -m tests.bench.bench_tiers [directories ...]`` as root.

With TMPDIR in a file system that nobody else uses, such as a tmpfs of one's own: fanotify hears of all that happens
there.

For each number of directories and each way, in a process of its own: how long it takes until all is covered, what that
costs in memory, how fast full queues are emptied, whether a burst overflows them, and what it costs to hear nothing, or
only of what happens elsewhere in the file system.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from censusd.watch.fanotify import FanotifyEmitter
from censusd.watch.inotify import InotifyEmitter
from tests.tools.watching import Watch, walk_and_cover

EMITTERS = {"inotify": InotifyEmitter, "fanotify": FanotifyEmitter}
QUEUED = 2_500
"""Files made while nobody reads: three events each for inotify, which is what is read at once."""
BURST = 60_000
IDLE = 5.0
ELSEWHERE = 2_000
"""Files a second that others make elsewhere in the same file system."""
_WRITER = """
import os, sys, time
directory, count, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
began = time.monotonic()
for number in range(count):
    os.close(os.open(f"{directory}/{number % 50}", os.O_CREAT | os.O_WRONLY))
    if number % 50 == 49:
        for name in range(50):
            os.unlink(f"{directory}/{name}")
        if rate:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
"""


def make(root: Path, directories: int) -> list[Path]:
    """A tree of so many directories, two levels deep."""
    paths = [root / f"shelf-{number // 100}" / f"directory-{number}" for number in range(directories)]
    for path in paths:
        path.mkdir(parents=True)
    return paths


def memory() -> float:
    """MiB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def slab() -> float:
    """MiB of kernel objects that cannot be reclaimed, of the whole machine."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["SUnreclaim"].split()[0]) / 1024


def emptied(watch: Watch, touch: Callable[[], None]) -> float:
    """Seconds of a processor from full queues to a batch of marks; nothing runs yet, so that nobody reads before."""
    touch()
    began = time.thread_time()
    watch.emitter.queue_events(0)
    watch.emitter._take()
    return time.thread_time() - began


def share(seconds: float, meanwhile: Callable[[], object]) -> float:
    """Percent of a processor that this process uses while something goes on."""
    cpu, began = time.process_time(), time.monotonic()
    meanwhile()
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    return 100 * (time.process_time() - cpu) / (time.monotonic() - began)


def measure(kind: str, scratch: Path) -> dict[str, float]:
    """Everything about one way of watching the tree in a scratch directory."""
    root, elsewhere = scratch / "tree", scratch / "elsewhere"
    paths = sorted(path for path in root.glob("*/*"))
    for _ in walk_and_cover(root, lambda path, fd: True):  # so that everything is in the cache
        pass
    before, kernel = memory(), slab()
    watch = Watch(root, scratch / f"cookies-{kind}", EMITTERS[kind])
    cost = 0.0

    def cover(path: str, fd: int) -> bool:
        nonlocal cost
        began = time.thread_time()
        covered = watch.emitter.cover(path, fd)
        cost += time.thread_time() - began
        return covered

    number = watch.emitter.begin_pass()
    directories = sum(1 for _ in walk_and_cover(root, cover))
    watch.emitter.end_pass(number)
    found = {"directories": directories, "cover_s": cost, "rss_mib": memory() - before, "slab_mib": slab() - kernel}
    found["watches"] = watch.emitter.stats().watches
    found["uncovered"] = watch.emitter.stats().uncovered

    def touch(at: list[Path]) -> None:
        for number in range(QUEUED):
            (at[number % len(at)] / f"file-{number}").touch()

    few = paths[:10]
    found["marks_per_s_few"] = QUEUED / emptied(watch, lambda: touch(few))
    found["marks_per_s_spread"] = QUEUED / emptied(watch, lambda: touch(paths))
    found["elsewhere_per_s"] = QUEUED / emptied(watch, lambda: touch([elsewhere])) if kind == "fanotify" else 0.0
    assert watch.emitter.stats().overflows == 0

    watch.observer.start()
    found["idle_percent"] = share(IDLE, lambda: None)
    writer = [sys.executable, "-c", _WRITER, os.fspath(elsewhere)]
    found["elsewhere_percent"] = share(
        IDLE, lambda: subprocess.run([*writer, str(int(IDLE) * ELSEWHERE), str(ELSEWHERE)], check=True)
    )
    names = [f"{paths[number % len(paths)]}/burst-{number}" for number in range(BURST)]
    cpu = time.process_time()
    piece = BURST // 8
    writers = [subprocess.Popen(["touch", *names[start : start + piece]]) for start in range(0, BURST, piece)]
    for each in writers:
        each.wait()
    watch.emitter.barrier().wait(120)
    found["burst_cpu_s"] = time.process_time() - cpu
    found["burst_overflows"] = watch.emitter.stats().overflows
    watch.observer.stop()
    for name in names:
        os.unlink(name)
    return found


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
        return
    for directories in [int(text) for text in sys.argv[1:]] or [1_000, 20_000]:
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name)
            (scratch / "elsewhere").mkdir()
            make(scratch / "tree", directories)
            for kind in EMITTERS:
                command = [sys.executable, "-m", "tests.bench.bench_tiers", "--measure", kind, name]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                print(kind, ", ".join(f"{what} {value:,.3f}".rstrip("0").rstrip(".") for what, value in found.items()))


if __name__ == "__main__":
    main()
