"""gitignore patterns, held against git itself."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from censusd.filesystem.patterns import Patterns, parse
from tests.tools.git_oracle import GitOracle


def verdict(path: str, *lines: str, directory: bool = False) -> bool | None:
    return Patterns(lines).verdict(path, path.rpartition("/")[2], directory=directory)


# Against git --------------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(
    ["a", "b", "ab", "abab", "A", "1", "a b", "a\n", "\n", "-", "]", "[", "\\", "!a", "#a", "a*", ".a"]
)
_PIECES = st.sampled_from(
    [
        *("a", "b", "ab", "A", "1", "*", "**", "?", "/", "/", "**/", "/**", ".", " ", "\\ ", "!", "#", "-", "]", "\r"),
        *("[a-b]", "[!a]", "[^b]", "[]a]", "[a-]", "[-a]", "[b-a]", "[!b-a]", "[a", "[a/b]", "[[a]", "[--a]", "[!--a]"),
        *("[[:alpha:]]", "[[:foo:]]", "[[:]", "[[:space:]b]", "[a-\\b]", "[\\]]", "\\a", "\\*", "\\"),
    ]
)
_PATTERNS = st.tuples(st.sampled_from(["", "", "!"]), st.lists(_PIECES, min_size=1, max_size=6).map("".join)).map(
    "".join
)
_TREES = st.recursive(
    st.none(), lambda below: st.dictionaries(_NAMES, below, min_size=1, max_size=4), max_leaves=10
).filter(bool)

Tree = dict[str, "Tree | None"]


def plant(directory: Path, tree: Tree, path: str = "") -> Iterator[tuple[str, bool]]:
    """Make the tree; every path in it, parents first, and whether it is a directory."""
    for name, below in tree.items():
        place = f"{path}/{name}" if path else name
        yield place, below is not None
        if below is None:
            (directory / place).touch()
        else:
            (directory / place).mkdir()
            yield from plant(directory, below, place)


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> GitOracle:
    return GitOracle(tmp_path_factory.mktemp("git"))


def odd_in_git(line: str) -> bool:
    """Whether git may be at odds with its own manual: in many versions, ``foo**/bar`` matches ``foobar``."""
    return re.search(r"(?<=[^/*])\*\*", line.removeprefix("!")) is not None


@given(lines=st.lists(_PATTERNS, min_size=1, max_size=4), tree=_TREES)
@settings(max_examples=300)
def test_patterns_mean_what_they_mean_to_git(
    git: GitOracle, tmp_path_factory: pytest.TempPathFactory, lines: list[str], tree: Tree
) -> None:
    assume(not any(odd_in_git(line) for line in lines))
    root = tmp_path_factory.mktemp("tree")
    entries = list(plant(root, tree))
    theirs = git.ignores(root, [path for path, _ in entries], "".join(f"{line}\n" for line in lines).encode())
    patterns = Patterns(line.removesuffix("\r") for line in lines)
    ours: dict[str, bool] = {}
    for path, directory in entries:
        parent, _, name = path.rpartition("/")
        ours[path] = ours.get(parent, False) or patterns.verdict(path, name, directory=directory) is True
    assert ours == theirs
    shutil.rmtree(root)


# By example ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "hides"),
    [
        ("foo", "foo", True),
        ("foo", "a/b/foo", True),
        ("foo", "foo\n", None),
        ("foo", "a\nb/foo", True),
        ("*", "\n", True),
        ("/foo", "a/foo", None),
        ("a/foo", "a/foo", True),
        ("a/foo", "b/a/foo", None),
        ("foo/", "foo", None),
        ("*.jpg", "a/x.jpg", True),
        ("*.jpg", "a/x.JPG", None),
        ("a/*.jpg", "a/b/x.jpg", None),
        ("a/**/x", "a/x", True),
        ("a/**/x", "a/b/c/x", True),
        ("**/b/x", "b/x", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", None),
        ("/**", "a/b", True),
        ("x?", "x/", None),
        ("?", "é", True),
        ("[à-ÿ]", "é", True),
        ("\\#x", "#x", True),
        ("#x", "#x", None),
        ("\\!x", "!x", True),
        ("x ", "x", True),
        ("x\\ ", "x ", True),
        ("x\t", "x\t", True),
        ("[a", "[a", None),
        ("[b-a]", "a", None),
        ("[!b-a]", "a", True),
        ("[[:digit:]_]", "7", True),
        ("[[:digit:]_]", "x", None),
        ("x\\", "x\\", None),
        ("", "", None),
        ("/", "/", None),
        ("a//b", "a/b", None),
    ],
)
def test_one_pattern(pattern: str, path: str, hides: bool | None) -> None:
    assert verdict(path, pattern) is hides


def test_a_directory_pattern_is_about_directories() -> None:
    assert verdict("foo", "foo/", directory=True) is True
    assert verdict("a/foo", "**/", directory=True) is True
    assert verdict("a/foo", "**/") is None


def test_a_pattern_matches_nothing_below_what_it_matches() -> None:
    # To include a directory again is not to include everything in it.
    assert verdict("photos", "!photos", directory=True) is False
    assert verdict("photos/.trash", "!photos") is None
    assert verdict("photos/x", "photos/", directory=True) is None


def test_the_last_match_decides() -> None:
    assert verdict("a.jpg", "*.jpg", "!a.jpg") is False
    assert verdict("a.jpg", "!a.jpg", "*.jpg") is True
    assert verdict("b.jpg", "*.jpg", "!a.jpg") is True
    assert verdict("a.png", "*.jpg", "!a.jpg") is None


@given(st.text(max_size=20))
def test_no_line_is_too_strange(line: str) -> None:
    pattern = parse(line)
    if pattern is not None:
        re.compile(pattern.expression)
        Patterns([line]).verdict("a/b", "b", directory=True)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 60 + "b", "a" * 255),
        ("/" + "**/a/" * 60 + "b", "a/" * 400 + "a"),
        ("/" + "**/*a*/" * 60 + "b", ("ab" * 100 + "/") * 400 + "a"),
        ("/" + "*?*[ab]*/" * 3 + "x", ("ab" * 100 + "/") * 3 + "a"),
    ],
)
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    patterns = Patterns([pattern])
    start = time.process_time()
    assert patterns.verdict(path, path.rpartition("/")[2], directory=False) is None
    assert time.process_time() - start < 1.0  # a tenth of a millisecond; without care, longer than the universe


def test_versions_tell_rules_apart_and_nothing_else() -> None:
    version = Patterns(["a", "b"]).version
    assert Patterns(["# text", "a ", "", "b"]).version == version
    for other in (["b", "a"], ["a"], ["a", "!b"], ["a", "b/"], ["ab"]):
        assert Patterns(other).version != version
    assert not Patterns(["# text", "", "[", "/"])
