"""``censusctl``: one command, one request to the daemon."""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from censusd import __version__
from censusd.cli import arguments, copies, deep_reports, reports
from censusd.cli.arguments import Place
from censusd.cli.client import SOCKET_VARIABLE, Client, ClientError, find_socket
from censusd.cli.tables import visible
from censusd.filesystem.names import text_of_native

_OK, _FAILED, _MISUSED = 0, 1, 2
_NOT_MEANT: Final = frozenset({400, 404})
_PAGE: Final = 10_000


class Session(NamedTuple):
    """What a command works with."""

    client: Client
    options: argparse.Namespace
    width: int | None

    def put(self, answer: Mapping[str, Any], text: Callable[[], str]) -> None:
        """Print an answer: as it came for programs, else as text for people."""
        shown = json.dumps(answer, indent=1) if self.options.json else text()
        if shown:
            print(shown)

    def put_outcomes(self, answer: Mapping[str, Any], good: list[str], bad: list[str], nothing: str) -> int:
        """Print what became of an order, the bad on standard error. Returns the exit status."""
        self.put(answer, lambda: "\n".join(good) if good or bad else nothing)
        for line in bad:
            print(f"censusctl: {line}", file=sys.stderr)
        return _FAILED if bad else _OK


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
        return _FAILED


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
        return _MISUSED if error.code in _NOT_MEANT else _FAILED
    except KeyError as error:
        print(
            f"censusctl: the daemon's answer says nothing of {error}: it is of another version than this censusctl, "
            f"{__version__}; --json shows what it says, and a restart may bring it up to date",
            file=sys.stderr,
        )
        return _FAILED


def _status(session: Session) -> int:
    answer = session.client.get("v1", "status")
    session.put(answer, lambda: reports.status(answer, session.width))
    return _OK


def _scan(session: Session) -> int:
    options, place = session.options, _located(session)
    path = ("v1", "repositories", place.repository, "scan") if place.repository else ("v1", "scan")
    answer = session.client.post(
        *path,
        within=options.timeout if options.wait else 0.0,
        path=place.path,
        verify=options.verify or None,
        wait=options.wait or None,
        timeout=options.timeout if options.wait else None,
    )
    return session.put_outcomes(answer, *reports.scans(answer), nothing="no repository will be looked at")


def _deep_scan(session: Session) -> int:
    options, place = session.options, _located(session)
    path = ("v1", "repositories", place.repository, "deep-scan") if place.repository else ("v1", "deep-scan")
    answer = session.client.post(
        *path,
        within=options.timeout if options.wait else 0.0,
        path=place.path,
        wait=options.wait or None,
        timeout=options.timeout if options.wait else None,
    )
    return session.put_outcomes(answer, *deep_reports.scans(answer), nothing="no repository is deep-scanned")


def _verify(session: Session) -> int:
    options, place = session.options, _located(session)
    what = "rehash" if options.content else "scan"
    answer = session.client.post(
        *(("v1", "repositories", place.repository, what) if place.repository else ("v1", what)),
        within=options.timeout,
        path=place.path,
        wait=True,
        timeout=options.timeout,
        **({} if options.content else {"verify": True}),
    )
    lines = deep_reports.rehashes(answer) if options.content else reports.verified(answer)
    return session.put_outcomes(answer, *lines, nothing="there is no repository")


def _accept(session: Session) -> int:
    place = _located(session)
    answer = session.client.post("v1", "repositories", place.repository or "", "accept", path=place.path)
    name, accepted = answer["repository"], answer["accepted"]
    session.put(answer, lambda: f"{name}: what is in {accepted:,} of its files now is on record as what should be")
    return _OK


def _retry(session: Session) -> int:
    place = _located(session)
    path = ("v1", "repositories", place.repository, "retry") if place.repository else ("v1", "retry")
    answer = session.client.post(*path, path=place.path)
    return session.put_outcomes(answer, deep_reports.retries(answer), [], nothing="no repository is deep-scanned")


def _sync(session: Session) -> int:
    name, timeout = session.options.repository, session.options.timeout
    answer = session.client.post("v1", "repositories", name, "sync", within=timeout, timeout=timeout)
    session.put(answer, lambda: f"{name}: every change made before is on record")
    return _OK


def _history(session: Session) -> int:
    options = session.options
    answer = session.client.get("v1", "history", repository=options.repository, limit=options.number)
    session.put(answer, lambda: reports.history(answer, session.width))
    return _OK


def _ls(session: Session) -> int:
    place, after = _located(session), None
    entries: list[Any] = []
    while True:
        path = ("v1", "repositories", place.repository or "", "list")
        answer = session.client.get(*path, path=place.path, after=after, limit=_PAGE)
        after = answer["next"]
        if session.options.json:
            entries += answer["entries"]
        elif answer["entries"]:
            print(reports.listing(answer, session.width))
        if after is None:
            break
    if session.options.json:
        print(json.dumps({**answer, "entries": entries}, indent=1))
    return _OK


def _show(session: Session) -> int:
    place = _located(session)
    answer = session.client.get("v1", "repositories", place.repository or "", "show", path=place.path or "")
    session.put(answer, lambda: reports.shown(answer))
    return _OK


