"""Each layer of the sandbox alone, in a process of its own: a kernel may lack any of the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from censusd.deepscan import seccomp

_PROGRAM = """
import ctypes, json, os, socket, subprocess, sys, threading
from censusd.deepscan import sandbox, seccomp
layer, place = sys.argv[1:]
os.chdir(place)
open("victim", "w").close()
if layer == "seccomp":
    sandbox._prctl(sandbox._PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(sandbox._LIBRARY)
elif layer == "landlock":
    sandbox._prctl(sandbox._PR_SET_NO_NEW_PRIVS, 1)
    sandbox._landlock()

def attempt(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return False
    return True

def thread():
    t = threading.Thread(target=lambda: None)
    t.start()
    t.join()

print(json.dumps({
    "write": attempt(open, "victim", "r+"),
    "create": attempt(open, "new", "w"),
    "remove": attempt(os.unlink, "victim"),
    "mkdir": attempt(os.mkdir, "directory"),
    "connect": attempt(socket.create_connection, ("127.0.0.1", 9)) or attempt(socket.socket),
    "fork": attempt(subprocess.run, ["/bin/true"]),
    "read": attempt(open, "/proc/self/comm"),
    "list": attempt(os.listdir, "."),
    "thread": attempt(thread),
    "import": attempt(__import__, "sqlite3"),
}))
"""


def outcome(layer: str, place: Path) -> dict[str, Any]:
    """What a process can do behind one layer."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-B", "-c", _PROGRAM, layer, place],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_without_any_layer_everything_is_possible(tmp_path: Path) -> None:
    assert all(outcome("none", tmp_path).values())


def test_seccomp_alone(tmp_path: Path) -> None:
    possible = {what for what, can in outcome("seccomp", tmp_path).items() if can}
    assert possible == {"read", "list", "thread", "import"}


def test_landlock_alone(tmp_path: Path) -> None:
    possible = {what for what, can in outcome("landlock", tmp_path).items() if can}
    # To make a socket is allowed, to connect it is not; programs must not be run, but a fork may be made.
    assert possible == {"read", "list", "thread", "import", "connect"}


@pytest.mark.parametrize("machine", [0, 1])
def test_no_number_stands_for_two_calls(machine: int) -> None:
    names = [row.split()[0] for row in seccomp._DENIED.split(";")]
    assert len(set(names)) == len(names)
    everything: dict[str, int] = {}
    for table in (seccomp._DENIED, seccomp._ABSENT, seccomp._CHECKED):
        everything |= seccomp.calls(table, machine)
    assert len(set(everything.values())) == len(everything)


@pytest.mark.parametrize(("machine", "header"), [(0, "x86_64-linux-gnu/asm/unistd_64.h"), (1, "asm-generic/unistd.h")])
def test_the_numbers_are_those_of_the_kernels_headers(machine: int, header: str) -> None:
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip("the kernel's headers are not installed")
    text = path.read_text()
    words = [line.split() for line in text.splitlines() if line.startswith("#define __NR")]
    known = {w[1].removeprefix("__NR3264_").removeprefix("__NR_"): int(w[2]) for w in words if w[2].isdigit()}
    for table in (seccomp._DENIED, seccomp._ABSENT, seccomp._CHECKED):
        for name, number in seccomp.calls(table, machine).items():
            assert known.get(name, number) == number, name
