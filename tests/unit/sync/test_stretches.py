"""Where two listings differ: whatever happened, comparing only there finds what comparing everything does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from censusd.filesystem.listing import _digests, _stretches
from censusd.model import STRETCH_DIGEST, WHOLE_DIGEST, FileEntry, FileState, KnownFile, Listing, pack
from censusd.sync.diff import FileDiff, diff_files
from censusd.sync.stretches import AFTER_ALL, difference

POLICY = b"policy"
NAMES = [f"{start}{number:02}{end}" for start in ("a", "é", "z" * 250) for number in range(20) for end in ("", "/3")]
ON_DISK = [name for name in NAMES if not name.endswith("/3")]

entries = st.tuples(
    st.sampled_from(ON_DISK),
    st.integers(0, 1),
    st.just(5),
    st.just(6),
    st.integers(1, 2),
    st.just(1),
)
listings = st.lists(entries, unique_by=lambda entry: entry[0], max_size=50)


def listed(files: list[FileEntry], policy: bytes = POLICY, hidden: frozenset[str] = frozenset()) -> Listing:
    """A complete listing of a directory with these files."""
    packed = [pack(stretch) for stretch in _stretches(list(files))]
    digest = bytes(WHOLE_DIGEST) + _digests(packed, policy)
    return Listing(1, 2, 3, packed, [], hidden=hidden, count=len(files), digest=digest)


def rows_of(files: list[FileEntry], others: dict[str, FileState]) -> list[KnownFile]:
    """The rows that follow from a listing, and what is on record beside them."""
    present = [(1, number, FileState.PRESENT.value, *entry) for number, entry in enumerate(files)]
    taken = {entry[0] for entry in files}
    beside = [
        (1, 1000 + number, state.value, name, 0, 5, 6, 1, 1)
        for number, (name, state) in enumerate(others.items())
        if name not in taken
    ]
    return present + beside


def found(diff: FileDiff) -> tuple[object, ...]:
    return (
        sorted(diff.new),
        sorted(diff.created),
        sorted(diff.replaced),
        sorted(diff.updated),
        sorted(diff.absent),
        sorted(diff.ignored),
    )


def found_in_part(known: list[KnownFile], before: Listing, after: Listing) -> tuple[FileDiff, int]:
    """The difference by way of the stretches, and how many rows it took."""
    part = difference(before.digest, after)
    if part is None:
        return diff_files(after, known), len(known)
    rows = [row for row in known if any(low < row[3] < high for low, high in part.between)]
    return diff_files(after, rows, files=part.files), len(rows)


@given(listings, listings, st.dictionaries(st.sampled_from(NAMES), st.just(FileState.MISSING)))
def test_nothing_is_overlooked(old: list[FileEntry], new: list[FileEntry], gone: dict[str, FileState]) -> None:
    before, after = listed(old), listed(new)
    known = rows_of(before.files(), gone)
    assert found(found_in_part(known, before, after)[0]) == found(diff_files(after, known))


@given(listings, st.sets(st.sampled_from(ON_DISK), max_size=2), st.lists(entries, max_size=2))
def test_nor_where_little_happened(old: list[FileEntry], removed: set[str], written: list[FileEntry]) -> None:
    by_name = {entry[0]: entry for entry in old if entry[0] not in removed}
    new = list((by_name | {entry[0]: entry for entry in written}).values())
    before, after = listed(old), listed(new)
    known = rows_of(before.files(), {})
    assert found(found_in_part(known, before, after)[0]) == found(diff_files(after, known))


def files_of(number: int) -> list[FileEntry]:
    return [(f"img_{each:05}.jpg", 1, 5, 6, each + 1, 1) for each in range(number)]


def test_one_change_takes_few_rows() -> None:
    files = files_of(1000)
    before, taken = listed(files), []
    for place in range(1000):
        changed = list(files)
        changed[place] = (files[place][0], 2, *files[place][2:])
        diff, rows = found_in_part(rows_of(files, {}), before, listed(changed))
        assert len(diff.updated) == 1
        taken.append(rows)
        diff, rows = found_in_part(rows_of(files, {}), before, listed(files[:place] + files[place + 1 :]))
        assert len(diff.absent) == 1
        taken.append(rows)
    assert sum(taken) / len(taken) < 50


def test_nothing_is_compared_where_nothing_happened() -> None:
    seen = listed(files_of(100))
    part = difference(seen.digest, seen)
    assert part is not None
    assert (part.between, part.files) == ([], [])


def test_everything_is_compared_without_anything_to_trust() -> None:
    seen = listed(files_of(100))
    for digest in (None, b"", bytes(WHOLE_DIGEST), bytes(WHOLE_DIGEST + STRETCH_DIGEST), b"cut short"):
        assert difference(digest, seen) is None
    assert difference(listed(files_of(100), b"other rules").digest, seen) is None
    twisted = seen.digest[:WHOLE_DIGEST] + seen.digest[: WHOLE_DIGEST - 1 : -1]
    assert difference(twisted, seen) is None


def test_a_name_that_was_listed_twice_is_not_cut_in_two() -> None:
    files = sorted(entry for each in files_of(200) for entry in (each, (*each[:4], each[4] + 1000, 1)))
    for stretch in _stretches(files):
        names = [entry[0] for entry in stretch]
        assert all(names.count(name) == 2 for name in names)


def test_no_name_is_greater_than_the_end() -> None:
    assert ("\U0010ffff" * 63).encode() < AFTER_ALL.encode()
    assert max(NAMES) < AFTER_ALL
