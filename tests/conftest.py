"""Fixtures for every test: a real PostgreSQL of the session's own, a fresh database for each test, a library."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from censusd.catalogue import migrations
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.embedded import EmbeddedServer
from tests.tools.library import Library, fresh_database, take

# Real files and a real database take the time they take.
settings.register_profile("real", deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "real"))

_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100"}
# Nobody but a superuser may end its work, and so drop the database it is at work in.
_FAST["autovacuum"] = "off"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL for this session: its connection string."""
    directory = tmp_path_factory.mktemp("postgresql")
    _let_others_through(directory)
    with EmbeddedServer.start(directory, settings=_FAST) as server:
        yield server.conninfo


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """The name of a database that has the schema, to be copied."""
    name = "template_catalogue"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with Catalogue(make_conninfo(server, dbname=name)) as catalogue:
        migrations.migrate(catalogue)
    return name


@pytest.fixture
def database(server: str, template: str) -> Iterator[str]:
    """A fresh database with the schema: its connection string."""
    with fresh_database(server, template) as database:
        yield database


@pytest.fixture
def catalogue(database: str) -> Iterator[Catalogue]:
    """The catalogue in a fresh database."""
    with Catalogue(database) as opened:
        yield opened


@pytest.fixture
def make_library(catalogue: Catalogue) -> Callable[..., Library]:
    """Makes repositories in the test's catalogue."""

    def make(root: Path, name: str = "library", **rules: Any) -> Library:
        return take(catalogue, root, name, **rules)

    return make


@pytest.fixture
def library(tmp_path: Path, make_library: Callable[..., Library]) -> Library:
    """A repository on an empty tree."""
    return make_library(tmp_path / "library")


@pytest.fixture
def shared_path() -> Iterator[Path]:
    """A directory that other users may pass through, which pytest's own are not: each session closes them anew."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def _let_others_through(directory: Path) -> None:
    """As root PostgreSQL runs as somebody else, who has to get to a directory that pytest made private."""
    if os.geteuid() != 0:
        return
    for parent in directory.parents:
        if parent.stat().st_uid == os.geteuid() and "pytest" in parent.name:
            parent.chmod(parent.stat().st_mode | 0o011)
