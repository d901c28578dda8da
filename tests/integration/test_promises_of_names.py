"""Promise 11: any file name, any kind of file, any depth. See ``test_promises.py``."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from censusd.catalogue.connection import Catalogue
from censusd.filesystem.names import bytes_of, text_of
from censusd.model import Scope, Trigger, join
from tests.tools.library import Library, disk, fresh_database
from tests.tools.living import LivingLibrary, living

HOSTILE = [
    *(b"\xff\xfe\x80", b"half \xc3", b"\xed\xa0\x80", "\uef80\uefff".encode(), "\u00e9".encode(), "e\u0301".encode()),
    *(
        b"new\nline",
        b"ends\n",
        b"\r",
        b"\t",
        b"\x01\x1b[2J\x7f",
        b" ",
        b"  trailing  ",
        b"-rf",
        b"--",
        b"*",
        b"?",
        b"[a]",
    ),
    *(b"\\", b"\\n", b"'; DROP TABLE files; --", b'"quoted"', b"$HOME", b"%s", b"{}", b"a\xe2\x80\xa8b"),
    *(b"x" * 255, b"\xff" * 255, "日".encode() * 85, "\U0010ffff".encode(), b"NUL", b"con:", b"~", b"#", b"!important"),
]
HIDDEN = {b"~"}


def make(directory: Path, name: bytes, content: str = "x") -> None:
    fd = os.open(os.fsencode(directory) + b"/" + name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    os.write(fd, content.encode())
    os.close(fd)


def test_promise_11_every_name_is_on_record_and_leads_back_to_its_file(library: Library) -> None:
    for name in HOSTILE:
        (library.root / "d").mkdir(exist_ok=True)
        make(library.root / "d", name)
        os.mkdir(os.fsencode(library.root) + b"/" + name)
        make(Path(os.fsdecode(os.fsencode(library.root) + b"/" + name)), b"inside")
    library.reconcile()
    assert library.records() == disk(library.root)
    assert {bytes_of(path) for path in library.records()} == {
        *(b"d/" + name for name in HOSTILE if name not in HIDDEN),
        *(name + b"/inside" for name in HOSTILE if name not in HIDDEN),
    }
    assert library.reconcile().counts.changed == 0


@pytest.fixture(scope="module")
def module_catalogue(server: str, template: str) -> Iterator[Catalogue]:
    """A catalogue for all the names."""
    with fresh_database(server, template) as database, Catalogue(database) as catalogue:
        yield catalogue


@pytest.fixture(scope="module")
def living_library(tmp_path_factory: pytest.TempPathFactory, module_catalogue: Catalogue) -> Iterator[LivingLibrary]:
    """One worker for all the names."""
    scratch = tmp_path_factory.mktemp("names")
    library = LivingLibrary(scratch / "library", module_catalogue, scratch / "cookies", debounce=0.02)
    (scratch / "library/anchor").touch()
    with living(library):
        yield library


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in HIDDEN], ids=lambda name: repr(name[:12]))
def test_promise_11_the_watch_follows_every_name(living_library: LivingLibrary, name: bytes) -> None:
    root = os.fsencode(living_library.root)
    text = text_of(name)
    os.mkdir(root + b"/" + name)
    make(Path(os.fsdecode(root + b"/" + name)), name)
    living_library.sync()
    assert join(text, text) in living_library.records()
    row = living_library.ids()[join(text, text)]
    os.rename(root + b"/" + name, root + b"/other")
    os.rename(root + b"/other/" + name, root + b"/" + name)
    living_library.sync()
    assert living_library.ids()[text] == row
    os.unlink(root + b"/" + name)
    shutil.rmtree(root + b"/other")
    living_library.sync()
    assert text not in living_library.records()


# Kinds of files -----------------------------------------------------------------------------------------------------


def make_one_of_each(directory: Path) -> None:
    (directory / "file").write_text("content")
    os.link(directory / "file", directory / "hard-link")
    (directory / "soft-link").symlink_to("file")
    (directory / "dangling").symlink_to("nowhere")
    (directory / "loop").symlink_to("loop")
    (directory / "one").symlink_to("other")
    (directory / "other").symlink_to("one")
    (directory / "up").symlink_to("..")
    (directory / "everything").symlink_to("/")
    os.mkfifo(directory / "fifo")
    fd = os.open(directory, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{fd}/socket")
    os.close(fd)
    if os.geteuid() == 0:
        os.mknod(directory / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
        os.mknod(directory / "disk", stat.S_IFBLK | 0o666, os.makedev(7, 250))


def test_promise_11_only_files_and_directories_are_on_record(library: Library) -> None:
    (library.root / "d").mkdir()
    make_one_of_each(library.root / "d")
    library.reconcile()
    assert library.records().keys() == {"d/file", "d/hard-link"}
    assert library.query("SELECT path FROM directories ORDER BY path") == [("",), ("d",)]
    names = os.listdir(library.root / "d")
    assert library.names("d", *names, written=False).counts.changed == 0
    assert library.reconcile().counts.changed == 0
    assert library.query("SELECT * FROM directory_problems") == []


def test_promise_11_a_file_that_becomes_something_else_and_back(library: Library) -> None:
    (library.root / "d").mkdir()
    make_one_of_each(library.root / "d")
    library.reconcile()
    ids = library.ids()
    for special in ("fifo", "socket", "loop"):
        (library.root / "d/file").unlink()
        (library.root / "d" / special).rename(library.root / "d/file")
        library.names("d", "file", special)
        assert library.records().keys() == {"d/hard-link"}
    (library.root / "d/file").unlink()
    os.link(library.root / "d/hard-link", library.root / "d/file")
    library.names("d", "file")
    assert library.ids() == ids


def test_promise_11_hard_links_are_files_of_their_own(library: Library) -> None:
    library.write("a/one", "x")
    (library.root / "b").mkdir()
    os.link(library.root / "a/one", library.root / "b/two")
    library.reconcile()
    assert library.records() == disk(library.root)
    assert library.query("SELECT DISTINCT links FROM file_records") == [(2,)]
    (library.root / "a/one").unlink()
    library.names("a", "one")
    library.reconcile()
    assert library.records() == disk(library.root)
    assert library.query("SELECT links FROM file_records") == [(1,)]


# Depth --------------------------------------------------------------------------------------------------------------

DEPTH = 400
LONG = "d" * 101
PLACE = "/".join([LONG] * DEPTH)


@pytest.fixture
def deep(library: Library) -> Iterator[Library]:
    """A file 40,000 bytes of path below the root: ten times what a system call takes."""
    fd = os.open(library.root, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir(LONG, dir_fd=fd)
        below = os.open(LONG, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    yield library
    _remove(library.root)


def bottom(root: Path) -> int:
    """The deepest directory, open."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(DEPTH):
        [name] = [name for name in os.listdir(fd) if name != "beside"]
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    return fd


