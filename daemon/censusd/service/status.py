"""How the repositories and the deep scan stand, put together from who does the work, from rows and from counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from censusd.catalogue.content import Queue
from censusd.catalogue.repositories import RepositoryRecord
from censusd.deepscan.idle import Condition
from censusd.deepscan.scanner import Scanner
from censusd.deepscan.sites import SiteRules
from censusd.filesystem.names import text_of
from censusd.model import FileState, RepositoryState, ScanPhase, Strategy
from censusd.service.collector import Totals
from censusd.sync import ownership
from censusd.sync.standing import Phase
from censusd.sync.worker import Worker


class Level(StrEnum):
    """How much of a person's attention a repository wants."""

    FINE = "fine"
    BUSY = "busy"
    IDLE = "idle"
    """Somebody else looks after it."""
    WARNING = "warning"
    TROUBLE = "trouble"


_LEVELS: Final[Mapping[Phase, Level]] = {
    Phase.STARTING: Level.BUSY,
    Phase.STANDBY: Level.IDLE,
    Phase.SCANNING: Level.BUSY,
    Phase.WATCHING: Level.FINE,
    Phase.OFFLINE: Level.TROUBLE,
    Phase.WAITING: Level.TROUBLE,
    Phase.TROUBLED: Level.TROUBLE,
    Phase.STOPPED: Level.TROUBLE,
}


def repository_status(
    worker: Worker,
    record: RepositoryRecord | None,
    totals: Totals | None,
    next_run: datetime | None,
    deep: dict[str, Any] | None = None,
    silent: float | None = None,
) -> dict[str, Any]:
    """Everything that people want to know of one repository, fit for JSON.

    Args:
        worker: who looks after it.
        record: its row, the newest that could be read; None if there is none.
        totals: what was counted last, if it was.
        next_run: when the next pass is scheduled, if this daemon has scheduled one.
        deep: what the deep scan still has before it; see ``site_status``.
        silent: for how many seconds its worker has waited for a disk or the database, if that is long.
    """
    phase, why = worker.phase, worker.why
    watch = _watch(worker)
    notes = _notes(worker.name, phase, why, record, totals, watch)
    if deep and deep["given_up"]:
        what = "1 file" if deep["given_up"] == 1 else f"{deep['given_up']:,} files"
        notes.append(f"{what} could not be read in three attempts: censusctl problems {worker.name}")
    if silent is not None:
        notes.append(
            f"its disk, or the database, has not answered for {silent:.0f} s: what is on record stays, and it goes on "
            "as soon as there is an answer"
        )
    level = _LEVELS[phase]
    if level in {Level.FINE, Level.BUSY} and notes:
        level = Level.WARNING
    return {
        "name": worker.name,
        "root": text_of(bytes(worker.terms.rules.root)),
        "level": level,
        "phase": phase,
        "why": why,
        "notes": notes,
        "owned": worker.repository is not None,
        "watch": watch,
        "dirty_marks": len(worker.dirty_set),
        "dirty_oldest_seconds": round(worker.dirty_set.oldest_age(), 3),
        "pass": _pass(worker, record, totals),
        "totals": _totals(totals),
        "deep_scan": deep,
        **_recorded(record, next_run),
    }


def deep_scan_status(
    scanner: Scanner | None,
    sites: Mapping[str, SiteRules],
    queues: Mapping[str, Mapping[Strategy, Queue]],
    workers: Mapping[str, int],
    database: str,
) -> dict[str, Any] | None:
    """How the deep scan stands, fit for JSON; None if there is none yet.

    Args:
        scanner: this process's.
        sites: how repositories are deep-scanned, by name.
        queues: what was counted last, by repository and what is done about it.
        workers: who is at files, in all processes, and at how many.
        database: why the database cannot be asked, or empty.
    """
    if scanner is None:
        return None
    status = scanner.status()
    if database and scanner.condition is not Condition.OFF:
        status |= {"condition": Condition.DATABASE, "why": database}
    own = ownership.own_name()
    counted = [site_status(rules, queues.get(name)) or {} for name, rules in sites.items()]
    counts = ("backlog", "backlog_bytes", "on_demand", "on_demand_bytes", "given_up")
    return status | {
        **{count: sum(one.get(count, 0) for one in counted) for count in counts},
        "workers": [
            {"name": owner_name(worker), "own": worker == own, "files": files} for worker, files in workers.items()
        ],
    }


def site_status(rules: SiteRules | None, queues: Mapping[Strategy, Queue] | None) -> dict[str, Any] | None:
    """What the deep scan still has before it in a repository; None if it is never deep-scanned, or nothing is known.

    What is looked at only if somebody asks, or never, is no backlog.
    """
    if rules is None or queues is None:
        return None
    queue, on_demand = queues[Strategy.AUTO], queues[Strategy.ON_DEMAND]
    return {
        "automatic": rules.automatic,
        "backlog": queue.backlog,
        "backlog_bytes": queue.backlog_bytes,
        "taken": queue.taken,
        "later": queue.later,
        "on_demand": on_demand.backlog,
        "on_demand_bytes": on_demand.backlog_bytes,
        "never": queues[Strategy.NEVER].files,
        "given_up": queue.given_up + on_demand.given_up,
    }


