"""Any name there can be maps to text and back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from censusd.filesystem.names import bytes_of, is_name, text_of, text_of_native

_PARTS = st.one_of(
    st.binary(min_size=1, max_size=4),
    st.text(min_size=1, max_size=4).map(lambda text: text.encode("utf-8", "surrogatepass")),
    # The escapes themselves, and what borders on them.
    st.integers(0xEF7E, 0xF001).map(lambda code: chr(code).encode()),
    st.sampled_from([b"\xed\xa0\x80", b"\xee\xbe", b"\xee", b"\x80", b"\xff", b"\n", b"\x1b[31m", b"\xc3\xa9", b"a"]),
)

names = (
    st.lists(_PARTS, min_size=1, max_size=8)
    .map(b"".join)
    .map(lambda name: name.replace(b"\0", b"").replace(b"/", b""))
    .filter(bool)
)
"""What a directory entry can be called: any bytes but NUL and the slash."""


@given(names)
@example(b"\xee\xbe\x80")  # U+EF80, the first escape
@example(b"\xee\xbf\xbf")  # U+EFFF, the last one
@example(b"\xed\xb2\x80")  # a surrogate, which UTF-8 may not hold
@example(b"\xff" * 255)
def test_every_name_comes_back(name: bytes) -> None:
    text = text_of(name)
    assert bytes_of(text) == name
    assert text_of_native(os.fsdecode(name)) == text


_CONFUSABLE = st.lists(st.sampled_from([b"\xee", b"\xbe", b"\x80", b"\xee\xbe\x80", b"\xee\xbf\xae"]), max_size=4).map(
    b"".join
)


@given(_CONFUSABLE, _CONFUSABLE)
def test_no_two_names_share_a_text(one: bytes, other: bytes) -> None:
    assert (text_of(one) == text_of(other)) == (one == other)


@given(names)
def test_text_can_be_stored(name: bytes) -> None:
    text = text_of(name)
    assert "\0" not in text
    assert "/" not in text
    assert text.encode("utf-8").decode("utf-8") == text  # no surrogates, which PostgreSQL refuses


@given(names)
def test_every_name_is_one(name: bytes) -> None:
    assert is_name(text_of(name)) == (name not in {b".", b".."})


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "/", "a/", "a\0b"])
def test_what_leads_elsewhere_is_no_name(text: str) -> None:
    assert not is_name(text)


@given(st.lists(names, min_size=1, max_size=4))
def test_a_path_is_its_names(parts: list[bytes]) -> None:
    assert text_of(b"/".join(parts)) == "/".join(map(text_of, parts))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1))
def test_what_people_write_is_stored_as_it_is(text: str) -> None:
    stored = text_of(text.encode())
    genuine = any(0xEF80 <= ord(character) <= 0xEFFF for character in text)
    assert (stored == text) is not genuine


def test_postgresql_gives_every_character_back(server: str) -> None:
    every_byte = [bytes([byte]) for byte in range(1, 256) if byte != ord("/")]
    stored = [text_of(name) for name in [*every_byte, "\ufffe\uffff\U0010ffff\uef80".encode(), b"\xed\xa0\x80"]]
    with psycopg.connect(server) as connection:
        given_back = connection.execute("SELECT %s::text[]", (stored,), binary=True).fetchone()
    assert given_back == (stored,)


def test_the_locale_does_not_matter(tmp_path: Path) -> None:
    name = "é".encode() + b"\xff"
    (tmp_path / os.fsdecode(name)).touch()
    program = (
        "import os, sys; from censusd.filesystem.names import text_of_native, bytes_of\n"
        "[name] = os.listdir(sys.argv[1])\n"
        "print(sys.flags.utf8_mode, bytes_of(text_of_native(name)).hex())"
    )
    for environment in ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, {"PYTHONUTF8": "1"}):
        told = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        )
        assert told.stdout.split() == [environment["PYTHONUTF8"], name.hex()]


@pytest.mark.parametrize("name", [b"plain.jpg", "Müller.jpg".encode(), "日本.jpg".encode()])
def test_ordinary_names_are_readable(name: bytes) -> None:
    assert text_of(name) == name.decode()
