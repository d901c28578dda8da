"""The configuration as a whole: files, environment and command line put together, completed and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from censusd.config import checking
from censusd.config.access import ApiKey, Dsn
from censusd.config.documents import read_documents
from censusd.config.kinds import Kind
from censusd.config.locations import UNSET, runtime_directory, state_directory
from censusd.config.reading import REPOSITORY, Given, Reading, read
from censusd.config.repository import RepositoryConfig, RepositorySettings
from censusd.config.schema import (
    DEFAULTS,
    Config,
    ControlConfig,
    DaemonConfig,
    DatabaseConfig,
    DeepScanConfig,
    DescribeConfig,
    HttpConfig,
)
from censusd.config.secret import Secret
from censusd.config.settings import settings_of
from censusd.config.words import printable
from censusd.errors import ConfigurationError, Fault

COMMAND_LINE: Final = "command line"
ENVIRONMENT: Final = "environment"
DATABASE_VARIABLE: Final = "CENSUSD_DATABASE"
DATABASE_CREDENTIAL: Final = "database"

DESCRIBE_VARIABLE: Final = "CENSUSD_DESCRIBE_KEY"
DESCRIBE_CREDENTIAL: Final = "describe-key"

_LONGEST_NAME: Final = 63


class _SecretKey(NamedTuple):
    """A key whose value can also come from elsewhere than the files."""

    key: str
    kind: Kind[Secret | None]
    variable: str
    credential: str


_SECRETS: Final = {
    "database": _SecretKey("dsn", Dsn(), DATABASE_VARIABLE, DATABASE_CREDENTIAL),
    "describe": _SecretKey("key", ApiKey(), DESCRIBE_VARIABLE, DESCRIBE_CREDENTIAL),
}


def load(
    paths: Sequence[Path] | None, environ: Mapping[str, str], *, extra_repositories: Sequence[Path] = ()
) -> Config:
    """Read, merge, complete and check the configuration.

    Args:
        paths: the configuration files; ``conf.d/*.toml`` beside each is read after them. None: the default file, which
            need not exist.
        environ: the environment: where systemd has put directories and credentials, ``CENSUSD_DATABASE`` and
            ``CENSUSD_DESCRIBE_KEY``.
        extra_repositories: roots from the command line; a relative one starts at the working directory. Each is named
            after its last component.

    Raises:
        ConfigurationError: with every fault there is.
    """
    faults: list[Fault] = []
    warnings: list[Fault] = []
    documents = read_documents(paths, faults)
    reading = read(documents, faults)
    _add_repositories(extra_repositories, reading, faults)
    checking.exposed_password(reading.tables["database"], documents, warnings)
    checking.exposed_key(reading.tables["describe"], documents, warnings)
    for table, secret in _SECRETS.items():
        _choose_secret(reading.tables[table], secret, environ, faults)
    _choose_locations(reading.tables, environ, faults)
    checking.tables(reading.tables, faults, warnings)
    repositories = _repositories(reading)
    checking.repositories(reading, repositories, faults, warnings)
    if faults:
        raise ConfigurationError(tuple(faults))
    values = {name: given.values for name, given in reading.tables.items()}
    return Config(
        database=DatabaseConfig(**values["database"]),
        daemon=DaemonConfig(**values["daemon"]),
        control=ControlConfig(**values["control"]),
        http=HttpConfig(**values["http"]),
        deep_scan=DeepScanConfig(**values["deep_scan"]),
        describe=DescribeConfig(**values["describe"]),
        defaults=RepositorySettings(**values[DEFAULTS]),
        repositories=tuple(sorted((config for _, config in repositories), key=lambda config: config.name)),
        warnings=tuple(warnings),
        sources=tuple(document.file for document in documents),
    )


def _add_repositories(paths: Sequence[Path], reading: Reading, faults: list[Fault]) -> None:
    """The repositories that the command line names, as if they were in a file."""
    names = {given.values.get("name") for given in reading.repositories}
    for path in paths:
        try:
            # A shell's user may well mean a relative path. What .. leads to through a symlink, only the kernel knows.
            absolute = Path(os.path.realpath(path)) if ".." in path.parts else path.absolute()
        except (OSError, ValueError) as error:
            faults.append(Fault(COMMAND_LINE, printable(path), f"cannot be made an absolute path: {error}"))
            continue
        name = _unique_name(absolute.name, names)
        names.add(name)
        given = Given(f"{REPOSITORY}[{name}]", COMMAND_LINE)
        given.take(COMMAND_LINE, {"name": name, "path": str(absolute)}, settings_of(RepositoryConfig), faults)
        reading.repositories.append(given)


def _unique_name(component: str, taken: set[Any]) -> str:
    """A repository's name after the last component of its path, with -2, -3 and so on where that is taken."""
    base = re.sub(r"[^A-Za-z0-9._-]", "-", component).lstrip("._-") or REPOSITORY
    suffixes = ("" if number == 1 else f"-{number}" for number in count(1))
    candidates = (base[: _LONGEST_NAME - len(suffix)] + suffix for suffix in suffixes)
    return next(name for name in candidates if name not in taken)


def _choose_secret(given: Given, secret: _SecretKey, environ: Mapping[str, str], faults: list[Fault]) -> None:
    """The value that counts: the systemd credential's, else the environment's, else the files'."""
    key, kind = secret.key, secret.kind
    if given.values.get(key) is not None:
        given.values[f"{key}_source"] = given.files[key]
    text = environ.get(secret.variable, "")
    source, where = ENVIRONMENT, secret.variable
    directory = environ.get("CREDENTIALS_DIRECTORY", "")
    credential = Path(directory) / secret.credential
    if directory and os.path.lexists(credential):
        source, where = "systemd credential", str(credential)
        try:
            text = credential.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            # A decoding error would quote what it could not decode.
            reason = error.strerror if isinstance(error, OSError) else "expected UTF-8"
            faults.append(Fault(source, printable(where), f"cannot be read: {reason}"))
            return
        if not text:
            # Not the same as none: falling back to a private server would look as if the catalogue had been lost.
            faults.append(Fault(source, printable(where), f"is empty; expected {kind.expected}"))
            return
    if not text:
        return
    try:
        given.values[key] = kind.read(text)
        given.values[f"{key}_source"] = f"{source} {secret.variable}" if source == ENVIRONMENT else source
    except ValueError as error:
        remark = f" ({error})" if str(error) else ""
        faults.append(Fault(source, printable(where), f"expected {kind.expected}{remark}"))


def _choose_locations(tables: Mapping[str, Given], environ: Mapping[str, str], faults: list[Fault]) -> None:
    """Replace each automatic path by the place it stands for."""
    daemon, control, database = (tables[name].values for name in ("daemon", "control", "database"))
    if _is_unset(daemon, "state_directory"):
        try:
            daemon["state_directory"] = state_directory(environ)
        except LookupError:
            problem = "this user has no home directory; expected the key to be set, or $STATE_DIRECTORY"
            faults.append(Fault(ENVIRONMENT, "daemon.state_directory", problem))
            return
    state = daemon["state_directory"]
    if _is_unset(daemon, "runtime_directory"):
        daemon["runtime_directory"] = runtime_directory(environ, state)
    if _is_unset(control, "socket"):
        control["socket"] = daemon["runtime_directory"] / "control.sock"
    if _is_unset(database, "embedded_directory"):
        database["embedded_directory"] = state


def _is_unset(values: Mapping[str, Any], key: str) -> bool:
    return bool(values.get(key, UNSET) == UNSET)


def _repositories(reading: Reading) -> list[tuple[Given, RepositoryConfig]]:
    """Each repository that has a name and a path, with the settings of ``[defaults]`` where it has none of its own."""
    defaults = reading.tables[DEFAULTS].values
    return [
        (given, RepositoryConfig(**{**defaults, **given.values}))
        for given in reading.repositories
        if given.values.keys() >= {"name", "path"}
    ]
