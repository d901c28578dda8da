"""The reference, ``etc/censusd.toml``, and what ``censusd check-config`` shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from censusd.config import describe
from censusd.config.repository import RepositoryConfig
from censusd.config.schema import TABLES
from censusd.config.settings import settings_of
from tests.unit.config.conftest import Load

CHECKOUT = Path(__file__).resolve().parents[3]
REFERENCE = CHECKOUT / "etc" / "censusd.toml"


def uncommented(text: str) -> str:
    """The text with every setting that is commented out put into force."""
    return re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE)


def test_the_reference_is_what_the_declarations_say() -> None:
    command = [sys.executable, "-m", "censusd.config"]
    written = subprocess.run(
        command, env={"PYTHONPATH": str(CHECKOUT / "daemon")}, capture_output=True, text=True, check=True
    )
    assert REFERENCE.read_text() == written.stdout, "write it anew: python -m censusd.config > etc/censusd.toml"


def test_the_reference_changes_nothing_as_it_is(load_text: Load) -> None:
    assert load_text(REFERENCE.read_text()) == load_text()


def test_the_defaults_in_the_reference_are_the_built_in_ones(load_text: Load) -> None:
    text = uncommented(REFERENCE.read_text())
    config = load_text(text)
    tables, repository = text.split("[[repository]]\n")
    assert load_text(tables) == load_text()
    assert config == load_text('[[repository]]\nname = "photos"\npath = "/srv/photos"')
    assert "enabled = true" in repository


def test_the_reference_documents_every_key_in_its_place() -> None:
    sections = re.split(r"^(?=#?\[)", REFERENCE.read_text(), flags=re.MULTILINE)[1:]
    own = [key for key in settings_of(RepositoryConfig) if key not in settings_of(TABLES["defaults"])]
    expected = {f"[{name}]": list(settings_of(table)) for name, table in TABLES.items()} | {"#[[repository]]": own}
    found = {text.splitlines()[0]: re.findall(r"(?:^# \S.*\n)+#(\w+) = ", text, re.MULTILINE) for text in sections}
    assert found == expected


def test_the_reference_is_short_enough_for_a_terminal() -> None:
    assert max(map(len, REFERENCE.read_text().splitlines())) <= 92


def test_what_is_shown_holds_everything_but_secrets(load_text: Load, tmp_path: Path, file: Path) -> None:
    config = load_text(
        """
        database.dsn = "postgresql://u:hunter2@db/census"
        [defaults]
        debounce = "1s"
        [[repository]]
        name = "photos"
        path = "/nowhere/photos"
        exclude = ["*.bak"]
        """,
        STATE_DIRECTORY="/var/lib/censusd",
        RUNTIME_DIRECTORY="/run/censusd",
    )
    text = describe(config)
    assert "hunter2" not in text
    assert text.startswith(f"# Read from {file}.\n") or str(file) in text.replace("\n# ", "")
    for line in (
        f"# dsn: host=db dbname=census user=u (from {file})",
        'socket = "/run/censusd/control.sock"',
        'listen = "127.0.0.1:9764"',
        'debounce = "1s"',
    ):
        assert line in text.splitlines()
    assert text.endswith(
        '[[repository]]\nname = "photos"\npath = "/nowhere/photos"\nenabled = true\nexclude = ["*.bak"]\n'
    )


def test_a_path_that_is_not_utf_8_is_shown_as_well_as_it_can_be(load_text: Load, tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    text = describe(load_text(repositories=[root]))
    assert r"caf\\xe9" in text
    assert text.encode()


@pytest.mark.parametrize("secret", ["hunter2"])
def test_no_text_made_from_a_configuration_shows_a_password(load_text: Load, secret: str) -> None:
    config = load_text(f'database.dsn = "host=h password={secret}"')
    assert secret not in f"{config} {config!r} {describe(config)}"
