"""Another process that uses the private PostgreSQL: ``python server_holder.py DIRECTORY``.

It prints the connection string, or what went wrong, as one line; holds the server until its standard input ends; then
prints the answer to a query, to show that the server outlived whatever happened meanwhile, and lets go.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from censusd.catalogue.embedded import EmbeddedServer
from censusd.errors import EmbeddedServerError

FAST = {"fsync": "off", "full_page_writes": "off"}
"""Settings for servers that need not survive the machine, as all in tests."""


class Holder:
    """A running holder. As a context manager it lets go of the server in the end.

    Args:
        directory: the state directory.
        uid: user to run as, with the group of the same number and no others; None stays who it is.
        python: the Python to run it with, and what to run that with.
        environment: its whole environment; None is this process's.
    """

    def __init__(
        self,
        directory: Path,
        uid: int | None = None,
        python: Sequence[str] = (sys.executable,),
        environment: dict[str, str] | None = None,
    ) -> None:
        other: dict[str, Any] = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        self.process = subprocess.Popen(
            [*python, "-c", Path(__file__).read_text(), os.fspath(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd="/",
            text=True,
            start_new_session=True,
            **other,
        )

    def conninfo(self) -> str:
        """Wait until it holds the server, and return how to reach it.

        Raises:
            EmbeddedServerError: what the holder was told.
        """
        assert self.process.stdout is not None
        answer = json.loads(self.process.stdout.readline() or '{"error": "the holder died"}')
        if "error" in answer:
            raise EmbeddedServerError(answer["error"])
        return str(answer["conninfo"])

    def interrupt(self) -> None:
        """What Ctrl-C in its terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it so that it cannot do anything any more, and wait for that."""
        self.process.kill()
        self.process.wait()

    def let_go(self) -> str:
        """Make it let go of the server; returns the rest of what it printed."""
        output, _ = self.process.communicate()
        return str(output)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.let_go()


def main() -> None:
    """Be the other process."""
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        server = EmbeddedServer.start(Path(sys.argv[1]), settings=FAST)
    except EmbeddedServerError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return
    with server:
        print(json.dumps({"conninfo": server.conninfo}), flush=True)
        sys.stdin.read()
        with psycopg.connect(server.conninfo) as connection:
            print(connection.execute("SELECT 'still here'").fetchone())


if __name__ == "__main__":
    main()
