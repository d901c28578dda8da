"""docs/man/censusd.toml.5, from the declaration of the configuration: man(7) macros, as groff and mandoc read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from censusd.config.rendering import ABOUT, ABOUT_REPOSITORY, EXAMPLES, explanation, literal, own_settings
from censusd.config.schema import TABLES
from censusd.config.settings import Setting, settings_of

_HEAD: Final = r"""
.\" Made from the declarations in daemon/censusd/config by .ci/generate.py: change it there.
.TH CENSUSD.TOML 5 2026-11-21 censusd "censusd manual"
.nr HY 0
.ad l
.SH NAME
censusd.toml \- the configuration of censusd
.SH SYNOPSIS
.nf
.I /etc/censusd/censusd.toml
.I /etc/censusd/conf.d/*.toml
.fi
.SH DESCRIPTION
.BR censusd (8)
reads
.I /etc/censusd/censusd.toml
and then
.I /etc/censusd/conf.d/*.toml
in the order of their names.
With
.BR "censusd run \-\-config" " FILE"
it reads that file instead, and
.I conf.d/*.toml
beside it.
A later value of a key takes the place of an earlier one; all
.B [[repository]]
tables count.
.PP
The files are TOML (https://toml.io), at most 1 MiB each.
A key that does not exist, a value of the wrong kind and a value out of range are errors: the daemon does not start,
and on a reload the old configuration stays in force.
Every fault is reported, not only the first.
.PP
Every key has a default but
.B name
and
.B path
of a repository, so the shortest configuration is:
.PP
.RS 4
.EX
[[repository]]
name = "photos"
path = "/srv/photos"
.EE
.RE
.PP
.B censusd check\-config
says what is wrong, or prints what is in force.
.B systemctl reload censusd
applies what has changed; the few keys that need a restart say so below.
.SS Values
.TP
duration
A text such as "500ms", "90s", "5min", "24h", "30 days" or "1h 30min", or a number of seconds.
.TP
size
A text such as "64MiB" (powers of 1024) or "64MB" (powers of 1000), or a number of bytes.
.TP
percentage
A number such as 10, or a text such as "10%".
.TP
path
Absolute; ~ and variables are not expanded.
"""

_FOOT: Final = r"""
.SH ENVIRONMENT
.TP
.B CENSUSD_DATABASE
The connection string of the database; comes before
.BR database.dsn .
.TP
.B CENSUSD_DESCRIBE_KEY
The key of the server that describes pictures; comes before
.BR describe.key .
.TP
.BR STATE_DIRECTORY ", " RUNTIME_DIRECTORY
Set by systemd: defaults of
.B daemon.state_directory
and
.BR daemon.runtime_directory .
.TP
.B CREDENTIALS_DIRECTORY
Set by systemd where the unit has LoadCredential=: the files
.I database
and
.I describe\-key
in it come before everything else.
.SH FILES
.TP
.I /etc/censusd/censusd.toml
The configuration.
It need not exist.
.TP
.I /etc/censusd/conf.d/*.toml
More of it; names that begin with a dot do not count.
.TP
.I .censusignore
In the trees themselves: names that are not catalogued, in gitignore syntax; see
.BR ignore_file .
.SH SEE ALSO
.BR censusd (8),
.BR censusctl (1),
.BR gitignore (5)
"""


def configuration_page() -> str:
    """The page's text."""
    lines = [_HEAD.strip("\n"), ".SH TABLES"]
    for name, table in TABLES.items():
        lines += [*_table(f"[{name}]", ABOUT[name], settings_of(table))]
    lines += [*_table("[[repository]]", ABOUT_REPOSITORY, own_settings()), _FOOT.strip("\n")]
    return "\n".join(lines) + "\n"


def text_lines(text: str) -> Iterator[str]:
    """Text for people, one sentence a line, so that groff knows where one ends."""
    for sentence in re.split(r"(?<=[.:?!]) (?=[A-Z])", text):
        escaped = escape(sentence)
        yield rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def escape(text: str) -> str:
    r"""Text as groff has to be told it: what it would make typographic stays what it is, ``-`` above all."""
    special = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
    return "".join(special.get(character, character) for character in text)


def _table(title: str, about: str, settings: Mapping[str, Setting]) -> Iterator[str]:
    yield f".SS {title}"
    yield from text_lines(about)
    for key, setting in settings.items():
        default = literal(EXAMPLES[key] if setting.default is None else setting.default)
        yield ".TP"
        # A quotation mark in a macro's argument would be taken for the argument's own.
        yield rf".B {key} = {escape(default)}".replace('"', r"\(dq")
        yield from text_lines(explanation(setting))
