"""Which loops are hung through a fault of ours, and which wait for the world."""

from __future__ import annotations

import os
import threading

from censusd.service.heartbeat import Heartbeats, waits_outside


def test_a_loop_that_waits_for_a_lock_is_hung() -> None:
    beats, started, release = Heartbeats(patience=-1.0), threading.Event(), threading.Lock()
    loop = beats.add("ours")

    def stuck() -> None:
        loop.beat()
        started.set()
        with release:
            pass

    with release:
        thread = threading.Thread(target=stuck)
        thread.start()
        started.wait()
        while waits_outside(loop.thread):
            pass  # it is on its way to the lock
        assert [one.name for one in beats.hung()] == ["ours"]
        assert beats.waiting() == []
    thread.join()
    beats.remove("ours")
    assert beats.hung() == []


def test_a_loop_that_waits_for_a_read_is_not() -> None:
    beats, started = Heartbeats(patience=-1.0), threading.Event()
    loop = beats.add("outside")
    reader, writer = os.pipe()

    def reading() -> None:
        loop.beat()
        started.set()
        os.read(reader, 1)

    thread = threading.Thread(target=reading)
    thread.start()
    started.wait()
    while not waits_outside(loop.thread):
        pass  # it is on its way to the read
    assert beats.hung() == []
    assert [one.name for one in beats.waiting()] == ["outside"]
    os.write(writer, b"x")
    thread.join()
    os.close(reader)
    os.close(writer)


def test_a_loop_that_beats_while_it_waits_in_vain_is_waiting_and_not_hung() -> None:
    beats = Heartbeats(patience=60.0)
    loop = beats.add("patient")
    loop.beat(9.0)
    assert not beats.waiting()
    loop.beat(11.0)
    assert not beats.hung()
    [waiting] = beats.waiting()
    assert 11.0 <= waiting.unanswered < 20.0
    loop.beat()
    assert not beats.waiting()


def test_a_loop_that_beats_is_well() -> None:
    beats = Heartbeats(patience=60.0)
    beats.add("well").beat()
    assert not beats.hung()
    assert not beats.waiting()
