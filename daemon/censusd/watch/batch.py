"""What one reading of the watch amounts to, on its way from the emitter to the handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from watchdog.events import EVENT_TYPE_MODIFIED, FileSystemEvent

from censusd.watch.barrier import Barrier, BarrierOutcome

Place = tuple[str, str]
"""A directory's relative path, and a name in it."""


@dataclass(slots=True)
class Batch:
    """Everything that happened since the last batch, coalesced. All of it hints: only a look at the disk is true.

    Attributes:
        names: directory -> names in it that something happened to; True where a writer has closed the file.
        directories: directories that something happened to as such, and whose parents cannot tell: the root.
        subtrees: directories that came into being, or came here: whatever is in them may never have been seen, and
            nothing in them is watched until somebody walks them.
        renames: where names went, as far as the kernel said: (from, to). Both are in ``names``, too.
        overflows: how often the kernel threw events away. Then anything may have changed.
        everything: whether more was going on than a batch can hold. Then anything may have changed, too.
        root_changes: sentences on what happened to the root, or to a mount below it, as such.
        uncovered: a sentence for people, when directories could not be watched.
        failure: a sentence for people, when the watch broke down; nothing comes after it.
        barriers: those that this batch releases, and how, once everything above has been dealt with.
    """

    names: dict[str, dict[str, bool]] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    subtrees: list[str] = field(default_factory=list)
    renames: list[tuple[Place, Place]] = field(default_factory=list)
    overflows: int = 0
    everything: bool = False
    root_changes: list[str] = field(default_factory=list)
    uncovered: str = ""
    failure: str = ""
    barriers: list[tuple[Barrier, BarrierOutcome]] = field(default_factory=list)


class BatchEvent(FileSystemEvent):
    """Says that a batch is waiting; goes through watchdog's queue like any other event.

    It carries the way to the batch, not the batch: as long as nobody takes it, the emitter goes on adding to the same
    one. So there is at most one of these in the queue per emitter, and a slow handler gets fewer, larger batches.

    To handlers that know nothing of it, it is a modification of the root.
    """

    event_type = EVENT_TYPE_MODIFIED
    is_directory = True

    def __init__(self, root: str, take: Callable[[], Batch]) -> None:
        super().__init__(root)
        self.event_type = EVENT_TYPE_MODIFIED
        self.is_directory = True
        self.take = take

    # watchdog's queue drops an event that equals the one before it. Two batches of one repository are never equal.
    __eq__ = object.__eq__
    __hash__ = object.__hash__
