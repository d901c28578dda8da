"""The directory of the private PostgreSQL: where it lies, how it is made, and what is written into it.

::

    <state directory>/postgresql/
        18/                 the cluster of major version 18; 0700, the server user's
            log/server.log  what PostgreSQL prints, bounded
        18.initdb-*/        a cluster in the making; renamed when it is whole, removed when found left over
        18.server.lock      held (flock, exclusive) by whoever starts the server, then by all of its processes
        18.users.lock       held (shared) by every user of the server; the keeper waits for it (exclusive)

PostgreSQL is told none of these paths. It gets the cluster as an inherited descriptor (``-D /proc/self/fd/N``) and
makes its socket relative to it. So it does not matter to it whether its user may pass through the directories above,
how long the path is, or which bytes it is made of.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from censusd.catalogue.embedded_binaries import Binaries, clean_environment
from censusd.catalogue.embedded_user import ServerUser, hand_over
from censusd.errors import EmbeddedServerError

DATABASE: Final = "censusd"
"""Name of the catalogue's database, and of the role that owns it."""

ADMINISTRATOR: Final = "postgres"
"""The role that may do everything; for the set-up and for people who know what they do."""

PORT: Final = "5432"
"""Part of the socket's name and nothing else: there is no TCP."""

INITDB_TIMEOUT: Final = 300.0
"""Seconds for a new cluster: half a second as a rule, minutes on a tired memory card."""

_SETTINGS: Final[Mapping[str, str]] = {
    # A connection is a local user of the catalogue: the daemon's pool, workers, people.
    "max_connections": "40",
    "shared_buffers": "128MB",
    # First passes and big moves write a lot of rows at once; fewer checkpoints write fewer full pages.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    # The answer to "is it stored?" must stay true when the power fails.
    "fsync": "on",
    "synchronous_commit": "on",
    # Compiling takes longer than the catalogue's short statements do.
    "jit": "off",
    "cluster_name": DATABASE,
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

_FIXED: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
}
"""How the server is reached. Nobody may change it, for everybody who uses the server counts on it."""

_ACCESS: Final = """\
# Written by censusd at every start.
# TYPE  DATABASE  USER  METHOD
local   all       all   peer map=censusd
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster, which may be yet to be made.

    Attributes:
        directory: the state directory that holds everything.
        major: major version of PostgreSQL.
        user: who owns it and runs the server.
    """

    directory: Path
    major: int
    user: ServerUser

    @property
    def home(self) -> Path:
        """The directory of all clusters, their locks and leftovers."""
        return self.directory / "postgresql"

    @property
    def path(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / str(self.major)

    @property
    def server_lock(self) -> Path:
        """The file whose lock says that a server runs, or is being started."""
        return self.home / f"{self.major}.server.lock"

    @property
    def users_lock(self) -> Path:
        """The file whose lock says that somebody uses the server."""
        return self.home / f"{self.major}.users.lock"

    @property
    def log(self) -> Path:
        """What PostgreSQL prints."""
        return self.path / "log" / "server.log"

    def state(self) -> str:
        """What ``postmaster.pid`` says: ``starting``, ``ready``, ``stopping``, or empty where it says nothing.

        A crash leaves the file behind, so it tells what to expect, and proves nothing. Its eighth line is the state
        (PostgreSQL's src/include/utils/pidfile.h).
        """
        try:
            lines = (self.path / "postmaster.pid").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return lines[7].strip() if len(lines) > 7 else ""


def check_settings(settings: Mapping[str, str]) -> None:
    """Refuse settings that cannot be meant; what they mean is for PostgreSQL to judge.

    Raises:
        EmbeddedServerError: one is not of a setting's form, or decides how the server is reached.
    """
    for name, value in settings.items():
        if name.lower() in _FIXED:
            raise EmbeddedServerError(f"The setting {name} of the private PostgreSQL cannot be changed.")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) or not value.isprintable():
            raise EmbeddedServerError(f"{name!r} = {value!r} is not a setting of PostgreSQL.")


