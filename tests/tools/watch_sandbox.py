"""What can only be tried in namespaces of one's own: few watches, few instances, an unmounted root.

Run by tests, as ``unshare -Ur python -m tests.tools.watch_sandbox <what> <scratch directory>``; prints JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from censusd.errors import WatchError
from censusd.watch.limits import watch_limit
from tests.tools.watching import Watch

FEW = 10


def limit(what: str, value: int) -> None:
    Path(f"/proc/sys/user/max_inotify_{what}").write_text(str(value))


def few_watches(scratch: Path) -> dict[str, object]:
    """More directories than watches; then room for all of them."""
    limit("watches", FEW)
    root = scratch / "tree"
    for number in range(FEW * 2):
        (root / f"{number:02}").mkdir(parents=True)
    watch = Watch(root, scratch / "cookies")
    watch.observer.start()
    watch.settle()
    watch.emitter.begin_pass()
    watch.walk()
    number = watch.emitter.begin_pass()  # the first one was cancelled
    watch.settle()
    abandoned = len(watch.handler.explanations)
    watch.walk()
    watch.emitter.end_pass(number)
    few = watch.emitter.stats()
    polled, complete = watch.emitter.uncovered()
    watch.complete_pass()
    watch.settle()
    explanations = list(watch.handler.explanations)
    (root / polled[0] / "silent").touch()
    (root / "00" / "heard").touch()
    heard = watch.changes().names
    limit("watches", 1_000)
    watch.walk()
    watch.changes()
    (root / polled[0] / "heard").touch()
    result = {
        "limit": few.limit,
        "watches": few.watches,
        "uncovered": few.uncovered,
        "polled": polled,
        "complete": complete,
        "explanations_of_a_cancelled_pass": abandoned,
        "explanations": explanations,
        "heard": {directory: list(names) for directory, names in heard.items()},
        "watches_later": watch.emitter.stats().watches,
        "uncovered_later": watch.emitter.stats().uncovered,
        "heard_later": {directory: list(names) for directory, names in watch.changes().names.items()},
        "explanations_later": len(watch.handler.explanations),
    }
    watch.observer.stop()
    return result


def no_watch_at_all(scratch: Path) -> dict[str, object]:
    """Not even for the cookies."""
    limit("watches", 0)
    watch = Watch(scratch, scratch.parent / "cookies")
    watch.observer.start()
    try:
        watch.emitter.barrier()
    except WatchError as error:
        return {"limit": watch_limit(), "error": str(error)}
    finally:
        watch.observer.stop()
    return {}


def few_instances(scratch: Path) -> dict[str, object]:
    """Two repositories, one instance."""
    limit("instances", 1)
    first = Watch(scratch, scratch.parent / "cookies-1")
    try:
        Watch(scratch, scratch.parent / "cookies-2")
    except WatchError as error:
        return {"error": str(error)}
    finally:
        first.observer.stop()
    return {}


def unmount(scratch: Path) -> dict[str, object]:
    """The root is unmounted, and comes back; then something below it goes."""
    root = scratch / "tree"
    root.mkdir()

    def mount(at: Path) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(at)], check=True)

    def umount(at: Path) -> None:
        subprocess.run(["umount", str(at)], check=True)

    mount(root)
    (root / "a/b").mkdir(parents=True)
    watch = Watch(root, scratch / "cookies")
    watch.observer.start()
    watch.complete_pass()
    watch.changes()
    umount(root)
    watch.settle()
    unmounted, watches = list(watch.handler.root_changes), watch.emitter.stats().watches
    mount(root)
    (root / "a").mkdir()
    mount(root / "a")
    (root / "a/b").mkdir()
    watch.complete_pass()
    watch.changes()
    (root / "a/b/file").touch()
    heard = watch.changes().names
    umount(root / "a")
    watch.settle()
    result = {
        "unmounted": unmounted,
        "watches": watches,
        "heard": {directory: list(names) for directory, names in heard.items()},
        "below": watch.handler.root_changes[len(unmounted) :],
    }
    watch.observer.stop()
    return result


def bind_mount(scratch: Path) -> dict[str, object]:
    """The same directory at two places."""
    root = scratch / "tree"
    (root / "a/deep").mkdir(parents=True)
    (root / "b").mkdir()
    subprocess.run(["mount", "--bind", str(root / "a"), str(root / "b")], check=True)
    watch = Watch(root, scratch / "cookies")
    watch.observer.start()
    watch.complete_pass()
    watch.changes()
    (root / "b/deep/file").touch()
    result: dict[str, object] = {
        "uncovered": watch.emitter.uncovered()[0],
        "explanations": list(watch.handler.explanations),
        "heard": {directory: list(names) for directory, names in watch.changes().names.items()},
    }
    watch.observer.stop()
    return result


SANDBOXES: dict[str, Callable[[Path], dict[str, object]]] = {
    each.__name__: each for each in (few_watches, no_watch_at_all, few_instances, unmount, bind_mount)
}

if __name__ == "__main__":
    print(json.dumps(SANDBOXES[sys.argv[1]](Path(sys.argv[2]))))
