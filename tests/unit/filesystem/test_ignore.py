"""One policy for walk and watch: layers, protected areas, and ignore files of every sort."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censusd.filesystem.ignore import (
    DEFAULT_PATTERNS,
    LARGEST_IGNORE_FILE,
    LAST_OF_HIDDEN,
    DirectoryPolicy,
    IgnorePolicy,
)
from censusd.filesystem.listing import OPEN_DIRECTORY
from censusd.filesystem.patterns import Patterns
from censusd.filesystem.problems import problem_of
from censusd.model import Listing, ProblemKind
from tests.tools.auditing import audited
from tests.tools.git_oracle import GitOracle
from tests.tools.private import apart, become_nobody
from tests.tools.walking import entries, observations


def inside(directory: Path, policy: IgnorePolicy | DirectoryPolicy) -> DirectoryPolicy:
    """The policy in a directory, with its ignore file."""
    there = policy.root() if isinstance(policy, IgnorePolicy) else policy
    fd = os.open(directory, OPEN_DIRECTORY)
    try:
        return there.with_ignore_file(fd)
    finally:
        os.close(fd)


def visible(root: Path, policy: IgnorePolicy) -> set[str]:
    """What a walk finds; directories end in a slash."""
    return entries(observations(root, policy=policy))


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


# The built-in rules -------------------------------------------------------------------------------------------------


@given(
    st.text(st.sampled_from(".~tmpebThus.dDS_orx"), min_size=1, max_size=10)
    | st.sampled_from([".DS_Store", "Thumbs.db"])
)
def test_the_fast_rules_are_the_patterns(name: str) -> None:
    hidden = IgnorePolicy().root().hides(name, directory=False)
    assert hidden == (Patterns(DEFAULT_PATTERNS).verdict(name, name, directory=False) is True)
    assert not hidden or name[0] == "." or name[-1] in LAST_OF_HIDDEN
    assert not IgnorePolicy(default_excludes=False).root().hides(name, directory=False)


# Layers, against git ------------------------------------------------------------------------------------------------

_NAMES = ["a", "b", "c.jpg", "d.tmp", ".e"]
_RULES = st.lists(
    st.sampled_from(
        [
            *(
                "a",
                "b",
                "*.jpg",
                "*",
                "!a",
                "!b/",
                "!*.jpg",
                "!d.tmp",
                "!.e",
                "/a",
                "!/a",
                "a/b",
                "!a/b",
                "**/b",
                "a/**",
            ),
            *("!*/", "b/", "!a/**", "# a", "", "[ab]", "!?", "/*", "!/b", "c.jpg", "d*", ".*", "!.*"),
        ]
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> GitOracle:
    return GitOracle(tmp_path_factory.mktemp("git"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same names at three depths, as directories and as files."""
    root = tmp_path_factory.mktemp("tree")

    def plant(directory: Path, depth: int) -> None:
        for name in _NAMES:
            if depth and name in {"a", "b", ".e"}:
                (directory / name).mkdir()
                plant(directory / name, depth - 1)
            else:
                (directory / name).touch()

    plant(root, 2)
    return root


@given(user=_RULES, top=_RULES, deeper=_RULES, deepest=_RULES)
@settings(max_examples=150)
def test_layers_are_as_in_git(
    git: GitOracle, tree: Path, user: list[str], top: list[str], deeper: list[str], deepest: list[str]
) -> None:
    for directory, rules in ((tree, top), (tree / "a", deeper), (tree / "a/b", deepest)):
        (directory / ".gitignore").write_text("\n".join(rules))
    paths = [str(path.relative_to(tree)) for path in tree.rglob("*") if path.name != ".gitignore"]
    # git's layers from the outside in: a file of the user's, one of the repository, and those in the tree.
    theirs = git.ignores(tree, paths, "\n".join(user).encode(), "\n".join(DEFAULT_PATTERNS).encode())
    ours = {path.removesuffix("/") for path in visible(tree, IgnorePolicy(exclude=user, ignore_file=".gitignore"))}
    assert ours - {".gitignore", "a/.gitignore", "a/b/.gitignore"} == {path for path in paths if not theirs[path]}


