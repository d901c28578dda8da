"""The figures of the main job, each as a ratio to a yardstick taken in the same run: ``make bench ARGS=reconcile``.

FILES (500000), FILES_PER_DIRECTORY (100) and RUNS (3) in the environment make it smaller. The trees go to TMPDIR.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from psycopg import connect
from psycopg.conninfo import make_conninfo

from censusd.catalogue import migrations, repositories
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.embedded import EmbeddedServer
from censusd.model import Scope, SyncOperation, Trigger
from censusd.sync.context import Repository, Rules
from censusd.sync.reconciler import Reconciler
from tests.tools.trees import change_one_percent, fill, make_tree

FILES = int(os.environ.get("FILES", "500000"))
PER_DIRECTORY = int(os.environ.get("FILES_PER_DIRECTORY", "100"))
RUNS = int(os.environ.get("RUNS", "3"))
_COLUMNS = "(repository_id, directory_id, size, mtime_ns, ctime_ns, inode, links, change_number, name)"


def seconds(job: Callable[[], object]) -> float:
    """How long a job takes."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


class Bench:
    """One tree, one database server."""

    def __init__(self, root: Path, conninfo: str) -> None:
        self.root = root
        self.conninfo = conninfo
        self.number = 0

    def fresh(self) -> Repository:
        """An empty catalogue with the repository in it."""
        self.number += 1
        name = f"bench_{self.number}"
        with connect(self.conninfo, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        catalogue = Catalogue(make_conninfo(self.conninfo, dbname=name))
        catalogue.open()
        migrations.migrate(catalogue)
        with catalogue.transaction() as cursor:
            number = repositories.register(cursor, "bench", str(self.root))
            lease = repositories.acquire(cursor, number, "bench", 86400.0)
        assert lease is not None
        return Repository(number, Rules("bench", self.root), lease, catalogue)

    def copy(self, repository: Repository) -> float:
        """The yardstick: a bare binary COPY of the same rows into the same table with the same indexes."""
        with repository.catalogue.session() as connection:
            connection.execute("CREATE TABLE yardstick (LIKE files INCLUDING ALL)")
            with connection.cursor().copy(f"COPY files {_COLUMNS} TO STDOUT (FORMAT BINARY)") as copy:
                rows = b"".join(copy)
            began = time.perf_counter()
            with connection.cursor().copy(f"COPY yardstick {_COLUMNS} FROM STDIN (FORMAT BINARY)") as copy:
                for start in range(0, len(rows), 1 << 20):
                    copy.write(rows[start : start + (1 << 20)])
            taken = time.perf_counter() - began
            connection.execute("DROP TABLE yardstick")
        return taken

    def find(self) -> float:
        """The yardstick of a walk: find(1), printing what a reconciliation compares."""
        command = ["find", os.fspath(self.root), "-printf", "%p %s %T@ %C@ %i\\n"]
        return seconds(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))


def reconcile(repository: Repository) -> SyncOperation:
    """One complete pass."""
    return Reconciler(repository).reconcile(Scope.whole(), Trigger.MANUAL)


def written(repository: Repository, job: Callable[[], object]) -> int:
    """How many bytes of WAL a job writes."""
    position = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"
    with repository.catalogue.transaction() as cursor:
        ((before,),) = cursor.execute(position)
    job()
    with repository.catalogue.transaction() as cursor:
        ((after,),) = cursor.execute(position)
    return int(after - before)


def show(what: str, ratios: list[float], aim: str, detail: str) -> None:
    """One line of the table."""
    print(f"{what:48} {statistics.median(ratios):6.2f}   to reach {aim:14} ({detail})", flush=True)


def first_scan(bench: Bench) -> Repository:
    """The first scan against COPY."""
    ratios, details = [], []
    for _ in range(RUNS):
        repository = bench.fresh()
        scan = seconds(lambda: reconcile(repository))  # noqa: B023 - called at once
        yardstick = bench.copy(repository)
        ratios.append(scan / yardstick)
        details.append(f"{scan:.2f} / {yardstick:.2f} s")
    show(f"first scan of {FILES:,} files : COPY", ratios, "<= 1.5", ", ".join(details))
    return repository


def unchanged(bench: Bench, repository: Repository) -> float:
    """A pass that finds nothing, against find."""
    reconcile(repository)
    ratios, details, passes = [], [], []
    for _ in range(RUNS + 2):
        yardstick = bench.find()
        passes.append(seconds(lambda: reconcile(repository)))
        ratios.append(passes[-1] / yardstick)
        details.append(f"{passes[-1]:.2f} / {yardstick:.2f} s")
    show("unchanged pass : find -printf", ratios, "<= 2", ", ".join(details))
    # The position is the whole server's: the least of several is the pass's own, without autovacuum's share.
    wal = min(written(repository, lambda: reconcile(repository)) for _ in range(RUNS + 2))
    show("unchanged pass, WAL in KiB", [wal / 1024], "<= 64 KiB", f"{wal} bytes")
    return statistics.median(passes)


def one_percent(bench: Bench, repository: Repository) -> None:
    """A pass after one per cent of the files was written to, renamed or removed."""
    ratios, details = [], []
    for seed in range(1, RUNS + 1):
        yardstick = seconds(lambda: reconcile(repository))
        changed = change_one_percent(bench.root, seed)
        taken = seconds(lambda: reconcile(repository))
        ratios.append(taken / yardstick)
        details.append(f"{changed:,} changed: {taken:.2f} / {yardstick:.2f} s")
    show("1 % changed, moved or removed : unchanged", ratios, "<= 1.6", ", ".join(details))


def one_huge_directory(bench: Bench) -> None:
    """One changed file in a directory of a million against one in a directory of ten, by name, as the watch asks."""
    entries = min(1_000_000, 2 * FILES)
    huge, small = bench.root / "huge", bench.root / "small"
    shutil.rmtree(bench.root)
    bench.root.mkdir()
    for directory, files in ((huge, entries), (small, 10)):
        directory.mkdir()
        fill(directory, files)
    repository = bench.fresh()
    scan = seconds(lambda: reconcile(repository))
    times: dict[str, list[float]] = {"huge": [], "small": []}
    for number in range(20):
        for directory in (huge, small):
            (directory / "img_00005.jpg").write_text(str(number))
            scope = Scope(names={directory.name: {"img_00005.jpg": True}})
            times[directory.name].append(
                seconds(lambda: Reconciler(repository).reconcile(scope, Trigger.REALTIME))  # noqa: B023
            )
    ratios = [a / b for a, b in zip(times["huge"], times["small"], strict=True)]
    show(f"one file in a directory of {entries:,} : of ten", ratios, "about 1", f"first scan {scan:.1f} s")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="censusd-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        root = directory / "tree"
        print(f"making {FILES:,} files in {FILES // PER_DIRECTORY:,} directories", flush=True)
        make_tree(root, FILES // PER_DIRECTORY, PER_DIRECTORY)
        with EmbeddedServer.start(directory / "state") as server:
            bench = Bench(root, server.conninfo)
            repository = first_scan(bench)
            unchanged(bench, repository)
            one_percent(bench, repository)
            one_huge_directory(bench)


if __name__ == "__main__":
    main()
