"""Parts of tests that need a process of their own: to be somebody else, or to mount what nobody else sees."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
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
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    probe = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"private mounts are not permitted here: {probe.stderr.strip()}")
    _call(unshare, function, *arguments)


def _call(wrapper: list[str], function: Callable[..., None], *arguments: object) -> None:
    file = function.__code__.co_filename
    done = subprocess.run(
        [*wrapper, sys.executable, "-m", "tests.tools.private", file, function.__name__, *map(str, arguments)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == _SKIPPED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr


def mount(kind: str, point: Path, *, bind: Path | None = None) -> None:
    """Mount a file system of a kind that needs no device, or show ``bind`` at ``point``."""
    what = ["--bind", str(bind)] if bind else ["-t", kind, kind]
    subprocess.run(["mount", *what, str(point)], check=True)


def unmount(point: Path) -> None:
    """Unmount what is on top at ``point``, though it may be in use."""
    subprocess.run(["umount", "--lazy", str(point)], check=True)


def let_others_through(path: Path) -> None:
    """pytest's directories are private; let other users pass through those above ``path``, and list it."""
    for directory in path.parents:
        if "pytest" in str(directory) and directory.stat().st_uid == os.geteuid():
            directory.chmod(directory.stat().st_mode | 0o011)
    path.chmod(path.stat().st_mode | 0o055)


def become_nobody(*directories: Path) -> None:
    """Be an ordinary user from now on, who owns ``directories``; whoever is no root already is one.

    For processes of their own only.
    """
    if os.geteuid() != 0:
        return
    for directory in directories:
        directory.mkdir(exist_ok=True)
        let_others_through(directory)
        os.chown(directory, 65534, 65534)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def _main() -> None:
    file, name, *arguments = sys.argv[1:]
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
