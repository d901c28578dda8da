"""What the daemon says of the deep scan and of files' content, as people read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from censusd.cli.client import refusal
from censusd.cli.tables import counted, duration, relative, shortened, size, visible

Answer = Mapping[str, Any]

_LONGEST_VALUE: Final = 400
_NUMBERED: Final = frozenset({"series", "story_arc"})
_SELF_EXPLAINED: Final = frozenset({"working", "nothing to do", "off"})


def standing(deep: Answer | None) -> list[str]:
    """How the deep scan stands: a line, and one for each thing that there is to say besides."""
    if deep is None:
        return []
    condition, why = deep["condition"], visible(deep["why"])
    if condition != "off" and not deep["backlog"] and not deep["in_flight"]:
        # While something holds it back, it does not even look.
        condition, why = "nothing to do", ""
    text = condition if condition in _SELF_EXPLAINED else f"held back by {_CONDITIONS.get(condition, condition)}"
    lines = [f"deep scan: {text}{f' ({why})' if why else ''}"]
    parts = []
    if deep["backlog"]:
        what = counted(deep["backlog"], "file is", "files are")
        parts.append(f"{what} still to be read ({size(deep['backlog_bytes'])})")
    if deep["on_demand"]:
        what = counted(deep["on_demand"], "file is", "files are")
        parts.append(f"{what} read only if somebody asks ({size(deep['on_demand_bytes'])})")
    if deep["in_flight"]:
        parts.append(f"at work on {deep['in_flight']:,}")
    parts += [f"{visible(one['name'])} is at work on {one['files']:,}" for one in deep["workers"] if not one["own"]]
    if parts:
        lines.append(f"  {'; '.join(parts)}")
    if deep["fault"]:
        lines.append(f"  its worker processes cannot be started: {visible(deep['fault'])}")
    lines += [f"  no metadata from {name}: {visible(why)}" for name, why in sorted(deep["missing_extractors"].items())]
    return lines


def describing(one: Answer | None) -> list[str]:
    """How describing pictures stands: nothing where nobody wants it."""
    if one is None or one["state"] == "off":
        return []
    parts = [one["state"] + (f" ({visible(one['why'])})" if one["why"] else "")]
    parts.append(f"{counted(one['described'], 'picture was', 'pictures were')} described by {visible(one['model'])}")
    if one["given_up"]:
        parts.append(f"{one['given_up']:,} given up")
    if one["skipped"]:
        parts.append(f"{one['skipped']:,} skipped")
    lines = [f"describing: {'; '.join(parts)}"]
    if one["breaker"] != "closed":
        lines.append(f"  {visible(one['server'])} is away: {visible(one['server_trouble'])}")
    return lines


def share(one: Answer) -> str:
    """How much of a repository's files was deep-scanned, but for those that never are; "-" where that is none."""
    totals, deep = one["totals"], one["deep_scan"]
    if totals is None or not (deep or totals["deep"]):
        return "-"
    files = totals["files"] - (deep["never"] if deep else 0)
    if files <= 0:
        return "-"
    if totals["deep"] >= files:
        return "all"
    # Rounded so that only all is all, and only nothing is nothing.
    tenths = max(1000 * totals["deep"] // files, bool(totals["deep"]))
    return f"{tenths / 10:.1f} %" if 0 < tenths < 10 or tenths >= 990 else f"{tenths // 10} %"


def scans(answer: Answer) -> tuple[list[str], list[str]]:
    """What became of deep scans: lines of those that are fine, and of those that are not."""
    return _told(answer["scans"], _scanned)


def rehashes(answer: Answer) -> tuple[list[str], list[str]]:
    """What became of reading content again: lines of those that are fine, and of those that are not."""
    return _told(answer["rehashes"], _read_again)


def retries(answer: Answer) -> list[str]:
    """What became of retries."""
    lines = []
    for one in answer["retries"]:
        if one["pictures"]:
            pictures = counted(one["pictures"], "picture", "pictures")
            lines.append(f"{_where(one)}: {pictures} will be described after all, if that can be")
        if not one["files"]:
            lines += [] if one["pictures"] else [f"{_where(one)}: no file has failed"]
            continue
        how = "will be tried again" if one["automatic"] else "may be tried again, with censusctl deep-scan"
        given_up = f", {one['given_up']:,} of them given up before" if one["given_up"] else ""
        lines.append(f"{_where(one)}: {counted(one['files'], 'file', 'files')} {how}{given_up}")
    return lines


def damage(one: Answer, now: str) -> tuple[str, str, str, str, str]:
    """A row of the table of files that are corrupt."""
    found = relative(one["found_at"], now)
    return one["repository"], found, one["content_hash"], one["found_hash"], visible(one["path"])


def failure(one: Answer, now: str) -> tuple[str, str, str, str]:
    """A row of the table of files that cannot be read."""
    if one["quarantined_at"]:
        state = f"given up {relative(one['quarantined_at'], now)}"
    else:
        state = _outlook(one["retry_at"], now)
    return one["repository"], state, visible(one["reason"] or "?"), visible(one["path"])


def content(row: Answer, now: str) -> Iterator[tuple[str, object]]:
    """Name and value of everything that is known of a file's content, or became of the attempt to read it."""
    yield "content hash", row["content_hash"] or "not known yet"
    if corruption := row.get("corruption"):
        yield "corrupt", f"it has become {corruption['found_hash']} ({relative(corruption['found_at'], now)})"
    attempt = row["attempt"]
    if attempt and attempt["worker"]:
        yield "last attempt", "at this moment"
    elif attempt and attempt["reason"]:
        yield "last attempt", _attempt(attempt, now)
    for one in row["descriptions"]:
        yield f"described by {visible(one['model'])}", one["description"]
        yield "tags", shortened("; ".join(one["tags"]), _LONGEST_VALUE)
    found = row["content"]
    if not found:
        return
    yield "extractor", f"{found['extractor']} {found['extractor_version']}"
    yield "content problem", found["problem"]
    yield "content", " ".join(filter(None, (found["kind"], found["mime_type"] and f"({found['mime_type']})")))
    yield "title", found["title"]
    yield "content created", found["created"]
    yield "language", found["language"]
    if found["width"] and found["height"]:
        yield "pixels", f"{found['width']:,} x {found['height']:,}"
    yield "duration", _clock(found["duration"])
    yield "pages", found["pages"]
    if found["latitude"] is not None and found["longitude"] is not None:
        yield "place", f"{found['latitude']:.6f}, {found['longitude']:.6f}"
    relations = _relations(found["relations"])
    yield from relations.items()
    for name, value in sorted(found["details"].items()):
        if name not in relations:
            yield name, shortened(_value(value), _LONGEST_VALUE)


def rule(one: Answer | None) -> str | None:
    """What is done about a place's content, where there is anything to say of it."""
    if one is None or (one["strategy"] == "auto" and not one["place"]):
        return None
    key = f"deep_scan_{one['strategy'].replace('-', '_')} names {one['place']}" if one["place"] else "as the repository"
    return f"{one['strategy']} ({key})"


def _attempt(attempt: Answer, now: str) -> str:
    if attempt["quarantined_at"]:
        outlook = "given up, until it changes or censusctl retry says so"
    else:
        outlook = _outlook(attempt["retry_at"], now)
    return f"{attempt['reason']} ({outlook})"


def _relations(relations: list[Answer]) -> dict[str, str]:
    """Role -> everybody who has it: ``Ursula K. Le Guin; Virginia Kidd``."""
    names: dict[str, list[str]] = {}
    for one in relations:
        number = f" #{one['position']:g}" if one["role"] in _NUMBERED and one["position"] else ""
        names.setdefault(one["role"], []).append(one["name"] + number)
    return {role: shortened("; ".join(those), _LONGEST_VALUE) for role, those in names.items()}


def _value(value: object) -> str:
    if isinstance(value, list) and all(isinstance(one, (str, int, float)) for one in value):
        return "; ".join(_value(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _clock(seconds: float | None) -> str | None:
    """``1:02:03``."""
    if seconds is None:
        return None
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _told(outcomes: Iterable[Answer], tell: Callable[[Answer], list[str]]) -> tuple[list[str], list[str]]:
    """A line for each outcome of an order, in the words that ``tell`` has: those that are fine, and the others."""
    good: list[str] = []
    bad: list[str] = []
    for one in outcomes:
        if "code" in one:
            bad.append(_refused(one))
        else:
            is_fine = one["status"] == "accepted" or not (one["failed"] or one.get("corrupt"))
            (good if is_fine else bad).append(f"{_where(one)}: {'; '.join(tell(one))}")
    return good, bad


def _scanned(one: Answer) -> list[str]:
    if one["status"] == "accepted":
        asked = f"{counted(one['asked'], 'file', 'files')} ({size(one['asked_bytes'])}) will be read"
        return [asked if one["asked"] else "no file waits", *_besides(one)]
    return [_done(one), *_besides(one)]


def _read_again(one: Answer) -> list[str]:
    if one["status"] == "accepted":
        return [f"{counted(one['asked'], 'file', 'files')} ({size(one['asked_bytes'])}) will be read again"]
    said = [_done(one), *_besides(one)] if one["asked"] or one["taken"] else ["nothing was read there before"]
    if one["corrupt"]:
        corrupt = counted(one["corrupt"], "file is corrupt", "files are corrupt")
        return [f"{corrupt} (censusctl problems {one['repository']})", *said]
    return ["everything is as it was", *said] if one["files"] else said


def _done(one: Answer) -> str:
    if not one["asked"] and not one["files"]:
        return "no file waits" if not one["taken"] else f"done by another worker, {duration(one['seconds'])}"
    parts = [f"{counted(one['files'], 'file', 'files')} read"]
    if one["bytes"]:
        parts.append(f"{size(one['bytes'])} hashed")
    if one["failed"]:
        parts.append(
            f"{counted(one['failed'], 'file', 'files')} could not be read (censusctl problems {one['repository']})"
        )
    if one["put_off"]:
        parts.append(f"{counted(one['put_off'], 'file', 'files')} changed meanwhile")
    return f"{', '.join(parts)}, {duration(one['seconds'])}"


def _besides(one: Answer) -> Iterator[str]:
    """What is at a place besides what was asked for."""
    name = one["repository"]
    if one["taken"] and one["status"] == "accepted":
        yield f"at {counted(one['taken'], 'file', 'files')} somebody is at work already"
    if one["later"]:
        yield f"{counted(one['later'], 'file', 'files')} failed or changed a moment ago and will be tried later"
    if one["given_up"]:
        what = counted(one["given_up"], "file was", "files were")
        yield f"{what} given up (censusctl problems {name}, censusctl retry {name})"


def _where(one: Answer) -> str:
    scope = one.get("scope", "/")
    return one["repository"] if scope == "/" else f"{one['repository']}:{visible(scope)}"


def _refused(one: Answer) -> str:
    text = visible(str(refusal(one, one["code"])))
    return text if text.startswith(one["repository"]) else f"{one['repository']}: {text}"


def _outlook(time: str | None, now: str) -> str:
    """When a file is tried again."""
    text = relative(time, now)
    return f"tried again {text if text.startswith('in ') else 'soon'}"


_CONDITIONS: Final = {
    "database": "the database",
    "hours": "the time of day",
    "changes": "changes",
    "cpu": "busy processors",
    "io": "busy disks",
    "stuck": "a disk that does not answer",
}
