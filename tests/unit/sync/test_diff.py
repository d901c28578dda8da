"""A look compared with rows: whatever is seen, following the difference leads from the rows to the disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.model import (
    Effect,
    FileEntry,
    FileState,
    KnownDirectory,
    KnownFile,
    Listing,
    Problem,
    ProblemKind,
    SubdirectoryEntry,
    pack,
)
from censusd.sync.diff import diff_files, diff_subdirectories, effect_of

PRESENT, MISSING, IGNORED = (int(state) for state in FileState)
TROUBLE = Problem(ProblemKind.IO, "Input/output error (EIO)")
DEVICE = 7

names = st.sampled_from("abcdef")
numbers = st.integers(1, 2)


@st.composite
def looks(draw: st.DrawFn) -> Listing:
    """A listing, complete or by name: each name a file, a directory, hidden, unknown or absent."""
    files: list[FileEntry] = []
    directories: list[SubdirectoryEntry] = []
    hidden, unknown, looked = set(), {}, set()
    for name in "abcdef":
        kind = draw(st.sampled_from(("file", "directory", "hidden", "unknown", "absent", "not looked at")))
        if kind == "file":
            files.append((name, draw(numbers), draw(numbers), draw(numbers), draw(numbers), draw(numbers)))
        elif kind == "directory":
            directories.append((name, draw(st.integers(0, 2))))
        elif kind == "hidden":
            hidden.add(name)
        elif kind == "unknown":
            unknown[name] = TROUBLE
        if kind != "not looked at":
            looked.add(name)
    return Listing(
        device=DEVICE,
        inode=99,
        birth_ns=1,
        packed=[pack(files)],
        subdirectories=directories,
        hidden=frozenset(hidden),
        unknown=unknown,
        count=len(files),
        looked=draw(st.sampled_from((None, frozenset(looked)))),
    )


@st.composite
def rows(draw: st.DrawFn) -> list[KnownFile]:
    known = []
    for number, name in enumerate(sorted(draw(st.sets(names)))):
        stat = (draw(numbers), draw(numbers), draw(numbers), draw(numbers), draw(numbers))
        known.append((1, number, draw(st.sampled_from((PRESENT, MISSING, IGNORED))), name, *stat))
    return known


@st.composite
def directory_rows(draw: st.DrawFn) -> list[KnownDirectory]:
    return [
        KnownDirectory(
            id=number,
            parent_id=99,
            name=name,
            path=name,
            device=draw(st.sampled_from((DEVICE, 8))),
            inode=draw(st.integers(0, 2)),
            birth_ns=1,
            state=draw(st.sampled_from((PRESENT, MISSING, IGNORED))),
            digest=b"d",
            troubled=False,
        )
        for number, name in enumerate(sorted(draw(st.sets(names))))
    ]


def expected_state(listing: Listing, name: str, there: bool, before: int | None) -> int | None:
    """What the state of a name's row has to be after a look, from what was seen alone."""
    if (listing.looked is not None and name not in listing.looked and not there) or name in listing.unknown:
        return before
    if there:
        return PRESENT
    if before is None or before == MISSING:
        return before
    return IGNORED if name in listing.hidden else MISSING


@given(looks(), rows(), st.sets(names))
def test_following_the_difference_leads_to_the_disk(
    listing: Listing, known: list[KnownFile], rewritten: set[str]
) -> None:
    diff = diff_files(listing, known, rewritten)
    result: dict[str, tuple[int, FileEntry]] = {row[3]: (row[2], row[3:]) for row in known}
    touched: list[str] = []
    for entry in diff.new:
        assert entry[0] not in result
        result[entry[0]] = (PRESENT, entry)
        touched.append(entry[0])
    for entry, row in (*diff.created, *diff.replaced, *((entry, row) for entry, row, _ in diff.updated)):
        assert row[3] == entry[0]
        result[entry[0]] = (PRESENT, entry)
        touched.append(entry[0])
    for gone, becomes in ((diff.absent, MISSING), (diff.ignored, IGNORED)):
        for row in gone:
            assert row[2] != MISSING
            result[row[3]] = (becomes, row[3:])
            touched.append(row[3])
    assert len(touched) == len(set(touched))
    on_disk = {entry[0]: entry for entry in listing.files()}
    before = {row[3]: row[2] for row in known}
    for name in "abcdef":
        state = expected_state(listing, name, name in on_disk, before.get(name))
        assert result.get(name, (None, None))[0] == state
        if name in on_disk:
            assert result[name][1] == on_disk[name]
    # What is counted as unchanged is as it was, and was not written to.
    as_it_was = {row[3] for row in known if row[2] == PRESENT and on_disk.get(row[3]) == row[3:]}
    looked = as_it_was if listing.looked is None else as_it_was & listing.looked
    assert diff.unchanged == len(looked - rewritten)
    assert not (looked - rewritten) & set(touched)
    assert bool(diff) == bool(touched)


