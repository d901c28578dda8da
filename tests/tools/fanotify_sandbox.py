"""What fanotify does with mounts, tried with mounts that nobody else sees; and without the powers that it takes.

Run by tests, as ``unshare --mount python -m tests.tools.fanotify_sandbox <what> <scratch directory>``; prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from censusd.filesystem.identity import Root, look_at_root
from censusd.model import Scope
from censusd.sync.watching import Watching, WatchRules
from censusd.watch.debounce import DirtySet
from censusd.watch.fanotify import FanotifyEmitter
from censusd.watch.tier import TierDecision
from tests.tools.disks import make_disk
from tests.tools.tiny_fuse import tiny_fuse
from tests.tools.watching import Watch, watching


def mount(kind: str, at: Path, *options: str) -> None:
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", *options, *([] if kind == "bind" else ["-t", kind, kind]), str(at)], check=True)


def bind(what: Path, at: Path) -> None:
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", str(what), str(at)], check=True)


def unmount(at: Path) -> None:
    """Not lazily: whoever has it open is in the way."""
    subprocess.run(["umount", str(at)], check=True)


def disk(image: Path, at: Path) -> None:
    """An ext4 file system in a file."""
    if not image.exists():
        make_disk(image)
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(at)], check=True)


@contextmanager
def watched(scratch: Path, root: Path) -> Iterator[Watch]:
    with watching(root, scratch / "cookies", FanotifyEmitter) as watch:
        yield watch


def said(scope: Scope) -> dict[str, object]:
    return {
        "names": {directory: dict(names) for directory, names in scope.names.items()},
        "subtrees": list(scope.subtrees),
    }


def mixed(scratch: Path) -> dict[str, object]:
    """A directory, a disk, a file system in memory and one in user space below one root; then the disk goes."""
    root = scratch / "tree"
    (root / "plain/deep").mkdir(parents=True)
    disk(scratch / "image", root / "disk")
    mount("tmpfs", root / "memory")
    for top in ("disk", "memory"):
        (root / top / "a/b").mkdir(parents=True)
    (root / "fuse").mkdir()
    with tiny_fuse(root / "fuse", {"entries": {"d": {"entries": {}}}}), watched(scratch, root) as watch:
        stats = watch.emitter.stats()
        for path in ("plain/deep", "disk/a/b", "memory/a/b"):
            (root / path / "file").touch()
        heard = said(watch.changes())
        (root / "disk/a").rename(root / "disk/moved")
        (root / "memory/a/b").rename(root / "memory/b")
        watch.changes()
        for path in ("disk/moved/b", "memory/b"):
            (root / path / "another").touch()
        moved = said(watch.changes())
        unmount(root / "disk")
        watch.settle()
        return {
            "marks": stats.marks,
            "refusals": stats.refusals,
            "watches": stats.watches,
            "uncovered": stats.uncovered,
            "heard": heard,
            "moved": moved,
            "below": watch.handler.root_changes,
        }


def remount(scratch: Path) -> dict[str, object]:
    """The root is unmounted, though it is watched, and comes back."""
    root = scratch / "tree"
    disk(scratch / "image", root)
    (root / "a").mkdir()
    with watched(scratch, root) as watch:
        (root / "a/file").touch()
        watch.changes()
        unmount(root)
        assert watch.handler.wait_for(lambda: bool(watch.handler.root_changes))
        watch.settle()
        gone = list(watch.handler.root_changes)
        disk(scratch / "image", root)
        watch.complete_pass()
        watch.changes()
        (root / "a/file").touch()
        heard = said(watch.changes())
    unmount(root)
    return {"gone": gone, "heard": heard}


def another_disk(scratch: Path) -> dict[str, object]:
    """A disk below the root is unmounted, and another one comes to its place, or to another."""
    root = scratch / "tree"
    root.mkdir()
    heard = []
    with watched(scratch, root) as watch:
        for number, where in enumerate(("one", "one", "other")):
            disk(scratch / f"image-{number}", root / where)
            watch.walk(where)  # as is done with whatever is mounted meanwhile
            watch.changes()
            (root / where / "file").touch()
            heard.append(said(watch.changes()))
            unmount(root / where)
        watch.complete_pass()
        return {"heard": heard, "marks": watch.emitter.stats().marks}


def twice(scratch: Path) -> dict[str, object]:
    """A directory of the repository, and one from elsewhere on the same file system, are mounted in it as well."""
    root, outside = scratch / "tree", scratch / "outside"
    for path in (root / "a/deep", root / "a/lid", outside / "deep"):
        path.mkdir(parents=True)
    bind(root / "a", root / "b")
    bind(outside, root / "c")
    mount("tmpfs", root / "a/lid")
    with watched(scratch, root) as watch:
        (root / "a/deep/file").touch()
        inside = said(watch.changes())
        (outside / "deep/file").touch()
        from_outside = said(watch.changes())
        (root / "b/lid/hidden at a").touch()
        below_a_lid = said(watch.changes())
        return {"inside": inside, "outside": from_outside, "lid": below_a_lid, "marks": watch.emitter.stats().marks}


def part_of_a_disk(scratch: Path) -> dict[str, object]:
    """The root is a directory of a disk of which nothing else is mounted; what is beside it has a similar path."""
    whole, root = scratch / "whole", scratch / "tree"
    disk(scratch / "image", whole)
    like_the_root = whole / os.path.relpath(root, "/")
    for path in (whole / "part/a", like_the_root / "a"):
        path.mkdir(parents=True)
    bind(whole / "part", root)
    with watched(scratch, root) as watch:
        (like_the_root / "a/beside").touch()
        (root / "a/in it").touch()
        return said(watch.changes())


def decided(root: Path, scratch: Path, wanted: str) -> TierDecision:
    """How a root is watched."""
    seen = look_at_root(root)
    assert isinstance(seen, Root)
    rules = WatchRules(wanted, cookie_directory=scratch / f"cookies of {wanted}")
    watching = Watching(rules, seen, {}, DirtySet(), on_root_changed=lambda why: None, on_overflow=lambda: None)
    try:
        return watching.decision
    finally:
        watching.stop()


def decisions(scratch: Path) -> dict[str, object]:
    """How a root is watched by whoever this is."""
    found = {wanted: decided(scratch / "tree", scratch, wanted) for wanted in ("auto", "fanotify")}
    return {wanted: f"{decision.tier}: {decision.reason}" for wanted, decision in found.items()}


def layered(scratch: Path) -> dict[str, object]:
    """The root is an overlay, which has no handles that could be opened."""
    layers, root = scratch / "layers", scratch / "tree"
    mount("tmpfs", layers)
    for path in (layers / "lower", layers / "upper", layers / "work", root):
        path.mkdir()
    options = f"lowerdir={layers}/lower,upperdir={layers}/upper,workdir={layers}/work"
    mount("overlay", root, "-o", options)
    return decisions(scratch)


SANDBOXES: dict[str, Callable[[Path], dict[str, object]]] = {
    each.__name__: each for each in (mixed, remount, another_disk, twice, part_of_a_disk, decisions, layered)
}

if __name__ == "__main__":
    print(json.dumps(SANDBOXES[sys.argv[1]](Path(sys.argv[2]))))
