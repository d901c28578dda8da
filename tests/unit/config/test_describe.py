"""The table ``[describe]``: what has to be there, what is worth a warning, and that the key is never shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from censusd.config import ChangeKind, describe, differences, load
from censusd.describe.rules import Endpoint
from censusd.errors import ConfigurationError
from tests.unit.config.conftest import Load

KEY = "sk-hunter2"
ON = '[describe]\nenabled = true\nmodel = "some:7b"\n'


def warnings_of(load_text: Load, text: str) -> list[str]:
    return [f"{warning.key}: {warning.problem}" for warning in load_text(text).warnings]


def test_nothing_is_sent_anywhere_unless_somebody_says_so(load_text: Load) -> None:
    config = load_text()
    assert config.describe.enabled is False
    assert config.describe.url == Endpoint(tls=False, host="127.0.0.1", port=11434, path="")
    assert config.describe.key is None


def test_a_model_is_needed_only_where_it_is_asked(load_text: Load, faults_of: Callable[[str], list[str]]) -> None:
    problem = "expected the name of a model, because pictures are to be described; found none"
    assert faults_of("describe.enabled = true") == [f"describe.model: {problem}"]
    assert faults_of("describe.model = ' '\ndescribe.enabled = true") == [f"describe.model: {problem}"]
    (fault,) = faults_of("describe.enabled = true\ndescribe.model = 7")
    assert fault.startswith("describe.model: expected a text of at most 200 characters")
    assert load_text(ON).describe.model == "some:7b"
    assert load_text('describe.model = ""').warnings == ()


@pytest.mark.parametrize(
    ("url", "remark"),
    [
        ("ftp://h", "it begins with neither http:// nor https://"),
        (f"https://user:{KEY}@h/v1", "it holds a user or a password; a key belongs into describe.key"),
        (f"https://h/v1?key={KEY}", "nothing may follow its path"),
        (f"https://{KEY}:99999/", "its host or port is none"),
        (f"https://[{KEY}/", "its host or port is none"),
        (f"http://h/ {KEY}", "it holds characters that no URL has"),
        (f"http://h/\\r\\n{KEY}", "it holds characters that no URL has"),
        ("http://", "its host or port is none"),
        ("http://h:0", "its host or port is none"),
        ("", "it holds characters that no URL has"),
    ],
)
def test_a_url_that_will_not_do_is_refused_and_not_quoted(
    faults_of: Callable[[str], list[str]], url: str, remark: str
) -> None:
    (fault,) = faults_of(f'describe.url = "{url}"')
    assert fault.startswith("describe.url: expected the URL of a server")
    assert fault.endswith(f"({remark})")
    assert KEY not in fault


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("HTTPS://Host.example:443/a/b", "https://host.example/a/b"),
    ],
)
def test_a_url_is_shown_as_it_is_used(load_text: Load, url: str, shown: str) -> None:
    assert f'url = "{shown}"' in describe(load_text(f'describe.url = "{url}"')).splitlines()


def test_where_the_key_comes_from(tmp_path: Path, file: Path) -> None:
    file.write_text(f'[describe]\nkey = "file-{KEY}"\n')
    environ = {"RUNTIME_DIRECTORY": "/r", "STATE_DIRECTORY": "/s"}

    def key(**more: str) -> tuple[str, str]:
        found = load([file], environ | more).describe
        assert found.key is not None
        return found.key.reveal(), found.key_source

    assert key() == (f"file-{KEY}", str(file))
    assert key(CENSUSD_DESCRIBE_KEY="env") == ("env", "environment CENSUSD_DESCRIBE_KEY")
    (tmp_path / "describe-key").write_text(f"credential-{KEY}\n")
    more = {"CENSUSD_DESCRIBE_KEY": "env", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert key(**more) == (f"credential-{KEY}", "systemd credential")
    (tmp_path / "describe-key").write_text("two words")
    with pytest.raises(ConfigurationError) as caught:
        key(**more)
    (fault,) = caught.value.faults
    assert str(fault).endswith("describe-key: expected a key of printable ASCII characters without spaces")


@pytest.mark.parametrize("key", [f"{KEY}\\r\\nX-Header: 1", f"{KEY} a", "ü" + KEY, "x" * 5000 + KEY])
def test_a_key_that_cannot_be_sent_is_refused_and_not_quoted(faults_of: Callable[[str], list[str]], key: str) -> None:
    (fault,) = faults_of(f'describe.key = "{key}"')
    assert fault == "describe.key: expected a key of printable ASCII characters without spaces"


def test_no_text_made_from_a_configuration_shows_the_key(load_text: Load, file: Path) -> None:
    config = load_text(f'describe.key = "{KEY}"')
    assert KEY not in f"{config} {config!r} {describe(config)}"
    assert "# key: (secret) (from " in describe(config)
    (change,) = differences(config, load_text('describe.key = "other"'))
    assert (change.kind, change.keys, change.restart_keys) == (ChangeKind.CHANGED, ("key",), ())
    assert KEY not in str(change)


def test_warnings_of_what_is_sent_in_the_clear_or_never(load_text: Load, file: Path) -> None:
    file.touch(0o600)
    file.chmod(0o600)
    assert warnings_of(load_text, ON) == []
    assert warnings_of(load_text, ON + 'url = "http://[::1]:1"') == []
    assert warnings_of(load_text, 'describe.url = "http://h"') == []
    clear = "sent without encryption; use https unless the network is your own"
    assert warnings_of(load_text, ON + 'url = "http://h"') == [f"describe.url: pictures are {clear}"]
    assert warnings_of(load_text, ON + f'url = "http://h"\nkey = "{KEY}"') == [
        f"describe.url: pictures and the key are {clear}"
    ]
    assert warnings_of(load_text, ON + f'url = "https://h"\nkey = "{KEY}"') == []
    assert warnings_of(load_text, ON + "[deep_scan]\nhashing = false\nenabled = false") == [
        "describe.enabled: has no effect: it needs what deep_scan.enabled = true finds out",
        "describe.enabled: has no effect: it needs what deep_scan.hashing = true finds out",
    ]
    file.chmod(0o644)
    (warning,) = warnings_of(load_text, f'describe.key = "{KEY}"')
    assert warning.startswith("describe.key: is a secret, and every user may read the file")
