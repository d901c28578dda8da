"""The set-up behind the Makefile: what counts as a sound environment, and what it never touches."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import venv as standard_venv
from pathlib import Path

import pytest

import environment


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished environment with one thing installed."""
    monkeypatch.delenv("PYTHON", raising=False)
    place = tmp_path / "with a space"
    with environment.locked(place):
        standard_venv.create(place, symlinks=True)
        packages = next(place.glob("lib/python*/site-packages"))
        (packages / "something-1.0.dist-info").mkdir()
        environment.write_stamp(place)
    return place


def test_a_finished_environment_is_sound(venv: Path) -> None:
    assert environment.is_sound(venv)


def test_an_unfinished_environment_is_not(venv: Path) -> None:
    (venv / environment.STAMP).unlink()

    assert not environment.is_sound(venv)


def test_an_environment_whose_python_is_gone_is_not(venv: Path) -> None:
    for python in venv.glob("bin/python*"):
        python.unlink()

    assert not environment.is_sound(venv)


def test_an_environment_that_lost_a_package_is_not(venv: Path) -> None:
    shutil.rmtree(next(venv.glob("lib/python*/site-packages/something-1.0.dist-info")))

    assert not environment.is_sound(venv)


def test_an_environment_made_from_other_requirements_is_not(venv: Path) -> None:
    stamp = venv / environment.STAMP
    stamp.write_text(stamp.read_text().replace(environment.inputs(), "0" * 64))

    assert not environment.is_sound(venv)


def test_an_environment_of_another_python_is_not_sound_for_who_asked_for_this_one(
    venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert environment.is_sound(venv)

    monkeypatch.setenv("PYTHON", sys.executable)
    assert not environment.is_sound(venv)


def test_clearing_leaves_only_the_lock(venv: Path) -> None:
    environment.clear(venv)

    assert [path.name for path in venv.iterdir()] == [environment.GUARD]


def test_what_make_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")

    with pytest.raises(environment.SetupError, match="did not make it"), environment.locked(tmp_path):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_second_process_waits_for_the_lock(venv: Path) -> None:
    code = "import environment, pathlib, sys\nwith environment.locked(pathlib.Path(sys.argv[1])): print('mine')"
    with environment.locked(venv):
        second = subprocess.Popen(
            [sys.executable, "-c", code, str(venv)], cwd=environment.CHECKOUT / ".ci", stdout=subprocess.PIPE, text=True
        )
        assert second.stdout is not None
        assert second.stdout.readline().startswith("Waiting")

    assert second.communicate(timeout=60)[0] == "mine\n"
    assert second.returncode == 0
