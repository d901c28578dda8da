"""A file system in user space that answers whatever a test wants: odd numbers, errors, or nothing at all.

It speaks the kernel's protocol (<linux/fuse.h>, 7.31) over /dev/fuse, only as much of it as looking takes. Run as
a process of its own, because a daemon that looks at its own file system waits for itself::

    python -m tests.tools.tiny_fuse MOUNT_POINT DESCRIPTION

It mounts itself, prints a line, and serves until its standard input ends; then the mount is as dead as one whose server
crashed (ENOTCONN). After a line ``hang`` it answers nothing, until a line ``go on``. The description is JSON: a
directory is ``{"entries": {name: node}}``, a file ``{}``; both may have ``attributes`` (``nlink``, ``ino``, ``mtime``,
``size`` ...), ``error`` (errno of looking at it) and ``list_error`` (of listing it). A file with ``content`` can be
read, past all caches; after a line ``mend`` without its ``open_error`` and ``read_error``.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

_HEADER = struct.Struct("=IIQQIIII")  # fuse_in_header: len, opcode, unique, nodeid, uid, gid, pid, padding
_ANSWER = struct.Struct("=IiQ")  # fuse_out_header: len, error, unique
_ATTRIBUTES = struct.Struct("=QQQqqqIIIIIIIIII")
"""fuse_attr: ino, size, blocks, atime, mtime, ctime, three times nsec, mode, nlink, uid, gid, rdev, blksize, padding"""

_LOOKUP, _FORGET, _GETATTR, _READDIR, _RELEASEDIR = 1, 2, 3, 28, 29
_OPEN, _READ, _RELEASE, _FLUSH, _DIRECT_IO = 14, 15, 18, 25, 1
_STATFS, _OPENDIR, _INIT, _INTERRUPT, _BATCH_FORGET = 17, 27, 26, 36, 42

Node = dict[str, Any]


class TinyFuse:
    """The nodes, numbered from 1 for the root, and an answer to each request."""

    def __init__(self, root: Node) -> None:
        self.nodes = [root]
        self.mended = False

    def answer(self, opcode: int, number: int, body: bytes) -> bytes:
        """The answer's body.

        Raises:
            OSError: what to answer instead.
        """
        node = self.nodes[number - 1] if number else {}
        if opcode == _INIT:
            return struct.pack("=IIIIHHIIHH32x", 7, 31, 0, 0, 0, 0, 65536, 1, 0, 0)
        if opcode == _LOOKUP:
            return self._entry(node, body[:-1].decode("utf-8", "surrogateescape"))
        if opcode == _GETATTR:
            return struct.pack("=QII", 0, 0, 0) + self._attributes(number)
        if opcode == _OPENDIR:
            return bytes(16)
        if opcode == _READDIR:
            offset, size = struct.unpack_from("=8xQI", body)
            return self._listing(number, offset, size)
        if opcode == _STATFS:
            return bytes(80)
        if opcode in {_OPEN, _READ} and "content" in node:
            return self._content(node, opcode, body)
        if opcode in {_RELEASEDIR, _RELEASE, _FLUSH}:
            return b""
        raise OSError(errno.ENOSYS, "")

    def mend(self) -> None:
        """From now on every file can be read."""
        self.mended = True

    def _content(self, node: Node, opcode: int, body: bytes) -> bytes:
        error = node.get("open_error" if opcode == _OPEN else "read_error")
        if error and not self.mended:
            raise OSError(error, "")
        if opcode == _OPEN:
            return struct.pack("=QII", 0, _DIRECT_IO, 0)
        offset, size = struct.unpack_from("=8xQI", body)
        content: bytes = node["content"].encode()
        return content[offset : offset + size]

    def _number(self, node: Node) -> int:
        if "number" not in node:
            self.nodes.append(node)
            node["number"] = len(self.nodes)
        number: int = node["number"]
        return number

    def _entry(self, parent: Node, name: str) -> bytes:
        node = parent.get("entries", {}).get(name)
        if node is None:
            raise OSError(errno.ENOENT, "")
        number = self._number(node)
        return struct.pack("=QQQQII", number, 0, 0, 0, 0, 0) + self._attributes(number)

    def _attributes(self, number: int) -> bytes:
        node = self.nodes[number - 1]
        if "error" in node:
            raise OSError(node["error"], "")
        kind = stat.S_IFDIR | 0o755 if "entries" in node else stat.S_IFREG | 0o644
        given = {
            "ino": number,
            "size": len(node.get("content", "")),
            "mtime": 0,
            "ctime": 0,
            "nlink": 1,
            **node.get("attributes", {}),
        }
        times = (0, given["mtime"], given["ctime"], 0, 0, 0)
        return _ATTRIBUTES.pack(given["ino"], given["size"], 0, *times, kind, given["nlink"], 0, 0, 0, 4096, 0)

    def _listing(self, number: int, offset: int, size: int) -> bytes:
        node = self.nodes[number - 1]
        if "list_error" in node:
            raise OSError(node["list_error"], "")
        listing = b""
        for position, (name, entry) in enumerate(list(node["entries"].items())[offset:], offset + 1):
            raw = name.encode("utf-8", "surrogateescape")
            kind = stat.S_IFDIR if "entries" in entry else stat.S_IFREG
            inode = entry.get("attributes", {}).get("ino", self._number(entry))
            record = struct.pack("=QQII", inode, position, len(raw), kind >> 12) + raw
            record += bytes(-len(record) % 8)
            if len(listing) + len(record) > size:
                break
            listing += record
        return listing


@contextmanager
def tiny_fuse(mount_point: Path, root: Node) -> Iterator[subprocess.Popen[bytes]]:
    """Such a file system at ``mount_point``, for as long as the block lasts; the process may be ended earlier."""
    command = [sys.executable, "-m", "tests.tools.tiny_fuse", str(mount_point), json.dumps(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        if not process.stdout.readline():
            pytest.skip(process.stderr.read().decode())
        yield process
        process.stdin.close()


def hang(server: subprocess.Popen[bytes]) -> None:
    """Have the file system not answer any more."""
    _say(server, b"hang\n")


def go_on(server: subprocess.Popen[bytes]) -> None:
    """Have it answer what it was asked meanwhile, and everything from now on."""
    _say(server, b"go on\n")


def mend(server: subprocess.Popen[bytes]) -> None:
    """Have every file be readable from now on."""
    _say(server, b"mend\n")


def _say(server: subprocess.Popen[bytes], line: bytes) -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(line)
    server.stdin.flush()
    assert server.stdout.readline() == line


def main() -> None:
    """Mount, and serve until standard input ends."""
    mount_point, description = sys.argv[1:]
    try:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        sys.exit(f"no file systems in user space here: {error}")
    options = f"fd={device},rootmode=40755,user_id={os.geteuid()},group_id={os.getegid()},allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tiny", os.fsencode(mount_point), b"fuse.tiny", 0, options.encode()):
        sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
    print("mounted", flush=True)
    served = TinyFuse(json.loads(description))
    poll = select.poll()
    poll.register(device, select.POLLIN)
    poll.register(0, select.POLLIN | select.POLLHUP)
    while True:
        if 0 in dict(poll.poll()):
            line = os.read(0, 100)
            if not line:
                break
            if line == b"mend\n":
                served.mend()
            elif line == b"hang\n":
                poll.unregister(device)
            else:
                poll.register(device, select.POLLIN)
            os.write(1, line)
            continue
        try:
            request = os.read(device, 1 << 20)
        except OSError:
            break  # unmounted
        _, opcode, unique, number, *_ = _HEADER.unpack_from(request)
        if opcode in {_FORGET, _BATCH_FORGET, _INTERRUPT}:
            continue
        try:
            code, body = 0, served.answer(opcode, number, request[_HEADER.size :])
        except OSError as error:
            code, body = -(error.errno or errno.EIO), b""
        with suppress(FileNotFoundError):  # whoever asked has been killed meanwhile
            os.write(device, _ANSWER.pack(_ANSWER.size + len(body), code, unique) + body)


if __name__ == "__main__":
    main()
