"""What the names of conflict copies say: which program made them, and of which file. Pure.

Two versions of a file that were changed on two machines are both kept by programs that synchronise; the one that lost
is put beside the other under a name that these patterns know, as the programs' sources and manuals have it:

- Syncthing, ``lib/model/folder_sendrecv.go``: ``name.sync-conflict-20260131-235959-ABCDEFG.ext``; before 0.14 without
  the device at the end.
- Nextcloud and ownCloud, ``Utility::makeConflictFileName``: ``name (conflicted copy [user ]2026-01-31 235959).ext``,
  before 2.5 ``name_conflict-20260131-235959.ext``; ``name (case clash from 2026-01-31 235959).ext``.
- Dropbox's help: ``name (Ann's conflicted copy 2026-01-31).ext``, with a number behind the date if there are several;
  ``(Case Conflict)``, ``(Unicode Encoding Conflict)``, ``(Selective Sync Conflict)``, ``(white space conflict)``.
- Seafile, ``gen_conflict_path``: ``name (SFConflict [who ]2026-01-31-23-59-59).ext``; its server has ``2026-Jan-31``.
- rclone bisync's manual: ``name.conflict1.ext`` or ``name.ext.conflict1``; before 1.66 ``name.ext..path1``.
- Synology Drive's help: ``name_PC-7_Jan-31-2359-2026_CaseConflict_1.ext``; seconds and the number may be there or not.
- git-annex's manual: ``name.variant-1f2e.ext``, for each version, and no original.
- SecuriSync's help: ``name (Conflicted copy 2026-01-31 for ann).ext``.
- pCloud: ``name (conflicted).ext`` and ``name [conflicted].ext``.
- Resilio's help: ``name.Conflict.ext``; OneDrive: ``name-DESKTOP-AB12CD3.ext``; Google Drive, MEGA and browsers:
  ``name (1).ext``. These may be anybody's names, so that they say something only beside the original.

rsync and Unison make none: what they replace is gone, or a backup (``name~``).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_DAY: Final = r"\d{4}-\d\d-\d\d"
_EXTENSION: Final = r"(?P<extension>\.[^./ ()]*)?"


class ConflictCopy(NamedTuple):
    """What a name says.

    Attributes:
        program: who made it.
        original: the name of the file that it is a version of.
        is_certain: whether nobody else gives such names, so that it is one even if the original is gone.
    """

    program: str
    original: str
    is_certain: bool


_CERTAIN: Final = (
    ("Syncthing", r"\.sync-conflict-\d{8}-\d{6}(-[A-Z2-7]{7})?"),
    ("Nextcloud", rf" \((conflicted copy|case clash from) ([^()]* )?{_DAY} \d{{6}}\)"),
    ("Nextcloud", r"_conflict-\d{8}-\d{6}"),
    ("Dropbox", rf" \([^()]*\bconflicted copy( {_DAY})?( \d+)?\)"),
    ("Dropbox", r" \((case|unicode encoding|selective sync|white ?space|shared folder) conflict( \d+)?\)"),
    ("Seafile", r" \(SFConflict ([^()]* )?\d{4}-(\d\d|[A-Z][a-z]{2})-\d\d?-\d\d-\d\d-\d\d\)"),
    ("rclone", r"\.conflict\d+"),
    ("rclone", r"\.\.path[12]"),
    ("Synology Drive", r"_[^_]+_[A-Z][a-z]{2}-\d\d-\d{4}(\d\d)?-\d{4}_[a-z]*conflict(_\d+)?"),
    ("git-annex", r"\.variant-[0-9a-f]{4}"),
    ("SecuriSync", rf" \(conflicted copy {_DAY} for [^()]+\)"),
    ("pCloud", r" [\[(]conflicted[\])]"),
)
_BESIDE_THE_ORIGINAL: Final = (
    ("Resilio", r"\.conflict"),
    ("OneDrive", r"-(DESKTOP|LAPTOP)-[A-Z0-9]{7,8}"),
    ("Google Drive or a browser", r"( |(?<! ))\(\d{1,3}\)"),
)
_PATTERNS: Final = tuple(
    (program, is_certain, re.compile(rf"(?P<stem>.+){mark}{_EXTENSION}", re.IGNORECASE | re.DOTALL))
    for marks, is_certain in ((_CERTAIN, True), (_BESIDE_THE_ORIGINAL, False))
    for program, mark in marks
)


def conflict_copy(name: str) -> ConflictCopy | None:
    """What the name of a conflict copy says; None for any other name."""
    for program, is_certain, pattern in _PATTERNS:
        match = pattern.fullmatch(name)
        if match:
            return ConflictCopy(program, match["stem"] + (match["extension"] or ""), is_certain)
    return None