def _located(session: Session) -> Place:
    """What a command is about, with the repository of a path on disk; by way of symlinks if it has to be."""
    place: Place = session.options.place
    if place.repository is not None or place.path is None:
        return place
    absolute = os.path.abspath(place.path)
    # The last name is not followed: a symlink is not what it points to.
    real = os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
    try:
        answer = session.client.get("v1", "locate", path=text_of_native(absolute))
    except ClientError as error:
        if error.code not in _NOT_MEANT or real == absolute:
            raise
        answer = session.client.get("v1", "locate", path=text_of_native(real))
    return Place(answer["repository"], answer["path"])


def _duplicates(session: Session) -> int:
    place, options = _located(session), session.options
    path = ("v1", "repositories", place.repository, "duplicates") if place.repository else ("v1", "duplicates")
    answer = session.client.get(*path, path=place.path, limit=options.number)
    session.put(answer, lambda: copies.duplicates(answer, several=place.repository is None))
    return _OK


def _conflicts(session: Session) -> int:
    place, after, number = _located(session), None, 0
    found: list[Any] = []
    while True:
        path = ("v1", "repositories", place.repository or "", "conflicts")
        answer = session.client.get(*path, path=place.path, after=after)
        after, number = answer["next"], number + len(answer["conflicts"])
        if session.options.json:
            found += answer["conflicts"]
        elif answer["conflicts"]:
            print(copies.conflicts(answer))
        if after is None:
            break
    if session.options.json:
        print(json.dumps({**answer, "conflicts": found}, indent=1))
    elif not number:
        print("no conflicts: no names are hard to tell apart, and none is that of a conflict copy")
    return _OK


def _problems(session: Session) -> int:
    answer = session.client.get("v1", "problems", repository=session.options.repository, limit=1000)
    session.put(answer, lambda: reports.problems(answer, session.width))
    return _OK


def _release(session: Session) -> int:
    options = session.options
    answer = session.client.post(
        *("v1", "repositories", options.repository, "release"),
        within=options.timeout if options.wait else 0.0,
        wait=options.wait or None,
        timeout=options.timeout if options.wait else None,
    )
    session.put(answer, lambda: reports.released(answer))
    return _OK


def _reload(session: Session) -> int:
    answer = session.client.post("v1", "reload")
    session.put(answer, lambda: "the configuration will be read again; censusctl status says if it cannot be used")
    return _OK


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
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    # Without defaults of their own, so that what stands before the command is kept.
    common = _common(socket=argparse.SUPPRESS, json=argparse.SUPPRESS)

    def command(name: str, run: Callable[[Session], int], about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.", parents=[common])
        made.set_defaults(run=run)
        return made

    command("status", _status, "say how the daemon and every repository stand")
    scan = command("scan", _scan, "look at the disk now: at one place, or at every repository")
    _add_place(scan, nargs="?")
    scan.add_argument("--verify", action="store_true", help="trust no digest; read a single file's content anew")
    _add_waiting(scan)
    deep = command("deep-scan", _deep_scan, "read files now that were not read yet: their content hash and metadata")
    _add_place(deep, nargs="?")
    _add_waiting(deep)
    verify = command("verify", _verify, "compare every row with the disk, trusting nothing; wait for what was found")
    _add_place(verify, nargs="?")
    verify.add_argument(
        "--content", action="store_true", help="read what was read before again, and compare it with the hash on record"
    )
    _add_timeout(verify)
    accept = command("accept", _accept, "take what is in corrupt files now for what should be in them")
    _add_place(accept)
    sync = command("sync", _sync, "wait until every change made before is on record")
    sync.add_argument("repository", type=arguments.repository, metavar="REPO")
    sync.add_argument("--timeout", type=arguments.seconds, default=30.0, metavar="TIME", help="at most; 30s by default")
    history = command("history", _history, "list what was done, the newest first")
    history.add_argument("repository", nargs="?", type=arguments.repository, metavar="REPO")
    history.add_argument(
        "-n", "--number", type=arguments.number, default=20, metavar="N", help="how many; 20 by default"
    )
    ls = command("ls", _ls, "list what is on record in a directory")
    _add_place(ls)
    show = command("show", _show, "say all that is on record of a file or directory, also if it is missing")
    show.add_argument(
        "place",
        type=arguments.file_or_place,
        metavar="FILE|REPO:PATH",
        help="a file on disk, or a path in a repository",
    )
    problems = command("problems", _problems, "list directories and files that cannot be read, and why")
    problems.add_argument("repository", nargs="?", type=arguments.repository, metavar="REPO")
    duplicates = command("duplicates", _duplicates, "list contents that more than one file has, the largest first")
    _add_place(duplicates, nargs="?")
    duplicates.add_argument(
        "-n", "--number", type=arguments.number, default=20, metavar="N", help="how many contents; 20 by default"
    )
    conflicts = command("conflicts", _conflicts, "list names that are hard to tell apart, and conflict copies")
    _add_place(conflicts)
    retry = command("retry", _retry, "have the deep scan try files again that could not be read")
    _add_place(retry, nargs="?")
    release = command(
        "release", _release, "let through the deletions that are held back, or accept the root that is there now"
    )
    release.add_argument("repository", type=arguments.repository, metavar="REPO")
    _add_waiting(release)
    command("reload", _reload, "have the daemon read its configuration again")
    return parser


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
