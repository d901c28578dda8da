"""A real systemd as the first process of namespaces of its own, on a view of this machine that is thrown away.

In the box a unit can be installed, started, reloaded, killed and stopped with the real systemctl, and nothing of it is
seen outside: the root is an overlay, /tmp, /var/tmp, /run, /srv and /dev are its own, /sys and the kernel's parameters
cannot be written, there is no network but its own loopback, and its control groups end with it. It comes up in about a
second. It takes root, an overlay file system, and control groups of version 2 somewhere on the machine.

``SYSTEMD_PACKAGES`` in the environment may name a folder with Debian packages, such as those of a newer systemd: they
are unpacked over the box's view of this machine before it comes up.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

CHECKOUT = Path(__file__).resolve().parents[2]
SYSTEMD = "/lib/systemd/systemd"
DEADLINE = 60.0
"""Seconds after which something that should happen is taken not to."""

_AGAIN = 0.05
_PACKAGES = "SYSTEMD_PACKAGES"
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
    "DEBIAN_FRONTEND": "noninteractive",
}
# Units that would reach for the machine itself, or start work of their own.
_MASKED = """
    systemd-tmpfiles-setup.service systemd-tmpfiles-clean.timer systemd-resolved.service systemd-networkd.service
    systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket
    systemd-modules-load.service systemd-remount-fs.service systemd-sysctl.service systemd-timesyncd.service
    systemd-random-seed.service proc-sys-fs-binfmt_misc.automount timers.target
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount
    sys-fs-fuse-connections.mount
