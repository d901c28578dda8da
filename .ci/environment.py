"""Makes the virtual environment that everything in the Makefile runs in, unless it is there and sound.

Reads two variables: ``VENV``, where it goes (else ``.venv``), and ``PYTHON``, empty unless a certain one was asked for.
Call it through ``.ci/setup`` (or ``make setup``), which finds a Python to run it with.

The environment is sound if it was finished (a stamp is written last), if what it was made from is unchanged (the locked
requirements, the project's metadata, the place of the checkout, which it refers to), and if its Python still runs and
nothing that was installed is gone. Otherwise it is made again from nothing, by one process at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD_LOCK = CHECKOUT / ".ci" / "build.lock"
ENVIRONMENT_LOCK = CHECKOUT / ".ci" / "environment.lock"
VERSION = CHECKOUT / "daemon" / "censusd" / "__init__.py"

STAMP = "censusd-stamp.json"
GUARD = "censusd-lock"
"""Held while the environment is made. It is also what tells our environment from somebody's files."""

LOOK = "import platform, sysconfig; print(platform.python_version()); print(sysconfig.get_path('purelib'))"

# In every installation of ours: take only what is locked, byte for byte, and compile nothing. sdnotify, one file of
# Python, is published only as source; setuptools from build.lock packs it.
STEPS = (
    ("--require-hashes", "--only-binary", ":all:", "--requirement", str(BUILD_LOCK)),
    (
        "--require-hashes",
        *("--only-binary", ":all:", "--no-binary", "sdnotify", "--no-build-isolation"),
        *("--requirement", str(ENVIRONMENT_LOCK)),
    ),
    ("--no-deps", "--no-build-isolation", "--editable", "."),
)


class SetupError(Exception):
    """The environment cannot be made. The text says why and what to do."""


def inputs() -> str:
    """A digest of everything that the environment is made from, but for Python itself."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    # Not the whole file: a lint rule more or less changes nothing that is installed.
    metadata = [settings["build-system"], settings["project"], settings["tool"]["hatch"]]
    digest = hashlib.sha256(os.fsencode(CHECKOUT) + json.dumps(metadata).encode())
    for path in (Path(__file__), BUILD_LOCK, ENVIRONMENT_LOCK, VERSION):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def look(venv: Path) -> tuple[str, set[str]] | None:
    """The version of the environment's Python, and the names of what is installed; None if it does not run."""
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        command = [str(venv / "bin" / "python"), "-I", "-c", LOOK]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        version, packages = run.stdout.splitlines()
        return version, set(os.listdir(packages))
    return None


def is_sound(venv: Path) -> bool:
    """Whether the environment can be used as it is."""
    try:
        stamp = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return False
    if stamp["inputs"] != inputs() or (os.environ.get("PYTHON") and stamp["python"] != platform.python_version()):
        return False
    seen = look(venv)
    return seen is not None and stamp["python"] == seen[0] and seen[1].issuperset(stamp["installed"])


def write_stamp(venv: Path) -> None:
    """Say that the environment is finished, and what it was made from.

    Raises:
        SetupError: its Python does not run.
    """
    seen = look(venv)
    if seen is None:
        raise SetupError(f"{venv} was made, but its Python does not run")
    version, installed = seen
    stamp = {"inputs": inputs(), "python": version, "installed": sorted(installed)}
    partial = venv / f"{STAMP}.partial"
    partial.write_text(json.dumps(stamp, indent=1))
    partial.replace(venv / STAMP)


@contextlib.contextmanager
def locked(venv: Path) -> Iterator[None]:
    """Hold the environment's lock, waiting for another process that makes it.

    Raises:
        SetupError: there is something at this place that is not ours to replace.
    """
    venv.mkdir(parents=True, exist_ok=True)
    if any(venv.iterdir()) and not (venv / GUARD).exists():
        raise SetupError(f"{venv} is there, but make did not make it. Remove it, or choose another with VENV=...")
    while True:
        with (venv / GUARD).open("a") as guard:
            # Handed down, so that a pip that outlives us, because only we were killed, still keeps others out.
            os.set_inheritable(guard.fileno(), True)
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"Waiting for another make to finish {venv} ...", flush=True)
                fcntl.flock(guard, fcntl.LOCK_EX)
            # `make clean` may have removed it while we waited: then this lock guards nothing.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(guard.fileno()), (venv / GUARD).stat()):
                    yield
                    return
        venv.mkdir(parents=True, exist_ok=True)


def clear(venv: Path) -> None:
    """Remove everything in the environment but its lock."""
    (venv / STAMP).unlink(missing_ok=True)
    for path in venv.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != GUARD:
            path.unlink()


def run(*command: str | Path) -> None:
    """Run one step of the installation in the checkout.

    Raises:
        SetupError: it failed; what it said is on the terminal.
    """
    # What would lead pip away from the environment is not for it to see; which registry it asks is the user's business.
    astray = ("PYTHONHOME", "PYTHONPATH", "PIP_PREFIX", "PIP_TARGET", "UV_TARGET", "UV_PREFIX")
    environment = {name: value for name, value in os.environ.items() if name not in astray} | {"PIP_USER": "0"}
    if subprocess.run(command, cwd=CHECKOUT, env=environment, close_fds=False, check=False).returncode:
        raise SetupError(f"this did not work: {' '.join(map(str, command))}")


def make_with_uv(uv: str, python: str, venv: Path) -> None:
    """Make the environment with uv, which is quicker."""
    run(uv, "venv", "--quiet", "--no-project", "--no-python-downloads", "--allow-existing", "--python", python, venv)
    for step in STEPS:
        run(uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python", *step)


def make_with_pip(python: str, venv: Path) -> None:
    """Make the environment with what comes with Python."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                f"{python} has no module {module}, so it cannot make a virtual environment. "
                "On Debian: apt install python3-venv"
            )
    run(python, "-m", "venv", venv)
    for step in STEPS:
        # Twice quiet: errors only, for pip warns once a package of every configured index that does not have it.
        run(venv / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check", *step)


def make(venv: Path) -> None:
    """Make the environment from nothing, with uv if there is one and it can, else with venv and pip."""
    # Where the Python that runs this is itself from a virtual environment, perhaps this very one: what it stands on.
    python: str = getattr(sys, "_base_executable", sys.executable)
    uv = shutil.which("uv")
    print(f"Making {venv} (Python {platform.python_version()}, {'uv' if uv else 'pip'}) ...", flush=True)
    clear(venv)
    try:
        if uv is None:
            make_with_pip(python, venv)
        else:
            make_with_uv(uv, python, venv)
    except SetupError as error:
        if uv is None:
            raise
        # uv does not read pip's configuration, which may name the only registry that can be reached.
        print(f"uv: {error}\nTrying again with pip ...", flush=True)
        clear(venv)
        make_with_pip(python, venv)
    write_stamp(venv)


def main() -> None:
    """Make the environment if it has to be made."""
    venv = Path(os.environ.get("VENV") or CHECKOUT / ".venv").absolute()
    try:
        if not is_sound(venv):
            with locked(venv):
                if not is_sound(venv):
                    make(venv)
        if not os.access(venv, os.W_OK):
            raise SetupError(f"{venv} is somebody else's. To have your own: make ... VENV=/some/where")
    except SetupError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: cannot make {venv}: {error}. To have it elsewhere: make ... VENV=/some/where")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
