"""Every key of the configuration: one declaration carries its name, kind, default, bounds and documentation.

Reading, checking, ``check-config``, the reload's comparison and ``etc/censusd.toml`` all come from these declarations.
To add a key, add a field here and write the reference anew: ``python -m censusd.config > etc/censusd.toml``.

The dataclasses hold plain values: durations are float seconds, percentages are floats (10.0 is ten percent), lists are
tuples, paths are ``Path``, and ``None`` is "none" or "never". All are frozen and compare by value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

from censusd.config.access import Address, ApiKey, Dsn, FileMode, HostNames, Listen, Url, group_or_empty, user_or_empty
from censusd.config.kinds import (
    Boolean,
    Integer,
    Kind,
    OrNever,
    Windows,
    choice,
    duration,
    free_text,
    percentage,
    repository_name,
    size,
)
from censusd.config.paths import AbsolutePath, Patterns, RelativePaths, file_name_or_empty, relative_path_or_empty
from censusd.config.secret import Secret
from censusd.deepscan.idle import Window
from censusd.describe.rules import Api, Endpoint
from censusd.errors import Fault

# ruff: noqa: RUF009 - a default made by ``setting`` is a dataclass field

T = TypeVar("T")

DEFAULTS: Final = "defaults"
"""The table whose keys reach every repository."""

_METADATA_KEY: Final = "setting"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the configuration.

    Attributes:
        kind: what values it takes.
        doc: what it means, for the reference.
        default: the default as it is written in TOML; None where the key is required.
        restart: whether a change takes effect only when the daemon is started again.
    """

    kind: Kind[Any]
    doc: str
    default: Any = None
    restart: bool = False


def setting(kind: Kind[T], default: Any, doc: str, *, restart: bool = False) -> T:
    """Declare a key as a dataclass field; ``default`` is written as in TOML."""
    return field(
        default=kind.read(default),
        metadata={_METADATA_KEY: Setting(kind, doc, default, restart)},
    )


def required(kind: Kind[T], doc: str) -> T:
    """Declare a key that has no default."""
    declared: T = field(metadata={_METADATA_KEY: Setting(kind, doc)})
    return declared


@dataclass(frozen=True, slots=True)
class Table:
    """The base of every table's dataclass.

    Attributes:
        ORDERED: pairs of keys of which the first must not be more than the second.
    """

    ORDERED: ClassVar[tuple[tuple[str, str], ...]] = ()


