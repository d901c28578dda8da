"""The figures of the deep scan, each beside its yardstick in the same run: ``make bench ARGS=deep``.

Everything is read once before it is measured, so that the disk has no part in it. What is measured is what the daemon
does: worker processes in their sandbox, every extractor, and rows committed to a real PostgreSQL.

Smaller by the environment: LARGE_MIB (1024), LARGE (4), MIDDLE (2000 of 5 MiB), SMALL (100000 of 4 KiB),
COMICS (60000), PHOTOS (10000), SAMPLES (200). ONLY=hashing,comics,photos,statements,latency leaves the others out.
The trees go to TMPDIR.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from censusd.catalogue import migrations, repositories
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.embedded import EmbeddedServer
from censusd.deepscan.idle import IdleRules
from censusd.deepscan.messages import Job, Outcome
from censusd.deepscan.processes import CORES, Processes, wait
from censusd.deepscan.scanner import ScanRules
from censusd.filesystem.digest import fingerprint_of
from censusd.filesystem.names import text_of
from censusd.model import Scope, Trigger
from censusd.sync.context import Repository, Rules
from censusd.sync.reconciler import Reconciler
from tests.tools import pictures, tiny_files
from tests.tools.daemon import DaemonProcess
from tests.tools.library import take
from tests.tools.scanning import scanning, site, statements_of_batches
from tests.tools.waiting import until


def number(name: str, default: int) -> int:
    """A size from the environment."""
    return int(os.environ.get(name, str(default)))


LARGE_MIB = number("LARGE_MIB", 1024)
LARGE = number("LARGE", 2 * CORES)
MIDDLE = number("MIDDLE", 2_000)
SMALL = number("SMALL", 100_000)
COMICS = number("COMICS", 60_000)
PHOTOS = number("PHOTOS", 10_000)
SAMPLES = number("SAMPLES", 200)
ONLY = set(os.environ.get("ONLY", "hashing,comics,photos,statements,latency").split(","))

_DEBOUNCE = 0.5
_IN_A_DIRECTORY = 200


def seconds(job: Callable[[], object]) -> float:
    """How long a job takes."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def show(what: str, value: str, aim: str, detail: str = "") -> None:
    """One line of the table."""
    print(f"{what:62} {value:>9}   {f'to reach {aim}' if aim else '':24} {detail}", flush=True)


def fill(root: Path, count: int, content: Callable[[int], bytes], extension: str) -> None:
    """Make ``count`` files, some hundred in each directory."""
    for place in range(0, count, _IN_A_DIRECTORY):
        directory = root / f"{place // _IN_A_DIRECTORY:04d}"
        directory.mkdir(parents=True)
        for n in range(place, min(count, place + _IN_A_DIRECTORY)):
            (directory / f"file {n:06d}{extension}").write_bytes(content(n))


class Bench:
    """One database server, and a place for trees."""

    def __init__(self, place: Path, conninfo: str) -> None:
        self.place = place
        self._conninfo = conninfo
        self._count = 0

    def database(self) -> str:
        """A new database without anything in it."""
        self._count += 1
        name = f"bench_{self._count}"
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return make_conninfo(self._conninfo, dbname=name)

    @contextmanager
    def tree(self) -> Iterator[Path]:
        """A directory that is there for a while."""
        root = self.place / "tree"
        root.mkdir()
        try:
            yield root
        finally:
            shutil.rmtree(root)

    @contextmanager
    def repository(self, root: Path) -> Iterator[Repository]:
        """An empty catalogue with the repository in it."""
        with Catalogue(self.database()) as catalogue:
            migrations.migrate(catalogue)
            with catalogue.transaction() as cursor:
                row = repositories.register(cursor, "bench", str(root))
                lease = repositories.acquire(cursor, row, "bench", 86400.0)
            assert lease is not None
            yield Repository(row, Rules("bench", root), lease, catalogue)


def quick_scan(repository: Repository) -> float:
    """Seconds for a first pass."""
    return seconds(lambda: Reconciler(repository).reconcile(Scope.whole(), Trigger.STARTUP))


def deep_scan(repository: Repository) -> float:
    """Seconds in which everything is looked at and committed, by worker processes that have been started before."""
    rules = ScanRules(idle=IdleRules(enabled=False))
    with scanning(repository.catalogue, site(repository.rules.root, "bench"), rules=rules) as scanner:
        until(lambda: scanner.has_begun("bench"))
        demand = scanner.demand("bench", "")
        taken = seconds(lambda: demand.wait(3600))
    with repository.catalogue.transaction() as cursor:
        ((left,),) = cursor.execute("SELECT count(*) FROM files WHERE scan_phase = 0")
    assert left == 0, f"{left} files were not looked at"
    return taken


