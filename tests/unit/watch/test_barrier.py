from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from censusd.errors import WatchError
from censusd.watch import barrier as module
from censusd.watch.barrier import Barrier, BarrierOutcome, CookieJar


@pytest.fixture
def jar(tmp_path: Path) -> CookieJar:
    jar = CookieJar(str(tmp_path / "run" / "cookies"))
    jar.prepare()
    return jar


def test_the_directory_is_private(jar: CookieJar) -> None:
    assert os.stat(jar.directory).st_mode & 0o777 == 0o700


def test_a_cookie_is_there_until_its_barrier_is_released(jar: CookieJar) -> None:
    barrier = jar.place()
    [name] = os.listdir(jar.directory)
    assert jar.take(name) is barrier
    assert jar.take(name) is None
    barrier.release(BarrierOutcome.PASSED)
    assert os.listdir(jar.directory) == []
    assert barrier.wait(0)


def test_a_cookie_is_removed_when_nobody_waits_any_longer(jar: CookieJar) -> None:
    barrier = jar.place()
    assert not barrier.wait(0)
    assert os.listdir(jar.directory) == []
    assert jar.take_all() == []


def test_the_first_outcome_counts(jar: CookieJar) -> None:
    barrier = jar.place()
    barrier.release(BarrierOutcome.OVERFLOWED)
    barrier.release(BarrierOutcome.FAILED)
    assert barrier.wait(0)
    assert barrier.outcome is BarrierOutcome.OVERFLOWED


def test_closing_fails_those_who_wait(jar: CookieJar) -> None:
    barrier = jar.place()
    waiter = threading.Thread(target=barrier.wait, args=(20.0,))
    waiter.start()
    jar.close()
    waiter.join(20.0)
    assert not waiter.is_alive()
    assert barrier.outcome is BarrierOutcome.FAILED
    assert not os.path.exists(jar.directory)
    jar.close()


def test_preparing_again_removes_only_what_nobody_waits_for(jar: CookieJar) -> None:
    barrier = jar.place()
    Path(jar.directory, "cookie-leftover").touch()
    Path(jar.directory, "somebody else's").touch()
    jar.prepare()
    assert sorted(os.listdir(jar.directory)) == sorted([barrier._name, "somebody else's"])


def test_a_barrier_that_is_released_before_its_cookie_is_made_leaves_none(
    jar: CookieJar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An overflow may come between the two."""
    close = os.close

    def overflow(fd: int) -> None:
        close(fd)
        released: list[Barrier] = jar.take_all()
        monkeypatch.setattr(jar, "_remove", lambda name: None)  # it looked before the file was there
        released[0].release(BarrierOutcome.OVERFLOWED)
        monkeypatch.undo()

    monkeypatch.setattr(os, "close", overflow)
    barrier = jar.place()
    assert os.listdir(jar.directory) == []
    assert barrier.outcome is BarrierOutcome.OVERFLOWED


def test_a_deleted_directory_is_told_from_one_that_cannot_be_written(jar: CookieJar) -> None:
    os.rmdir(jar.directory)
    with pytest.raises(FileNotFoundError):
        jar.place()
    Path(jar.directory).touch()
    with pytest.raises(WatchError, match=r"cannot make a cookie in .*: Not a directory"):
        jar.place()
    with pytest.raises(WatchError, match="cannot use the cookie directory"):
        jar.prepare()
    assert jar.take_all() == []


def test_barriers_that_nobody_releases_stay_bounded(jar: CookieJar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    for _ in range(3):
        jar.place()
    with pytest.raises(WatchError, match="3 barriers are waiting"):
        jar.place()
    jar.close()
