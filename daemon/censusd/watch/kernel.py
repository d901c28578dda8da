"""inotify, as the kernel offers it: three system calls and one variable-length record.

Sources: inotify(7), inotify_add_watch(2), linux/include/uapi/linux/inotify.h, linux/fs/notify/inotify/inotify_user.c.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final

from censusd.errors import WatchError
from censusd.watch.limits import explain_instances

# From linux/include/uapi/linux/inotify.h.
IN_ATTRIB: Final = 0x0000_0004
"""Metadata of the directory or of a name in it changed: mode, owner, times, link count, extended attributes."""
IN_CLOSE_WRITE: Final = 0x0000_0008
"""A file that was open for writing was closed."""
IN_MOVED_FROM: Final = 0x0000_0040
"""A name was renamed away; ``cookie`` is that of its IN_MOVED_TO, if that happens in a watched directory."""
IN_MOVED_TO: Final = 0x0000_0080
"""A name came here by a rename."""
IN_CREATE: Final = 0x0000_0100
IN_DELETE: Final = 0x0000_0200
IN_MOVE_SELF: Final = 0x0000_0800
"""The watched directory itself was renamed. Comes after both halves of the rename (``fsnotify_move`` in
linux/include/linux/fsnotify.h sends the three in this order, on one queue)."""
IN_UNMOUNT: Final = 0x0000_2000
"""The file system of the watched directory was unmounted; IN_IGNORED follows."""
IN_Q_OVERFLOW: Final = 0x0000_4000
"""The queue was full (fs.inotify.max_queued_events): events were thrown away, nobody knows which. ``wd`` is -1."""
IN_IGNORED: Final = 0x0000_8000
"""The watch is gone: removed, its directory deleted, or its file system unmounted. Its number is not used again."""
IN_ONLYDIR: Final = 0x0100_0000
"""Refuse to watch anything but a directory."""
IN_DONT_FOLLOW: Final = 0x0200_0000
"""Refuse to follow a symlink as the last component."""
IN_EXCL_UNLINK: Final = 0x0400_0000
"""No events for names once they are unlinked: a temporary file that is deleted while open stays quiet."""
IN_ISDIR: Final = 0x4000_0000
"""The name is that of a directory."""

_HEADER: Final = struct.Struct("iIII")
HEADER_SIZE: Final = _HEADER.size
unpack_header: Final = _HEADER.unpack_from
"""``(wd, mask, cookie, length)`` of the ``struct inotify_event`` at an offset; ``length`` bytes of name follow, padded
with NULs to a multiple of the header's size, so that equal names have equal padded bytes."""

READ_SIZE: Final = 256 * 1024
"""Bytes asked of the kernel at once: 8,192 events with names of up to 15 bytes, half of the default queue."""

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.inotify_init1.argtypes = (ctypes.c_int,)
_libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
_libc.inotify_rm_watch.argtypes = (ctypes.c_int, ctypes.c_int)


class Inotify:
    """One inotify instance: one queue of events, whatever the number of watches.

    Raises:
        WatchError: no instance can be had; the text says which limit was reached and how to raise it.
    """

    def __init__(self) -> None:
        self.fd: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            code = ctypes.get_errno()
            if code in {errno.EMFILE, errno.ENFILE}:
                raise WatchError(explain_instances(code))
            raise WatchError(f"the kernel gives no inotify instance: {os.strerror(code)} ({_symbol(code)})")

    def watch_descriptor(self, fd: int, mask: int) -> int:
        """Watch the directory that is open as ``fd``; the watch descriptor (one per directory, however often asked).

        It goes through /proc, because that works for paths beyond PATH_MAX, and because nothing that is swapped for a
        symlink meanwhile can lead elsewhere.

        Raises:
            OSError: ENOSPC when fs.inotify.max_user_watches is reached, ENOMEM, ENOTDIR, or ENOENT where /proc is not
                mounted.
        """
        return self.watch_path(b"/proc/self/fd/%d" % fd, mask | IN_ONLYDIR)

    def watch_path(self, path: bytes, mask: int) -> int:
        """Watch what is at ``path``; the watch descriptor.

        Raises:
            OSError: as ``watch_descriptor``, and what a path can have wrong with it.
        """
        wd: int = _libc.inotify_add_watch(self.fd, path, mask)
        if wd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)
        return wd

    def forget(self, wd: int) -> None:
        """Remove a watch. One that is gone already is fine: a deleted directory takes its watch with it (EINVAL)."""
        _libc.inotify_rm_watch(self.fd, wd)

    def read(self) -> bytes:
        """Whole events, as many as fit into ``READ_SIZE``; empty if none are waiting.

        Raises:
            OSError: the instance is broken, or closed.
        """
        try:
            return os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Give the instance and all its watches back. May be called twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _symbol(code: int) -> str:
    return errno.errorcode.get(code, str(code))
