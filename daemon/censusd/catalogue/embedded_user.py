"""Who the private PostgreSQL runs as, and what that user can reach."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from censusd.errors import EmbeddedServerError


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user of the operating system that PostgreSQL runs as, and that owns its files.

    Attributes:
        name: login name; PostgreSQL does not run without one.
        uid: user id, never 0.
        gid: primary group id.
    """

    name: str
    uid: int
    gid: int

    @property
    def is_another(self) -> bool:
        """Whether this process has to drop its privileges to become this user."""
        return self.uid != os.geteuid()

    @property
    def groups(self) -> list[int]:
        """Ids of every group it is in."""
        return os.getgrouplist(self.name, self.gid)

    def run_as(self) -> dict[str, Any]:
        """Arguments of ``subprocess.run`` that make the child this user."""
        if not self.is_another:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": self.groups}


def choose_user(directory: Path, cluster: Path, wanted: str | None) -> ServerUser:
    """Decide who PostgreSQL runs as: it refuses to run as root.

    Root gives it to ``wanted``, else to the owner of the cluster or of the directory it goes to, or, where that is
    root, to ``nobody``. Everybody else runs it as who they are.

    Args:
        directory: the state directory; it may be missing.
        cluster: PostgreSQL's directory in it; it may be missing.
        wanted: login name from the configuration, or None.

    Raises:
        EmbeddedServerError: that user does not exist, is root, cannot be become, or does not own the cluster.
    """
    me = os.geteuid()
    owner = next(path.stat().st_uid for path in (cluster, directory, *directory.parents) if path.exists())
    if me == 0:
        user = _by_name(wanted or "nobody") if wanted or owner == 0 else _by_id(owner)
        if user.uid == 0:
            raise EmbeddedServerError(
                f"PostgreSQL refuses to run as root; choose another user for it than {user.name}."
            )
    else:
        user = _by_id(me)
        if wanted and wanted != user.name:
            raise EmbeddedServerError(
                f"PostgreSQL is to run as {wanted}, but only root can start it as somebody else than {user.name}."
            )
    if cluster.exists() and owner != user.uid:
        raise EmbeddedServerError(
            f"{cluster} belongs to the user {_name(owner)}, but PostgreSQL is to run as {user.name}, and it has to own "
            f"its files. Run censusd as {_name(owner)} or choose that user for PostgreSQL, or hand the files over with "
            f"`chown -R {user.name} {cluster}` while it is stopped."
        )
    return user


def obstacle(path: Path, user: ServerUser) -> Path | None:
    """The first directory on the way to ``path``, or ``path`` itself, whose mode bits are closed to ``user``.

    Access control lists are not looked at, so what they allow may be called closed.
    """
    groups = user.groups
    for step in (*reversed(path.parents), path):
        facts = step.stat()
        enters = stat.S_ISDIR(facts.st_mode) or facts.st_mode & stat.S_IXUSR
        need = stat.S_IXOTH if enters else stat.S_IROTH
        shift = 6 if facts.st_uid == user.uid else 3 if facts.st_gid in groups else 0
        if not (facts.st_mode >> shift) & need:
            return step
    return None


def make_directories(path: Path) -> None:
    """Make ``path`` and what is missing above it; directories that are there keep their modes.

    Root's are 0755, for the user that PostgreSQL runs as has to pass; everybody else's are 0700, as the XDG base
    directory specification asks for. One that root makes in somebody's directory becomes theirs.

    Raises:
        OSError: one cannot be made.
    """
    if path.is_dir():
        return
    make_directories(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if path.is_dir():  # another starter made it just now
            return
        raise
    if os.geteuid() == 0:
        owner = path.parent.stat()
        hand_over(path, owner.st_uid, owner.st_gid, 0o755)


def hand_over(path: Path, uid: int, gid: int, mode: int) -> None:
    """Give a directory just made its owner and mode. Never follows a link that somebody put in its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(descriptor, mode)
        os.fchown(descriptor, uid, gid)
    finally:
        os.close(descriptor)


def _by_name(name: str) -> ServerUser:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise EmbeddedServerError(f"PostgreSQL is to run as the user {name}, but there is no such user.") from None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _by_id(uid: int) -> ServerUser:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedServerError(
            f"The user id {uid} has no name on this system, and PostgreSQL does not run without one. Add it to "
            f"/etc/passwd, or choose another user."
        ) from None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
