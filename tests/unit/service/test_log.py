"""No file name can forge a line of the log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from censusd.service.log import visible


@given(st.text())
def test_what_is_shown_is_one_printable_line(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)


def test_what_is_harmless_stays() -> None:
    assert visible("Ünïcode 写真/it's a file (1).jpg") == "Ünïcode 写真/it's a file (1).jpg"
    assert visible("a\nREADY=1\x1b[31m") == "a\\x0aREADY=1\\x1b[31m"
    assert visible("gpj.\u202eexe") == "gpj.\\u202eexe"
