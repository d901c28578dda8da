"""Telling others' load from our own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from censusd.deepscan.idle import IdleRules, Load
from censusd.deepscan.pressure import Gauge, Sample, averages, is_measured, read_sample

RULES = IdleRules(cpu_pressure=20, io_pressure=20, cpu_busy=50)


class Machine:
    """A machine whose counters a test turns, and the workers on it."""

    def __init__(self, first: Load | None = None) -> None:
        self.sample = Sample(1000.0, 0, 0, 0, 0)
        self.stopped = 0
        self.gauge = Gauge(first or Load(), self._pause, self._resume)
        self.is_paused = False
        self.load = Load()

    def _pause(self) -> None:
        assert not self.is_paused
        self.is_paused, self.stopped = True, self.stopped + 1

    def _resume(self) -> None:
        assert self.is_paused
        self.is_paused = False

    def go_on(
        self, seconds: float, load: Load, *, working: bool, ours: bool = False, step: float = 1.0, waiting: float = 50.0
    ) -> Load:
        """Some time in which others make a load; our own workers, if they are not stopped, wait ``waiting`` of it."""
        for _ in range(round(seconds / step)):
            is_at_work = ours or (working and not self.is_paused)
            own = waiting if is_at_work else 0.0
            used = 100.0 - load.cpu_busy if is_at_work else 0.0
            self.sample = Sample(
                self.sample.at + step,
                self.sample.cpu + int(min(100.0, load.cpu_pressure + own) * 1e4 * step),
                self.sample.io + int(min(100.0, load.io_pressure + own) * 1e4 * step),
                self.sample.busy + int((load.cpu_busy + used) * step),
                self.sample.ticks + int(100 * step),
                self.sample.own + int(used * step),
            )
            self.load = self.gauge.add(self.sample, RULES, working=working, ours=ours)
        return self.load


def test_the_kernels_averages_are_all_there_is_in_the_beginning() -> None:
    machine = Machine(Load(cpu_pressure=33))
    assert machine.go_on(5, Load(), working=False) == Load(cpu_pressure=33)
    assert machine.go_on(60, Load(), working=False) == Load()


def test_others_load_is_seen_at_rest_and_forgotten_slowly() -> None:
    machine = Machine()
    machine.go_on(60, Load(), working=False)
    assert machine.go_on(30, Load(io_pressure=90), working=False).io_pressure == pytest.approx(90)
    assert 20 < machine.go_on(20, Load(), working=False).io_pressure < 90
    assert machine.go_on(60, Load(), working=False).io_pressure == 0


def test_our_own_load_is_not_theirs() -> None:
    machine = Machine()
    machine.go_on(60, Load(), working=False)
    # A second in which everything is our own doing is looked into, and told apart.
    machine.go_on(3, Load(), working=True)
    load = machine.go_on(60, Load(), working=True, step=0.5)
    assert load.cpu_pressure < 20
    assert load.cpu_busy < 50
    assert 1 < machine.stopped < 15
    # As soon as we rest, nothing of it is held against us.
    assert machine.go_on(30, Load(), working=False).cpu_pressure < 20
    assert not machine.is_paused


def test_a_moment_of_theirs_is_no_reason_to_stop() -> None:
    machine = Machine()
    machine.go_on(60, Load(), working=False)
    while not machine.is_paused:
        machine.go_on(0.5, Load(), working=True, step=0.5)
    machine.go_on(0.5, Load(cpu_pressure=100), working=True, step=0.5)
    assert machine.is_paused
    assert machine.load.cpu_pressure == 0
    machine.go_on(2, Load(), working=True, step=0.25)
    assert not machine.is_paused


def test_who_is_alone_is_not_stopped_for_waiting_for_himself() -> None:
    machine = Machine()
    machine.go_on(60, Load(), working=False)
    for _ in range(60):
        machine.sample = replace(machine.sample, io=machine.sample.io - 10**6 // 2)  # nobody waits for a disk
        assert machine.go_on(1, Load(), working=True).cpu_pressure < 20
    assert machine.stopped == 0
    # Somebody else comes: it takes a rest to see whether they wait.
    machine.sample = replace(machine.sample, io=machine.sample.io - 10**7)
    machine.go_on(3, Load(cpu_busy=30), working=True)
    assert machine.stopped == 1


def test_what_else_this_daemon_does_is_not_held_against_it() -> None:
    machine = Machine()
    machine.go_on(60, Load(), working=False)
    assert machine.go_on(100, Load(), working=False, ours=True).cpu_pressure < 20
    assert machine.go_on(30, Load(), working=False).cpu_pressure < 20
    assert machine.stopped == 0


def test_theirs_is_seen_within_seconds_while_we_work() -> None:
    for theirs in (Load(io_pressure=80), Load(cpu_pressure=80), Load(cpu_busy=100)):
        machine = Machine()
        machine.go_on(60, Load(), working=False)
        machine.go_on(20, Load(), working=True, step=0.5)
        began = machine.sample.at
        while machine.go_on(0.5, theirs, working=True, step=0.5) != theirs:
            assert machine.sample.at < began + 10
        # It ends with us at rest.
        machine.go_on(5, theirs, working=False)
        assert not machine.is_paused


def test_where_nobody_waits_nobody_is_stopped() -> None:
    machine = Machine()
    machine.gauge.add(machine.sample, RULES, working=True)
    for _ in range(100):
        at = machine.sample.at + 1
        machine.sample = replace(
            machine.sample, at=at, busy=machine.sample.busy + 100, ticks=machine.sample.ticks + 100
        )
        machine.gauge.add(machine.sample, RULES, working=True)
    assert machine.stopped == 0


def test_the_counters_of_this_machine() -> None:
    if not is_measured():
        pytest.skip("this kernel keeps no pressure-stall figures")
    busy = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(4 * (os.cpu_count() or 1))
    ]
    pids = [process.pid for process in busy]
    try:
        before, as_ours = read_sample(), read_sample(pids)
        time.sleep(3)  # that is what is measured
        load, others = read_sample().since(before), read_sample(pids).since(as_ours)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    # Four times as many as there are processors: somebody always waits.
    assert load.cpu_pressure > 50
    assert load.cpu_busy > 80
    assert load.cpu_pressure <= 101
    # Were they our own workers, others would have used little.
    assert others.cpu_busy < load.cpu_busy - 10
    assert averages().io_pressure <= 100
