"""What a wrong configuration is answered with: every fault at once, each with file, key and what was expected."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from censusd.config import load
from censusd.config.kinds import repository_name
from censusd.errors import ConfigurationError, Fault
from tests.unit.config.conftest import Load

FaultsOf = Callable[[str], list[str]]


def test_all_faults_of_all_files_are_told_at_once(load_text: Load, file: Path) -> None:
    drop_ins = file.parent / "conf.d"
    drop_ins.mkdir()
    (drop_ins / "a.toml").write_text("this is not TOML")
    (drop_ins / "b.toml").write_text("[http]\nlisten = 9764\n")
    with pytest.raises(ConfigurationError) as caught:
        load_text(
            """
            [database]
            pool_max = "many"
            [demon]
            [[repository]]
            name = "a b"
            """,
            CENSUSD_DATABASE="nonsense",
        )
    assert [(fault.file, fault.key) for fault in caught.value.faults] == [
        (str(drop_ins / "a.toml"), ""),
        (str(file), "database.pool_max"),
        (str(file), "demon"),
        (str(file), "repository[a b].name"),
        (str(file), "repository[a b].path"),
        (str(drop_ins / "b.toml"), "http.listen"),
        ("environment", "CENSUSD_DATABASE"),
    ]
    assert str(caught.value).splitlines()[1] == (
        f'{file}: database.pool_max: expected a whole number from 1 to 100; found "many"'
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a = 1\nb = \n", "expected TOML: Invalid value (at line 2, column 5)"),
        (b"a = 1\na = 2\n", "expected TOML: Cannot overwrite a value (at line 2, column 6)"),
        (b"a = 1\nb = [1,", "expected TOML: Invalid value (at line 2, column 8, the end of the document)"),
        (b"# caf\xe9\n", "expected UTF-8; found the byte 0xe9 on line 1"),
        (b"\n\n\xff", "expected UTF-8; found the byte 0xff on line 3"),
        (b"a = " + b"[" * 5000, "expected TOML: it is nested too deeply"),
        (b"a = " + b"9" * 5000, "expected TOML: it contains a number of thousands of digits"),
        (b"#" * (1 << 20) + b"#", "cannot be read: expected at most 1 MiB"),
    ],
    ids=["value", "twice", "end", "utf-8", "utf-8-line", "deep", "digits", "large"],
)
def test_a_file_that_is_no_toml(file: Path, content: bytes, problem: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load([file], {"RUNTIME_DIRECTORY": "/r"})
    assert caught.value.faults == (Fault(str(file), "", problem),)


def test_a_path_that_is_no_file(file: Path) -> None:
    file.mkdir()
    fifo = file / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(ConfigurationError) as caught:
        load([file, fifo, Path("/dev/null"), Path("nul\0byte"), file / ("x" * 300)], {"RUNTIME_DIRECTORY": "/r"})
    problems = [fault.problem for fault in caught.value.faults]
    assert problems == [
        "cannot be read: expected a file, found a directory",
        "cannot be read: expected a file, found a device or a pipe",
        "cannot be read: expected a file, found a device or a pipe",
        "cannot be read: embedded null byte",
        "cannot be read: File name too long",
    ]


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may read everything, so the test is somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def closed(file: Path) -> Path:
    """A configuration that its owner has locked away, drop-ins and all."""
    file.touch(0o000)
    (file.parent / "conf.d").mkdir(0o000)
    return file


def test_a_file_that_may_not_be_read(closed: Path, as_nobody: None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load([closed], {"RUNTIME_DIRECTORY": "/r", "STATE_DIRECTORY": "/s"})
    assert {(Path(fault.file), fault.problem) for fault in caught.value.faults} == {
        (closed, "cannot be read: Permission denied"),
        (closed.parent / "conf.d", "cannot be read: Permission denied"),
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("databse = {}", "databse: is not a table; did you mean database?"),
        ("[repositories]", "repositories: is not a table; did you mean repository?"),
        ("xyzzy = 1", "xyzzy: is not a table"),
        ("debounce = 1", "debounce: is not a key here; it belongs in [defaults] or [[repository]]"),
        ("[http]\nlisen = 1", "http.lisen: is not a key; did you mean listen?"),
        ("[defaults]\nname = 'x'", "defaults.name: is not a key here; it belongs in [[repository]]"),
        ("[control]\nlisten = ''", "control.listen: is not a key here; it belongs in [http]"),
        ('[control]\n"so\\ncket" = ""', "control.so\\ncket: is not a key; did you mean socket?"),
        ("database = 'postgresql://u:p@h'", "database: expected a table, which begins with a line [database]"),
        ("[[database]]", "database: expected a table, which begins with a line [database]"),
        ("[repository]", "repository: expected tables, each of which begins with a line [[repository]]"),
        ("repository = [1]", "repository: expected tables, each of which begins with a line [[repository]]"),
    ],
)
def test_unknown_keys_and_tables(faults_of: FaultsOf, text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


INTEGER = "a whole number from 1 to 100"
DURATION = 'a duration such as "500ms", "24h" or "30 days", or a number of seconds'
DEBOUNCE = f"{DURATION}, from 10ms to 60s"
PATTERNS = "an array of gitignore patterns"
MODE = 'permission bits as a text of octal digits, such as "0660"'
RELATIVE = "a path relative to the repository's root, without .."
NO_SUCH = "(there is none by that name)"


@pytest.mark.parametrize(
    ("key", "value", "expected", "found"),
    [
        ("database.pool_max", "true", INTEGER, "true"),
        ("database.pool_max", "0", INTEGER, "0"),
        ("database.pool_max", "2.0", INTEGER, "2.0"),
        ("database.pool_max", "0x" + "f" * 4000, INTEGER, "a very large number"),
        ("database.pool_max", "[1]", INTEGER, "an array"),
        ("database.pool_max", "1979-05-27", INTEGER, "1979-05-27"),
        ("database.embedded_user", "'nemo'", "the name of a user of this system", f'"nemo" {NO_SUCH}'),
        ("control.socket_group", "'nemo'", "the name of a group of this system", f'"nemo" {NO_SUCH}'),
        ("control.socket_mode", "660", MODE, "660"),
        ("control.socket_mode", "'0980'", MODE, '"0980"'),
        ("defaults.debounce", "'soon'", DEBOUNCE, '"soon" (not a number and a unit)'),
        (
            "defaults.debounce",
            "'5 m 3'",
            DEBOUNCE,
            '"5 m 3" (3 has no unit)',
        ),
        (
            "defaults.debounce",
            "'5 ages'",
            DEBOUNCE,
            '"5 ages" (ages is not one of the units ms, s, min, h, days, weeks)',
        ),
        ("defaults.debounce", "'5ms'", DEBOUNCE, '"5ms"'),
        ("defaults.debounce", "61", DEBOUNCE, "61"),
        ("defaults.debounce", "nan", DEBOUNCE, "nan"),
        ("defaults.debounce", "true", DEBOUNCE, "true"),
        ("defaults.missing_grace", "-1", f'{DURATION}, from 0s to 36500 days, or "never"', "-1"),
        ("defaults.reconcile_jitter", "'51%'", 'a percentage such as 10 or "10%", from 0% to 50%', '"51%"'),
        ("defaults.cross_mounts", "1", "true or false", "1"),
        ("defaults.watch", "'inotfy'", 'one of "auto", "fanotify", "inotify", "poll", "off"', '"inotfy"'),
        ("defaults.ignore_file", "'a/b'", "the name of a file, without a slash", '"a/b"'),
        ("defaults.marker", "'/a'", RELATIVE, '"/a"'),
        ("defaults.marker", "'a/../b'", RELATIVE, '"a/../b"'),
        ("defaults.exclude", "'*.bak'", PATTERNS, '"*.bak"'),
        ("defaults.exclude", "['a', 1]", PATTERNS, "an array (number 2 is not a text)"),
        ("defaults.exclude", "['!']", PATTERNS, 'an array (number 1 ("!") is not a pattern)'),
        ("defaults.exclude", "['[z-a]']", PATTERNS, 'an array (number 1 ("[z-a]") is not a pattern)'),
        ("defaults.exclude", "['']", PATTERNS, 'an array (number 1 ("") matches nothing)'),
        ("defaults.exclude", "['[abc']", PATTERNS, 'an array (number 1 ("[abc") matches nothing)'),
        ("daemon.state_directory", "'state'", "an absolute path", '"state"'),
        ("daemon.state_directory", "'~/a'", "an absolute path", '"~/a" (~ is not expanded; write the directory out)'),
        ("daemon.state_directory", '"/a\\u0000"', "an absolute path", '"/a\\x00" (it contains a NUL character)'),
        ("daemon.log_format", f"'{'x' * 200}'", 'one of "auto", "json", "console"', f'"{"x" * 79}…"'),
    ],
)
def test_values_of_the_wrong_kind(faults_of: FaultsOf, key: str, value: str, expected: str, found: str) -> None:
    assert faults_of(f"{key} = {value}") == [f"{key}: expected {expected}; found {found}"]


def test_a_comment_among_patterns(faults_of: FaultsOf) -> None:
    (fault,) = faults_of("defaults.protected = ['#inbox']")
    assert fault.endswith('("#inbox") is a comment in gitignore syntax; write "\\\\#" for a name that begins with #)')


@pytest.mark.parametrize("value", ["'hunter2'", "['hunter2']", "'mysql://u:hunter2@h/d'", "{ url = 'hunter2' }"])
def test_a_connection_string_that_is_none_is_not_quoted(faults_of: FaultsOf, value: str) -> None:
    (fault,) = faults_of(f"database.dsn = {value}")
    assert fault.startswith('database.dsn: expected a PostgreSQL connection string such as "postgresql://user@host/')
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    "listen",
    ["9764", ":9764", "localhost", "::1:9764", "[::1]", "[::1:9764", "[localhost]:1", "h:65536", "h:x", "h :1", "h:-1"],
)
def test_addresses_that_are_none(faults_of: FaultsOf, listen: str) -> None:
    (fault,) = faults_of(f'http.listen = "{listen}"')
    assert fault.startswith('http.listen: expected host:port or [IPv6 address]:port, such as "127.0.0.1:9764"')


@pytest.mark.parametrize(
    ("host", "remark"),
    [
        ("", ""),
        ("https://census.example.org", ""),
        ("census.example.org:443", ""),
        ("census.example.org/", ""),
        ("census..example.org", ""),
        ("-census.example.org", ""),
        ("x" * 64 + ".org", ""),
        (".".join(["x" * 60] * 5), ""),
        ("*.example.org", " (each name has to be given in full)"),
        ("zensus.österreich.at", " (browsers write such a name in ASCII: xn--...)"),
    ],
)
def test_host_names_that_are_none(faults_of: FaultsOf, host: str, remark: str) -> None:
    (fault,) = faults_of(f'http.allowed_hosts = ["{host}"]')
    assert fault.startswith('http.allowed_hosts: expected an array of host names such as "census.example.org"')
    assert fault.endswith(remark)


@pytest.mark.parametrize("name", ["", ".", "..", "-x", "a/b", "a b", "ä", "x" * 64, "a\\n"])
def test_repository_names_that_do_not_fit_everywhere(faults_of: FaultsOf, tmp_path: Path, name: str) -> None:
    (fault,) = faults_of(f'[[repository]]\nname = "{name}"\npath = "{tmp_path}"')
    assert "].name: expected 1 to 63 ASCII letters, digits" in fault


def test_what_a_repository_must_have(faults_of: FaultsOf) -> None:
    assert faults_of("[[repository]]") == [
        f"repository[number 1].name: is missing; expected {repository_name().expected}",
        "repository[number 1].path: is missing; expected an absolute path",
    ]


def test_values_that_contradict_each_other(faults_of: FaultsOf, tmp_path: Path) -> None:
    interval = "reconcile_interval: expected reconcile_interval"
    found = 'found "1h" and "30min"'
    assert faults_of(f"""
        [database]
        pool_min = 9

        [defaults]
        debounce = "6s"
        reconcile_max = "2 days"

        [[repository]]
        name = "a"
        path = "{tmp_path}/a"
        max_latency = "6s"
        reconcile_interval = "3 days"

        [[repository]]
        name = "b"
        path = "{tmp_path}/b"
        debounce = "500ms"
        reconcile_interval = "30min"
    """) == [
        "database.pool_min: expected pool_min to be at most pool_max; found 9 and 8",
        'defaults.debounce: expected debounce to be at most max_latency; found "6s" and "5s"',
        f'repository[a].{interval} to be at most reconcile_max; found "3 days" and "2 days"',
        f"repository[b].reconcile_interval: expected reconcile_min to be at most reconcile_interval; {found}",
    ]


def test_a_directory_has_one_strategy(faults_of: FaultsOf, load_text: Load, tmp_path: Path) -> None:
    once = "expected each directory in one list"
    assert faults_of(f"""
        [defaults]
        deep_scan_auto = ["x", "y/"]
        deep_scan_never = ["y", "z"]

        [[repository]]
        name = "a"
        path = "{tmp_path}/a"
        deep_scan_on_demand = ["x", "z"]
        deep_scan_auto = ["p/q", "x"]

        [[repository]]
        name = "b"
        path = "{tmp_path}/b"
        deep_scan_never = ["y"]
    """) == [
        f"defaults.deep_scan_never: {once}; y is in defaults.deep_scan_auto, too",
        f"repository[a].deep_scan_on_demand: {once}; x is in repository[a].deep_scan_auto, too",
        f"repository[a].deep_scan_on_demand: {once}; z is in defaults.deep_scan_never, too",
        f"repository[b].deep_scan_never: {once}; y is in defaults.deep_scan_auto, too",
    ]
    # One list may name it twice, and one may name what is inside or above of what another names.
    load_text(f"""
        [[repository]]
        name = "a"
        path = "{tmp_path}/a"
        deep_scan_never = ["x", "x", "y/z"]
        deep_scan_auto = ["x/y", "y"]
    """)


def test_a_value_that_is_wrong_itself_contradicts_nothing(faults_of: FaultsOf, tmp_path: Path) -> None:
    faults = faults_of(f"""
        [defaults]
        max_latency = "often"
        deep_scan_never = ["a"]
        [[repository]]
        name = "a"
        path = "{tmp_path}"
        debounce = "7s"
        deep_scan_never = [1]
        deep_scan_auto = ["a"]
    """)
    assert [fault.partition(": ")[0] for fault in faults] == ["defaults.max_latency", "repository[a].deep_scan_never"]


def test_a_file_far_too_long_is_refused_in_time(file: Path, faults_of: FaultsOf) -> None:
    started = time.monotonic()
    faults = faults_of("".join(f"[[repository]]\nname='{n}'\npath='/nowhere/{n}'\n" for n in range(20_000)))
    assert faults == ["repository: expected at most 1000 repositories; found 20000"]
    assert time.monotonic() - started < 30
