"""From TOML documents to values: every key is known, of the right kind and within bounds, or it is a fault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from censusd.config.documents import Document
from censusd.config.repository import RepositoryConfig
from censusd.config.schema import TABLES
from censusd.config.settings import Setting, settings_of
from censusd.config.words import printable, shortened, shown, suggestion
from censusd.errors import Fault

REPOSITORY: Final = "repository"


@dataclass(slots=True)
class Given:
    """What the files say of one table.

    Attributes:
        label: what the table is called in faults, such as ``repository[photos]``.
        file: where it is, for faults that are not about one key.
        values: the values that are fit to be used; of several, the last.
        files: where each of them was given.
        unfit: the keys that some file gives a value that cannot be used; faults have been reported for them.
    """

    label: str
    file: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    unfit: set[str] = field(default_factory=set)

    def take(self, file: str, raw: Mapping[str, Any], settings: Mapping[str, Setting], faults: list[Fault]) -> None:
        """Read the keys of one file's table over what earlier files said."""
        for key, value in raw.items():
            if key not in settings:
                faults.append(Fault(file, self.key(key), f"is not a key{_where_instead(key, settings)}"))
                continue
            try:
                self.values[key] = settings[key].kind.read(value)
                self.files[key] = file
            except ValueError as error:
                self.unfit.add(key)
                faults.append(Fault(file, self.key(key), _unfit(settings[key], value, str(error))))

    def key(self, name: str) -> str:
        """A key's full name, for faults."""
        return f"{self.label}.{shortened(printable(name))}"


@dataclass(slots=True)
class Reading:
    """What all files say together."""

    tables: dict[str, Given] = field(default_factory=lambda: {name: Given(name) for name in TABLES})
    repositories: list[Given] = field(default_factory=list)


def read(documents: Iterable[Document], faults: list[Fault]) -> Reading:
    """Merge documents in order: the last value of a key counts, repositories add up."""
    reading = Reading()
    for document in documents:
        for name, content in document.content.items():
            if name == REPOSITORY:
                _read_repositories(document.file, content, reading, faults)
            elif name not in TABLES:
                faults.append(Fault(document.file, shortened(printable(name)), _no_such_table(name)))
            elif not isinstance(content, dict):
                faults.append(Fault(document.file, name, f"expected a table, which begins with a line [{name}]"))
            else:
                reading.tables[name].take(document.file, content, settings_of(TABLES[name]), faults)
    return reading


def _read_repositories(file: str, content: object, reading: Reading, faults: list[Fault]) -> None:
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        faults.append(Fault(file, REPOSITORY, "expected tables, each of which begins with a line [[repository]]"))
        return
    settings = settings_of(RepositoryConfig)
    for number, raw in enumerate(content, 1):
        name = raw.get("name")
        shown_name = shortened(printable(name)) if isinstance(name, str) and name else f"number {number}"
        given = Given(f"{REPOSITORY}[{shown_name}]", file)
        given.take(file, raw, settings, faults)
        for key, one in settings.items():
            if one.default is None and key not in raw:
                faults.append(Fault(file, given.key(key), f"is missing; expected {one.kind.expected}"))
        reading.repositories.append(given)


def _unfit(one: Setting, value: object, remark: str) -> str:
    problem = f"expected {one.kind.expected}"
    if not one.kind.secret:
        problem += f"; found {shown(value)}"
    return f"{problem} ({remark})" if remark else problem


def _where_instead(key: str, settings: Mapping[str, Setting]) -> str:
    """Where an unknown key might belong, or what it might have been meant to be."""
    homes = [f"[{name}]" for name, table in TABLES.items() if key in settings_of(table)]
    if key in settings_of(RepositoryConfig):
        homes.append(f"[[{REPOSITORY}]]")
    if homes:
        return f" here; it belongs in {' or '.join(homes)}"
    return suggestion(key, settings)


def _no_such_table(name: str) -> str:
    homes = _where_instead(name, {})
    return f"is not a key{homes}" if homes else f"is not a table{suggestion(name, [*TABLES, REPOSITORY])}"