def test_below_a_hidden_directory_nothing_comes_back(tmp_path: Path) -> None:
    make(tmp_path, "hidden/keep", "hidden/x", "seen/keep", "seen/x")
    policy = IgnorePolicy(exclude=["hidden", "x", "!hidden/keep", "!keep"])
    assert visible(tmp_path, policy) == {"seen/", "seen/keep"}


def test_a_directory_that_is_included_again_keeps_the_other_rules(tmp_path: Path) -> None:
    make(tmp_path, ".well-known/a", ".well-known/.b", ".well-known/c.tmp", ".other/a")
    assert visible(tmp_path, IgnorePolicy(exclude=["!.well-known"])) == {".well-known/", ".well-known/a"}


# Protected areas and hidden paths -----------------------------------------------------------------------------------


def test_what_is_protected_stays_out(tmp_path: Path) -> None:
    make(tmp_path, "private/a", "d/private/a", "d/key.pem", "d/b")
    for directory in ("", "d", "private", "d/private"):
        (tmp_path / directory / ".censusignore").write_text("!private\n!private/\n!*.pem\n!/private/a\n!*\n")
    policy = IgnorePolicy(exclude=["!private", "!*.pem"], protected=["private/", "*.pem"])
    assert {path for path in visible(tmp_path, policy) if not path.endswith("ignore")} == {"d/", "d/b"}


def test_hidden_paths_are_exactly_these(tmp_path: Path) -> None:
    make(tmp_path, "mnt/a", "d/mnt/a", "mnt2/a", "file")
    policy = IgnorePolicy(exclude=["!mnt"], hidden_paths=["mnt", "file"])
    assert visible(tmp_path, policy) == {"d/", "d/mnt/", "d/mnt/a", "mnt2/", "mnt2/a"}


# Ignore files -------------------------------------------------------------------------------------------------------


def test_an_ignore_file_holds_from_its_directory_downwards(tmp_path: Path) -> None:
    make(tmp_path, "a/x", "a/b/x", "a/b/y", "b/x", "a/b/c/y")
    (tmp_path / "a/.censusignore").write_text("x\n/b/y\n")
    assert visible(tmp_path, IgnorePolicy()) == {"a/", "a/b/", "b/", "b/x", "a/b/c/", "a/b/c/y"}


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfx\n",  # a byte order mark
        b"x\r\n",
        b"a\r\nx",  # no newline at the end
        b"\xff\xfe\nx\n",  # not UTF-8
        b"[\n/\n***[[\n\\\nx\n",  # patterns that are none
        b"\0\nx\n",
        b"\n" * 1000 + b"x\n",
    ],
)
def test_whatever_else_is_in_it_a_rule_is_a_rule(tmp_path: Path, content: bytes) -> None:
    make(tmp_path, "x", "y")
    (tmp_path / ".censusignore").write_bytes(content)
    assert visible(tmp_path, IgnorePolicy()) == {"y"}


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_only_a_newline_ends_a_line(tmp_path: Path, separator: str) -> None:
    make(tmp_path, f"x{separator}y", "x", "y")
    (tmp_path / ".censusignore").write_text(f"x{separator}y\n", newline="")
    assert visible(tmp_path, IgnorePolicy()) == {"x", "y"}


def test_a_rule_may_be_any_bytes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).touch()
    make(tmp_path, "y")
    (tmp_path / ".censusignore").write_bytes(b"\xff\n")
    assert visible(tmp_path, IgnorePolicy()) == {"y"}


def _directory(path: Path) -> None:
    path.mkdir()


