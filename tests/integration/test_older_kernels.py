"""What becomes of the ways of watching where the kernel is older."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from censusd.catalogue.connection import Catalogue
from censusd.filesystem import identity
from censusd.watch.fanotify import FanotifyEmitter
from tests.tools.living import LivingLibrary, living
from tests.tools.older_kernel import become_older
from tests.tools.operations import ANCHOR
from tests.tools.private import privately
from tests.tools.volumes import Volume, chosen, mounted, mounted_anew, needs_root, replay
from tests.tools.watching import fanotify_refusal

OLDER = {
    (5, 9): ("inotify", "not by fanotify: this kernel is too old for it (before 5.9)"),
    (5, 17): ("fanotify", "by one mark for all of it"),
    (6, 9): ("fanotify", "by one mark for all of it"),
}


@needs_root
@pytest.mark.parametrize("version", OLDER, ids=lambda version: ".".join(map(str, version)))
@pytest.mark.parametrize("kind", ["ext4", pytest.param("xfs", marks=pytest.mark.slow)])
def test_on_older_kernels(tmp_path: Path, database: str, kind: str, version: tuple[int, int]) -> None:
    """Without FAN_REPORT_NAME, without FAN_RENAME, and without a way to ask for a UUID."""
    if why := fanotify_refusal(tmp_path):
        pytest.skip(f"no fanotify here: {why}")
    privately(older, tmp_path, database, kind, *version)
    if kind == "ext4":  # the others tell nothing but where they are, which is no proof
        privately(newer, tmp_path, database, kind)


def older(directory: str, database: str, kind: str, *version: str) -> None:
    """The way that is left is taken and said, changes are noticed, and a disk that comes back is the same."""
    scratch = Path(directory)
    volume, root = Volume(kind, scratch), scratch / "root"
    volume.make()
    major, minor = map(int, version)
    number = (major, minor)
    with Catalogue(database) as catalogue:
        library = LivingLibrary(root / "tree", catalogue, scratch / "cookies", watch="auto", debounce=0.02)
        library.root.rmdir()
        root.rmdir()
        with mounted(volume, root):
            device = os.stat(root).st_dev
            become_older(*number)
            library.root.mkdir()
            (library.root / ANCHOR.decode()).touch()
            (root / "outside").mkdir()
            with living(library):
                way, why = chosen(library)
                assert way == OLDER[number][0]
                assert OLDER[number][1] in why
                if isinstance(library.watcher, FanotifyEmitter):
                    assert (len(library.watcher._masks) == 1) == (number <= (5, 17))
                ((known,),) = library.query("SELECT identity ->> 'filesystem' FROM repositories")
                assert not known.startswith("uuid:")
                replay(library, root / "outside", 5)
                before = library.ids()
                assert before
        with mounted_anew(volume, root, device), living(library):
            library.check()
            assert library.ids() == before
            (scratch / "ids").write_text(json.dumps(before))


def newer(directory: str, database: str, kind: str) -> None:
    """A kernel that tells the UUID knows the root by what an older one could tell, and from then on by its UUID."""
    scratch = Path(directory)
    volume, root = Volume(kind, scratch), scratch / "root"
    root.rmdir()
    with Catalogue(database) as catalogue, mounted(volume, root):
        library = LivingLibrary(root / "tree", catalogue, scratch / "cookies", watch="auto", debounce=0.02)
        with living(library):
            library.check()
            assert library.ids() == json.loads((scratch / "ids").read_text())
            ((known,),) = library.query("SELECT identity ->> 'filesystem' FROM repositories")
            assert known.startswith("uuid:") or identity._uuid_from_kernel(root) is None  # one before 6.9
