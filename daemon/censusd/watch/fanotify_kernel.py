"""fanotify and file handles, as the kernel offers them.

With FAN_REPORT_DFID_NAME an event names a directory by its file handle, and an entry in it by name; nothing is opened.
One mark is good for a whole file system, wherever it is mounted, and for all that is in it.

Sources: fanotify(7), fanotify_init(2), fanotify_mark(2), open_by_handle_at(2); linux/include/uapi/linux/fanotify.h and
fcntl.h; linux/fs/notify/fanotify/fanotify_user.c.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import termios
from typing import Final

from censusd.errors import WatchError

# Events, from linux/include/uapi/linux/fanotify.h.
FAN_ATTRIB: Final = 0x0000_0004
"""Metadata changed. For a directory itself the name is ``.``, and the handle its own."""
FAN_CLOSE_WRITE: Final = 0x0000_0008
FAN_MOVED_FROM: Final = 0x0000_0040
FAN_MOVED_TO: Final = 0x0000_0080
FAN_CREATE: Final = 0x0000_0100
FAN_DELETE: Final = 0x0000_0200
FAN_Q_OVERFLOW: Final = 0x0000_4000
"""The queue was full: events were thrown away, nobody knows which."""
FAN_RENAME: Final = 0x1000_0000
"""A rename, with both places; since Linux 5.17. Before, its halves come apart, and nothing says that they are one."""
FAN_ONDIR: Final = 0x4000_0000
"""Asks for what happens to directories, and says that it did."""

# fanotify_init(2) and fanotify_mark(2).
_FAN_CLOEXEC: Final = 0x0000_0001
_FAN_NONBLOCK: Final = 0x0000_0002
_FAN_REPORT_DIR_FID: Final = 0x0000_0400
_FAN_REPORT_NAME: Final = 0x0000_0800
_FAN_MARK_ADD: Final = 0x0000_0001
_FAN_MARK_FILESYSTEM: Final = 0x0000_0100
_METADATA_VERSION: Final = 3

_AT_EMPTY_PATH: Final = 0x1000
_MAX_HANDLE: Final = 128
"""MAX_HANDLE_SZ: no file system's handles are longer."""

_RECORD: Final = struct.Struct("=I4xQ8x4x8xI4x")
RECORD_SIZE: Final = _RECORD.size
unpack_record: Final = _RECORD.unpack_from
"""``(length, mask, handle_bytes)`` of a ``struct fanotify_event_metadata`` (24 bytes) with the ``struct
fanotify_event_info_fid`` that follows: its header (4 bytes), the file system's number (8), and a ``struct file_handle``
whose ``handle_bytes`` come after it; then the name, padded with NULs to a multiple of four."""
METADATA_SIZE: Final = 24
"""The length of an event that names nothing, such as FAN_Q_OVERFLOW."""
INFO_HEADER_SIZE: Final = 4
_INFO: Final = struct.Struct("=BxH8xI4x")
unpack_info: Final = _INFO.unpack_from
"""``(type, length, handle_bytes)`` of one ``struct fanotify_event_info_fid``; a rename has two."""
INFO_SIZE: Final = _INFO.size
INFO_OLD: Final = 10
"""FAN_EVENT_INFO_TYPE_OLD_DFID_NAME"""
INFO_NEW: Final = 12
"""FAN_EVENT_INFO_TYPE_NEW_DFID_NAME"""

READ_SIZE: Final = 256 * 1024
"""Bytes asked of the kernel at once: some 4,000 events."""


