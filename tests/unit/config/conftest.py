from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from censusd.config import Config, load
from censusd.errors import ConfigurationError


class Load(Protocol):
    def __call__(self, text: str = "", *, repositories: list[Path] | None = None, **environ: str) -> Config: ...


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the configuration of this test is; ``conf.d`` beside it does not exist yet."""
    return tmp_path / "censusd.toml"


@pytest.fixture
def load_text(file: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a TOML text as the only configuration file, with nothing in the environment but what is given."""
    # The directory is deep enough to make a socket's path too long; "root" has short ones.
    monkeypatch.setattr("os.geteuid", lambda: 0)

    def load_it(text: str = "", *, repositories: list[Path] | None = None, **environ: str) -> Config:
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return load([file], environ, extra_repositories=repositories or [])

    return load_it


@pytest.fixture
def faults_of(load_text: Load) -> Callable[[str], list[str]]:
    """The faults of a TOML text, each as ``key: problem``."""

    def faults(text: str) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            load_text(text)
        return [f"{fault.key}: {fault.problem}" for fault in caught.value.faults]

    return faults
