"""Files and directories whose grace period is over, and whether they are deleted and nothing else is."""

from __future__ import annotations

from typing import Final

from tests.faults.arena import Arena
from tests.faults.workload import STAY

_OUTLIVED: Final = "long gone"
_ROWS: Final = """
WITH place AS (
    SELECT d.*, '{what}/' || gen_random_uuid() AS inner_name FROM directories d, generate_series(1, 3)
     WHERE d.path = '{where}'
), inner_ones AS (
    INSERT INTO directories (repository_id, parent_id, device, inode, change_number, state, missing_since, name, path)
    SELECT repository_id, id, device, -nextval('directory_ids'), change_number, 1, now() - interval '{days} days',
           inner_name, path || '/' || inner_name
      FROM place
    RETURNING *
)
INSERT INTO files (repository_id, directory_id, size, mtime_ns, ctime_ns, inode, change_number, links, state,
                   missing_since, name)
SELECT repository_id, id, 0, 0, 0, -nextval('file_ids'), change_number, 1, 1, now() - interval '{days} days',
       '{what}/' || gen_random_uuid()
  FROM (SELECT repository_id, id, change_number FROM place
        UNION ALL SELECT repository_id, id, change_number FROM inner_ones) each_one
"""

MADE_UP: Final = tuple(
    _ROWS.format(what=what, where=STAY.decode(), days=days) for what, days in ((_OUTLIVED, 60), ("not long gone", 20))
)
"""Statements that make up rows of what has been missing for longer than the grace period of 30 days, and for less.

A name with a slash is none that anything else could have, and so is an inode number below zero.
"""

_PURGED: Final = """
  FROM witness w
 CROSS JOIN LATERAL (SELECT state, name FROM witness b WHERE b.what = 'file' AND b.id = w.id AND b.number < w.number
                      ORDER BY number DESC LIMIT 1) last
 WHERE w.what = 'file' AND w.state IS NULL AND last.state = 1
"""
"""A file that gets the row back that it had before has another one deleted; but that one is not missing."""

_DELETED: Final = f"""
SELECT last.name, w.id {_PURGED} AND NOT starts_with(last.name, '{_OUTLIVED}/')
UNION ALL
SELECT w.name, w.id FROM witness w
 WHERE w.what = 'directory' AND strpos(w.name, '/{_OUTLIVED}/') = 0
   AND NOT EXISTS (SELECT FROM directories d WHERE d.repository_id = w.repository AND d.id = w.id)
"""

_LEFT: Final = f"""
SELECT name, id FROM files WHERE starts_with(name, '{_OUTLIVED}/')
UNION ALL
SELECT name, id FROM directories WHERE starts_with(name, '{_OUTLIVED}/')
"""

_COUNTED: Final = f"""
SELECT (SELECT count(*) {_PURGED}), (SELECT coalesce(sum(files_purged), 0) FROM sync_operations)
"""


def left(arena: Arena) -> list[str]:
    """What is made up and has to be deleted, and has not been; a line each."""
    return [f"{name!r} (row {row}) is still there" for name, row in arena.query(_LEFT)]


def wrongly_deleted(arena: Arena) -> list[str]:
    """What was missing, or a directory, and was deleted although its grace period was not over; a line each."""
    return [f"{name!r} (row {row}) was deleted" for name, row in arena.query(_DELETED)]


def counted(arena: Arena) -> tuple[int, int]:
    """How many files were deleted because they had been missing for long, and how many the journal says were."""
    [(deleted, journalled)] = arena.query(_COUNTED)
    return deleted, journalled
