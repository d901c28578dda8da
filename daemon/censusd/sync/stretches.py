"""Where a directory's listing differs from the one on record, told by the digests of its stretches.

A listing comes in stretches of a few files each, in the order of their names, and each has a digest. The stretches
that are as they were hold the rows between their first and last name for certain; only what lies between two such
stretches has to be read from the catalogue and compared. The row of an ignored file that has gone meanwhile may be
left out by that: it says nothing wrong about what is there, and a verifying pass or a change of the rules finds it.

Pure: nothing here reads a disk or a database.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from censusd.model import STRETCH_DIGEST, WHOLE_DIGEST, FileEntry, Listing, unpack

BEFORE_ALL: Final = ""
AFTER_ALL: Final = "\U0010ffff" * 64
"""Greater than every name, which has 255 bytes at the most: no more than 63 of these."""


@dataclass(slots=True)
class Difference:
    """What has to be compared of a directory.

    Attributes:
        between: ``(after, before)`` for each gap between names that are as they were, both excluded.
        files: what was seen in all of these.
    """

    between: list[tuple[str, str]]
    files: list[FileEntry]


def difference(known: bytes | None, seen: Listing) -> Difference | None:
    """What has to be compared, or None if that is everything.

    Args:
        known: the digest on record.
        seen: a complete listing.
    """
    old, new = _cut(known or b""), _cut(seen.digest)
    same = set(old).intersection(new)
    was = [at for at, digest in enumerate(old) if digest in same]
    now = [at for at, digest in enumerate(new) if digest in same]
    if not same or len(new) != len(seen.packed) or [old[at] for at in was] != [new[at] for at in now]:
        return None
    found = Difference([], [])
    ends = pairwise(zip([-1, *was, len(old)], [-1, *now, len(new)], strict=True))
    for (was_last, last), (was_next, following) in ends:
        if was_next - was_last > 1 or following - last > 1:
            after = unpack(seen.packed[last])[-1][0] if last >= 0 else BEFORE_ALL
            before = unpack(seen.packed[following])[0][0] if following < len(new) else AFTER_ALL
            found.between.append((after, before))
            for part in seen.packed[last + 1 : following]:
                found.files += unpack(part)
    return found


def _cut(digest: bytes) -> list[bytes]:
    """The stretches' digests out of a listing's."""
    return [digest[at : at + STRETCH_DIGEST] for at in range(WHOLE_DIGEST, len(digest), STRETCH_DIGEST)]
