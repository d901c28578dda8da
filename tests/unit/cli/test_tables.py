"""Text for a terminal."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.cli.tables import columns, duration, number, relative, shortened, size, table, visible
from censusd.filesystem.names import text_of

NAMES = st.binary(max_size=30).map(text_of)


@given(NAMES)
def test_no_name_can_act_on_a_terminal(name: str) -> None:
    shown = visible(name)
    assert "\n" not in shown
    assert "\x1b" not in shown
    assert not any("\u202a" <= character <= "\u202e" for character in shown)


@given(NAMES, NAMES)
def test_no_two_names_look_the_same(one: str, other: str) -> None:
    assert (visible(one) == visible(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"plain name.jpg", "plain name.jpg"),
        ("北海道 Höga".encode(), "北海道 Höga"),
        (b"two\nlines", "two\\nlines"),
        (b"\x1b[31mred", "\\x1b[31mred"),
        ("\u202etxt.exe".encode(), "\\u202etxt.exe"),
        (b"\xff.jpg", "\\xff.jpg"),
        (b"\\xff.jpg", "\\\\xff.jpg"),
    ],
)
def test_names_are_shown_as_they_are_or_escaped(name: bytes, shown: str) -> None:
    assert visible(text_of(name)) == shown


def test_columns_are_aligned_whatever_the_script() -> None:
    text = table(("NAME", ">SIZE"), [("北海道", "1"), ("e\u0301t\u00e9", "12,345"), ("plain", "7")])
    assert len({columns(line) for line in text.splitlines()}) == 1
    assert text.splitlines()[1] == "北海道       1"


@given(st.lists(st.tuples(NAMES.map(visible), NAMES.map(visible)), max_size=5), st.integers(40, 200))
def test_a_table_fits_the_terminal(rows: list[tuple[str, str]], width: int) -> None:
    rows = [(shortened(left, 20), right) for left, right in rows]
    assert all(columns(line) <= width for line in table(("ONE", "OTHER"), rows, width, flexible=(1,)).splitlines())


def test_a_table_is_not_cut_where_there_is_no_terminal() -> None:
    assert table(("PATH",), [("x" * 500,)]).endswith("x" * 500)


def test_a_narrow_terminal_has_the_columns_that_matter() -> None:
    headings, rows = ("NAME", ">SIZE", "WHEN", "PATH"), [("photos", "12 GiB", "now", "/srv/a/b/c/d/e/f/g/h/i/j")]

    def made(width: int) -> list[str]:
        return table(headings, rows, width, flexible=(3,), dispensable=("WHEN", "SIZE", "PATH")).splitlines()

    assert made(45)[1] == "photos  12 GiB  now   /srv/a/…c/d/e/f/g/h/i/j"
    assert made(35) == ["NAME      SIZE  PATH", "photos  12 GiB  /srv/a…/e/f/g/h/i/j"]
    assert made(26)[0] == "NAME    PATH"
    assert made(20) == ["NAME", "photos"]
    assert made(5) == ["NAME", "photos"]


def test_both_ends_of_a_long_path_are_kept() -> None:
    assert shortened("Photos/2016/Summer/IMG_2034.jpg", 20) == "Photos…/IMG_2034.jpg"
    assert columns(shortened("北海道北海道北海道北海道", 11)) <= 11


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (101_000, "98.6 KiB"),
        (1023 * 1024, "1.0 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (2**63, "8.0 EiB"),
        (None, "-"),
    ],
)
def test_sizes(count: int | None, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0123, "12 ms"),
        (0.9999, "1.0 s"),
        (3.44, "3.4 s"),
        (9.96, "10 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (3 * 86400, "3 d"),
        (None, "-"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (None, "never"),
        ("2026-01-01T12:00:00+00:00", "now"),
        ("2026-01-01T11:59:56.6+00:00", "3 s ago"),
        ("2026-01-01T11:50:00+00:00", "10 min ago"),
        ("2026-01-01T13:00:00+01:00", "now"),
        ("2026-01-02T12:00:00+00:00", "in 24 h"),
    ],
)
def test_times_are_told_from_now(time: str | None, text: str) -> None:
    assert relative(time, "2026-01-01T12:00:00+00:00") == text


def test_numbers() -> None:
    assert number(1234567) == "1,234,567"
    assert number(None) == "-"


def test_a_shells_bytes_round_trip() -> None:
    assert visible(text_of(os.fsencode(os.fsdecode(b"a\xffb")))) == "a\\xffb"
