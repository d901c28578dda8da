"""What is asked of a worker: in order, each once, bounded, and nobody waits for ever."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.errors import CancelledError, CensusError
from censusd.model import Scope, Trigger
from censusd.sync.reconciler import Options
from censusd.sync.requests import Kind, Request, RequestQueue

BOUND = 64


def request(kind: Kind = Kind.RECONCILE, path: str = "", *, verify: bool = False, released: bool = False) -> Request:
    return Request(kind, Trigger.MANUAL, Scope.subtree(path), Options(verify=verify, released=released))


def test_requests_come_out_in_the_order_they_came_in() -> None:
    queue = RequestQueue()
    put = [queue.put(request(path=path)) for path in "abc"]
    assert [queue.take() for _ in range(4)] == [*put, None]


def test_equal_requests_that_have_not_begun_are_one() -> None:
    queue = RequestQueue()
    first = queue.put(request())
    assert queue.put(request()) is first
    assert queue.put(request(verify=True)) is not first
    assert queue.put(request(released=True)) is not first
    assert queue.put(request(Kind.FLUSH)) is not first
    assert queue.take() is first
    assert queue.put(request()) is not first


def test_only_some_kinds_are_taken() -> None:
    queue = RequestQueue()
    reconcile, flush = queue.put(request()), queue.put(request(Kind.FLUSH))
    assert not queue.has(Kind.PURGE)
    assert queue.has(Kind.PURGE, Kind.FLUSH)
    assert queue.take(Kind.FLUSH) is flush
    assert queue.take(Kind.FLUSH) is None
    assert queue.has()
    assert queue.take() is reconcile
    assert not queue.has()


def test_a_request_that_was_put_back_is_next() -> None:
    queue = RequestQueue()
    first = queue.put(request(path="a"))
    queue.put(request(path="b"))
    taken = queue.take()
    assert taken is first
    queue.put_back(taken)
    assert queue.take() is first


def test_an_operator_s_release_is_seen() -> None:
    queue = RequestQueue()
    queue.put(request())
    assert not queue.has_released()
    queue.put(request(released=True))
    assert queue.has_released()


def test_too_many_are_refused() -> None:
    queue = RequestQueue()
    for number in range(BOUND):
        queue.put(request(path=str(number)))
    with pytest.raises(CensusError, match="64 requests are waiting"):
        queue.put(request(path="one more"))
    queue.put(request(path="3"))  # there is one like it


def test_nobody_waits_for_a_queue_that_is_closed() -> None:
    queue = RequestQueue()
    waiting, taken = queue.put(request(path="a")), queue.put(request(path="b"))
    assert queue.take() is waiting
    queue.put_back(waiting)
    assert queue.take() is waiting
    queue.close(CancelledError("stopped"))
    queue.close(CancelledError("stopped again"))
    with pytest.raises(CancelledError, match=r"^stopped$"):
        taken.wait(0)
    with pytest.raises(CancelledError):
        queue.put(request())
    with pytest.raises(TimeoutError):
        waiting.wait(0)
    queue.put_back(waiting)
    with pytest.raises(CancelledError):
        waiting.wait(0)
    assert queue.take() is None


def test_everybody_who_waits_hears_of_it() -> None:
    asked = request()
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(asked.wait(20))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert not asked.is_done
    asked.settle()
    for thread in threads:
        thread.join(20)
    assert results == [None] * 5
    assert asked.is_done


Key = tuple[Kind, str, bool]
Put = tuple[Key, Request]

keys = st.tuples(st.sampled_from(list(Kind)), st.sampled_from("abc"), st.booleans())


@given(st.lists(keys | st.frozensets(st.sampled_from(list(Kind))) | st.none()))
def test_it_behaves_like_a_list(steps: list[Key | frozenset[Kind] | None]) -> None:
    """A key is put, one of some kinds is taken, and None puts back what was taken last."""
    queue = RequestQueue()
    model: list[Put] = []
    taken: list[Put] = []
    for step in steps:
        if isinstance(step, frozenset):
            expected = next((each for each in model if not step or each[0][0] in step), None)
            assert queue.take(*step) is (expected and expected[1])
            if expected is not None:
                model.remove(expected)
                taken.append(expected)
        elif step is not None:
            kind, path, verify = step
            known = next((asked for key, asked in model if key == step), None)
            found = queue.put(request(kind, path, verify=verify))
            assert known is None or found is known
            if known is None:
                model.append((step, found))
        elif taken:
            model.insert(0, taken.pop())
            queue.put_back(model[0][1])
        assert queue.has() == bool(model)