def owner_name(owner: str) -> str:
    """A lease's owner as people call it; see ``censusd.sync.ownership``."""
    host, _, rest = owner.partition("/")
    return f"{host} (process {rest.partition('/')[0]})" if rest else host


def iso(time: datetime | None) -> str | None:
    """A time in ISO 8601."""
    return time.isoformat() if time is not None else None


def _recorded(record: RepositoryRecord | None, next_run: datetime | None) -> dict[str, Any]:
    if record is None:
        return {"state": None, "next_pass_at": iso(next_run)}
    return {
        "state": record.state,
        "state_reason": record.state_reason,
        "state_since": iso(record.state_since),
        "owner": owner_name(record.lease_owner) if record.lease_owner else None,
        "dirty_since": iso(record.dirty_since),
        "dirty_reason": record.dirty_reason,
        "last_pass_at": iso(record.last_pass_at),
        "next_pass_at": iso(next_run or record.next_reconciliation_at),
        "reconcile_interval": record.reconcile_interval,
        "change_number": record.change_number,
        "scan_generation": record.scan_generation,
    }


def _watch(worker: Worker) -> dict[str, Any] | None:
    upkeep = worker.upkeep
    watching = upkeep.watching if upkeep else None
    if watching is None:
        return None
    stats = watching.stats()
    found: dict[str, Any] = {
        "tier": watching.name,
        "reason": watching.decision.reason,
        "complete": watching.complete,
        "polls": watching.polls,
        "refused": watching.refused,
    }
    if stats is not None:
        found |= {
            "used": stats.watches,
            "needed": stats.watches + stats.uncovered,
            "limit": stats.limit,
            "marks": stats.marks,
            "refusals": list(stats.refusals),
            "uncovered": stats.uncovered,
            "events": stats.events,
            "overflows": stats.overflows,
            "failure": stats.failure,
        }
    return found


def _pass(worker: Worker, record: RepositoryRecord | None, totals: Totals | None) -> dict[str, Any] | None:
    upkeep = worker.upkeep
    progress = upkeep.progress if upkeep else None
    if progress is None:
        return None
    counts = progress.counts
    # During the first pass, what was counted grows along with it, and says nothing about how much is left.
    known = totals is not None and record is not None and record.scan_generation > 0
    return {
        "scope": progress.scope,
        "files": counts.files_scanned,
        "files_expected": totals.number(FileState.PRESENT) if known and totals and progress.scope == "/" else None,
        "files_per_second": round(progress.files_per_second, 1),
        "directories": counts.directories,
        "changed": counts.changed,
        "problems": counts.problems,
        "seconds": round(progress.seconds, 1),
    }


def _totals(totals: Totals | None) -> dict[str, int] | None:
    if totals is None or totals.change_number < 0:
        return None
    sizes = (size for (state, _), (_, size) in totals.files.items() if state == FileState.PRESENT)
    return {
        "files": totals.number(FileState.PRESENT),
        "bytes": sum(sizes),
        "deep": totals.number(FileState.PRESENT, ScanPhase.DEEP),
        "missing": totals.number(FileState.MISSING),
        "ignored": totals.number(FileState.IGNORED),
        "directories": totals.directories,
        "problems": totals.problems,
        "corrupt": totals.corrupt,
    }


def _notes(
    name: str,
    phase: Phase,
    why: str,
    record: RepositoryRecord | None,
    totals: Totals | None,
    watch: dict[str, Any] | None,
) -> list[str]:
    """What wants a person's attention, a sentence each, with what to do about it."""
    notes = [f"{phase}: {why}"] if why else []
    if record is not None and record.state is RepositoryState.HELD:
        notes.append(f"deletions are held back: {record.state_reason} (censusctl release {name})")
    if phase is Phase.OFFLINE:
        notes.append(
            "nothing in it is touched until its root is back. "
            f"If this is the right root: censusctl release {name} accepts it as it is"
        )
    if record is not None and record.dirty_since is not None:
        notes.append(f"something may have been missed ({record.dirty_reason}): the next complete pass finds it")
    if watch and watch.get("uncovered"):
        notes.append(
            f"{watch['uncovered']:,} of {watch['needed']:,} directories are not watched but polled: "
            f"the limit of watches for this user is {watch['limit']:,}"
        )
    if watch and watch.get("failure"):
        notes.append(f"the watch broke down, and is about to be set up again: {watch['failure']}")
    if watch and watch["refused"]:
        notes.append(f"everything is polled for now: {watch['reason']}")
    if totals is not None and totals.corrupt:
        what = "1 file is" if totals.corrupt == 1 else f"{totals.corrupt:,} files are"
        notes.append(f"{what} corrupt, other than on record though nobody has changed it: censusctl problems {name}")
    if totals is not None and totals.problems:
        what = "1 directory" if totals.problems == 1 else f"{totals.problems:,} directories"
        notes.append(f"{what} cannot be read: censusctl problems {name}")
    return notes