def hash_only(root: Path) -> float:
    """Seconds in which worker processes that have been started before hash every file; no extractor, no database."""
    pool = Processes(CORES, ScanRules(families=()).settings[0])
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    text = text_of(bytes(root))
    jobs = []
    for n, path in enumerate(paths, start=1):
        found = fingerprint_of(path.stat())
        version = (found.size, found.mtime_ns, found.ctime_ns, found.inode)
        jobs.append(Job(n, text, str(path.parent.relative_to(root)), path.name, version, hashing=True))

    def look_at(some: list[Job]) -> None:
        done = 0
        pool.submit(some)
        while done < len(some):
            found, casualties = wait([pool], 1.0)
            assert not casualties
            assert all(finding.outcome == Outcome.DONE and len(finding.hash) == 64 for _, finding in found)
            done += len(found)

    try:
        look_at(jobs[: 100 * CORES])
        return seconds(lambda: look_at(jobs))
    finally:
        pool.close()


def in_parallel(root: Path, *command: str, each: int) -> float:
    """Seconds for a command over all files of a tree, ``each`` of them at a time, on every processor."""
    line = ["xargs", "-0", "-P", str(CORES), "-n", str(each), *command]
    names = b"\0".join(os.fsencode(path) for path in sorted(root.rglob("*")) if path.is_file())
    return seconds(lambda: subprocess.run(line, input=names, stdout=subprocess.DEVNULL, check=True))


# The lines of the table ----------------------------------------------------------------------------------------------


def hashing(bench: Bench) -> None:
    """Files of three sizes against what everybody has."""
    block = os.urandom(1 << 20)
    for what, count, content, command, each, aim in (
        (f"hashing {LARGE} files of {LARGE_MIB} MiB : openssl", LARGE, lambda _: block * LARGE_MIB, "openssl", 1, 0.9),
        (f"hashing {MIDDLE:,} files of 5 MiB : sha256sum", MIDDLE, lambda _: block * 5, "sha256sum", 20, 0.9),
        (f"hashing {SMALL:,} files of 4 KiB : sha256sum", SMALL, lambda _: os.urandom(4096), "sha256sum", 1000, 0.9),
    ):
        if not count:
            continue
        with bench.tree() as root, bench.repository(root) as repository:
            fill(root, count, content, "")
            full = [command, "dgst", "-sha256"] if command == "openssl" else [command]
            in_parallel(root, *full, each=each)
            yardstick = in_parallel(root, *full, each=each)
            taken = hash_only(root)
            size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) / (1 << 20)
            detail = f"({yardstick:.2f} / {taken:.2f} s; {size / taken:,.0f} MiB/s, {count / taken:,.0f} files/s)"
            show(what, f"{yardstick / taken:.2f}", f">= {aim}", detail)
            quick_scan(repository)
            taken = deep_scan(repository)
            detail = f"({yardstick:.2f} / {taken:.2f} s; {size / taken:,.0f} MiB/s, {count / taken:,.0f} files/s)"
            show("  the same, every extractor asked, and committed", f"{yardstick / taken:.2f}", "", detail)


def comics(bench: Bench) -> None:
    """Comics of twenty pages."""
    page = b"\x89PNG\r\n\x1a\n" + bytes(200)
    made = [tiny_files.cbz(f"Series {n % 40}", n, 2000 + n % 20, f"Writer {n % 60}", [page] * 20) for n in range(500)]
    with bench.tree() as root, bench.repository(root) as repository:
        fill(root, COMICS, lambda n: made[n % len(made)], ".cbz")
        quick = quick_scan(repository)
        show(f"{COMICS:,} comics of 20 pages: quick scan", f"{quick:.2f} s", f"<= {3 * COMICS / 60_000:.1f} s")
        deep = deep_scan(repository)
        with repository.catalogue.transaction() as cursor:
            ((read,),) = cursor.execute("SELECT count(*) FROM file_metadata WHERE kind = 'comic' AND pages = 20")
        aim, detail = f"<= {60 * COMICS / 60_000:.0f} s", f"({read:,} read; {COMICS / deep:,.0f}/s)"
        show(f"{COMICS:,} comics of 20 pages: deep scan", f"{deep:.1f} s", aim, detail)


