"""Overflows, barriers, and starting and stopping in every order."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from censusd.errors import WatchError
from censusd.watch.barrier import BarrierOutcome
from censusd.watch.batch import Batch
from censusd.watch.inotify import InotifyEmitter
from tests.tools.watching import DEADLINE, Watch, watching


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "a").mkdir(parents=True)
    return root


@pytest.fixture
def cookies(tmp_path: Path) -> Path:
    return tmp_path / "run" / "cookies"


def queue_limit() -> int:
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


def overflow(root: Path) -> None:
    """More events than the queue holds; made one after the other, since equal neighbours are merged."""
    one, other = root / "one", root / "other"
    one.touch()
    other.touch()
    for _ in range(queue_limit() // 2 + 1):
        os.utime(one)
        os.utime(other)


def test_an_overflow_marks_everything_keeps_the_watches_and_lets_nobody_wait(root: Path, cookies: Path) -> None:
    watch = Watch(root, cookies)
    watch.walk()
    earlier = watch.emitter.barrier()
    overflow(root)  # nobody drains: the thread is not running yet
    swallowed = watch.emitter.barrier()
    watch.observer.start()
    assert earlier.wait(DEADLINE)
    assert earlier.outcome is BarrierOutcome.PASSED
    assert swallowed.wait(DEADLINE)
    assert swallowed.outcome is BarrierOutcome.OVERFLOWED
    assert watch.handler.overflows == 1
    assert watch.emitter.stats().overflows == 1
    assert watch.changes().is_whole
    assert watch.emitter.stats().watches == 2
    (root / "a/file").touch()
    assert watch.changes().names == {"a": {"file": True}}
    watch.observer.stop()
    assert not cookies.exists()


def test_a_barrier_comes_after_everything_that_happened_before_it(
    root: Path, cookies: Path, emitter: type[InotifyEmitter]
) -> None:
    with watching(root, cookies, emitter) as watch:
        stop = threading.Event()
        made: list[str] = []

        def write() -> None:
            while not stop.is_set():
                name = f"file-{len(made)}"
                (root / "a" / name).touch()
                made.append(name)

        writer = threading.Thread(target=write)
        writer.start()
        seen: set[str] = set()
        try:
            for _ in range(50):
                before = len(made)
                watch.settle()
                scope = watch.dirty_set.take_all()
                assert not scope.subtrees
                assert not scope.directories
                seen |= set(scope.names.get("a", {}))
                assert set(made[:before]) <= seen
        finally:
            stop.set()
            writer.join()
        assert len(made) > 50


def test_a_barrier_waits_for_the_handler(root: Path, cookies: Path) -> None:
    with watching(root, cookies) as watch:
        go_on = threading.Event()
        deliver = watch.handler.dirty

        def block(batch: Batch) -> None:
            assert go_on.wait(DEADLINE)
            deliver(batch)

        watch.handler.dirty = block  # type: ignore[method-assign]
        barrier = watch.emitter.barrier()
        assert not barrier.wait(0.1)
        assert barrier.outcome is BarrierOutcome.WAITING
        go_on.set()


def test_barriers_leave_no_files_behind(root: Path, cookies: Path) -> None:
    cookies.mkdir(parents=True)
    (cookies / "cookie-of-a-killed-process").touch()
    with watching(root, cookies) as watch:
        assert os.listdir(cookies) == []
        barriers = [watch.emitter.barrier() for _ in range(20)]
        assert all(barrier.wait(DEADLINE) for barrier in barriers)
        assert os.listdir(cookies) == []
    assert not cookies.exists()


def test_a_cookie_directory_that_somebody_deleted_is_made_again(root: Path, cookies: Path) -> None:
    with watching(root, cookies) as watch:
        cookies.rmdir()
        watch.settle()
        cookies.rmdir()
        watch.settle()


def test_a_cookie_directory_that_cannot_be_made_is_said_so(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WatchError, match=r"cannot use the cookie directory .*file/cookies"):
        Watch(root, tmp_path / "file" / "cookies")


@pytest.mark.parametrize("started", [True, False])
def test_stopping_releases_barriers_as_failed(
    root: Path, cookies: Path, started: bool, emitter: type[InotifyEmitter]
) -> None:
    watch = Watch(root, cookies, emitter)
    if started:
        watch.observer.start()
        watch.emitter._coalescer.absorb = lambda buffer: None  # type: ignore[method-assign]  # no cookie comes through
    barrier = watch.emitter.barrier()
    results: list[bool] = []
    waiter = threading.Thread(target=lambda: results.append(barrier.wait(DEADLINE)))
    waiter.start()
    watch.observer.stop()
    waiter.join(DEADLINE)
    assert results == [False]
    assert barrier.outcome is BarrierOutcome.FAILED
    assert not watch.emitter.barrier().wait(0)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def started(watch: Watch) -> None:
    watch.observer.start()


def emitter_first(watch: Watch) -> None:
    watch.observer.start()
    watch.emitter.stop()


@pytest.mark.parametrize("before", [started, emitter_first, lambda watch: None], ids=["running", "emitter", "idle"])
def test_stop_is_synchronous_and_may_be_called_at_any_time(
    root: Path, cookies: Path, before: Callable[[Watch], None], emitter: type[InotifyEmitter]
) -> None:
    files, threads = open_files(), threading.active_count()
    watch = Watch(root, cookies, emitter)
    watch.walk()
    before(watch)
    for _ in range(2):
        watch.observer.stop()
        watch.emitter.stop()
        assert open_files() == files
        assert threading.active_count() == threads
    fd = os.open(root, os.O_RDONLY)
    assert not watch.emitter.cover("", fd)
    os.close(fd)
    stats = watch.emitter.stats()
    assert (stats.running, stats.uncovered) == (False, 0)


def test_stop_returns_when_the_threads_have_ended(root: Path, cookies: Path, emitter: type[InotifyEmitter]) -> None:
    watch = Watch(root, cookies, emitter)
    sleep = watch.emitter._sleep

    def wake_slowly() -> None:
        try:
            sleep()
        finally:
            time.sleep(0.05)

    watch.emitter._sleep = wake_slowly  # type: ignore[method-assign]
    watch.observer.start()
    watch.emitter.stop()
    assert not watch.emitter.is_alive()
    assert watch.emitter.stats().failure == ""
    watch.observer.stop()
    assert not watch.observer.is_alive()


def test_stopping_from_a_handler_does_not_hang(root: Path, cookies: Path) -> None:
    with watching(root, cookies) as watch:
        stopped = threading.Event()

        def stop(batch: Batch) -> None:
            watch.observer.stop()
            stopped.set()

        watch.handler.dirty = stop  # type: ignore[method-assign]
        (root / "a/file").touch()
        assert stopped.wait(DEADLINE)
        watch.observer.join(DEADLINE)
        assert not watch.observer.is_alive()


def test_several_threads_may_stop_at_once(root: Path, cookies: Path, emitter: type[InotifyEmitter]) -> None:
    watch = Watch(root, cookies, emitter)
    watch.observer.start()
    stoppers = [threading.Thread(target=watch.observer.stop) for _ in range(8)]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join(DEADLINE)
    assert not any(stopper.is_alive() for stopper in stoppers)
    assert not watch.observer.is_alive()


def test_an_idle_watch_sleeps(root: Path, cookies: Path) -> None:
    with watching(root, cookies) as watch:
        watch.settle()
        task = f"/proc/self/task/{watch.emitter.native_id}/status"

        def switches() -> list[str]:
            return [line for line in Path(task).read_text().splitlines() if "ctxt_switches" in line]

        (root / "a/file").touch()
        watch.settle()
        deadline = time.monotonic() + DEADLINE
        before: list[str] = []
        while (now := switches()) != before:  # it may still be on its way to sleep
            assert time.monotonic() < deadline
            before = now
            time.sleep(1.1)  # nothing to wait for: that nothing happens is what is tested


def test_a_handler_that_raises_costs_a_walk_and_not_the_watch(
    root: Path, cookies: Path, emitter: type[InotifyEmitter]
) -> None:
    with watching(root, cookies, emitter) as watch:
        deliver = watch.handler.dirty

        def fail(batch: Batch) -> None:
            watch.handler.dirty = deliver  # type: ignore[method-assign]
            raise RuntimeError("broken on purpose")

        watch.handler.dirty = fail  # type: ignore[method-assign]
        (root / "a/file").touch()
        assert watch.handler.wait_for(lambda: watch.handler.overflows == 1)
        assert watch.changes().is_whole


def test_a_watch_that_breaks_down_says_so(root: Path, cookies: Path, emitter: type[InotifyEmitter]) -> None:
    with watching(root, cookies, emitter) as watch:

        def fail(buffer: bytes) -> None:
            raise RuntimeError("broken on purpose")

        watch.emitter._coalescer.absorb = fail  # type: ignore[method-assign]
        barrier = watch.emitter.barrier()
        assert not barrier.wait(DEADLINE)
        assert barrier.outcome is BarrierOutcome.FAILED
        assert watch.handler.wait_for(lambda: len(watch.handler.failures) == 1)
        assert "broken on purpose" in watch.handler.failures[0]
        watch.emitter.join(DEADLINE)
        stats = watch.emitter.stats()
        assert not stats.running
        assert stats.failure == watch.handler.failures[0]
        assert not watch.emitter.barrier().wait(0)
        assert watch.dirty_set.take_all().is_whole


@pytest.mark.slow
def test_removing_more_watches_than_the_queue_holds_does_not_overflow_it(
    root: Path, cookies: Path, tmp_path: Path
) -> None:
    """Each removed watch says goodbye through the queue that is being drained."""
    count = queue_limit() + 2_000
    outside = root / "out"
    outside.mkdir()
    for number in range(count):
        (outside / f"{number}").mkdir()
    with watching(root, cookies) as watch:
        outside.rename(tmp_path / "elsewhere")
        watch.settle()
        assert watch.emitter.stats().watches == 2
        deadline = time.monotonic() + DEADLINE
        while watch.kernel_watches() > 3:  # the root, a, and the cookies
            assert time.monotonic() < deadline
        assert watch.emitter.stats().overflows == 0
