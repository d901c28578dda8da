"""One directory as it is: what is in it, what is not, and whether anything changed."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.filesystem.ignore import DirectoryPolicy, IgnorePolicy
from censusd.filesystem.listing import OPEN_DIRECTORY, list_directory, look, slices
from censusd.filesystem.names import text_of
from censusd.model import FileEntry, Listing, ProblemKind
from tests.tools.private import apart, become_nobody, mount, privately
from tests.tools.tiny_fuse import tiny_fuse

DEFAULT = IgnorePolicy()


@contextmanager
def opened(path: Path) -> Iterator[int]:
    fd = os.open(path, OPEN_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def listing(path: Path, policy: IgnorePolicy = DEFAULT, **options: int) -> Listing:
    with opened(path) as fd:
        return list_directory(fd, policy.root(), **options)  # type: ignore[arg-type]


def looked(path: Path, *names: str, policy: DirectoryPolicy | None = None) -> Listing:
    with opened(path) as fd:
        return look(fd, names, policy or DEFAULT.root())


def entry(path: Path) -> FileEntry:
    found = path.lstat()
    return (text_of(os.fsencode(path.name)), *_numbers(found))


def _numbers(found: os.stat_result) -> tuple[int, int, int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_nlink


def make_one_of_each(directory: Path) -> None:
    (directory / "file").write_text("content")
    (directory / "sub").mkdir()
    (directory / "sub.tmp").mkdir()
    (directory / ".hidden").touch()
    (directory / "Thumbs.db").touch()
    (directory / "link").symlink_to("file")
    (directory / "link-to-directory").symlink_to("sub")
    (directory / "dangling").symlink_to("nothing")
    os.mkfifo(directory / "fifo")
    with socket.socket(socket.AF_UNIX) as listener, opened(directory) as fd:
        listener.bind(f"/proc/self/fd/{fd}/socket")  # the path of a socket must be short
    if os.geteuid() == 0:
        os.mknod(directory / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.mknod(directory / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 250))


def test_everything_has_its_place(tmp_path: Path) -> None:
    make_one_of_each(tmp_path)
    seen = listing(tmp_path)
    found = tmp_path.stat()
    assert (seen.device, seen.inode) == (found.st_dev, found.st_ino)
    assert seen.files() == [entry(tmp_path / "file")]
    assert seen.subdirectories == [("sub", (tmp_path / "sub").stat().st_ino)]
    assert seen.hidden == {"sub.tmp", ".hidden", "Thumbs.db"}
    assert seen.unknown == {}
    assert seen.count == 1
    assert seen.skipped == (7 if os.geteuid() == 0 else 5)
    assert seen.looked is None
    assert not seen.huge
    assert len(seen.digest) == 16 + 8 * len(seen.packed)


def test_to_look_at_every_name_is_to_list(tmp_path: Path) -> None:
    make_one_of_each(tmp_path)
    whole = listing(tmp_path)
    by_name = looked(tmp_path, *os.listdir(tmp_path), "absent")
    assert by_name.files() == whole.files()
    assert by_name.subdirectories == whole.subdirectories
    assert by_name.hidden == whole.hidden
    assert by_name.skipped == whole.skipped
    assert by_name.looked == frozenset([*os.listdir(tmp_path), "absent"])
    assert (by_name.device, by_name.inode, by_name.birth_ns) == (whole.device, whole.inode, whole.birth_ns)
    assert by_name.digest == b""


def test_what_leads_to_another_directory_is_no_entry(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/file").touch()
    seen = looked(tmp_path, "..", ".", "", "sub/file", "sub/", policy=IgnorePolicy(default_excludes=False).root())
    assert (seen.files(), seen.subdirectories, seen.hidden, seen.unknown) == ([], [], frozenset(), {})


def test_a_name_too_long_for_the_file_system_is_not_known_to_be_absent(tmp_path: Path) -> None:
    seen = looked(tmp_path, "x" * 300)
    assert seen.unknown["x" * 300].kind is ProblemKind.OTHER
    assert "ENAMETOOLONG" in seen.unknown["x" * 300].detail


@pytest.mark.parametrize(
    "name", [b"\xff\xfe", b"new\nline", b"\x1b[31m", b" ", b"-rf", "é".encode(), b"\\", b"x" * 255]
)
def test_any_name_is_listed_and_found_again(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.touch()
    assert listing(tmp_path).files() == [entry(path)]
    assert looked(tmp_path, text_of(name)).files() == [entry(path)]


@pytest.mark.parametrize("seconds", [-1, -(2**31), 0, 2**31, 2**33])
def test_any_time_is_kept(tmp_path: Path, seconds: int) -> None:
    file = tmp_path / "file"
    file.touch()
    os.utime(file, ns=(0, seconds * 10**9 + 123_456_789))
    [(_, _, mtime, *_)] = listing(tmp_path).files()
    assert mtime == file.stat().st_mtime_ns
    assert looked(tmp_path, "file").files() == listing(tmp_path).files()


def test_any_size_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    largest = 0
    for shift in range(30, 63):
        try:
            os.truncate(file, (1 << shift) - 1)
        except OSError:
            break
        largest = (1 << shift) - 1
    [(_, size, *_)] = listing(tmp_path).files()
    assert size == largest > 2**32


def test_hard_links_are_counted(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    os.link(tmp_path / "one", tmp_path / "other")
    assert [links for *_, links in listing(tmp_path).files()] == [2, 2]


def test_inode_numbers_that_mean_nothing_are_not_given(tmp_path: Path) -> None:
    make_one_of_each(tmp_path)
    seen = listing(tmp_path, stable_inodes=False)
    assert seen.inode == 0
    assert [inode for _, inode in seen.subdirectories] == [0]
    assert [inode for *_, inode, _ in seen.files()] == [0]


# The digest ---------------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["a", "b", "c", "d.tmp", "é"])
_CHANGES = st.tuples(
    st.sampled_from(["write", "append", "remove", "rename", "touch", "mkdir", "link", "chmod", "nothing", "symlink"]),
    _NAMES,
    _NAMES,
)


def _change(directory: Path, change: tuple[str, str, str]) -> None:
    what, one, other = change
    path = directory / one
    try:
        match what:
            case "write":
                path.write_text(other)
            case "append":
                with path.open("a") as file:
                    file.write(other)
            case "remove":
                path.rmdir() if path.is_dir() else path.unlink()
            case "rename":
                path.rename(directory / other)
            case "touch":
                os.utime(path)
            case "mkdir":
                path.mkdir()
            case "link":
                os.link(path, directory / other)
            case "chmod":
                path.chmod(0o600)
            case "symlink":
                path.symlink_to(other)
    except OSError:
        pass


def _everything(directory: Path) -> list[object]:
    """All that a digest has to tell apart, by other means."""
    found: list[object] = [directory.stat().st_ino]
    for path in sorted(directory.iterdir()):
        own = path.lstat()
        if path.name.endswith(".tmp") or stat.S_ISLNK(own.st_mode):
            continue
        numbers = own.st_ino if stat.S_ISDIR(own.st_mode) else _numbers(own)
        found.append((path.name, stat.S_ISDIR(own.st_mode), numbers))
    return found


@given(
    changes=st.lists(st.lists(_CHANGES, max_size=3), min_size=1, max_size=5), slice_size=st.sampled_from([2, 10_000])
)
def test_digests_are_equal_exactly_if_nothing_changed(
    tmp_path_factory: pytest.TempPathFactory, changes: list[list[tuple[str, str, str]]], slice_size: int
) -> None:
    directory = tmp_path_factory.mktemp("digest")
    seen = [(_everything(directory), listing(directory, slice_size=slice_size).digest)]
    for step in changes:
        for change in step:
            _change(directory, change)
        seen.append((_everything(directory), listing(directory, slice_size=slice_size).digest))
        assert listing(directory, slice_size=slice_size).digest == seen[-1][1]
    for one, one_digest in seen:
        for other, other_digest in seen:
            # A huge directory may be listed in another order, and then looked at in vain.
            if one != other or slice_size > 2:
                assert (one_digest == other_digest) == (one == other)
    shutil.rmtree(directory)


def test_another_directory_with_the_same_in_it_is_another(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    assert listing(tmp_path / "one").digest != listing(tmp_path / "other").digest


def test_another_policy_is_another_digest(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert listing(tmp_path).digest != listing(tmp_path, IgnorePolicy(exclude=["nothing"])).digest


# Huge directories ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("files", "huge"), [(0, False), (9, False), (10, True), (11, True), (35, True)])
def test_a_huge_directory_is_held_in_slices(tmp_path: Path, files: int, huge: bool) -> None:
    for number in range(files):
        (tmp_path / f"file-{number}").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").touch()
    seen = listing(tmp_path, slice_size=10)
    assert seen.huge is huge
    assert seen.count == files
    assert len(seen.files()) == (0 if huge else files)
    assert [name for name, _ in seen.subdirectories] == ["sub"]
    assert seen.hidden == {".hidden"}
    with opened(tmp_path) as fd:
        parts = list(slices(fd, DEFAULT.root(), slice_size=10))
    assert all(part.count == len(part.files()) <= 10 for part in parts)
    assert all(part.looked == frozenset(name for name, *_ in part.files()) for part in parts)
    assert sorted(found for part in parts for found in part.files()) == sorted(
        entry(tmp_path / f"file-{number}") for number in range(files)
    )
    assert [part.digest for part in parts[:-1]] == [b""] * (len(parts) - 1)
    assert (parts[-1].digest == seen.digest) is huge


def test_a_change_in_any_slice_is_in_the_digest(tmp_path: Path) -> None:
    for number in range(35):
        (tmp_path / f"file-{number}").touch()
    digests = {listing(tmp_path, slice_size=10).digest}
    for number in range(35):
        (tmp_path / f"file-{number}").write_text("x")
        digests.add(listing(tmp_path, slice_size=10).digest)
    assert len(digests) == 36


def test_a_listing_can_be_repeated_on_one_descriptor(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"file-{number}").touch()
    with opened(tmp_path) as fd:
        first = list_directory(fd, DEFAULT.root(), slice_size=10)
        next(slices(fd, DEFAULT.root(), slice_size=10))  # given up after one
        assert list_directory(fd, DEFAULT.root(), slice_size=10) == first


# What goes wrong ----------------------------------------------------------------------------------------------------


def test_a_directory_that_was_removed_is_not_an_empty_one(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with opened(gone) as fd:
        gone.rmdir()
        gone.mkdir()
        with pytest.raises(FileNotFoundError) as caught:
            list_directory(fd, DEFAULT.root())
    assert caught.value.errno == errno.ENOENT


def _not_ours(root: str, inode: str) -> None:
    become_nobody()
    path = Path(root)
    with opened(path) as fd:
        seen = list_directory(fd, DEFAULT.root())
        assert seen.unknown.keys() == {"file"}
        assert seen.unknown["file"].kind is ProblemKind.PERMISSION
        assert "EACCES" in seen.unknown["file"].detail
        assert seen.subdirectories == [("sub", int(inode))]
        assert seen.digest == b""
        by_name = look(fd, ["file", "absent"], DEFAULT.root())
        assert by_name.unknown.keys() == {"file", "absent"}


@pytest.mark.skipif(os.geteuid() != 0, reason="to become somebody else takes root")
def test_what_may_not_be_looked_at_is_unknown(shared_path: Path) -> None:
    (shared_path / "sub").mkdir()
    (shared_path / "file").touch()
    shared_path.chmod(0o744)  # others may read the names, and look at nothing
    apart(_not_ours, shared_path, (shared_path / "sub").stat().st_ino)


_ODD = {
    "entries": {
        "far": {"attributes": {"ino": 2**64 - 1, "mtime": 2**62, "ctime": -(2**62), "size": 2**62, "nlink": 2**32 - 1}},
        "past": {"attributes": {"ino": 2**63, "mtime": -(2**62), "ctime": 2**62}},
        "unreadable": {"error": errno.EIO},
        "stale": {"error": errno.ESTALE},
        "sub": {"entries": {"file": {}}, "attributes": {"nlink": 0}},
        "broken": {"entries": {"file": {}}, "list_error": errno.EIO},
    },
    "attributes": {"nlink": 0},
}


def _odd_file_system(scratch: str) -> None:
    root = Path(scratch)
    with tiny_fuse(root, _ODD) as server:
        seen = listing(root)
        most, least = 2**63 - 1, -(2**63)
        assert seen.files() == [("far", 2**62, most, least, -1, 2**31 - 1), ("past", 0, least, most, least, 1)]
        assert {name: problem.kind for name, problem in seen.unknown.items()} == {
            "unreadable": ProblemKind.IO,
            "stale": ProblemKind.STALE,
        }
        assert [name for name, _ in seen.subdirectories] == ["broken", "sub"]
        assert looked(root, "far", "past", "unreadable", "stale").files() == seen.files()
        # It counts no links at all, which does not mean that everything was removed.
        assert listing(root / "sub").count == 1
        with pytest.raises(OSError, match="Input/output error"):
            listing(root / "broken")
        with opened(root) as fd:
            server.kill()
            server.wait()
            with pytest.raises(OSError, match="not connected"):
                list_directory(fd, DEFAULT.root())


def test_whatever_a_file_system_says_fits(tmp_path: Path) -> None:
    privately(_odd_file_system, tmp_path)


def _other_file_system(scratch: str) -> None:
    root = Path(scratch)
    (root / "mounted").mkdir()
    mount("tmpfs", root / "mounted")
    assert [name for name, _ in listing(root).subdirectories] == ["mounted"]
    assert listing(root / "mounted").device != listing(root).device


def test_a_mount_point_is_a_directory(tmp_path: Path) -> None:
    privately(_other_file_system, tmp_path)
