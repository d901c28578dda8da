"""What each command of ``censusctl`` asks of the daemon, and prints; each returns the exit status."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from censusd.cli import copies, deep_reports, reports
from censusd.cli.arguments import Place
from censusd.cli.client import Client, ClientError
from censusd.filesystem.names import text_of_native

OK: Final = 0
FAILED: Final = 1
NOT_MEANT: Final = frozenset({400, 404})
"""Answers that say that the request itself was wrong."""

_PAGE: Final = 10_000
_DUPLICATES: Final = 1000
"""How many of them come at a time."""


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
        return FAILED if bad else OK


def status(session: Session) -> int:
    """How the daemon and every repository stand."""
    answer = session.client.get("v1", "status")
    session.put(answer, lambda: reports.status(answer, session.width))
    return OK


def scan(session: Session) -> int:
    """Have the disk looked at now."""
    options, place = session.options, _located(session)
    answer = session.client.post(
        *_about(place, "scan"),
        path=place.path,
        verify=options.verify or None,
        **_patience(options),
    )
    return session.put_outcomes(answer, *reports.scans(answer), nothing="no repository will be looked at")


def deep_scan(session: Session) -> int:
    """Have files read now that were not read yet."""
    options, place = session.options, _located(session)
    answer = session.client.post(
        *_about(place, "deep-scan"),
        path=place.path,
        **_patience(options),
    )
    return session.put_outcomes(answer, *deep_reports.scans(answer), nothing="no repository is deep-scanned")


def verify(session: Session) -> int:
    """Compare every row, or every content, with the disk, and wait for what was found."""
    options, place = session.options, _located(session)
    answer = session.client.post(
        *_about(place, "rehash" if options.content else "scan"),
        within=options.timeout,
        path=place.path,
        wait=True,
        timeout=options.timeout,
        **({} if options.content else {"verify": True}),
    )
    lines = deep_reports.rehashes(answer) if options.content else reports.verified(answer)
    return session.put_outcomes(answer, *lines, nothing="there is no repository")


def accept(session: Session) -> int:
    """Take what is in corrupt files now for what should be in them."""
    place = _located(session)
    answer = session.client.post(*_about(place, "accept"), path=place.path)
    name, accepted = answer["repository"], answer["accepted"]
    session.put(answer, lambda: f"{name}: what is in {accepted:,} of its files now is on record as what should be")
    return OK


def retry(session: Session) -> int:
    """Have files tried again that could not be read."""
    place = _located(session)
    answer = session.client.post(*_about(place, "retry"), path=place.path)
    return session.put_outcomes(answer, deep_reports.retries(answer), [], nothing="no repository is deep-scanned")


def sync(session: Session) -> int:
    """Wait until every change made before is on record."""
    name, timeout = session.options.repository, session.options.timeout
    answer = session.client.post("v1", "repositories", name, "sync", within=timeout, timeout=timeout)
    session.put(answer, lambda: f"{name}: every change made before is on record")
    return OK


def history(session: Session) -> int:
    """What was done, the newest first."""
    options = session.options
    answer = session.client.get("v1", "history", repository=options.repository, limit=options.number)
    session.put(answer, lambda: reports.history(answer, session.width))
    return OK


def ls(session: Session) -> int:
    """What is on record in a directory."""
    place, after = _located(session), None
    entries: list[Any] = []
    while True:
        answer = session.client.get(*_about(place, "list"), path=place.path, after=after, limit=_PAGE)
        after = answer["next"]
        if session.options.json:
            entries += answer["entries"]
        elif answer["entries"]:
            print(reports.listing(answer, session.width))
        if after is None:
            break
    if session.options.json:
        print(json.dumps({**answer, "entries": entries}, indent=1))
    return OK


def show(session: Session) -> int:
    """All that is on record of one file or directory."""
    place = _located(session)
    answer = session.client.get(*_about(place, "show"), path=place.path or "")
    session.put(answer, lambda: reports.shown(answer))
    return OK


def duplicates(session: Session) -> int:
    """Contents that more than one file has."""
    place, options = _located(session), session.options
    found: list[Any] = []
    answer: dict[str, Any] = {"next": None}
    while not found or (answer["next"] is not None and len(found) < options.number):
        limit = min(_DUPLICATES, options.number - len(found))
        page = session.client.get(*_about(place, "duplicates"), path=place.path, after=answer["next"], limit=limit)
        # How many there are in all is what the first page says.
        answer = {**page, **answer, "next": page["next"]}
        if not page["duplicates"]:
            break
        found += page["duplicates"]
    answer["duplicates"] = found
    session.put(answer, lambda: copies.duplicates(answer, several=place.repository is None))
    return OK


def conflicts(session: Session) -> int:
    """Names that are hard to tell apart, and conflict copies."""
    place, after, number = _located(session), None, 0
    found: list[Any] = []
    while True:
        answer = session.client.get(*_about(place, "conflicts"), path=place.path, after=after)
        after, number = answer["next"], number + len(answer["conflicts"])
        if session.options.json:
            found += answer["conflicts"]
        elif answer["conflicts"]:
            print(copies.conflicts(answer, several=place.repository is None))
        if after is None:
            break
    if session.options.json:
        print(json.dumps({**answer, "repository": place.repository, "conflicts": found}, indent=1))
    elif not number:
        print("no conflicts: no names are hard to tell apart, and none is that of a conflict copy")
    return OK


def problems(session: Session) -> int:
    """Directories and files that cannot be read."""
    answer = session.client.get("v1", "problems", repository=session.options.repository, limit=1000)
    session.put(answer, lambda: reports.problems(answer, session.width))
    return OK


def release(session: Session) -> int:
    """Let held deletions through, or accept the root that is there now."""
    options = session.options
    answer = session.client.post(
        *("v1", "repositories", options.repository, "release"),
        **_patience(options),
    )
    session.put(answer, lambda: reports.released(answer))
    return OK


def reload(session: Session) -> int:
    """Have the configuration read again."""
    answer = session.client.post("v1", "reload")
    session.put(answer, lambda: "the configuration will be read again; censusctl status says if it cannot be used")
    return OK


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
        if error.code not in NOT_MEANT or real == absolute:
            raise
        answer = session.client.get("v1", "locate", path=text_of_native(real))
    return Place(answer["repository"], answer["path"])


def _about(place: Place, what: str) -> tuple[str, ...]:
    """Where the daemon takes requests about a place, or about every repository."""
    return ("v1", "repositories", place.repository, what) if place.repository else ("v1", what)


def _patience(options: argparse.Namespace) -> dict[str, Any]:
    """For how long the answer is waited for: not at all, if nobody wants to."""
    return {"within": options.timeout, "wait": True, "timeout": options.timeout} if options.wait else {}
