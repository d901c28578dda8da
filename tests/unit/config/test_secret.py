from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.config.secret import Secret, holds_password, parse_dsn

PASSWORD = "hunter2-Zürich"


@dataclasses.dataclass
class Holder:
    dsn: Secret


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("postgresql://u:%s@db.example.org:5433/census", "host=db.example.org port=5433 dbname=census user=u"),
        ("postgresql://a,b/census?user=u&password=%s", "host=a,b dbname=census user=u"),
        ("host=/run/postgresql dbname=census password='%s'", "host=/run/postgresql dbname=census"),
        ("service=census sslpassword=%s", "service=census"),
        ("password=%s", "(libpq's defaults)"),
    ],
)
def test_a_connection_string_shows_where_it_leads_and_no_password(text: str, display: str) -> None:
    dsn = parse_dsn(text % PASSWORD)
    assert dsn.display == display
    assert dsn.reveal() == text % PASSWORD
    assert holds_password(dsn)
    holder = Holder(dsn)
    for shown in (str(dsn), repr(dsn), f"{dsn} {dsn!r}", repr(holder), str(dataclasses.asdict(holder))):
        assert display in shown
        assert PASSWORD not in shown


@pytest.mark.parametrize("text", ["postgresql://u@h/d", "host=h dbname=d", "postgresql:///d", "password="])
def test_a_connection_string_without_a_password_is_known_as_such(text: str) -> None:
    assert not holds_password(parse_dsn(text))


@pytest.mark.parametrize(
    "text",
    [
        "mysql://u:{}@h/d",
        "{}",
        "host=h password={} {}",
        "postgresql://u:%{}@h/d",
        "postgresql://u:x@{}@h/d",
        "postgresql://u:{}/x@h/d",
        "postgresql://u:12/{}@h/d",
        "postgresql://u:{}/d",
        "postgresql://u:{}@h/d?nonsense=1",
        "host=h\0password={}",
        "host=h password=\udcff{}",
    ],
)
def test_a_wrong_connection_string_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_dsn(text.replace("{}", PASSWORD))
    assert PASSWORD not in str(caught.value)
    # libpq's own message quotes it, and a traceback shows what an error was raised from or beside.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@given(st.text() | st.text().map("postgresql://{}".format))
def test_any_text_is_a_connection_string_or_a_value_error(text: str) -> None:
    try:
        dsn = parse_dsn(text)
    except ValueError:
        return
    assert dsn.reveal() == text
    assert dsn.display.isprintable()


def test_secrets_are_compared_by_value() -> None:
    assert Secret("a", "x") == Secret("a", "y")
    assert hash(Secret("a", "x")) == hash(Secret("a", "y"))
    assert Secret("a", "x") != Secret("b", "x")
    assert Secret("a") != "a"
