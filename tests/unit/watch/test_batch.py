from __future__ import annotations

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import EventQueue

from censusd.watch.barrier import Barrier, BarrierOutcome, CookieJar
from censusd.watch.batch import Batch, BatchEvent
from censusd.watch.debounce import DirtySet
from tests.tools.watching import RecordingHandler


def test_the_queue_drops_no_batch_because_it_looks_like_the_one_before() -> None:
    queue = EventQueue()
    for _ in range(3):
        queue.put((BatchEvent("/root", Batch), "watch"))
    assert queue.qsize() == 3


def test_to_other_handlers_it_is_a_modification_of_the_root() -> None:
    seen: list[FileSystemEvent] = []

    class Other(FileSystemEventHandler):
        def on_modified(self, event: FileSystemEvent) -> None:
            seen.append(event)

    Other().dispatch(BatchEvent("/root", Batch))
    assert [(event.src_path, event.is_directory) for event in seen] == [("/root", True)]


def test_other_events_are_none_of_our_handlers_business() -> None:
    handler = RecordingHandler(DirtySet())
    handler.dispatch(FileSystemEvent("/root/file"))
    assert handler.batches == []


def test_renames_reach_the_dirty_set() -> None:
    now = 0.0
    dirty_set = DirtySet(quiet=1.0, max_latency=3.0, clock=lambda: now)
    handler = RecordingHandler(dirty_set)
    dirty_set.add("a", "x")
    now = 2.5
    places = ("a", "x"), ("b", "y")
    batch = Batch(names={"a": {"x": False}, "b": {"y": False}}, renames=[places])
    handler.dispatch(BatchEvent("/root", lambda: batch))
    assert dirty_set.take_due(3.0).names == {"a": {"x": False}, "b": {"y": False}}


def test_barriers_are_released_after_everything_else() -> None:
    released: list[int] = []
    dirty_set = DirtySet()

    class Watching(Barrier):
        def release(self, outcome: BarrierOutcome) -> None:
            released.append(len(dirty_set))

    handler = RecordingHandler(dirty_set)
    barrier = Watching("cookie", CookieJar("unused"))
    batch = Batch(names={"a": {"x": True}}, subtrees=["b"], overflows=0, barriers=[(barrier, BarrierOutcome.PASSED)])
    handler.dispatch(BatchEvent("/root", lambda: batch))
    assert released == [2]
    lost = Batch(everything=True, barriers=[(barrier, BarrierOutcome.PASSED)])
    handler.dispatch(BatchEvent("/root", lambda: lost))
    assert released == [2, 1]
    assert handler.overflows == 1
    assert dirty_set.take_all().is_whole
