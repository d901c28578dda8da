"""The keys of each repository; see ``censusd.config.schema``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from censusd.config.kinds import Boolean, Integer, OrNever, choice, duration, percentage, repository_name, size
from censusd.config.paths import AbsolutePath, Patterns, RelativePaths, file_name_or_empty, relative_path_or_empty
from censusd.config.settings import Table, required, setting

# ruff: noqa: RUF009 - a default made by ``setting`` is a dataclass field


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
        choice("auto", "fanotify", "inotify", "poll", "off"),
        "auto",
        "How changes are noticed. auto: the kernel's events where the file system has them, else poll (NFS, SMB, "
        "FUSE). fanotify: one mark for the whole file system, which takes CAP_SYS_ADMIN; auto does so where that is "
        "granted. inotify: one watch for each directory. poll: look at everything each poll_interval. off: at "
        "reconciliations only.",
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
    poll_interval: float = setting(
        duration("1s", "24h"),
        "5min",
        "How often to look where there are no events (see watch), and at files that have other names (hard links) "
        "outside the repository, or where it is ignored.",
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
        "Whether the content of files is looked at. auto: see [deep_scan]. on-demand: with censusctl deep-scan only. "
        "never: not at all. The three keys below say otherwise of directories and all below them; of the directories "
        "that they name, the innermost one decides.",
    )
    deep_scan_first: tuple[str, ...] = setting(
        RelativePaths(),
        [],
        'Directories whose files come before all others when those that wait are looked at: ["inbox", "photos/2024"].',
    )
    deep_scan_auto: tuple[str, ...] = setting(
        RelativePaths(), [], "Directories whose files are looked at without anybody asking, as [deep_scan] has it."
    )
    deep_scan_on_demand: tuple[str, ...] = setting(
        RelativePaths(), [], "Directories whose files are looked at with censusctl deep-scan only."
    )
    deep_scan_never: tuple[str, ...] = setting(RelativePaths(), [], "Directories whose files are never looked at.")
    rehash_per_day: int = setting(
        size("0", "1000TiB"),
        0,
        "How much content is read again each day (in UTC) while the machine is idle, what was not read for longest "
        "first, to see whether it is still what it was: disks lose bits without a word. At most once a day for each "
        "file; a file that is larger than this is read alone. 0: only with censusctl verify --content.",
    )
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
