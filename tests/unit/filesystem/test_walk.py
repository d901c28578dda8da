"""Walking a tree: everything in it and nothing else, to any depth, whatever happens to it meanwhile."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.names import text_of
from censusd.filesystem.walk import Tree, has_vanished
from censusd.model import Listing, Observation, Problem, ProblemKind, join
from tests.tools.private import apart, become_nobody
from tests.tools.walking import entries, observations

DEPTH = 400
LONG = "x" * 200


def make(root: Path, *paths: str) -> None:
    """Make files, and directories where a path ends in a slash."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).mkdir() if path.endswith("/") else (root / path).touch()


def seen(observed: Iterator[Observation]) -> dict[str, Listing | Problem]:
    return {observation.path: observation.seen for observation in observed}


def kind_of(found: Listing | Problem) -> ProblemKind:
    assert isinstance(found, Problem)
    return found.kind


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A tree whose deepest path has 80,000 bytes, twenty times what a system call takes."""
    root = tmp_path / "deep"
    root.mkdir()
    fd = os.open(root, os.O_RDONLY)
    for level in range(DEPTH):
        os.mkdir(LONG, dir_fd=fd)
        os.mkdir("beside", dir_fd=fd)
        os.close(os.open(f"file-{level}", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        below = os.open(LONG, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    yield root
    remove_deep(root)


def remove_deep(root: Path) -> None:
    """What shutil cannot do: it goes down by recursion, and pytest by path."""
    stack = [os.open(root, os.O_RDONLY)]
    for _ in range(DEPTH):
        stack.append(os.open(LONG, os.O_RDONLY, dir_fd=stack[-1]))
    for fd in reversed(stack):
        for name in os.listdir(fd):
            if name in {LONG, "beside"}:
                os.rmdir(name, dir_fd=fd)
            else:
                os.unlink(name, dir_fd=fd)
        os.close(fd)


# Everything, once ---------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["a", "b", "a b", "é", "-", "a\n", ".hidden", "z.tmp"])
_TREES = st.recursive(st.none(), lambda below: st.dictionaries(_NAMES, below, max_size=4), max_leaves=15).filter(
    lambda tree: tree is not None
)


def plant(directory: Path, tree: dict[str, object]) -> None:
    for name, below in tree.items():
        if isinstance(below, dict):
            (directory / name).mkdir()
            plant(directory / name, below)
        else:
            (directory / name).touch()


@given(tree=_TREES)
@settings(max_examples=60)
def test_a_walk_finds_what_is_there(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object]) -> None:
    root = tmp_path_factory.mktemp("tree")
    plant(root, tree)
    expected = set()
    for top, directories, files in os.walk(os.fsencode(root)):
        here = text_of(top[len(os.fsencode(root)) + 1 :])
        expected |= {join(here, text_of(name)) + "/" for name in directories}
        expected |= {join(here, text_of(name)) for name in files}
    assert entries(observations(root, policy=IgnorePolicy(default_excludes=False))) == expected
    shutil.rmtree(root)


def test_parents_come_before_their_children(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c/", "a/d/", "e/f/")
    order = [observation.path for observation in observations(tmp_path)]
    assert sorted(order) == ["", "a", "a/b", "a/b/c", "a/d", "e", "e/f"]
    assert all(order.index(path.rpartition("/")[0]) < order.index(path) for path in order if path)


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (("a",), ["a", "a/b"]),
        (("a/b", "a"), ["a", "a/b"]),
        (("a", "a"), ["a", "a/b"]),
        (("c", "a/b"), ["a/b", "c"]),
        (("", "a"), ["", "a", "a/b", "aa", "c"]),
        (("a", "aa"), ["a", "a/b", "aa"]),
    ],
)
def test_each_directory_is_visited_once(tmp_path: Path, start: tuple[str, ...], found: list[str]) -> None:
    make(tmp_path, "a/b/", "aa/", "c/")
    assert sorted(observation.path for observation in observations(tmp_path, *start)) == found


def test_many_starting_points_are_no_burden(tmp_path: Path) -> None:
    make(tmp_path, "a/")
    start = tuple(f"a/{'x/' * 20}{number}" for number in range(5_000))
    before = time.process_time()
    observed = seen(observations(tmp_path, *start))
    assert time.process_time() - before < 3.0  # a tenth of a second; with a list to search, seven
    assert len(observed) == 5_000
    assert all(has_vanished(found) for found in observed.values())


# Any depth, few descriptors -----------------------------------------------------------------------------------------


def test_any_depth_with_few_descriptors(deep: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    most, levels, longest = 0, 0, ""
    for observation in observations(deep):
        assert isinstance(observation.seen, Listing)
        most = max(most, len(os.listdir("/proc/self/fd")) - before)
        levels += 1
        longest = max(longest, observation.path, key=len)
    assert levels == 2 * DEPTH + 1
    assert len(longest) == DEPTH * (len(LONG) + 1) - 1
    assert most <= 40
    assert len(os.listdir("/proc/self/fd")) == before


def test_any_depth_can_be_begun_at(deep: Path) -> None:
    place = "/".join([LONG] * (DEPTH - 1))
    assert len(place) > 50_000
    with Tree(deep, IgnorePolicy()) as tree:
        by_name = tree.look(place, frozenset({f"file-{DEPTH - 1}", "absent"})).seen
        assert isinstance(by_name, Listing)
        assert [entry[0] for entry in by_name.files()] == [f"file-{DEPTH - 1}"]
        assert [part.files()[0][0] for part in tree.slices(place)] == [f"file-{DEPTH - 1}"]
        assert tree.birth(place) > 0
        assert tree.birth_of_file(place, f"file-{DEPTH - 1}") > 0
    assert entries(observations(deep, place)) == {
        join(place, f"file-{DEPTH - 1}"),
        join(place, LONG) + "/",
        join(place, "beside") + "/",
    }


def test_a_broad_tree_takes_few_descriptors(tmp_path: Path) -> None:
    make(tmp_path, *(f"{a}/{b}/" for a in range(40) for b in range(3)))
    before = len(os.listdir("/proc/self/fd"))
    most = max(len(os.listdir("/proc/self/fd")) for _ in observations(tmp_path))
    assert most - before <= 40


def test_closing_gives_every_descriptor_back(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c/file")
    before = len(os.listdir("/proc/self/fd"))
    tree = Tree(tmp_path, IgnorePolicy())
    tree.observe("a/b/c")
    tree.observe("absent/x")
    next(tree.slices("a/b"))
    tree.refresh()
    tree.observe("a/b/c")
    tree.close()
    tree.close()
    assert len(os.listdir("/proc/self/fd")) == before


# What happens meanwhile ---------------------------------------------------------------------------------------------


def test_a_symlink_is_never_followed(tmp_path: Path) -> None:
    make(tmp_path, "outside/secret", "root/a/b/", "root/c/")
    root = tmp_path / "root"
    (root / "link").symlink_to("../outside")
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    assert entries(observations(root)) == {"a/", "a/b/", "c/"}
    for path in ("link", "loop", "up", "link/secret", "up/outside"):
        [observation] = observations(root, path)
        assert has_vanished(observation.seen)


@pytest.mark.parametrize("swapped", ["a", "a/b", "a/b/c"])
def test_a_directory_swapped_for_a_symlink_never_leads_out(tmp_path: Path, swapped: str) -> None:
    make(
        tmp_path,
        "outside/b/c/secret",
        "outside/c/secret",
        "outside/secret",
        "root/a/b/c/d/file",
        "root/a/x/",
        "root/z/",
    )
    root = tmp_path / "root"
    found: set[str] = set()
    for observation in observations(root):
        if observation.path == swapped:
            (root / swapped).rename(tmp_path / "taken")
            (root / swapped).symlink_to(tmp_path / "outside")
        if isinstance(observation.seen, Listing):
            found |= {entry[0] for entry in observation.seen.files()}
    assert "secret" not in found
    with Tree(root, IgnorePolicy()) as tree:
        for path in ("a/b/c/d", "a/b/c", swapped):
            assert kind_of(tree.observe(path).seen) in {ProblemKind.NOT_A_DIRECTORY, ProblemKind.VANISHED}


@pytest.mark.parametrize("path", ["..", "../outside", "a/../../outside", ".", "a/.", "/", "a/", "//a", "/etc", "a\0b"])
def test_only_names_lead_from_directory_to_directory(tmp_path: Path, path: str) -> None:
    make(tmp_path, "outside/secret", "root/a/b/")
    covered: list[str] = []
    [observation] = observations(tmp_path / "root", path, cover=lambda place, _: covered.append(place))
    assert kind_of(observation.seen) is ProblemKind.VANISHED
    assert not {"outside", path} & {*covered}


def test_a_root_may_be_named_through_symlinks(tmp_path: Path) -> None:
    make(tmp_path, "there/file")
    (tmp_path / "link").symlink_to("there")
    assert entries(observations(tmp_path / "link")) == {"file"}


def test_what_vanishes_meanwhile_is_said_to_have_vanished(tmp_path: Path) -> None:
    make(tmp_path, "a/b/file", "c/", "d/")
    found: dict[str, Listing | Problem] = {}
    for observation in observations(tmp_path):
        found[observation.path] = observation.seen
        if observation.path == "":
            shutil.rmtree(tmp_path / "a")
            (tmp_path / "c").rmdir()
            (tmp_path / "c").touch()
    assert kind_of(found["a"]) is ProblemKind.VANISHED
    assert kind_of(found["c"]) is ProblemKind.NOT_A_DIRECTORY
    assert has_vanished(found["a"])
    assert has_vanished(found["c"])
    assert isinstance(found["d"], Listing)
    assert "a/b" not in found


def test_a_directory_removed_just_before_it_is_listed_is_not_empty(tmp_path: Path) -> None:
    make(tmp_path, "a/file", "a/b/file")

    def remove(path: str, _: int) -> None:
        if path == "a/b":
            (tmp_path / "a").rename(tmp_path / "c")
            shutil.rmtree(tmp_path / "c/b")

    found = seen(observations(tmp_path, cover=remove))
    assert kind_of(found["a/b"]) is ProblemKind.VANISHED


def test_each_directory_is_covered_before_it_is_listed(tmp_path: Path) -> None:
    make(tmp_path, "a/b/", "c/")
    covered: list[str] = []

    def cover(path: str, fd: int) -> None:
        assert os.fstat(fd).st_ino == (tmp_path / path).stat().st_ino
        covered.append(path)
        (tmp_path / path / "made-while-covered").touch()

    found = seen(observations(tmp_path, cover=cover))
    assert sorted(covered) == ["", "a", "a/b", "c"]
    for listing in found.values():
        assert isinstance(listing, Listing)
        assert [entry[0] for entry in listing.files()] == ["made-while-covered"]


def test_a_cancelled_walk_just_ends(tmp_path: Path) -> None:
    make(tmp_path, *(f"{number}/" for number in range(10)))
    turns = iter(range(3))
    before = len(os.listdir("/proc/self/fd"))
    assert len(list(observations(tmp_path, cancelled=lambda: next(turns, None) is None))) == 3
    assert len(os.listdir("/proc/self/fd")) == before


def test_after_a_refresh_names_are_looked_up_anew(tmp_path: Path) -> None:
    make(tmp_path, "a/b/old")
    with Tree(tmp_path, IgnorePolicy()) as tree:
        assert isinstance(tree.observe("a/b").seen, Listing)
        (tmp_path / "a").rename(tmp_path / "was-a")
        make(tmp_path, "a/b/new")
        tree.refresh()
        listing = tree.observe("a/b").seen
        assert isinstance(listing, Listing)
        assert [entry[0] for entry in listing.files()] == ["new"]


# Closed doors -------------------------------------------------------------------------------------------------------


def _closed_doors(root: str) -> None:
    become_nobody()
    found = seen(observations(Path(root)))
    assert kind_of(found["closed"]) is ProblemKind.PERMISSION
    assert "closed/inside" not in found
    assert isinstance(found["open"], Listing)
    assert kind_of(found["passable"]) is ProblemKind.PERMISSION
    # Through what may be passed but not listed, one gets to what is known to be there.
    [inside] = observations(Path(root), "passable/inside")
    assert isinstance(inside.seen, Listing)
    assert [entry[0] for entry in inside.seen.files()] == ["file"]
    with Tree(Path(root), IgnorePolicy()) as tree:
        by_name = tree.look("open", frozenset({"file", "absent"})).seen
        assert isinstance(by_name, Listing)
        assert not by_name.unknown
        assert kind_of(tree.look("closed", frozenset({"inside"})).seen) is ProblemKind.PERMISSION


@pytest.mark.skipif(os.geteuid() != 0, reason="to become somebody else takes root")
def test_a_closed_door_is_a_problem_and_the_walk_goes_on(shared_path: Path) -> None:
    make(shared_path, "closed/inside/file", "open/file", "passable/inside/file")
    (shared_path / "closed").chmod(0o700)
    (shared_path / "passable").chmod(0o711)
    apart(_closed_doors, shared_path)


def test_what_is_no_directory_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    for name in ("file", "fifo", "absent"):
        with pytest.raises(OSError, match=name):
            Tree(tmp_path / name, IgnorePolicy())