def check_version(cluster: Cluster, binaries: Binaries) -> None:
    """Refuse what these programs cannot run.

    Raises:
        EmbeddedServerError: there is a cluster of another major version and none of this one, or something else is
            where the cluster should be.
    """
    if cluster.path.is_dir() and any(cluster.path.iterdir()):
        try:
            found = (cluster.path / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise EmbeddedServerError(
                f"{cluster.path} is not a PostgreSQL cluster: {error}. If nothing in it is needed, move it away; a new "
                f"one will be made."
            ) from error
        if found != str(cluster.major):
            raise EmbeddedServerError(f"{cluster.path} holds a cluster of PostgreSQL {found}, not {cluster.major}.")
        return
    others = sorted(int(path.parent.name) for path in cluster.home.glob("*/PG_VERSION") if path.parent.name.isdigit())
    if others:
        other = others[-1]
        raise EmbeddedServerError(
            f"{cluster.home / str(other)} holds the catalogue in the format of PostgreSQL {other}, but the programs "
            f"found are PostgreSQL {binaries.version} ({binaries.directory}), which cannot read it. Either name a "
            f"directory with the programs of PostgreSQL {other} in CENSUSD_POSTGRES_BIN; or convert it with pg_upgrade "
            f"to {cluster.path}; or move it away: censusd makes a new catalogue from the files themselves, without "
            f"the history of the old one."
        )


def create_cluster(cluster: Cluster, binaries: Binaries, settings: Mapping[str, str], server_lock: int) -> None:
    """Make the cluster if there is none. The caller holds the server's lock.

    Args:
        cluster: what to make.
        binaries: programs that the cluster's user can run.
        settings: the settings asked for; ``fsync=off`` spares the new files the wait for the disk, too.
        server_lock: descriptor of the lock; initdb holds it as well, so that nobody starts beside it if this process
            is killed.

    Raises:
        EmbeddedServerError: initdb failed; nothing is left of it.
        OSError: the directory cannot be written.
    """
    if (cluster.path / "PG_VERSION").exists():
        return
    prefix = f"{cluster.major}.initdb-"
    for leftover in cluster.home.glob(prefix + "*"):
        shutil.rmtree(leftover)
    new = Path(tempfile.mkdtemp(prefix=prefix, dir=cluster.home))
    try:
        if cluster.user.is_another:
            hand_over(new, cluster.user.uid, cluster.user.gid, 0o700)
        _run_initdb(new, cluster, binaries, server_lock, sync=settings.get("fsync") != "off")
        new.rename(cluster.path)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    home = os.open(cluster.home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(home)
    finally:
        os.close(home)


def _run_initdb(new: Path, cluster: Cluster, binaries: Binaries, server_lock: int, *, sync: bool) -> None:
    descriptor = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    command = [
        *(str(binaries.directory / "initdb"), "-D", f"/proc/self/fd/{descriptor}", f"--username={ADMINISTRATOR}"),
        *("--encoding=UTF8", "--locale=C", "--data-checksums", "--auth-local=peer", "--auth-host=reject"),
        "--no-instructions",
    ]
    if cluster.major >= 17:  # bytewise order as with C, but upper and lower case of all letters
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if not sync:
        command.append("--no-sync")
    try:
        result = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=INITDB_TIMEOUT,
            cwd="/",
            env=clean_environment(),
            pass_fds=(descriptor, server_lock),
            start_new_session=True,
            **cluster.user.run_as(),
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddedServerError(
            f"Making a PostgreSQL cluster in {cluster.home} took longer than {INITDB_TIMEOUT:.0f} s and was given up."
        ) from error
    finally:
        os.close(descriptor)
    if result.returncode:
        free = shutil.disk_usage(cluster.home).free >> 20
        raise EmbeddedServerError(
            f"initdb of PostgreSQL {binaries.version} could not make a cluster in {cluster.home} ({free} MiB are free "
            f"there; 40 are needed), status {result.returncode}. Its last words:\n{result.stdout[-2000:].strip()}"
        )


def write_configuration(cluster: Cluster, settings: Mapping[str, str]) -> None:
    """Write postgresql.conf, pg_hba.conf and pg_ident.conf. The caller holds the server's lock; no server runs.

    Peer authentication: the kernel tells who is at the other end of the socket. Root, the server's user and the owner
    of the state directory are let in, as the catalogue's role or as administrator.

    Raises:
        OSError: the directory cannot be written.
    """
    lines = ["# Written by censusd at every start. What ALTER SYSTEM sets is kept, and wins over this file."]
    for name, value in {**_SETTINGS, **settings, **_FIXED}.items():
        quoted = value.replace("\\", "\\\\").replace("'", "''")
        lines.append(f"{name} = '{quoted}'")
    mapping = ["# Written by censusd at every start.", "# MAP  SYSTEM-USERNAME  ROLE"]
    for uid in sorted({0, cluster.user.uid, cluster.directory.stat().st_uid}):
        with suppress(KeyError):  # a user without a name cannot connect: PostgreSQL asks for it
            name = pwd.getpwuid(uid).pw_name
            mapping += [f'censusd "{name}" {role}' for role in (DATABASE, ADMINISTRATOR)]
    _write(cluster, "postgresql.conf", "\n".join(lines))
    _write(cluster, "pg_hba.conf", _ACCESS)
    _write(cluster, "pg_ident.conf", "\n".join(mapping))


def _write(cluster: Cluster, name: str, text: str) -> None:
    """Replace one file in the cluster. As root, in another user's directory, it must never write through a link."""
    directory = os.open(cluster.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    temporary = f"{name}.new"
    try:
        if temporary in os.listdir(directory):
            os.unlink(temporary, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(temporary, flags, 0o600, dir_fd=directory), "w", encoding="utf-8") as file:
            file.write(text + "\n")
            if cluster.user.is_another:
                os.fchown(file.fileno(), cluster.user.uid, cluster.user.gid)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(directory)


def remove_stale_pid_files(cluster: Cluster) -> None:
    """Remove PostgreSQL's own lock files if they name a stranger or a zombie. The caller holds the server's lock.

    PostgreSQL clears stale ones away by itself, unless the number belongs to another process of its user by now, or to
    a zombie that nobody reaps. Both happen in containers, and then it refuses to start. The lock proves that no process
    of a server that censusd started is left; one that somebody else started works in the cluster's directory.
    """
    for name in ("postmaster.pid", f".s.PGSQL.{PORT}.lock"):
        path = cluster.path / name
        try:
            process = Path("/proc", str(int(path.read_text(errors="replace").split("\n", 1)[0])))
            is_stale = process.exists() and not (process / "cwd").samefile(cluster.path)
        except FileNotFoundError:
            is_stale = path.exists()  # a zombie has no working directory
        except (OSError, ValueError):
            is_stale = False  # a process of somebody else, or no number: PostgreSQL knows what to do
        if is_stale:
            path.unlink()
