"""Parts of tests that need a process of their own: to be somebody else, or to mount what nobody else sees."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tools.waiting import until

CHECKOUT = Path(__file__).parents[2]
NOBODY = 65534
_MODULE = "tests.tools.private"
_IN_A_NAMESPACE = "--in-a-user-namespace"
_CLONE_NEWUSER = 0x10000000
_SKIPPED = 77


def apart(function: Callable[..., None], *arguments: object) -> None:
    """Call a function of a test module in a process of its own; what fails there fails here.

    Args:
        function: of the module's top level.
        arguments: it is given their texts.
    """
    _call([], function, *arguments)


def privately(function: Callable[..., None], *arguments: object) -> None:
    """The same, with mounts of its own.

    Root keeps its rights there; anybody else is root in a user namespace of their own, if the kernel lets them.
    """
    user = ["--user", "--map-root-user"] if os.geteuid() != 0 else []
    _call(_unsharing(*user, "--mount"), function, *arguments)


def networked(function: Callable[..., None], *arguments: object) -> None:
    """The same, with a network of its own, in which there is nothing yet; who runs it is as for ``privately``."""
    user = ["--user", "--map-root-user"] if os.geteuid() != 0 else []
    _call(_unsharing(*user, "--net"), function, *arguments)


def limited(function: Callable[..., None], *arguments: object) -> None:
    """The same, with limits of its own, on inotify for instance: those of a user namespace, in which it is root."""
    if os.geteuid() != 0:
        _call(_unsharing("--user", "--map-root-user"), function, *arguments)
        return
    _unsharing("--user")
    # Others' files must stay what they are, so the namespace gets all users; only its parent may give it those.
    command = _command([], function, *arguments)
    command["args"].insert(command["args"].index(_MODULE) + 1, _IN_A_NAMESPACE)
    with subprocess.Popen(**command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        for which in ("uid_map", "gid_map"):
            Path(f"/proc/{process.pid}/{which}").write_text(f"0 0 {NOBODY + 1}")
        _, errors = process.communicate("go on\n")
        assert process.returncode == 0, errors


def _unsharing(*what: str) -> list[str]:
    command = ["unshare", *what]
    probe = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"namespaces are not permitted here: {probe.stderr.strip()}")
    return command


@contextmanager
def beside(function: Callable[..., None], *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Have such a process do it while the block lasts, from the first line that it prints; killed in the end."""
    with subprocess.Popen(
        **_command([], function, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def _call(wrapper: list[str], function: Callable[..., None], *arguments: object) -> None:
    done = subprocess.run(**_command(wrapper, function, *arguments), capture_output=True, check=False)
    if done.returncode == _SKIPPED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr


def _command(wrapper: list[str], function: Callable[..., None], *arguments: object) -> dict[str, Any]:
    """How to start a process that calls a function of a test module."""
    called = [function.__code__.co_filename, function.__name__, *map(str, arguments)]
    return {
        "args": [*wrapper, sys.executable, "-m", _MODULE, *called],
        "cwd": CHECKOUT,
        "env": {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path])},
        "text": True,
    }


def mount(kind: str, point: Path, *, bind: Path | None = None) -> None:
    """Mount a file system of a kind that needs no device, or show ``bind`` at ``point``."""
    what = ["--bind", str(bind)] if bind else ["-t", kind, kind]
    subprocess.run(["mount", *what, str(point)], check=True)


def unmount(point: Path) -> None:
    """Unmount what is on top at ``point``, though it may be in use."""
    subprocess.run(["umount", "--lazy", str(point)], check=True)


def unmount_between_uses(point: Path) -> None:
    """Unmount what others look at now and then: trying as often as it takes for nobody to be at it."""
    until(lambda: not subprocess.run(["umount", str(point)], stderr=subprocess.DEVNULL, check=False).returncode)


def become_nobody(*directories: Path) -> None:
    """Be an ordinary user from now on, who owns ``directories``; whoever is no root already is one.

    For processes of their own only.
    """
    if os.geteuid() != 0:
        return
    for directory in directories:
        directory.mkdir(exist_ok=True)
        os.chown(directory, NOBODY, NOBODY)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def _main() -> None:
    given = sys.argv[1:]
    if given[0] == _IN_A_NAMESPACE:
        given.pop(0)
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER):
            sys.exit(os.strerror(ctypes.get_errno()))
        print("here", flush=True)
        sys.stdin.readline()
    file, name, *arguments = given
    spec = importlib.util.spec_from_file_location("called_privately", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    try:
        getattr(module, name)(*arguments)
    except pytest.skip.Exception as skipped:
        print(skipped.msg)
        sys.exit(_SKIPPED)


if __name__ == "__main__":
    _main()
