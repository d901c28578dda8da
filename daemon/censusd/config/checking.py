"""What one value alone cannot show: values that contradict each other, and values that do not fit this system.

Each check appends to a list of faults or of warnings; none raises.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path, PurePath
from typing import Any, Final

from pathspec import GitIgnoreSpec

from censusd.config.documents import Document
from censusd.config.places import Place, look_at, overlaps
from censusd.config.reading import REPOSITORY, Given, Reading
from censusd.config.repository import RepositoryConfig
from censusd.config.schema import DEFAULTS, TABLES, DescribeConfig
from censusd.config.secret import holds_password
from censusd.config.settings import Table, settings_of
from censusd.config.words import printable
from censusd.errors import Fault
from censusd.filesystem.ignore import DEFAULT_PATTERNS

MOST_REPOSITORIES: Final = 1000
"""Each has threads and watches of its own; more than this is a mistake in whatever wrote the files."""

_STRATEGIES: Final = ("deep_scan_auto", "deep_scan_on_demand", "deep_scan_never")
_LONGEST_SOCKET_PATH: Final = 107  # sun_path has 108 bytes, one of them for the NUL: unix(7)
_OTHERS_MAY_WRITE: Final = 0o002


def exposed_password(database: Given, documents: Sequence[Document], warnings: list[Fault]) -> None:
    """Warn of a password in a file that every user can read."""
    dsn, file = database.values.get("dsn"), database.files.get("dsn")
    if dsn is not None and holds_password(dsn) and any(one.file == file and one.world_readable for one in documents):
        problem = "holds a password, and every user may read the file; use a systemd credential, or chmod o-r"
        warnings.append(Fault(str(file), database.key("dsn"), problem))


def exposed_key(describe: Given, documents: Sequence[Document], warnings: list[Fault]) -> None:
    """Warn of a key in a file that every user can read."""
    key, file = describe.values.get("key"), describe.files.get("key")
    if key is not None and any(one.file == file and one.world_readable for one in documents):
        problem = "is a secret, and every user may read the file; use a systemd credential, or chmod o-r"
        warnings.append(Fault(str(file), describe.key("key"), problem))


def tables(given: Mapping[str, Given], faults: list[Fault], warnings: list[Fault]) -> None:
    """Check the tables that there is one of."""
    for name, table in TABLES.items():
        _order(table, given[name], None, faults)
    _once(given[DEFAULTS], None, faults)
    control = given["control"]
    socket = control.values.get("socket")
    if socket is not None and len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH:
        problem = f"expected a path of at most {_LONGEST_SOCKET_PATH} bytes; found {printable(socket)}"
        faults.append(Fault(control.files.get("socket", "default"), control.key("socket"), problem))
    if control.values.get("socket_mode", 0) & _OTHERS_MAY_WRITE:
        problem = "lets every user of this system give orders to the daemon"
        warnings.append(Fault(control.files["socket_mode"], control.key("socket_mode"), problem))
    _describe(given["describe"], given["deep_scan"], faults, warnings)


def _describe(given: Given, deep_scan: Given, faults: list[Fault], warnings: list[Fault]) -> None:
    """Check what has to be there, and what is worth knowing, before pictures are sent anywhere."""
    values = DescribeConfig(**given.values)
    if not values.enabled:
        return
    where = given.files["enabled"]
    if not values.model.strip() and "model" not in given.unfit:
        problem = "expected the name of a model, because pictures are to be described; found none"
        faults.append(Fault(given.files.get("model", where), given.key("model"), problem))
    if not values.url.is_local and not values.url.tls:
        what = "pictures and the key are" if values.key else "pictures are"
        problem = f"{what} sent without encryption; use https unless the network is your own"
        warnings.append(Fault(given.files.get("url", where), given.key("url"), problem))
    for key in ("enabled", "hashing"):
        if deep_scan.values.get(key) is False:
            problem = f"has no effect: it needs what deep_scan.{key} = true finds out"
            warnings.append(Fault(where, given.key("enabled"), problem))


def repositories(
    reading: Reading,
    complete: Sequence[tuple[Given, RepositoryConfig]],
    faults: list[Fault],
    warnings: list[Fault],
) -> None:
    """Check the repositories, each alone and against the others.

    Args:
        reading: what the files say.
        complete: those of its repositories that have a name and a path.
        faults: to append to.
        warnings: to append to.
    """
    if len(reading.repositories) > MOST_REPOSITORIES:
        problem = f"expected at most {MOST_REPOSITORIES} repositories; found {len(reading.repositories)}"
        faults.append(Fault(reading.repositories[MOST_REPOSITORIES].file, REPOSITORY, problem))
        return
    first: dict[str, Given] = {}
    for given in reading.repositories:
        other = first.setdefault(given.values.get("name", given.label), given)
        if other is not given:
            problem = f"expected a name of its own; {other.file} has a repository of this name already"
            faults.append(Fault(given.file, given.key("name"), problem))
        _order(RepositoryConfig, given, reading.tables[DEFAULTS], faults)
        _once(given, reading.tables[DEFAULTS], faults)
    enabled = [(given, config) for given, config in complete if config.enabled]
    places = look_at([config.path for _, config in enabled])
    _roots(enabled, places, faults, warnings)
    _own_files(enabled, places, reading.tables, warnings)


def _order(table: type[Table], given: Given, base: Given | None, faults: list[Fault]) -> None:
    """Check the pairs of keys of which one must not be more than the other, where ``given`` has a say in them."""
    values: dict[str, Any] = {one.name: one.default for one in fields(table)}
    unfit = set(given.unfit)
    if base is not None:
        values |= base.values
        unfit |= base.unfit - given.values.keys()
    values |= given.values
    for low, high in table.ORDERED:
        mine = [key for key in (low, high) if key in given.values]
        if mine and not unfit & {low, high} and values[low] > values[high]:
            write = settings_of(table)[low].kind.write
            problem = f"expected {low} to be at most {high}; found {write(values[low])} and {write(values[high])}"
            faults.append(Fault(given.files[mine[0]], given.key(mine[0]), problem))


def _once(given: Given, base: Given | None, faults: list[Fault]) -> None:
    """Check that no directory is in two lists of what is deep-scanned when, where ``given`` has a say in them."""
    first: dict[str, tuple[Given, str]] = {}
    for key in _STRATEGIES:
        table = given if base is None or key in given.values or key in given.unfit else base
        for path in dict.fromkeys(table.values.get(key, ())):
            other_table, other = first.setdefault(path, (table, key))
            if other == key or not (table is given or other_table is given):
                continue
            mine, theirs = (key, other_table.key(other)) if table is given else (other, table.key(key))
            problem = f"expected each directory in one list; {printable(path)} is in {theirs}, too"
            faults.append(Fault(given.files[mine], given.key(mine), problem))


def _roots(
    enabled: Sequence[tuple[Given, RepositoryConfig]],
    places: Sequence[Place],
    faults: list[Fault],
    warnings: list[Fault],
) -> None:
    """Check the roots against the disk and against each other."""
    for (given, config), place in zip(enabled, places, strict=True):
        where = given.files["path"], given.key("path")
        if place.fault:
            faults.append(Fault(*where, f"{place.fault} at {printable(config.path)}"))
        if place.warning:
            warnings.append(Fault(*where, f"{printable(config.path)} {place.warning}"))
    for one, other, how in overlaps(places):
        (given, config), (there, outer) = enabled[one], enabled[other]
        problem = (
            f"expected directories that do not overlap; {printable(config.path)} {how} {printable(outer.path)}, "
            f"which is {there.label} in {there.file}"
        )
        faults.append(Fault(given.files["path"], given.key("path"), problem))


def _own_files(
    enabled: Sequence[tuple[Given, RepositoryConfig]],
    places: Sequence[Place],
    tables: Mapping[str, Given],
    warnings: list[Fault],
) -> None:
    """Warn of a repository that would catalogue what the daemon itself writes, and so never come to rest."""
    own = (tables["daemon"].values.get("state_directory"), tables["database"].values.get("embedded_directory"))
    real = [Path(os.path.realpath(path)) for path in own if path is not None]
    for (given, config), place in zip(enabled, places, strict=True):
        for path in real:
            if path.is_relative_to(place.real) and not _is_excluded(path.relative_to(place.real), config):
                below = printable(path.relative_to(place.real))
                remedy = "keep them elsewhere" if below == "." else f'exclude "/{below}/"'
                problem = f"the daemon has its own files in it, which change all the time; {remedy}"
                warnings.append(Fault(given.files["path"], given.key("path"), problem))
                break


def _is_excluded(path: PurePath, config: RepositoryConfig) -> bool:
    built_in = DEFAULT_PATTERNS if config.default_excludes else ()
    return GitIgnoreSpec.from_lines([*built_in, *config.exclude, *config.protected]).match_file(path / "file")