def _symlink(path: Path) -> None:
    (path.parent / "rules").write_text("x\n")
    path.symlink_to("rules")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _socket(path: Path) -> None:
    fd = os.open(path.parent, OPEN_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{fd}/{path.name}")
    os.close(fd)


def _device(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("to make a device takes root")
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero: never an end


@pytest.mark.parametrize("kind", [os.mkfifo, _directory, _symlink, _loop, _socket, _device])
def test_what_is_no_file_is_no_ignore_file(tmp_path: Path, kind: object) -> None:
    assert callable(kind)
    make(tmp_path, "x")
    kind(tmp_path / ".censusignore")
    before = len(os.listdir("/proc/self/fd"))
    with audited("open") as opened:
        assert visible(tmp_path, IgnorePolicy()) - {"rules"} == {"x"}
    assert ".censusignore" not in opened  # to open a device may do something to it
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_ignore_file_of_ten_megabytes_is_refused_and_said_so(tmp_path: Path) -> None:
    (tmp_path / ".censusignore").write_bytes(b"x\n" * 5_000_000)
    with pytest.raises(OSError, match=r"\.censusignore") as caught:
        inside(tmp_path, IgnorePolicy())
    problem = problem_of(caught.value)
    assert problem.kind is ProblemKind.OTHER
    assert problem.detail == f"its ignore file .censusignore has more than {LARGEST_IGNORE_FILE} bytes (EFBIG)"
    (tmp_path / ".censusignore").write_bytes(b"x" * LARGEST_IGNORE_FILE)
    inside(tmp_path, IgnorePolicy())


def _unreadable(root: str) -> None:
    become_nobody()
    seen = {observation.path: observation.seen for observation in observations(Path(root))}
    assert isinstance(seen[""], Listing)
    problem = seen["closed"]
    assert not isinstance(problem, Listing)
    assert problem.kind is ProblemKind.PERMISSION
    assert problem.detail == "its ignore file .censusignore cannot be read: Permission denied (EACCES)"


@pytest.mark.skipif(os.geteuid() != 0, reason="to become somebody else takes root")
def test_what_an_unreadable_ignore_file_says_is_unknown(shared_path: Path) -> None:
    make(shared_path, "closed/.censusignore", "closed/x")
    (shared_path / "closed/.censusignore").chmod(0o600)
    apart(_unreadable, shared_path)


def test_an_ignore_file_may_have_another_name_or_none(tmp_path: Path) -> None:
    make(tmp_path, "x", "y")
    (tmp_path / ".nomedia").write_text("x\n")
    (tmp_path / ".censusignore").write_text("y\n")
    assert visible(tmp_path, IgnorePolicy(ignore_file=".nomedia")) == {"y"}
    assert visible(tmp_path, IgnorePolicy(ignore_file="")) == {"x", "y"}


# The version --------------------------------------------------------------------------------------------------------


def _versions(tmp_path: Path) -> Iterator[bytes]:
    yield IgnorePolicy().root().version
    yield IgnorePolicy(default_excludes=False).root().version
    # What would be the same if lists were only strung together.
    yield IgnorePolicy(exclude=["a"]).root().version
    yield IgnorePolicy(protected=["a"]).root().version
    yield IgnorePolicy(hidden_paths=["a"]).root().version
    yield IgnorePolicy(exclude=["a", "b"]).root().version
    yield IgnorePolicy(exclude=["b", "a"]).root().version
    yield IgnorePolicy(exclude=["protected", "a"]).root().version
    yield IgnorePolicy(protected=["a", "protected"]).root().version
    yield IgnorePolicy(hidden_paths=["a", "b"]).root().version
    for rules in ("x", "!x", "x/", "x\ny", "y\nx"):
        (tmp_path / ".censusignore").write_text(rules)
        yield inside(tmp_path, IgnorePolicy()).version
        yield inside(tmp_path, IgnorePolicy(exclude=["x"])).version


def test_other_rules_are_another_version(tmp_path: Path) -> None:
    versions = list(_versions(tmp_path))
    assert len(set(versions)) == len(versions)


def test_the_same_rules_are_the_same_version(tmp_path: Path) -> None:
    plain = IgnorePolicy().root()
    assert IgnorePolicy(hidden_paths=["b", "a"]).root().version == IgnorePolicy(hidden_paths=["a", "b"]).root().version
    (tmp_path / ".censusignore").write_text("# nothing\n\n")
    assert inside(tmp_path, plain).version == plain.version
    assert inside(tmp_path, plain).only_defaults
    (tmp_path / ".censusignore").write_text("x\n")
    one = inside(tmp_path, plain)
    assert not one.only_defaults
    (tmp_path / ".censusignore").write_text("# said in other words\r\nx  \r\n")
    assert inside(tmp_path, plain).version == one.version != plain.version
    assert one.below("deeper").version == one.version
