"""censusd as an administrator has it: installed on a machine in a box, and run by systemd."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tools.daemon import BUSY_IS_FINE
from tests.tools.systemd_box import CHECKOUT, Box, NoBoxError

UNIT = "censusd.service"
PREFIX = "/usr"
ONE_BY_ONE = BUSY_IS_FINE + "workers = 1\n"
"""Files are looked at one at a time, and at once."""


class Service:
    """censusd in a box, as an administrator has it.

    Args:
        box: where it is installed.
    """

    def __init__(self, box: Box) -> None:
        self.box = box

    def configure(self, name: str, text: str) -> None:
        """Write one file of the configuration."""
        self.box.write(f"/etc/censusd/conf.d/{name}.toml", text)

    def look_after(self, name: str, path: str = "", more: str = "") -> Path:
        """Add a repository to the configuration. Gives its root, as it is out here."""
        path = path or f"/srv/{name}"
        self.configure(name, f'[[repository]]\nname = "{name}"\npath = "{path}"\n{more}')
        root = self.box.path(path)
        root.mkdir(parents=True, exist_ok=True)
        return root

    def drop_in(self, name: str, text: str) -> None:
        """Change the unit."""
        self.box.write(f"/etc/systemd/system/{UNIT}.d/{name}.conf", text)
        self.box.run("systemctl", "daemon-reload")

    def start(self) -> None:
        """Start it, which ends when it says that it is ready."""
        self.box.run("systemctl", "start", UNIT)

    def stop(self) -> None:
        """Stop it, which ends when everything of it is gone."""
        self.box.run("systemctl", "stop", UNIT)

    def reload(self) -> None:
        """Have it read its configuration again."""
        self.box.run("systemctl", "reload", UNIT)

    @property
    def status(self) -> str:
        """What it says of itself to systemd."""
        return self.box.status(UNIT)

    def until_watching(self, *names: str) -> None:
        """Wait until it says of each of these repositories that it is being watched."""
        self.until(lambda: all(f"{name} watching" in self.status.split("; ") for name in names))

    def until(self, what: Callable[[], object]) -> None:
        """Wait until something holds; else the test fails with the log."""
        self.box.until(what, UNIT)

    def main_process(self) -> int:
        """Its process id, in the box."""
        return int(self.box.show(UNIT, "MainPID")[0])

    def ctl(self, *arguments: str) -> Any:
        """What censusctl answers."""
        return json.loads(self.box.run("censusctl", "--json", *arguments))

    def names(self, repository: str) -> set[str]:
        """What is on record in a repository's root, after everything that is on disk now."""
        self.ctl("sync", repository)
        return {entry["name"] for entry in self.ctl("ls", repository)["entries"]}

    def record(self, repository: str, path: str) -> dict[str, Any]:
        """What is on record of one file."""
        rows: list[dict[str, Any]] = self.ctl("show", f"{repository}:{path}")["rows"]
        return rows[0]

    def forget(self) -> None:
        """Put everything back to how it was just after the installation."""
        box = self.box
        box.run("systemctl", "disable", "--now", UNIT, check=False)
        box.run("systemctl", "stop", "censusd-worker@*.service", check=False)
        box.run(
            "rm", "-rf", "/var/lib/censusd", "/var/cache/censusd", f"/etc/systemd/system/{UNIT}.d", "/etc/credstore"
        )
        # From within: to remove a directory from out here would take away what is mounted on it in the box.
        box.run("mkdir", "-p", "/etc/censusd/conf.d")
        box.run("find", "/etc/censusd/conf.d", "/srv", "-mindepth", "1", "-delete", check=False)
        box.write("/etc/censusd/censusd.toml", "", 0o640)
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "reset-failed")


@contextmanager
def new_box() -> Iterator[Box]:
    """A machine in a box; where there can be none, the test is skipped."""
    with ExitStack() as stack:
        try:
            box = stack.enter_context(Box())
        except NoBoxError as why:
            pytest.skip(str(why))
        yield box


def install(box: Box, prefix: str = PREFIX) -> str:
    """Install the checkout with this session's environment. Gives what was said."""
    return box.run("make", "-C", str(CHECKOUT), "install", f"PREFIX={prefix}", f"VENV={sys.prefix}")


def uninstall(box: Box, prefix: str = PREFIX) -> str:
    """Remove what was installed. Gives what was said."""
    return box.run("make", "-C", str(CHECKOUT), "uninstall", f"PREFIX={prefix}")


def write_tree(root: Path, directories: int, files: int) -> int:
    """Fill a tree with empty files. Gives their number."""
    for number in range(directories):
        directory = root / f"directory {number}"
        directory.mkdir(parents=True)
        for file in range(files):
            os.close(os.open(directory / f"file {file}", os.O_CREAT | os.O_WRONLY))
    return directories * files
