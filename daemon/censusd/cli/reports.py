"""The daemon's answers as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from censusd.cli import deep_reports
from censusd.cli.client import refusal
from censusd.cli.tables import counted, duration, number, relative, size, table, visible

Answer = Mapping[str, Any]

_CHANGES: Final = (
    ("files_added", "+"),
    ("files_updated", "~"),
    ("files_moved", ">"),
    ("directories_moved", ">>"),
    ("files_removed", "-"),
    ("files_ignored", "o"),
    ("files_purged", "x"),
)


_STATUS_DISPENSABLE: Final = ("DIRS", "ROOT", "WAITING", "NEXT", "WATCH", "SIZE", "LAST PASS")


def status(answer: Answer, width: int | None) -> str:
    """How the daemon and every repository stand."""
    daemon, database, now = answer["daemon"], answer["database"], answer["now"]
    lines = [f"censusd {daemon['version']}, process {daemon['pid']}, up {duration(daemon['seconds'])}"]
    if daemon["not_ready"]:
        lines.append(f"not ready: {visible(daemon['not_ready'])}")
    if daemon["fault"]:
        lines.append(visible(daemon["fault"]))
    if not database["available"]:
        as_of = f"; what is on record is shown as of {relative(database['as_of'], now)}" if database["as_of"] else ""
        lines.append(f"{visible(database['why'])}{as_of}")
    lines += deep_reports.standing(answer["deep_scan"])
    lines += deep_reports.describing(answer.get("describe"))
    repositories = answer["repositories"]
    if not repositories:
        return "\n".join([*lines, "no repositories yet"])
    headings = (
        *("REPOSITORY", "STATE", ">FILES", ">SIZE", ">DIRS", ">DEEP", "WATCH", ">WAITING", "LAST PASS", "NEXT", "ROOT"),
    )
    rows = [_status_row(one, now) for one in repositories]
    lines += ["", table(headings, rows, width, flexible=(10,), dispensable=_STATUS_DISPENSABLE)]
    for one in repositories:
        notes = [visible(note) for note in one["notes"]]
        if one["pass"]:
            notes.insert(0, _progress(one["pass"]))
        lines += [f"  {one['name']}: {note}" for note in notes]
    return "\n".join(lines)


def history(answer: Answer, width: int | None) -> str:
    """Settled work, the newest first."""
    now = datetime.now(UTC).isoformat()
    operations = answer["operations"]
    if not operations:
        return "nothing has been done yet"
    headings = ("WHEN", "REPOSITORY", "WORK", "TRIGGER", "STATUS", ">LOOKED AT", ">TOOK", "CHANGES", "WHERE")
    rows = [
        (
            relative(one["start_time"], now),
            one["repository"],
            one["operation_type"],
            one["trigger"],
            one["status"],
            number(one["files_scanned"]),
            duration(None if one["duration_ms"] is None else one["duration_ms"] / 1000),
            changes(one) or "-",
            visible(one["scope"]) + (f"  ({visible(one['error_message'])})" if one["error_message"] else ""),
        )
        for one in operations
    ]
    return table(headings, rows, width, flexible=(8,), dispensable=("TRIGGER", "LOOKED AT", "TOOK", "STATUS"))


def changes(counts: Answer) -> str:
    """What an operation changed: ``+3 ~1 -2``."""
    return " ".join(f"{sign}{counts[key]:,}" for key, sign in _CHANGES if counts.get(key))


def scans(answer: Answer) -> tuple[list[str], list[str]]:
    """What became of scans: lines of those that are fine, and of those that are not."""
    good, bad = [], []
    for one in answer["scans"]:
        name = one["repository"]
        if "code" in one:
            text = str(refusal(one, one["code"]))
            bad.append(visible(text if text.startswith(name) else f"{name}: {text}"))
        elif one["status"] == "accepted":
            good.append(f"{name}: {visible(one['scope'])} will be looked at")
        elif one["status"] == "completed":
            good.append(f"{name}: {_settled(one)}")
        else:
            bad.append(f"{name}: {one['status']}: {_settled(one)}. {visible(one.get('error') or '')}")
    return good, bad


def verified(answer: Answer) -> tuple[list[str], list[str]]:
    """What became of comparing every row with the disk: the lines of ``scans``, and what had to be repaired."""
    good, bad = scans(answer)
    for one in answer["scans"]:
        if repaired := one.get("repaired"):
            was = counted(repaired, "row was", "rows were")
            good.append(f"{one['repository']}: {was} wrong though nothing on disk had changed, and right now")
    return good, bad


def released(answer: Answer) -> str:
    """What became of a release."""
    name, why = answer["repository"], visible(answer["released"] or "held")
    if answer["status"] == "accepted":
        return f"{name}: what is there now will be taken as it is, although: {why}"
    return f"{name}: released; {_settled(answer)}"


def listing(answer: Answer, width: int | None) -> str:
    """What is in a directory: directories end in a slash, as ls -F has it."""
    rows = []
    for one in answer["entries"]:
        name = visible(one["name"])
        if one["kind"] == "directory":
            trouble = f"  ({visible(one['problem'])})" if one["problem"] else ""
            rows.append(("-", "", "", f"{name}/{trouble}"))
        else:
            rows.append((size(one["size"]), _minute(one["mtime"]), one["scan_phase"], name))
    return table((">SIZE", "CHANGED", "KNOWN", "NAME"), rows, width, flexible=(3,)) if rows else ""


def shown(answer: Answer) -> str:
    """All that is on record of one path."""
    parts, now = [], datetime.now(UTC).isoformat()
    for row in answer["rows"]:
        values = {"repository": answer["repository"], **row, "deep_scan": deep_reports.rule(row["deep_scan"])}
        for name in [name for name in values if name.endswith("_ns")]:
            nanoseconds = values.pop(name)
            values[name.removesuffix("_ns")] = row[name.removesuffix("_ns")] or f"{nanoseconds} ns"
        found: list[tuple[str, object]] = []
        if row["kind"] == "file":
            values["size"] = f"{size(row['size'])} ({row['size']:,} bytes)"
            for name in ("content_hash", "content", "attempt", "descriptions"):
                values.pop(name)
            found = list(deep_reports.content(row, now))
        else:
            values["path"] = row["path"] or "/"
            values["bytes"] = size(row["bytes"])
        rows = [
            (name.replace("_", " "), visible(str(value))) for name, value in (*values.items(), *found) if _says(value)
        ]
        widest = max(len(name) for name, _ in rows)
        parts.append("\n".join(f"{name:<{widest}}  {value}" for name, value in rows))
    return "\n\n".join(parts)


def problems(answer: Answer, width: int | None) -> str:
    """Directories and files that cannot be read, and pictures that cannot be described."""
    now = datetime.now(UTC).isoformat()
    rows = [
        (one["repository"], relative(one["since"], now), visible(one["problem"]), visible(one["path"]) or "/")
        for one in answer["problems"]
    ]
    files = [deep_reports.failure(one, now) for one in answer["files"]]
    pictures = [deep_reports.failure(one, now) for one in answer["pictures"]]
    corrupt = [deep_reports.damage(one, now) for one in answer["corrupt"]]
    if not rows and not files and not pictures and not corrupt:
        return "no problems: every directory and every file can be read"
    tables = []
    if corrupt:
        headings = ("REPOSITORY", "CORRUPT", "SHOULD BE", "IS", "FILE")
        tables.append(table(headings, corrupt, width, flexible=(2, 3, 4)))
    if rows:
        tables.append(
            table(("REPOSITORY", "SINCE", "PROBLEM", "DIRECTORY"), rows, width, flexible=(3, 2), dispensable=("SINCE",))
        )
    if files:
        tables.append(table(("REPOSITORY", "DEEP SCAN", "PROBLEM", "FILE"), files, width, flexible=(3, 2)))
    if pictures:
        tables.append(table(("REPOSITORY", "DESCRIBING", "PROBLEM", "PICTURE"), pictures, width, flexible=(3, 2)))
    return "\n\n".join(tables)


def _says(value: object) -> bool:
    return value is not None and value is not False and value != ""


def _status_row(one: Answer, now: str) -> tuple[str, ...]:
    totals, watch = one["totals"] or {}, one["watch"] or {}
    waiting = number(one["dirty_marks"])
    if one["dirty_marks"]:
        waiting += f" ({duration(one['dirty_oldest_seconds'])})"
    watched = watch.get("tier", "-")
    # A mark is for a whole file system, however many directories it has.
    if watch.get("used") is not None and (watch["uncovered"] or not watch["marks"]):
        watched += f" {watch['used']:,}" + (f"/{watch['needed']:,}" if watch["uncovered"] else "")
    return (
        one["name"],
        "held" if one["state"] == "held" else one["phase"],
        number(totals.get("files")),
        size(totals.get("bytes")),
        number(totals.get("directories")),
        deep_reports.share(one),
        watched,
        waiting,
        relative(one.get("last_pass_at"), now),
        relative(one["next_pass_at"], now) if one["next_pass_at"] else "-",
        visible(one["root"]),
    )


def _progress(one: Answer) -> str:
    expected = one["files_expected"]
    share = f" of about {expected:,} ({min(100, 100 * one['files'] // expected)} %)" if expected else ""
    return (
        f"looking at {visible(one['scope'])}: {one['files']:,}{share} files, {one['files_per_second']:,.0f}/s, "
        f"{one['directories']:,} directories, {one['changed']:,} changes, {one['problems']:,} problems, "
        f"for {duration(one['seconds'])}"
    )


def _settled(one: Answer) -> str:
    if "work" not in one:
        return "nothing to do"
    counts = {f"files_{name}": value for name, value in one.items()} | {"directories_moved": one["directories_moved"]}
    where = "" if one["scope"] == "/" else f"{visible(one['scope'])}: "
    problems = f", {counted(one['problems'], 'problem', 'problems')}" if one["problems"] else ""
    return (
        f"{where}{changes(counts) or 'nothing changed'}; {counted(one['files_scanned'], 'file', 'files')} in "
        f"{counted(one['directories'], 'directory', 'directories')}{problems}, {duration(one['seconds'])}"
    )


def _minute(time: str | None) -> str:
    """A file's time, in this machine's time zone, as ls has it."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M") if time else "?"