"""
_INIT = r"""
set -e
root=$1
shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 dev "$root/dev"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for directory in tmp var/tmp; do mount -t tmpfs -o mode=1777 tmpfs "$root/$directory"; done
for directory in run srv; do mount -t tmpfs -o mode=755 tmpfs "$root/$directory"; done
while [ $# -gt 0 ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    shift 2
done
cd "$root"
mkdir -p old_root
pivot_root . old_root
umount -l /old_root
mount --make-rshared /
rm -rf /etc/systemd/system/*.wants /etc/systemd/system/*.requires
for unit in $MASKED; do ln -sf /dev/null "/etc/systemd/system/$unit"; done
export container=box
exec env -i container=box PATH="$PATH" "$SYSTEMD" --system --unit=basic.target --log-target=journal --show-status=0
"""


class BoxError(Exception):
    """Something in the box failed. The text says what."""


class NoBoxError(BoxError):
    """There can be no such box here. The text says why."""


class Box:
    """One machine in a box: it is up while the block is entered.

    Attributes:
        leader: process id of its first process, out here.
    """

    def __init__(self) -> None:
        self.leader = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if missing := why_not():
            raise NoBoxError(missing)
        with self._stack as stack:
            self._boot(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def run(self, *command: str, check: bool = True, within: float = 4 * DEADLINE) -> str:
        """Run a command in the box. Gives what it printed.

        Raises:
            BoxError: it failed, and was not to.
        """
        done = subprocess.run(
            ["nsenter", "-t", str(self.leader), *"-m -p -C -u -i -n -r -w --".split(), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_ENVIRONMENT,
            timeout=within,
            check=False,
        )
        if check and done.returncode:
            raise BoxError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stdout}")
        return done.stdout

    def path(self, path: str) -> Path:
        """A path in the box, as it can be opened out here."""
        return Path(f"/proc/{self.leader}/root{path}")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file in the box, and the directories above it."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def show(self, unit: str, *properties: str) -> list[str]:
        """Properties of a unit, in the order asked for."""
        found = dict(line.split("=", 1) for line in self.run("systemctl", "show", unit).splitlines() if "=" in line)
        return [found.get(name, "") for name in properties]

    def status(self, unit: str) -> str:
        """What a service says of itself."""
        return self.show(unit, "StatusText")[0]

    def until(self, what: Callable[[], object], unit: str = "", within: float = DEADLINE) -> None:
        """Wait until something holds.

        Raises:
            BoxError: it did not in time; with the unit's log.
        """
        pause, deadline = threading.Event(), time.monotonic() + within
        while not what():
            if time.monotonic() > deadline:
                raise BoxError(f"that did not happen within {within:g} s\n{self.log(unit) if unit else ''}")
            pause.wait(_AGAIN)

    def log(self, unit: str) -> str:
        """What a unit has logged."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit)

    def _boot(self, stack: ExitStack) -> None:
        directory = tempfile.mkdtemp(prefix="censusd-box-")
        stack.callback(os.rmdir, directory)
        _mount(stack, "tmpfs", "box", directory, "size=4g,mode=755")
        root = _overlay(stack, "/", Path(directory, "root"))
        if packages := os.environ.get(_PACKAGES):
            _unpack(Path(packages), root)
        # Wherever they are out here, on a disk of their own or below /tmp, they are there in the box.
        brought: list[str] = []
        for number, place in enumerate((CHECKOUT, Path(sys.prefix))):
            brought += [_overlay(stack, str(place), Path(directory, f"brought-{number}")), str(place)]
        Path(directory, "cgroup").mkdir()
        _mount(stack, "cgroup2", "cgroup2", f"{directory}/cgroup", "rw")
        group = Path(directory, "cgroup", Path(directory).name)
        group.mkdir()
        stack.callback(_remove_group, group)
        environment = _ENVIRONMENT | {"MASKED": _MASKED, "SYSTEMD": SYSTEMD}
        enter = 'echo $$ >"$2/cgroup.procs"; exec unshare -f -p -m -C -u -i -n bash -c "$0" init "$@"'
        console = Path(directory, "console")
        with console.open("wb") as output:
            starter = subprocess.Popen(
                ["bash", "-c", enter, _INIT, root, str(group), *brought],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        stack.callback(self._end, starter)
        self.until(lambda: self._is_up(starter, console))

    def _is_up(self, starter: subprocess.Popen[bytes], console: Path) -> bool:
        if starter.poll() is not None:
            raise BoxError(f"systemd did not start:\n{console.read_text(errors='replace')}")
        with suppress(OSError, IndexError):
            self.leader = int(Path(f"/proc/{starter.pid}/task/{starter.pid}/children").read_text().split()[0])
            if Path(f"/proc/{self.leader}/comm").read_text().strip() == "systemd":
                return self.run("systemctl", "is-system-running", check=False).strip() in {"running", "degraded"}
        return False

    def _end(self, starter: subprocess.Popen[bytes]) -> None:
        """The end of the first process is that of everything in the box."""
        with suppress(ProcessLookupError):
            os.kill(self.leader or starter.pid, signal.SIGKILL)
        starter.wait(DEADLINE)


def why_not() -> str:
    """Why there can be no box here; empty if there can be."""
    if os.geteuid() != 0:
        return "a box with a systemd of its own takes root"
    tools = ("nsenter", "unshare", "mount", "systemctl", "bash")
    if missing := [tool for tool in tools if not shutil.which(tool)]:
        return f"a box with a systemd of its own takes {', '.join(missing)}"
    if not os.access(SYSTEMD, os.X_OK):
        return f"there is no {SYSTEMD}"
    known = Path("/proc/filesystems").read_text(encoding="ascii").split()
    if absent := {"overlay", "cgroup2"} - set(known):
        return f"this kernel has no {' and no '.join(sorted(absent))}"
    return ""


def _unpack(packages: Path, root: str) -> None:
    """Put the files of Debian packages where they belong below a root, whichever of its directories are symlinks."""
    found = sorted(packages.glob("*.deb"))
    if not found:
        raise BoxError(f"there are no packages (*.deb) in {packages}, as {_PACKAGES} says")
    for package in found:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as content:
            done = subprocess.run(
                ["tar", "-x", "-C", root, "--keep-directory-symlink"],
                stdin=content.stdout,
                capture_output=True,
                check=False,
            )
        if content.returncode or done.returncode:
            raise BoxError(f"{package.name} cannot be unpacked: {done.stderr.decode(errors='replace').strip()}")


def _overlay(stack: ExitStack, lower: str, place: Path) -> str:
    """A view of a directory in which everything may be changed. Gives where it is."""
    for name in ("upper", "work", "view"):
        (place / name).mkdir(parents=True)
    (place / "upper").chmod(0o755)
    options = f"lowerdir={lower},upperdir={place}/upper,workdir={place}/work"
    _mount(stack, "overlay", "overlay", f"{place}/view", options)
    return f"{place}/view"


def _mount(stack: ExitStack, kind: str, source: str, target: str, options: str) -> None:
    done = subprocess.run(
        ["mount", "-t", kind, "-o", options, source, target], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoBoxError(f"{kind} cannot be mounted here: {done.stderr.strip()}")
    stack.callback(subprocess.run, ["umount", "-l", target], check=False)


def _remove_group(group: Path) -> None:
    """Remove a control group and those below it, once the last process is gone."""
    pause, deadline = threading.Event(), time.monotonic() + DEADLINE
    while group.exists():
        for directory, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                os.rmdir(directory)
        if time.monotonic() > deadline:
            raise BoxError(f"{group} is still in use")
        pause.wait(_AGAIN)
