"""Raw fanotify records become the same few marks that ``censusd.watch.coalesce`` makes of inotify's.

The hot loop of the fanotify emitter. Everything that happens in a whole file system comes by here, so what is not in
the repository has to be let go of after one look into a dictionary.
"""

from __future__ import annotations

from typing import Final

from censusd.watch.coalesce import Coalescer, Half
from censusd.watch.fanotify_kernel import (
    FAN_CLOSE_WRITE,
    FAN_CREATE,
    FAN_MOVED_FROM,
    FAN_MOVED_TO,
    FAN_ONDIR,
    FAN_Q_OVERFLOW,
    FAN_RENAME,
    INFO_HEADER_SIZE,
    INFO_NEW,
    INFO_SIZE,
    METADATA_SIZE,
    RECORD_SIZE,
    unpack_info,
    unpack_record,
)
from censusd.watch.folders import Folder, Folders

_UNUSUAL: Final = FAN_ONDIR | FAN_RENAME | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_Q_OVERFLOW
_KEY_AT: Final = METADATA_SIZE + INFO_HEADER_SIZE
_PADDING: Final = bytes(RECORD_SIZE)
_ITSELF: Final = b"."


class HandleEvents:
    """Adds what is read from one fanotify group to the batch that a coalescer is making.

    Not locked: its owner sees to that.

    Args:
        coalescer: whose pending batch it is.
        folders: which directory is in the repository, and where.
    """

    def __init__(self, coalescer: Coalescer, folders: Folders) -> None:
        self._coalescer = coalescer
        self._folders = folders

    def absorb(self, buffer: bytes) -> int:
        """Add everything in ``buffer``, which holds whole records, to the pending batch; how many there were."""
        known, find = self._folders.known, self._folders.find
        names_of = self._coalescer.pending.names
        count = position = 0
        end = len(buffer)
        buffer += _PADDING  # so that a short record at the end can be unpacked like any other
        while position < end:
            length, mask, handle_bytes = unpack_record(buffer, position)
            start = position
            position += length
            count += 1
            if mask & _UNUSUAL or length < RECORD_SIZE:
                self._unusual(buffer, start, mask, length)
                continue
            name_at = start + RECORD_SIZE + handle_bytes
            key = buffer[start + _KEY_AT : name_at]
            folder = known[key] if key in known else find(key)
            if folder is None:
                continue
            names = names_of.get(folder)
            if names is None:
                names = names_of[folder] = {}
            name = buffer[name_at:position]
            if mask & FAN_CLOSE_WRITE:
                names[name] = True
            elif name not in names:
                names[name] = False
        self._coalescer.counted(count)
        return count

    def _unusual(self, buffer: bytes, start: int, mask: int, length: int) -> None:
        if mask & FAN_Q_OVERFLOW:
            self._coalescer.overflowed()
            self._folders.forget()  # a rename may be among what was lost
        elif length >= RECORD_SIZE:
            places = self._places(buffer, start + METADATA_SIZE, start + length)
            self._named(mask, places)
            moved = mask & (FAN_RENAME | FAN_MOVED_FROM | FAN_MOVED_TO)
            if moved and mask & FAN_ONDIR and any(folder for folder, _, _ in places):
                self._folders.forget()

    def _places(self, buffer: bytes, start: int, end: int) -> list[tuple[Folder | None, bytes, bool]]:
        """Each directory that a record names, with the name in it, and whether something came to be there."""
        places = []
        while start < end:
            kind, length, handle_bytes = unpack_info(buffer, start)
            name_at = start + INFO_SIZE + handle_bytes
            folder = self._folders.find(buffer[start + INFO_HEADER_SIZE : name_at])
            places.append((folder, buffer[name_at : start + length], kind == INFO_NEW))
            start += length
        return places

    def _named(self, mask: int, places: list[tuple[Folder | None, bytes, bool]]) -> None:
        """A directory's name, or a rename."""
        pending = self._coalescer.pending
        halves: list[Half] = []
        for folder, name, is_new in places:
            if folder is None:
                continue
            if mask & FAN_ONDIR and name.rstrip(b"\0") == _ITSELF:
                pending.themselves[folder] = None
                continue
            pending.names.setdefault(folder, {}).setdefault(name, False)
            halves.append((folder, name))
            if mask & FAN_ONDIR and (is_new or mask & (FAN_CREATE | FAN_MOVED_TO)):
                pending.subtrees[folder, name] = None
        if mask & FAN_RENAME and len(halves) == len(("old", "new")):
            pending.renames.append((halves[0], halves[1]))