def settings_of(table: type[Table]) -> Mapping[str, Setting]:
    """The keys that a table's dataclass declares, in order."""
    return MappingProxyType({f.name: f.metadata[_METADATA_KEY] for f in fields(table) if _METADATA_KEY in f.metadata})


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
class RepositorySettings(Table):
    """What can be set for each repository, and in ``[defaults]`` for all."""

    ORDERED = (
        ("debounce", "max_latency"),
        ("reconcile_min", "reconcile_interval"),
        ("reconcile_interval", "reconcile_max"),
    )

    exclude: tuple[str, ...] = setting(
        Patterns(),
        [],
        'Names that are not catalogued, in gitignore syntax: ["*.bak", "/cache/", "!keep.tmp"]. They come on top '
        "of the built-in ones and of ignore files; the innermost pattern that says anything about a name decides. "
        "What is excluded later keeps its rows, hidden, and has them back when it is included again. A list in a "
        "[[repository]] takes the place of the list in [defaults].",
    )
    default_excludes: bool = setting(
        Boolean(),
        default=True,
        doc="Whether the built-in patterns hold: hidden names (.*), *~, *.tmp, *.temp, .DS_Store and Thumbs.db.",
    )
    protected: tuple[str, ...] = setting(
        Patterns(),
        [],
        'Areas that are never catalogued whatever ignore files say, in gitignore syntax: ["/inbox/"].',
    )
    ignore_file: str = setting(
        file_name_or_empty(),
        ".censusignore",
        "The name of files in the tree with further patterns, in gitignore syntax, for the directory they are in "
        "and all below it. Empty: there are none.",
    )
    cross_mounts: bool = setting(
        Boolean(),
        default=True,
        doc="Whether file systems mounted below the repository's root belong to it. Symlinks never do.",
    )
    watch: str = setting(
        choice("auto", "inotify", "poll", "off"),
        "auto",
        "How changes are noticed. auto: the kernel's events where the file system has them, else poll (NFS, SMB, "
        "FUSE). poll: look at everything each poll_interval. off: at reconciliations only.",
    )
    debounce: float = setting(
        duration("10ms", "60s"), "500ms", "How long a place has to be quiet before it is looked at."
    )
    max_latency: float = setting(
        duration("10ms", "10min"),
        "5s",
        "How long a place that is never quiet may wait. At least debounce.",
    )
    reconcile_interval: float = setting(
        duration("1s", "365 days"),
        "24h",
        "How often everything is compared with the disk, to find what events missed. This is where it starts: "
        "passes that find nothing make it longer, up to reconcile_max; passes that find something make it shorter, "
        "down to reconcile_min.",
    )
    reconcile_min: float = setting(duration("1s", "365 days"), "1h", "The shortest such interval.")
    reconcile_max: float = setting(duration("1s", "365 days"), "7 days", "The longest such interval.")
    reconcile_jitter: float = setting(
        percentage("0%", "50%"), "10%", "By how much an interval is varied at random, so that not all begin at once."
    )
    reconcile_at_startup: bool = setting(Boolean(), default=True, doc="Whether to reconcile when the daemon starts.")
    poll_interval: float = setting(
        duration("1s", "24h"), "5min", "How often to look where there are no events (see watch)."
    )
    marker: str = setting(
        relative_path_or_empty(),
        "",
        'A file in the repository, such as ".censusd-root", that proves that the right disk is mounted: while it '
        "is not there, the repository is offline and nothing in it is touched. Empty: only the file system, the "
        "root directory and the mounts below it prove it.",
    )
    breaker_files: int = setting(
        Integer(0, 1_000_000_000),
        1000,
        "A pass that would mark more files missing than breaker_files and than breaker_percent of the repository "
        "is held until an operator releases it.",
    )
    breaker_percent: float = setting(percentage("0%", "100%"), 20, "In percent of the files it has; see breaker_files.")
    missing_grace: float | None = setting(
        OrNever(duration("0s", "36500 days")),
        "30 days",
        "How long the row of a file that is gone is kept, with its id, hash and metadata, in case the file comes "
        'back. 0: until the next pass. "never": it is not deleted at all.',
    )
    journal_keep: float = setting(
        duration("1 day", "36500 days"), "90 days", "How long the rows of sync_operations are kept."
    )
    deep_scan: str = setting(
        choice("auto", "on-demand", "never"),
        "auto",
        "Whether the content of files is looked at. auto: see [deep_scan]. on-demand: with censusctl deep-scan only.",
    )
    deep_scan_first: tuple[str, ...] = setting(
        RelativePaths(),
        [],
        'Directories whose files come before all others when those that wait are looked at: ["inbox", "photos/2024"].',
    )
    deep_scan_on_demand: tuple[str, ...] = setting(
        RelativePaths(), [], "Directories whose files are looked at with censusctl deep-scan only."
    )
    deep_scan_never: tuple[str, ...] = setting(RelativePaths(), [], "Directories whose files are never looked at.")
    lease_ttl: float = setting(
        duration("2s", "10min"),
        "30s",
        "How long a daemon that has gone silent still owns a repository. Then another with the same configuration "
        "takes over.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryConfig(RepositorySettings):
    """One tree of files to catalogue."""

    name: str = required(repository_name(), "The name it goes by, in the catalogue, in metrics and in commands.")
    path: Path = required(AbsolutePath(), "The directory at its root. It may come later: until then it is offline.")
    enabled: bool = setting(
        Boolean(), default=True, doc="Whether it is kept up to date. false: its rows stay as they are."
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