def photos(bench: Bench) -> None:
    """Photos against exiftool, which hashes nothing and has one process."""
    if shutil.which("exiftool") is None:
        print("exiftool is not installed, so that there is nothing to hold photos against")
        return
    body = os.urandom(64 << 10).replace(b"\xff", b"\xfe")
    with bench.tree() as root, bench.repository(root) as repository:

        def photo(n: int) -> bytes:
            exif = pictures.tiff(pictures.camera(exif_0x9003=f"2024:05:17 18:{n // 60 % 60:02}:{n % 60:02}"))
            whole = pictures.jpeg(pictures.exif_segment(exif))
            return whole[:-2] + body + whole[-2:]

        fill(root, PHOTOS, photo, ".jpg")
        command = ["exiftool", "-fast2", "-r", "-json", os.fspath(root)]
        yardstick = seconds(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))
        quick_scan(repository)
        taken = deep_scan(repository)
        with repository.catalogue.transaction() as cursor:
            ((read,),) = cursor.execute("SELECT count(*) FROM file_metadata WHERE created IS NOT NULL AND width = 64")
        ratio = yardstick / taken / CORES
        detail = f"({yardstick:.1f} s on one core / {taken:.1f} s on {CORES}; {read:,} read; {PHOTOS / taken:,.0f}/s)"
        show(f"{PHOTOS:,} JPEGs with EXIF, hashed, committed : exiftool", f"{ratio:.2f}", ">= 0.8 a core", detail)


def statements(bench: Bench) -> None:
    """What a batch of books costs the database."""
    dsn = bench.database()
    with bench.tree() as root, Catalogue(dsn) as catalogue:
        migrations.migrate(catalogue)
        first, second, _ = statements_of_batches(take(catalogue, root / "books", "books"), dsn)
    detail = "(transaction's begin and end included; none of the names known, most of them known)"
    show("statements for 100 books with 5 relations each", f"{first}, {second}", "<= 12", detail)


def latency(bench: Bench) -> None:
    """A file written elsewhere in the tree, while there is no deep scan and while there is one."""
    with bench.tree() as root:
        fill(root, SMALL, lambda _: os.urandom(4096), "")
        (root / "elsewhere").mkdir()
        dsn, tree = bench.database(), f'[[repository]]\nname = "tree"\npath = "{root}"\n'
        with DaemonProcess(bench.place, dsn, f"[deep_scan]\nenabled = false\n{tree}") as daemon:
            daemon.sync("tree")
            without = latencies(dsn, root / "elsewhere", lambda: 0)
            always = 'quiet = "0s"\ncpu_busy = "100%"\ncpu_pressure = "100%"\nio_pressure = "100%"\n'
            daemon.configure(f"[deep_scan]\n{always}{tree}")
            daemon.stop()
            daemon.start()
            with psycopg.connect(dsn, autocommit=True) as connection:

                def waiting() -> int:
                    return int(next(connection.execute("SELECT count(*) FROM files WHERE scan_phase = 0"))[0])

                before = waiting()
                until(lambda: waiting() < before)
                during = latencies(dsn, root / "elsewhere", waiting)
            daemon.stop()
    for what, taken, aim in (
        ("one file written without a deep scan: 99th percentile", without, ""),
        (f"while {SMALL:,} files are deep-scanned", during, f"<= {_DEBOUNCE * 1000 + 100:.0f} ms"),
    ):
        late = taken[int(len(taken) * 0.99) - 1]
        show(what, f"{late * 1000:.0f} ms", aim, f"(median {taken[len(taken) // 2] * 1000:.0f} ms; {len(taken)} files)")


def latencies(dsn: str, directory: Path, left: Callable[[], int]) -> list[float]:
    """Seconds from the close of a file to its row, sorted; as long as there is something left to do, if there is."""
    taken = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(SAMPLES):
            before = left()
            name = uuid.uuid4().hex
            (directory / name).write_text("x")
            closed = time.perf_counter()
            while not connection.execute("SELECT FROM files WHERE name = %s", (name,)).rowcount:
                assert time.perf_counter() < closed + 30, "it never came"
                time.sleep(0.005)
            taken.append(time.perf_counter() - closed)
            if before and not left():
                break
    return sorted(taken)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="censusd-bench-") as name:
        place = Path(name)
        place.chmod(0o755)
        with EmbeddedServer.start(place / "server") as server:
            bench = Bench(place, server.conninfo)
            for line in (statements, hashing, comics, photos, latency):
                if line.__name__ in ONLY:
                    line(bench)


if __name__ == "__main__":
    main()