def _remove(root: Path) -> None:
    stack = [os.open(root, os.O_RDONLY)]
    while names := [name for name in os.listdir(stack[-1]) if len(name) > 100 or name == "moved"]:
        stack.append(os.open(names[0], os.O_RDONLY, dir_fd=stack[-1]))
    for fd in reversed(stack):
        for name in os.listdir(fd):
            is_directory = stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
            (os.rmdir if is_directory else os.unlink)(name, dir_fd=fd)
        os.close(fd)


def test_promise_11_a_tree_deeper_than_any_path_may_be(deep: Library) -> None:
    operation = deep.reconcile()
    assert operation.counts.added == 1
    assert operation.counts.directories == DEPTH + 1
    assert operation.counts.problems == 0
    assert list(deep.records()) == [f"{PLACE}/file"]
    assert deep.reconcile().counts.changed == 0
    fd = bottom(deep.root)
    os.close(os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    assert deep.names(PLACE, "new").counts.added == 1
    os.mkdir("below", dir_fd=fd)
    os.rename("new", "below/new", src_dir_fd=fd, dst_dir_fd=fd)
    rows = deep.ids()
    assert deep.names(PLACE, "new", "below").counts.moved == 1
    assert deep.ids()[f"{PLACE}/below/new"] == rows[f"{PLACE}/new"]
    os.unlink("below/new", dir_fd=fd)
    assert deep.reconcile(Scope.subtree(PLACE)).counts.removed == 1
    os.rmdir("below", dir_fd=fd)
    os.close(fd)
    (deep.root / LONG).rename(deep.root / "moved")
    operation = deep.reconcile(Scope(names={"": {LONG: False, "moved": False}}), Trigger.REALTIME)
    assert operation.counts.directories_moved == 1
    assert deep.ids() == {f"moved/{PLACE[len(LONG) + 1 :]}/file": rows[f"{PLACE}/file"]}
    assert deep.reconcile().counts.changed == 0


def test_promise_11_the_watch_follows_to_any_depth(deep: Library, catalogue: Catalogue, tmp_path: Path) -> None:
    library = LivingLibrary(deep.root, catalogue, tmp_path / "cookies", debounce=0.02, name="deep")
    with living(library):
        fd = bottom(deep.root)
        os.close(os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        library.sync()
        assert f"{PLACE}/new" in library.records()
        (deep.root / LONG).rename(deep.root / "moved")
        os.rename("new", "renamed", src_dir_fd=fd, dst_dir_fd=fd)
        library.sync()
        assert f"moved/{PLACE[len(LONG) + 1 :]}/renamed" in library.records()
        os.unlink("renamed", dir_fd=fd)
        os.close(fd)
        library.sync()
        assert len(library.records()) == 1
