"""Whatever is in a configuration file: it is a configuration that is used, or faults that a person can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from censusd.config import Config, describe, differences, load
from censusd.config.repository import RepositoryConfig
from censusd.config.schema import TABLES
from censusd.config.settings import settings_of
from censusd.errors import ConfigurationError, Fault

ENVIRON = {"STATE_DIRECTORY": "/var/lib/censusd", "RUNTIME_DIRECTORY": "/run/censusd"}

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ODD = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXTS,
    st.sampled_from(
        [10**400, -1, 0, 1, 10, "", "/", "~", "~/a", "a/b", "/nowhere/a", "10%", "1s", "2h", "never", "[::1]:1"]
    ),
    st.lists(st.sampled_from(["*.bak", "!", "/a/", "[z-a]", "", "#", "\\"]) | TEXTS, max_size=3),
)
NESTED = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5
)


def table_of(declared: type) -> st.SearchStrategy[dict[str, Any]]:
    """A table with some of the keys that belong in it, mostly with values that will do, and perhaps others."""
    known = settings_of(declared)
    fit = {
        key: st.just(one.default) | ODD
        if one.default is not None
        else st.sampled_from(["a", "b-2", "/a", "/a/b", "/b"]) | ODD
        for key, one in known.items()
    }
    required = {key: fit[key] for key, one in known.items() if one.default is None}
    optional = {key: value for key, value in fit.items() if key not in required}
    usual = st.fixed_dictionaries(required, optional=optional)
    return usual | st.dictionaries(st.sampled_from(list(known)) | TEXTS, NESTED, max_size=4)


DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        **{name: table_of(declared) for name, declared in TABLES.items()},
        "repository": st.lists(table_of(RepositoryConfig), max_size=3) | ODD,
        "other": NESTED,
    },
)
CALM = st.fixed_dictionaries(
    {
        "repository": st.lists(st.sampled_from("abc"), unique=True).map(
            lambda names: [{"name": name, "path": f"/nowhere/{name}"} for name in names]
        )
    },
    optional={
        "database": st.fixed_dictionaries(
            {}, optional={"pool_max": st.integers(1, 9), "dsn": st.sampled_from(["", "host=a", "host=b"])}
        ),
        "defaults": st.fixed_dictionaries(
            {},
            optional={
                "missing_grace": st.sampled_from([0, 0.1234567, "1h", "never"]),
                "exclude": st.lists(
                    st.sampled_from(["*.bak", "/a b/", 'quote"', "bäck\\\\slash", "\x7f\t."]), max_size=2
                ),
                "reconcile_jitter": st.floats(0, 50),
                "debounce": st.floats(0.01, 5),
            },
        ),
        "http": st.fixed_dictionaries(
            {"listen": st.sampled_from(["", "[::1]:0", "h:1"])},
            optional={"allowed_hosts": st.lists(st.sampled_from(["a", "B.c", "b.c."]), max_size=3)},
        ),
    },
)


def literal(value: object) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)} = {literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration") / "censusd.toml"


def toml(document: dict[str, Any]) -> bytes:
    return "\n".join(f"{key} = {literal(value)}" for key, value in document.items()).encode()


def load_or_faults(file: Path, content: bytes) -> Config | tuple[Fault, ...]:
    file.write_bytes(content)
    try:
        return load([file], ENVIRON)
    except ConfigurationError as error:
        return error.faults


def assert_readable(faults: tuple[Fault, ...]) -> None:
    assert faults
    for fault in faults:
        assert str(fault).isprintable()
        assert "expected" in fault.problem or "is not a" in fault.problem


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(file: Path, content: bytes) -> None:
    loaded = load_or_faults(file, content)
    if not isinstance(loaded, Config):
        assert_readable(loaded)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS)
def test_any_document(file: Path, document: dict[str, Any]) -> None:
    loaded = load_or_faults(file, toml(document))
    if isinstance(loaded, Config):
        assert describe(loaded)
    else:
        assert_readable(loaded)


@given(CALM, CALM)
def test_configurations_are_equal_if_and_only_if_nothing_differs(
    file: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    old, new = load_or_faults(file, toml(before)), load_or_faults(file, toml(after))
    assert isinstance(old, Config)
    assert isinstance(new, Config)
    assert (old == new) == (not differences(old, new)) == (not differences(new, old))


@given(CALM)
def test_what_is_shown_of_a_configuration_reads_as_the_same(file: Path, document: dict[str, Any]) -> None:
    document.get("database", {}).pop("dsn", None)  # it is not shown so that it could be read
    config = load_or_faults(file, toml(document))
    assert isinstance(config, Config)
    assert load_or_faults(file, describe(config).encode()) == config
