"""``censusctl``: one command, one request to the daemon."""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from censusd import __version__
from censusd.cli import arguments, commands
from censusd.cli.arguments import Place
from censusd.cli.client import SOCKET_VARIABLE, Client, ClientError, find_socket
from censusd.cli.commands import FAILED, NOT_MEANT, Session
from censusd.cli.tables import visible

_MISUSED: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 fine, 1 it failed, 2 it was called wrongly."""
    options = _parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets an escape, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read our output has had enough. What is still in the buffer must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        print(f"censusctl: cannot write: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(options: argparse.Namespace) -> int:
    path, hint = (options.socket, "") if options.socket else find_socket(os.environ)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    command: Callable[[Session], int] = options.run
    try:
        return command(Session(Client(path, hint), options, width))
    except ClientError as error:
        if options.json:
            print(json.dumps(error.answer, indent=1))
        print(f"censusctl: {visible(str(error))}", file=sys.stderr)
        return _MISUSED if error.code in NOT_MEANT else FAILED
    except KeyError as error:
        print(
            f"censusctl: the daemon's answer says nothing of {error}: it is of another version than this censusctl, "
            f"{__version__}; --json shows what it says, and a restart may bring it up to date",
            file=sys.stderr,
        )
        return FAILED


def _common(*, socket: Path | str | None, json: bool | str) -> argparse.ArgumentParser:
    """The options that may stand before the command and after it, with their defaults."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--socket",
        type=Path,
        default=socket,
        metavar="PATH",
        help=f"the daemon's Unix socket; by default ${SOCKET_VARIABLE}, else where the configuration has it",
    )
    common.add_argument("--json", action="store_true", default=json, help="print the daemon's answer as it comes")
    return common


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="censusctl",
        description="Asks censusd how things stand, and gives it orders.",
        epilog="Exit status: 0 fine, 1 it failed, 2 it was called wrongly or a name is wrong.",
        parents=[_common(socket=None, json=False)],
    )
    parser.add_argument("--version", action="version", version=f"censusctl {__version__}")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    # Without defaults of their own, so that what stands before the command is kept.
    common = _common(socket=argparse.SUPPRESS, json=argparse.SUPPRESS)
    _add_commands(partial(parsers.add_parser, parents=[common]))
    return parser


def _add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    def command(name: str, run: Callable[[Session], int], about: str) -> argparse.ArgumentParser:
        made = add(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        made.set_defaults(run=run)
        return made

    command("status", commands.status, "say how the daemon and every repository stand")
    scan = command("scan", commands.scan, "look at the disk now: at one place, or at every repository")
    _add_place(scan, nargs="?")
    scan.add_argument("--verify", action="store_true", help="trust no digest; read a single file's content anew")
    _add_waiting(scan)
    deep = command(
        "deep-scan", commands.deep_scan, "read files now that were not read yet: their content hash and metadata"
    )
    _add_place(deep, nargs="?")
    _add_waiting(deep)
    verify = command(
        "verify", commands.verify, "compare every row with the disk, trusting nothing; wait for what was found"
    )
    _add_place(verify, nargs="?")
    verify.add_argument(
        "--content", action="store_true", help="read what was read before again, and compare it with the hash on record"
    )
    _add_timeout(verify)
    accept = command("accept", commands.accept, "take what is in corrupt files now for what should be in them")
    _add_place(accept)
    sync = command("sync", commands.sync, "wait until every change made before is on record")
    sync.add_argument("repository", type=arguments.repository, metavar="REPO")
    sync.add_argument("--timeout", type=arguments.seconds, default=30.0, metavar="TIME", help="at most; 30s by default")
    history = command("history", commands.history, "list what was done, the newest first")
    history.add_argument("repository", nargs="?", type=arguments.repository, metavar="REPO")
    history.add_argument(
        "-n", "--number", type=arguments.number(1_000), default=20, metavar="N", help="how many; 20 by default"
    )
    ls = command("ls", commands.ls, "list what is on record in a directory")
    _add_place(ls)
    show = command("show", commands.show, "say all that is on record of a file or directory, also if it is missing")
    show.add_argument(
        "place",
        type=arguments.file_or_place,
        metavar="FILE|REPO:PATH",
        help="a file on disk, or a path in a repository",
    )
    problems = command("problems", commands.problems, "list directories and files that cannot be read, and why")
    problems.add_argument("repository", nargs="?", type=arguments.repository, metavar="REPO")
    duplicates = command(
        "duplicates", commands.duplicates, "list contents that more than one file has, the largest first"
    )
    _add_place(duplicates, nargs="?")
    duplicates.add_argument(
        *("-n", "--number"),
        type=arguments.number(100_000),
        default=20,
        metavar="N",
        help="how many contents; 20 by default",
    )
    conflicts = command("conflicts", commands.conflicts, "list names that are hard to tell apart, and conflict copies")
    _add_place(conflicts, nargs="?")
    retry = command("retry", commands.retry, "have the deep scan try files again that could not be read")
    _add_place(retry, nargs="?")
    release = command(
        "release",
        commands.release,
        "let through the deletions that are held back, or accept the root that is there now",
    )
    release.add_argument("repository", type=arguments.repository, metavar="REPO")
    _add_waiting(release)
    command("reload", commands.reload, "have the daemon read its configuration again")


def _add_place(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    what = "a repository, or a file or directory in it, also as a path on disk such as ./2024"
    if nargs:
        what += "; all repositories if it is left out"
    parser.add_argument(
        "place", nargs=nargs, type=arguments.place, default=Place(None, None), metavar="REPO[:PATH]", help=what
    )


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="until it is done")
    _add_timeout(parser)


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=arguments.seconds, default=86400.0, metavar="TIME", help="to wait at most; 1d by default"
    )


if __name__ == "__main__":
    sys.exit(main())
