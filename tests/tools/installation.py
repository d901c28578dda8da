"""censusd as the manuals have it installed, to do there what they say."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import psycopg

from censusd.catalogue.embedded import EmbeddedServer
from censusd.catalogue.embedded_binaries import locate_binaries
from tests.tools.manuals import CHECKOUT, DOCS, Block, Terminal, blocks
from tests.tools.waiting import until

_DEADLINE: Final = 60.0

_SYSTEMCTL: Final = """\
start() {{
    {daemon} run --config {etc}/censusd.toml >>{place}/log 2>&1 &
    echo $! >{place}/pid
    for n in $(seq 300); do
        censusctl status 2>/dev/null | grep -q REPOSITORY && return
        kill -0 $(cat {place}/pid) || return
        sleep 0.1
    done
    return 1
}}
stop() {{
    kill $(cat {place}/pid)
    while kill -0 $(cat {place}/pid) 2>/dev/null; do sleep 0.1; done
}}
case "$*" in
    "start censusd") start ;;
    "stop censusd") stop ;;
    "restart censusd") stop; start ;;
    "reload censusd") kill -HUP $(cat {place}/pid) ;;
    "status censusd") kill -0 $(cat {place}/pid) ;;
    "enable --now censusd-worker@censusd") ;;
    *) exit 1 ;;
esac
"""
"""What systemctl does to the service, without systemd."""


class Installation:
    """censusd as the manuals have it installed, with every path below a directory, and a terminal beside it.

    Args:
        place: the directory.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.environment = programs(place)
        for name in ("etc", "lib", "srv"):
            (place / name).mkdir()
        shell = {"daemon": f"{sys.executable} -m censusd", "etc": place / "etc", "place": place}
        launcher(place / "bin" / "systemctl", _SYSTEMCTL.format(**shell))
        self.binaries = locate_binaries()
        self.environment |= {
            "CENSUSD_SOCKET": os.fspath(place / "run" / "control.sock"),
            "STATE_DIRECTORY": os.fspath(place / "lib"),
            "RUNTIME_DIRECTORY": os.fspath(place / "run"),
            "PGHOST": os.fspath(place / "lib" / "postgresql" / str(self.binaries.major)),
            "PGUSER": "censusd",
            "PGDATABASE": "censusd",
        }
        self._stack = ExitStack()
        self._other: EmbeddedServer | None = None

    def __enter__(self) -> Self:
        self._terminal = self._stack.enter_context(Terminal(CHECKOUT, self.environment))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._terminal.run(f"kill $(cat {self.place}/pid) && while kill -0 $(cat {self.place}/pid); do sleep 0.1; done")
        self._stack.close()

    def write(self, *paths: str) -> None:
        """Write some files below /srv, none like another."""
        for path in paths:
            (self.place / "srv" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.place / "srv" / path).write_text(path)

    def configure(self, text: str) -> None:
        """Write the configuration."""
        (self.place / "etc" / "censusd.toml").write_text('[http]\nlisten = ""\n' + self.translated(text))

    def translated(self, text: str) -> str:
        """What a manual says, in terms of what is here."""
        owner = "nobody" if os.geteuid() == 0 else ""
        words = {
            "/var/lib/censusd": f"{self.place}/lib",
            "/etc/censusd": f"{self.place}/etc",
            "postgresql/18": f"postgresql/{self.binaries.major}",
            "/root/": f"{self.place}/",
            "/srv/": f"{self.place}/srv/",
            "/mnt/": f"{self.place}/mnt/",
            "runuser -u censusd --": f"runuser -u {owner} --" if owner else "",
            "sudo -u censusd ": "",
        }
        if self._other is not None:
            words["postgresql://censusd@db.example/censusd"] = self._address(self._other)
            words["sudo -u postgres"] = f"PGHOST={self._other.cluster.path} PGUSER=postgres"
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        return text

    def run(self, *what: Block | str) -> str:
        """Do these things one after the other; each has to succeed. Returns what was printed last."""
        output = ""
        for one in what:
            status, output = self._terminal.run(self.translated(one.text if isinstance(one, Block) else one))
            assert status == 0, f"{one}: status {status}\n{output}\n{(self.place / 'log').read_text()}"
        return output

    def until(self, command: str, where: str = "") -> None:
        """Repeat a command until it succeeds."""
        until(
            lambda: not self._terminal.run(f"{self._elsewhere(where)} {command}")[0],
            (self.place / "log").read_text,
            within=_DEADLINE,
        )

    def sql(self, text: str, where: str = "") -> str:
        """What a query finds, in the private PostgreSQL or in the other one."""
        return self.run(f"{self._elsewhere(where)} psql -At <<'END'\n{text};\nEND").strip()

    def numbers(self, repository: str, where: str = "") -> dict[str, str]:
        """Path -> number of every file on record."""
        query = f"SELECT file_path, file_id FROM file_records WHERE repository_name = '{repository}'"
        return dict(line.split("|") for line in self.sql(query, where).splitlines())

    def find_programs(self) -> None:
        """Set PGBIN, as the section on backups says."""
        self.run(next(block.text for block in blocks(DOCS / "operating.md", "sh") if "PGBIN=" in block.text))

    def start_another_server(self) -> None:
        """Another PostgreSQL, as other people have it: without the role and database of the private one."""
        self._other = self._stack.enter_context(EmbeddedServer.start(self.place / "other"))
        with psycopg.connect(self._address(self._other), user="postgres", dbname="postgres", autocommit=True) as one:
            one.execute("DROP DATABASE censusd")
            one.execute("DROP ROLE censusd")

    def _elsewhere(self, where: str) -> str:
        return f"export PGHOST={self._other.cluster.path};" if where and self._other else ""

    @staticmethod
    def _address(server: EmbeddedServer) -> str:
        return f"postgresql:///censusd?host={quote(os.fspath(server.cluster.path), safe='')}&user=censusd"


def programs(place: Path) -> dict[str, str]:
    """A PATH with the commands of the manuals, as they are installed here."""
    directory = place / "bin"
    directory.mkdir()
    for name, module in (("censusd", "censusd"), ("censusctl", "censusd.cli.censusctl")):
        launcher(directory / name, f'exec {sys.executable} -m {module} "$@"')
    launcher(directory / "sudo", 'exec "$@"')
    path = [os.fspath(directory), os.environ["PATH"], os.fspath(locate_binaries().directory)]
    return {"PATH": os.pathsep.join(path), "PYTHONPATH": os.fspath(CHECKOUT / "daemon"), "LC_ALL": "C.UTF-8"}


def launcher(path: Path, command: str) -> None:
    """Make a program."""
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
