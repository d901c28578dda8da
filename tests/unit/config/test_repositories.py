"""Repositories against the disk and against each other."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from censusd.config import places
from tests.unit.config.conftest import Load

FaultsOf = Callable[[str], list[str]]


def toml(**paths: Path | str) -> str:
    return "\n".join(f'[[repository]]\nname = "{name}"\npath = "{path}"' for name, path in paths.items())


def test_one_name_in_two_files_is_a_fault_that_names_both(faults_of: FaultsOf, tmp_path: Path, file: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "more.toml").write_text(toml(a=tmp_path / "y"))
    (fault,) = faults_of(toml(a=tmp_path / "x"))
    assert fault == f"repository[a].name: expected a name of its own; {file} has a repository of this name already"


def test_two_paths_to_one_place_are_a_fault(faults_of: FaultsOf, tmp_path: Path, file: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for other in ("real", "link", "real/../real", "./link/"):
        (fault,) = faults_of(toml(a=tmp_path / "real", b=f"{tmp_path}/{other}"))
        assert fault.startswith("repository[b].path: expected directories that do not overlap; ")
        assert fault.endswith(f" is the same directory as {tmp_path}/real, which is repository[a] in {file}")


def test_one_place_inside_another_is_a_fault_through_symlinks_too(faults_of: FaultsOf, tmp_path: Path) -> None:
    (tmp_path / "outer" / "in" / "ner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("outer/in")
    for inner in ("outer/in/ner", "link", "link/ner", "outer/not/there/yet"):
        for text in (toml(a=tmp_path / "outer", b=tmp_path / inner), toml(b=tmp_path / inner, a=tmp_path / "outer")):
            (fault,) = faults_of(text)
            assert fault.startswith(f"repository[b].path: expected directories that do not overlap; {tmp_path}/{inner}")
            assert f" is inside {tmp_path}/outer, which is repository[a]" in fault


def test_places_side_by_side_do_not_overlap(load_text: Load, tmp_path: Path) -> None:
    for name in ("photos", "photos2"):
        (tmp_path / name).mkdir()
    assert load_text(toml(a=tmp_path / "photos", b=tmp_path / "photos2")).warnings == ()


def test_a_disabled_repository_overlaps_nothing(load_text: Load, tmp_path: Path) -> None:
    assert len(load_text(toml(a=tmp_path) + "\nenabled = false\n" + toml(b=tmp_path)).repositories) == 2


def test_a_file_cannot_be_a_root(faults_of: FaultsOf, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert faults_of(toml(a=tmp_path / "file")) == [
        f"repository[a].path: expected a directory; found a file at {tmp_path}/file"
    ]


def test_a_root_that_is_not_there_is_only_offline(load_text: Load, tmp_path: Path, file: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    config = load_text(toml(a=tmp_path / "absent", b=tmp_path / "file/below", c=tmp_path / "loop"))
    assert [(warning.file, warning.key) for warning in config.warnings] == [
        (str(file), f"repository[{name}].path") for name in "abc"
    ]
    loop = "Too many levels of symbolic links"
    assert [warning.problem for warning in config.warnings] == [
        f"{tmp_path}/absent does not exist; the repository is offline until it does",
        f"{tmp_path}/file/below does not exist; the repository is offline until it does",
        f"{tmp_path}/loop cannot be looked at: {loop}; the repository is offline until it can",
    ]


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A path that does not answer, as on a share whose server is gone, until the test is over."""
    path, over = tmp_path / "silent", threading.Event()
    stat = Path.stat

    def hanging_stat(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if self == path:
            over.wait(60)
        return stat(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", hanging_stat)
    yield path
    over.set()


def test_a_root_that_does_not_answer_holds_up_nothing(silent: Path, tmp_path: Path) -> None:
    answering, not_answering = places.look_at([tmp_path, silent], within=0.2)
    assert answering.identity is not None
    assert not_answering.warning.startswith("did not answer within 0.2 s")
    assert not_answering.real == str(silent)


def test_two_bind_mounts_of_one_directory_are_the_same(tmp_path: Path) -> None:
    one = places.Place("/a", (1, 2))
    assert list(places.overlaps([one, places.Place("/b", (1, 2)), places.Place("/c")])) == [
        (1, 0, "is the same directory as")
    ]


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ("", True),
        ('exclude = ["/state/"]', False),
        ('protected = ["state"]', False),
        ('exclude = ["/elsewhere/"]', True),
    ],
)
def test_a_repository_that_holds_the_daemons_own_files(
    load_text: Load, tmp_path: Path, settings: str, warned: bool
) -> None:
    text = f'{toml(a=tmp_path)}\n{settings}\n[daemon]\nstate_directory = "{tmp_path}/state"'
    problems = [warning.problem for warning in load_text(text).warnings]
    own = 'the daemon has its own files in it, which change all the time; exclude "/state/"'
    assert problems == ([own] if warned else [])


def test_own_files_that_are_hidden_or_are_the_root_itself(load_text: Load, tmp_path: Path) -> None:
    text = f'{toml(a=tmp_path)}\ndefault_excludes = %s\n[daemon]\nstate_directory = "{tmp_path}/%s"'
    assert not load_text(text % ("true", ".local/state")).warnings
    assert len(load_text(text % ("false", ".local/state")).warnings) == 1
    (warning,) = load_text(text % ("true", "")).warnings
    assert warning.problem.endswith("keep them elsewhere")
