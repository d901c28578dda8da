"""The configuration as text: the reference, ``etc/censusd.toml``, and what ``censusd check-config`` shows.

The reference is written anew with ``python -m censusd.config > etc/censusd.toml``; a test compares the two.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from censusd.config.kinds import text_literal
from censusd.config.reading import REPOSITORY
from censusd.config.repository import RepositoryConfig, RepositorySettings
from censusd.config.schema import DEFAULTS, TABLES, Config
from censusd.config.secret import Secret
from censusd.config.settings import Setting, Table, settings_of

_WIDTH: Final = 90

_HEADER: Final = """\
The configuration of censusd. Every key is here, with its default commented out: lines
with a space after the # are explanations, lines without one are settings.

It is read from /etc/censusd/censusd.toml, then from /etc/censusd/conf.d/*.toml in the
order of their names. A later value of a key takes the place of an earlier one; all
[[repository]] tables count.

A duration is a text such as "500ms", "90s", "5min", "24h" or "30 days", or a number of
seconds. A path is absolute; ~ and variables are not expanded.

    censusd check-config        says what is wrong with it, or what it comes to
    systemctl reload censusd    applies what has changed, unless something is wrong"""

ABOUT: Final[Mapping[str, str]] = {
    "database": "Where the catalogue is kept.",
    "daemon": "The process itself.",
    "control": "The Unix socket that takes orders, from censusctl for instance.",
    "http": "The TCP port that answers questions: metrics, health, status page. It takes no orders.",
    "deep_scan": "How the content of files is looked at: hashes and metadata.",
    "describe": "Opt-in: having pictures described by a vision model on a server, see docs/describe.md.",
    DEFAULTS: "What holds for every repository that does not say otherwise. Each of these keys can be in a "
    "[[repository]] as well.",
}
ABOUT_REPOSITORY: Final = (
    "The trees of files to catalogue, each with a table of its own. None may be inside another. "
    "Whatever [defaults] has can be set here too, for this one repository."
)
EXAMPLES: Final = {"name": "photos", "path": "/srv/photos"}


def reference() -> str:
    """The text of ``etc/censusd.toml``."""
    lines = [*_comment(_HEADER)]
    for name, table in TABLES.items():
        lines += ["", "", *_comment(ABOUT[name]), f"[{name}]"]
        for key, setting in settings_of(table).items():
            lines += ["", *_documented(key, setting)]
    lines += ["", "", *_comment(ABOUT_REPOSITORY), f"#[[{REPOSITORY}]]"]
    for key, setting in own_settings().items():
        lines += ["", *_documented(key, setting)]
    return "\n".join(lines) + "\n"


def describe(config: Config) -> str:
    """The configuration in force, without secrets, as TOML that reads as the same configuration but for them."""
    lines = [*_comment(f"Read from {', '.join(config.sources)}." if config.sources else "No configuration file.")]
    for name in TABLES:
        lines += ["", f"[{name}]", *_values(getattr(config, name))]
    for repository in config.repositories:
        lines += ["", f"[[{REPOSITORY}]]", *_repository(repository, config.defaults)]
    return "\n".join(lines) + "\n"


def _values(table: Table) -> Iterator[str]:
    for key, setting in settings_of(type(table)).items():
        value = getattr(table, key)
        if isinstance(value, Secret):
            yield f"# {key}: {value} (from {getattr(table, f'{key}_source')})"
        else:
            yield f"{key} = {setting.kind.write(value)}"


def _repository(repository: RepositoryConfig, defaults: RepositorySettings) -> Iterator[str]:
    """What is this repository's own; the rest is as in ``[defaults]``."""
    for key, setting in own_settings().items():
        yield f"{key} = {setting.kind.write(getattr(repository, key))}"
    for key, setting in settings_of(RepositorySettings).items():
        value = getattr(repository, key)
        if value != getattr(defaults, key):
            yield f"{key} = {setting.kind.write(value)}"


def own_settings() -> Mapping[str, Setting]:
    """The keys that are only in a ``[[repository]]``."""
    shared = settings_of(RepositorySettings)
    return {key: setting for key, setting in settings_of(RepositoryConfig).items() if key not in shared}


def _documented(key: str, setting: Setting) -> Iterator[str]:
    yield from _comment(explanation(setting))
    yield f"#{key} = {literal(EXAMPLES[key] if setting.default is None else setting.default)}"


def explanation(setting: Setting) -> str:
    """Everything that is to be said of a key but its default."""
    text = " ".join(filter(None, (setting.doc, setting.kind.bounds)))
    if setting.default is None:
        text += " Required."
    if setting.restart:
        text += " A change needs a restart."
    return text


def literal(default: Any) -> str:
    """A default as TOML."""
    # The defaults are texts, numbers, booleans and empty lists, which JSON and TOML write alike.
    return text_literal(default) if isinstance(default, str) else json.dumps(default)


def _comment(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        for part in textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False) or [""]:
            yield f"# {part}".rstrip()