@given(looks(), rows(), st.sets(names))
def test_content_is_trusted_only_if_nothing_speaks_against_it(
    listing: Listing, known: list[KnownFile], rewritten: set[str]
) -> None:
    for entry, row, effect in diff_files(listing, known, rewritten).updated:
        same_times = entry[1:3] == row[4:6]
        same_version = entry[1:5] == row[4:8]
        if not same_times:
            assert effect is Effect.CONTENT
        elif not same_version or entry[0] in rewritten:
            assert effect is Effect.VERIFY
        else:
            assert effect is Effect.NONE


def row(state: int = PRESENT, *, inode: int = 5, mtime: int = 2, ctime: int = 3, links: int = 1) -> KnownFile:
    return (1, 42, state, "a", 1, mtime, ctime, inode, links)


def seen(inode: int = 5, mtime: int = 2, ctime: int = 3, links: int = 1) -> Listing:
    entry = ("a", 1, mtime, ctime, inode, links)
    return Listing(device=DEVICE, inode=99, birth_ns=1, packed=[pack([entry])], subdirectories=[])


def test_another_inode_at_a_present_name_may_have_come_from_elsewhere() -> None:
    diff = diff_files(seen(inode=6), [row()])
    assert [known for _, known in diff.replaced] == [row()]


def test_a_file_that_is_back_as_it_was_is_the_same_one() -> None:
    diff = diff_files(seen(), [row(MISSING)])
    assert [(known, effect) for _, known, effect in diff.updated] == [(row(MISSING), Effect.NONE)]


@pytest.mark.parametrize("change", [{"inode": 6}, {"mtime": 9}, {"ctime": 9}])
def test_anything_else_at_the_name_of_a_missing_file_may_have_come_from_elsewhere(change: dict[str, int]) -> None:
    diff = diff_files(seen(**change), [row(MISSING)])
    assert [known for _, known in diff.created] == [row(MISSING)]


def test_another_link_changes_the_row_and_not_the_content() -> None:
    assert [effect for _, _, effect in diff_files(seen(links=2), [row()]).updated] == [Effect.NONE]


def test_a_writer_closed_it() -> None:
    assert [effect for _, _, effect in diff_files(seen(), [row()], {"a"}).updated] == [Effect.VERIFY]


def test_older_is_different_too() -> None:
    assert effect_of(("a", 1, 1, 3, 5, 1), row()) is Effect.CONTENT


@pytest.mark.parametrize("known", [[], [row()]])
def test_a_name_that_was_listed_twice_has_one_row(known: list[KnownFile]) -> None:
    # It was removed and made again while the directory was read, and some file systems then give it twice.
    twice = [("b", 1, 2, 3, 4, 1), ("b", 9, 9, 9, 5, 1)]
    listing = Listing(device=DEVICE, inode=99, birth_ns=1, packed=[pack(twice)], subdirectories=[])
    assert diff_files(listing, known).new == twice[1:]


@given(looks(), directory_rows())
def test_following_the_difference_leads_to_the_subdirectories(listing: Listing, known: list[KnownDirectory]) -> None:
    diff = diff_subdirectories(listing, known)
    result: dict[str, int] = {child.name: child.state for child in known}
    touched = [child.name for child in (*diff.present, *diff.restored, *diff.absent, *diff.ignored)]
    touched += [entry[0] for entry, _ in diff.created]
    assert len(touched) == len(set(touched))
    for name in [entry[0] for entry, _ in diff.created] + [child.name for child in (*diff.restored, *diff.present)]:
        result[name] = PRESENT
    for child in diff.absent:
        result[child.name] = MISSING
    for child in diff.ignored:
        result[child.name] = IGNORED
    on_disk = dict(listing.subdirectories)
    before = {child.name: child.state for child in known}
    for name in "abcdef":
        assert result.get(name) == expected_state(listing, name, name in on_disk, before.get(name))
    assert all(child.state == PRESENT for child in diff.present)
    assert diff.waits == bool(diff.absent or diff.ignored)
    # A row stands for another directory only if that is certain.
    for entry, occupant in diff.created:
        if occupant is not None and occupant.state == PRESENT:
            assert 0 not in {entry[1], occupant.inode}
            assert occupant.device == DEVICE
            assert occupant.inode != entry[1]
    for child in diff.present:
        inode = on_disk[child.name]
        assert child.inode == inode or 0 in {child.inode, inode} or child.device != DEVICE
