"""Every key of the configuration: one declaration carries its name, kind, default, bounds and documentation.

Reading, checking, ``check-config``, the reload's comparison and ``etc/censusd.toml`` all come from these declarations.
To add a key, add a field here, or to ``censusd.config.repository`` if it is one of a repository's, and write the
reference anew: ``python -m censusd.config > etc/censusd.toml``.

The dataclasses hold plain values: durations are float seconds, percentages are floats (10.0 is ten percent), lists are
tuples, paths are ``Path``, and ``None`` is "none" or "never". All are frozen and compare by value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from censusd.config.access import Address, ApiKey, Dsn, FileMode, HostNames, Listen, Url, group_or_empty, user_or_empty
from censusd.config.kinds import (
    Boolean,
    Integer,
    OrNever,
    Windows,
    choice,
    duration,
    free_text,
    percentage,
    size,
)
from censusd.config.paths import AbsolutePath
from censusd.config.repository import RepositoryConfig, RepositorySettings
from censusd.config.secret import Secret
from censusd.config.settings import Table, setting
from censusd.deepscan.idle import Window
from censusd.describe.rules import Api, Endpoint
from censusd.errors import Fault

# ruff: noqa: RUF009 - a default made by ``setting`` is a dataclass field

DEFAULTS: Final = "defaults"
"""The table whose keys reach every repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig(Table):
    """Where the catalogue is kept.

    Attributes:
        dsn_source: where ``dsn`` was found, for people; empty where there is none.
    """

    ORDERED = (("pool_min", "pool_max"),)

    dsn: Secret | None = setting(
        Dsn(),
        "",
        "PostgreSQL 15 or newer, as a libpq connection string. Empty: censusd runs a private PostgreSQL of its "
        "own. A systemd credential named database comes first (LoadCredential=database:/etc/censusd/database), and "
        "is the best place for one with a password; then the environment variable CENSUSD_DATABASE; then this key. "
        "In a URI, write @ : / % in a password as %40 %3A %2F %25.",
        restart=True,
    )
    dsn_source: str = field(default="", compare=False)
    embedded_directory: Path = setting(
        AbsolutePath(automatic=True),
        "",
        "The directory in which the private PostgreSQL keeps its data, in postgresql/VERSION. Empty: "
        "daemon.state_directory.",
        restart=True,
    )
    embedded_user: str = setting(
        user_or_empty(),
        "",
        "The user that the private PostgreSQL runs as when censusd runs as root, which PostgreSQL refuses to do. "
        "Empty: the owner of its data, or nobody.",
        restart=True,
    )
    pool_min: int = setting(Integer(1, 100), 1, "Connections that are kept open.")
    pool_max: int = setting(Integer(1, 100), 8, "Connections that may be open at a time.")
    connect_timeout: float = setting(
        duration("1s", "10min"), "10s", "How long to wait for a connection before trying again.", restart=True
    )
    statement_timeout: float = setting(
        duration("1s", "24h"), "5min", "How long one SQL statement may take before it is given up.", restart=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig(Table):
    """The process itself."""

    state_directory: Path = setting(
        AbsolutePath(automatic=True),
        "",
        "What has to outlive a restart. Empty: $STATE_DIRECTORY (which systemd sets), else /var/lib/censusd for "
        "root, else $XDG_STATE_HOME/censusd, else ~/.local/state/censusd.",
        restart=True,
    )
    runtime_directory: Path = setting(
        AbsolutePath(automatic=True),
        "",
        "What need not outlive one. Empty: $RUNTIME_DIRECTORY (which systemd sets), else /run/censusd for root, "
        "else $XDG_RUNTIME_DIR/censusd, else the directory run in state_directory.",
        restart=True,
    )
    log_level: str = setting(choice("debug", "info", "warning", "error"), "info", "The least important lines to log.")
    log_format: str = setting(
        choice("auto", "json", "console"), "auto", "How log lines look. auto: console on a terminal, else json."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlConfig(Table):
    """The Unix socket that takes orders."""

    socket: Path = setting(
        AbsolutePath(automatic=True),
        "",
        "Where the socket is; at most 107 bytes. Empty: control.sock in daemon.runtime_directory.",
        restart=True,
    )
    socket_mode: int = setting(
        FileMode(),
        "0660",
        "Permission bits of the socket, in octal. Whoever may write to it may give orders.",
        restart=True,
    )
    socket_group: str = setting(
        group_or_empty(), "", "The group that owns the socket. Empty: the daemon's own.", restart=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig(Table):
    """The TCP port that answers questions."""

    listen: Address | None = setting(
        Listen(),
        "127.0.0.1:9764",
        'Where /metrics, /-/healthy, /-/ready, the read-only API and the status page are served, as "host:port" or '
        '"[::1]:port". Whoever can reach it can read it. Port 0 lets the kernel choose; "" switches it off.',
        restart=True,
    )
    allowed_hosts: tuple[str, ...] = setting(
        HostNames(),
        [],
        'Further names that it may be called by, such as those of a proxy before it: ["census.example.org"]. Requests '
        "under another name than localhost, an IP address or this machine's own are refused, so that no web page can "
        "read it by way of a visitor's browser (DNS rebinding).",
        restart=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepScanConfig(Table):
    """How the content of files is looked at."""

    enabled: bool = setting(
        Boolean(),
        default=True,
        doc="Whether files are looked at without anybody asking: what has just changed at once, everything else while "
        "the machine is idle. false: only with censusctl deep-scan.",
    )
    workers: int = setting(
        Integer(0, 256), 0, "How many files are looked at at a time. 0: as many as there are processors."
    )
    batch_size: int = setting(Integer(1, 10_000), 100, "How many files are written in one transaction.")
    hashing: bool = setting(
        Boolean(),
        default=True,
        doc="Whether content hashes (sha256) are made. Without them only metadata is read, and a file that moves to "
        "another file system is not recognised.",
    )
    memory: int = setting(
        size("128MiB", "64GiB"),
        "1GiB",
        "The address space that each worker process may use. A file that takes more has a problem.",
    )
    cpu_pressure: float = setting(
        percentage("0%", "100%"),
        20,
        "In percent of the time: the machine is not idle while others wait for a processor longer than this, as "
        "/proc/pressure/cpu tells.",
    )
    io_pressure: float = setting(percentage("0%", "100%"), 20, "The same for disks, as /proc/pressure/io tells.")
    cpu_busy: float = setting(
        percentage("1%", "100%"), 50, "The machine is not idle while others use this share of its processors."
    )
    quiet: float = setting(
        duration("0s", "24h"), "10s", "Nor while files are being changed: for so long, none must have been."
    )
    hours: tuple[Window, ...] = setting(
        Windows(),
        [],
        'When files that wait may be looked at, in local time: ["22:00-06:00", "12:00-13:00"]. Empty: at any time.',
    )
    staleness: float | None = setting(
        OrNever(duration("1h", "3650 days")),
        "7 days",
        "A file that has waited for so long is looked at whether the machine is idle or not, and with it what else "
        'waits. "never": it waits.',
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeConfig(Table):
    """Whether a vision model describes pictures, and which.

    Attributes:
        key_source: where ``key`` was found, for people; empty where there is none.
    """

    enabled: bool = setting(
        Boolean(),
        default=False,
        doc="Whether pictures are sent to the server below, to be described. One at a time, while the machine is idle "
        "as [deep_scan] has it and the deep scan has nothing left to do; only those that it may look at by itself.",
    )
    api: str = setting(
        choice(*Api), "ollama", "What the server speaks: Ollama's own API, or OpenAI's as many others have it, too."
    )
    url: Endpoint = setting(
        Url(),
        "http://127.0.0.1:11434",
        "Where the server is. The API's own path is put behind it: /api/chat for ollama; /chat/completions for openai, "
        'where a URL without a path gets /v1: "https://api.openai.com/v1". Nothing else is contacted.',
    )
    model: str = setting(
        free_text(200),
        "",
        'The model to ask, by the server\'s name for it: "qwen2.5vl:7b". Another model describes every picture anew.',
    )
    key: Secret | None = setting(
        ApiKey(),
        "",
        "The key that the server wants, if it wants one. A systemd credential named describe-key comes first "
        "(LoadCredential=describe-key:/etc/censusd/describe-key), and is the best place for it; then the environment "
        "variable CENSUSD_DESCRIBE_KEY; then this key.",
    )
    key_source: str = field(default="", compare=False)
    prompt: str = setting(
        free_text(8000),
        "",
        "What the model is asked. Empty: for one to three sentences, and for tags. That it has to answer in JSON is "
        "added to it. Pictures that are described already are not described anew.",
    )
    language: str = setting(
        free_text(60), "", 'The language to answer in, in words: "German". Empty: what the model takes the prompt for.'
    )
    timeout: float = setting(duration("1s", "30min"), "2min", "How long the server may take for one picture.")
    max_size: int = setting(
        size("1KiB", "100MiB"), "20MiB", "Larger files are not sent. Only JPEG, PNG and WebP are, and no animations."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration, complete and checked.

    Two are equal where the daemon would do the same with either: warnings, sources and ``defaults`` (which is spelled
    out in each repository already) do not count.

    Attributes:
        repositories: sorted by name.
        warnings: what is worth saying about a configuration that can be used.
        sources: what it was read from, in order.
    """

    database: DatabaseConfig
    daemon: DaemonConfig
    control: ControlConfig
    http: HttpConfig
    deep_scan: DeepScanConfig
    describe: DescribeConfig
    defaults: RepositorySettings = field(compare=False)
    repositories: tuple[RepositoryConfig, ...]
    warnings: tuple[Fault, ...] = field(default=(), compare=False)
    sources: tuple[str, ...] = field(default=(), compare=False)


TABLES: Final[Mapping[str, type[Table]]] = MappingProxyType(
    {
        "database": DatabaseConfig,
        "daemon": DaemonConfig,
        "control": ControlConfig,
        "http": HttpConfig,
        "deep_scan": DeepScanConfig,
        "describe": DescribeConfig,
        DEFAULTS: RepositorySettings,
    }
)
"""The tables there is one of, in the reference's order; ``[[repository]]`` is the one there are many of."""
