from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.config import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("9ms", 0.009),
        ("24h", 86400.0),
        ("30 days", 2592000.0),
        ("1 day", 86400.0),
        ("5min", 300.0),
        ("5 m", 300.0),
        ("1h 30min", 5400.0),
        ("1h30m", 5400.0),
        ("2w", 1209600.0),
        ("0", 0.0),
        ("90", 90.0),
        ("1.5 seconds", 1.5),
        ("  10s  ", 10.0),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MiB", 64 << 20), ("64 mib", 64 << 20), ("1.5KiB", 1536), ("2GB", 2_000_000_000), ("4096", 4096), ("0B", 0)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert values.parse_size(text) == size


@pytest.mark.parametrize("text", ["10%", "10 %", "10", "10.0%"])
def test_percentages_are_read_as_people_write_them(text: str) -> None:
    assert values.parse_percentage(text) == 10.0


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "5 parsecs", "-5s", "+5s", "5s,", "s", "1e3s", "1h 30", "٣s", "1 000s", "5S", "1.s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|unit"):
        values.parse_duration(text)


@pytest.mark.parametrize("text", ["", "64MIBS", "MiB", "-1B", "0.5B", "1MiB 1KiB", "٣B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|unit"):
        values.parse_size(text)


@pytest.mark.parametrize("parse", [values.parse_duration, values.parse_size, values.parse_percentage])
@given(text=st.text() | st.from_regex(r"\A[0-9.]{0,40} ?[a-zA-Z%]{0,5}\Z"))
def test_any_text_is_a_value_or_a_value_error(parse: Callable[[str], float], text: str) -> None:
    try:
        value = parse(text)
    except ValueError:
        return
    assert value >= 0


def test_a_very_long_text_is_refused_at_once() -> None:
    for text in ("1h" * 100_000 + "!", "9" * 1_000_000, "1 " * 100_000, "1" + "h" * 1_000_000):
        with pytest.raises(ValueError, match=r"unit") as caught:
            values.parse_duration(text)
        assert len(str(caught.value)) < 100


@given(st.floats(min_value=0, max_value=36500 * 86400).map(values.rounded))
def test_a_duration_is_written_so_that_it_reads_the_same(seconds: float) -> None:
    assert values.parse_duration(values.format_duration(seconds)) == seconds


@given(st.integers(min_value=0, max_value=10**14))
def test_a_size_is_written_so_that_it_reads_the_same(size: int) -> None:
    assert values.parse_size(values.format_size(size)) == size


@given(st.floats(min_value=0, max_value=100).map(values.rounded))
def test_a_percentage_is_written_so_that_it_reads_the_same(percent: float) -> None:
    assert values.parse_percentage(values.format_percentage(percent)) == percent


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.5, "500ms"),
        (90.0, "90s"),
        (300.0, "5min"),
        (5400.0, "90min"),
        (86400.0, "1 day"),
        (0.0001, "0.0001s"),
    ],
)
def test_durations_are_written_short(seconds: float, text: str) -> None:
    assert values.format_duration(seconds) == text


def test_sizes_and_percentages_are_written_short() -> None:
    assert [values.format_size(size) for size in (0, 1000, 1024, 64 << 20)] == ["0B", "1000B", "1KiB", "64MiB"]
    assert [values.format_percentage(percent) for percent in (0.0, 2.5, 100.0)] == ["0%", "2.5%", "100%"]
