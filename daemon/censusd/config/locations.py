"""Where the daemon's own things are when the configuration does not say: what systemd, XDG and the FHS have for it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

UNSET = Path()
"""What an automatic path is read as; it is replaced before anybody sees it."""


def state_directory(environ: Mapping[str, str]) -> Path:
    """The default of ``daemon.state_directory``.

    Raises:
        LookupError: nothing says where it could be.
    """
    given = _from_systemd(environ, "STATE_DIRECTORY")
    if given:
        return given
    if os.geteuid() == 0:
        return Path("/var/lib/censusd")
    base = _absolute(environ.get("XDG_STATE_HOME", "")) or _home(environ) / ".local" / "state"
    return base / "censusd"


def runtime_directory(environ: Mapping[str, str], state: Path) -> Path:
    """The default of ``daemon.runtime_directory``."""
    given = _from_systemd(environ, "RUNTIME_DIRECTORY")
    if given:
        return given
    if os.geteuid() == 0:
        return Path("/run/censusd")
    base = _absolute(environ.get("XDG_RUNTIME_DIR", ""))
    return base / "censusd" if base else state / "run"


def _from_systemd(environ: Mapping[str, str], variable: str) -> Path | None:
    # With several directories, systemd separates them by colons (systemd.exec(5)).
    return _absolute(environ.get(variable, "").partition(":")[0])


def _absolute(text: str) -> Path | None:
    """``text`` as a path; None for a relative one, which the XDG specification says to ignore."""
    return Path(text) if text.startswith("/") else None


def _home(environ: Mapping[str, str]) -> Path:
    return _absolute(environ.get("HOME", "")) or Path(pwd.getpwuid(os.geteuid()).pw_dir)
