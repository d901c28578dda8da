"""From paths in requests to relative paths."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.filesystem.names import text_of
from censusd.service.paths import catalogue_text, enclosing, relative_path
from censusd.service.refusals import BadRequestError

NAMES = st.binary(min_size=1, max_size=20).filter(
    lambda name: not {0, ord("/")} & set(name) and name not in {b".", b".."}
)


@pytest.mark.parametrize(
    ("path", "relative"),
    [
        ("", ""),
        ("/photos", ""),
        ("/photos/", ""),
        ("a/b", "a/b"),
        ("./a//b/", "a/b"),
        ("/photos/a/b", "a/b"),
        ("//photos/./a", "a"),
        ("a\nb", "a\nb"),
    ],
)
def test_a_path_is_from_the_root_or_absolute_below_it(path: str, relative: str) -> None:
    assert relative_path(path, "/photos") == relative


@pytest.mark.parametrize("path", ["..", "a/../b", "/photos/../etc", "/", "/photos2/a", "/etc/passwd", "a\0b", "\ud800"])
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(BadRequestError) as error:
        relative_path(path, "/photos")
    assert error.value.expected


def test_the_root_of_everything_can_be_a_repository() -> None:
    assert relative_path("/etc/passwd", "/") == "etc/passwd"
    assert relative_path("/", "/") == ""


@given(NAMES)
def test_a_shells_bytes_and_catalogue_text_mean_the_same_file(name: bytes) -> None:
    text = text_of(name)
    assert catalogue_text(text) == text
    shell = os.fsdecode(name)
    if shell.encode(errors="surrogateescape") != shell.encode(errors="replace"):
        assert catalogue_text(shell) == text


def test_the_innermost_repository_has_the_path() -> None:
    roots = [("all", "/data"), ("photos", "/data/photos"), ("other", "/data/photos2")]
    assert enclosing("/data/photos/a.jpg", roots) == "photos"
    assert enclosing("/data/photos", roots) == "photos"
    assert enclosing("/data/books/a", roots) == "all"
    assert enclosing("/etc", roots) is None