class _FileHandle(ctypes.Structure):
    """``struct file_handle``, see open_by_handle_at(2)."""

    _fields_ = (("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * _MAX_HANDLE))


_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.fanotify_init.argtypes = (ctypes.c_uint, ctypes.c_uint)
_libc.fanotify_mark.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
_libc.name_to_handle_at.argtypes = (
    *(ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_FileHandle), ctypes.POINTER(ctypes.c_int), ctypes.c_int),
)
_libc.open_by_handle_at.argtypes = (ctypes.c_int, ctypes.POINTER(_FileHandle), ctypes.c_int)


class FanotifyRefusedError(WatchError):
    """This kernel, or what it lets us do, or the file system, does not allow fanotify; the text says which.

    Args:
        reason: why.
        granted: whether the powers for it are there, so that whoever granted them wants to know.
    """

    def __init__(self, reason: str, *, granted: bool = True) -> None:
        super().__init__(reason)
        self.granted = granted


class Fanotify:
    """One fanotify group: one queue of events, whatever the number of file systems.

    Raises:
        FanotifyRefusedError: no group can be had; the text says why.
    """

    def __init__(self) -> None:
        flags = _FAN_CLOEXEC | _FAN_NONBLOCK | _FAN_REPORT_DIR_FID | _FAN_REPORT_NAME
        self.fd: int = _libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC)
        if self.fd < 0:
            code = ctypes.get_errno()
            raise FanotifyRefusedError(_explain_init(code), granted=code != errno.EPERM)

    def mark_filesystem(self, fd: int, mask: int) -> None:
        """Have everything reported that happens in the file system of what is open as ``fd``. May be asked again.

        Raises:
            OSError: EPERM without CAP_SYS_ADMIN; EINVAL for a mask that this kernel does not know; ENODEV, EOPNOTSUPP
                or EXDEV where the file system has no number, no handles, or several numbers (Btrfs subvolumes).
        """
        if _libc.fanotify_mark(self.fd, _FAN_MARK_ADD | _FAN_MARK_FILESYSTEM, mask, fd, None) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def waiting(self) -> int:
        """How many events are in the queue. FIONREAD counts the metadata of each, and nothing else."""
        (size,) = struct.unpack("i", fcntl.ioctl(self.fd, termios.FIONREAD, bytes(4)))
        return int(size) // METADATA_SIZE

    def read(self) -> bytes:
        """Whole events, as many as fit into ``READ_SIZE``; empty if none are waiting.

        Raises:
            OSError: the group is broken, or closed.
            WatchError: the kernel speaks of events in another way than this was written for.
        """
        try:
            buffer = os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return b""
        if buffer and buffer[4] != _METADATA_VERSION:
            raise WatchError(f"the kernel's fanotify events are of version {buffer[4]}, not {_METADATA_VERSION}")
        return buffer

    def close(self) -> None:
        """Give the group and all its marks back. May be called twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def handle_of(fd: int) -> tuple[bytes, int]:
    """What is open as ``fd``, whatever its name is and will be.

    Returns:
        Its file handle as events have it (length, type, handle), and the number of the mount it was reached by, which
        is given to another one once it is unmounted.

    Raises:
        OSError: EOPNOTSUPP where the file system has no handles.
    """
    handle, mount = _FileHandle(_MAX_HANDLE), ctypes.c_int()
    if _libc.name_to_handle_at(fd, b"", ctypes.byref(handle), ctypes.byref(mount), _AT_EMPTY_PATH) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return bytes(handle)[: 8 + handle.bytes], mount.value


def open_handle(mount_fd: int, handle: bytes) -> int:
    """Open the directory that a file handle stands for, only to tell where it is (O_PATH).

    Args:
        mount_fd: anything that is open in the same file system.
        handle: as ``handle_of``.

    Raises:
        OSError: ESTALE when it does not exist any more; EPERM without CAP_DAC_READ_SEARCH.
    """
    whole = _FileHandle.from_buffer_copy(handle.ljust(ctypes.sizeof(_FileHandle), b"\0"))
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    fd: int = _libc.open_by_handle_at(mount_fd, ctypes.byref(whole), flags)
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd


def _explain_init(code: int) -> str:
    if code == errno.EPERM:
        return "it takes CAP_SYS_ADMIN, which is not granted"
    if code == errno.EMFILE:
        return "the kernel gives no more fanotify groups (EMFILE): see fs.fanotify.max_user_groups, and LimitNOFILE="
    if code in {errno.EINVAL, errno.ENOSYS}:
        return "this kernel is too old for it (before 5.9), or was built without it"
    return f"the kernel gives no fanotify group: {os.strerror(code)} ({errno.errorcode.get(code, code)})"
