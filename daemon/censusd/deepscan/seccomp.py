"""A filter over the system calls of a worker process: no network, no other programs or processes, nothing written.

Built and installed with nothing but ``prctl``; see seccomp(2) and <linux/filter.h>. What is not named here is allowed,
because libraries change; the kernel refuses the rest as for lack of permission, and the file in question has a problem.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Final

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

# <linux/bpf_common.h> and <linux/seccomp.h>: load a word of struct seccomp_data, compare it, return a verdict.
_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_ERROR: Final = 0x00050000
_KILL: Final = 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CLONE_THREAD: Final = 0x00010000

# The calls that are refused, each with its number on x86-64 and on aarch64 (- where there is none); from <asm/unistd.h>
# and <asm-generic/unistd.h>.
_DENIED: Final = """
socket 41 198; socketpair 53 199; connect 42 203; accept 43 202; accept4 288 242; bind 49 200; listen 50 201;
sendto 44 206; sendmsg 46 211; sendmmsg 307 269; recvfrom 45 207; recvmsg 47 212; recvmmsg 299 243; shutdown 48 210;

fork 57 -; vfork 58 -; execve 59 221; execveat 322 281; kill 62 129; tkill 200 130; ptrace 101 117;
rt_sigqueueinfo 129 138; rt_tgsigqueueinfo 297 240; process_vm_readv 310 270; process_vm_writev 311 271; kcmp 312 272;
pidfd_send_signal 424 424; pidfd_open 434 434; pidfd_getfd 438 438; process_madvise 440 440;

truncate 76 45; ftruncate 77 46; fallocate 285 47; copy_file_range 326 285; creat 85 -; mknod 133 -; mknodat 259 33;
mkdir 83 -; mkdirat 258 34; rmdir 84 -; rename 82 -; renameat 264 38; renameat2 316 276; link 86 -; linkat 265 37;
symlink 88 -; symlinkat 266 36; unlink 87 -; unlinkat 263 35; chmod 90 -; fchmod 91 52; fchmodat 268 53;
fchmodat2 452 452; chown 92 -; fchown 93 55; lchown 94 -; fchownat 260 54; utime 132 -; utimes 235 -; futimesat 261 -;
utimensat 280 88; setxattr 188 5; lsetxattr 189 6; fsetxattr 190 7; removexattr 197 14; lremovexattr 198 15;
fremovexattr 199 16; setxattrat 463 463; removexattrat 466 466;

mount 165 40; umount2 166 39; pivot_root 155 41; chroot 161 51; setns 308 268; unshare 272 97; open_tree 428 428;
move_mount 429 429; fsopen 430 430; fsconfig 431 431; fsmount 432 432; fspick 433 433; mount_setattr 442 442;
bpf 321 280; perf_event_open 298 241; userfaultfd 323 282; keyctl 250 219; add_key 248 217; request_key 249 218;
name_to_handle_at 303 264; open_by_handle_at 304 265; io_uring_setup 425 425; io_uring_enter 426 426;
io_uring_register 427 427; shmget 29 194; shmat 30 196; semget 64 190; msgget 68 186; mq_open 240 180;
setpriority 141 140; sched_setscheduler 144 119; sched_setattr 314 274; ioprio_set 251 30
"""
# These take what matters in memory, where a filter cannot look. As if there were none: the C library then takes the
# older ones.
_ABSENT: Final = "clone3 435 435; openat2 437 437"
_CHECKED: Final = "open 2 -; openat 257 56; clone 56 220"


def calls(table: str, machine: int) -> dict[str, int]:
    """The calls of one of the tables above that there are on a machine: name -> number."""
    rows = (row.split() for row in table.split(";"))
    return {name: int(numbers[machine]) for name, *numbers in rows if numbers[machine] != "-"}


_X32: Final = 0x40000000
_MACHINES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_* of <linux/audit.h>, in the order of the numbers above."""


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(library: ctypes.CDLL) -> None:
    """Filter this process's system calls from now on; ``no_new_privs`` must be set, or this be root.

    Raises:
        OSError: this kernel, or this kind of machine, does not do that.
    """
    name = platform.machine()
    if name not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no filter was written for {name}")
    code = _filter(list(_MACHINES).index(name), _MACHINES[name])
    program = _Program(len(code) // 8, code)
    if library.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _filter(machine: int, architecture: int) -> bytes:
    """The program: one instruction after the other, jumps only ever over the next few."""
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_EQUAL, architecture, over=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER),
        # The x32 calls of x86-64 are the same calls under other numbers.
        _line(_AT_LEAST, _X32, otherwise=1),
        _line(_RETURN, _KILL),
    ]
    for table, error in ((_DENIED, errno.EPERM), (_ABSENT, errno.ENOSYS)):
        for number in calls(table, machine).values():
            lines += [_line(_EQUAL, number, otherwise=1), _line(_RETURN, _ERROR | error)]
    checked = calls(_CHECKED, machine)
    for name, argument, bits, wanted in (
        ("open", 1, _WRITING, False),
        ("openat", 2, _WRITING, False),
        ("clone", 0, _CLONE_THREAD, True),
    ):
        if name in checked:
            # Arguments are 64 bits wide; on these machines the lower half, where the flags are, comes first.
            lines += [
                _line(_EQUAL, checked[name], otherwise=4),
                _line(_LOAD, _ARGUMENTS + 8 * argument),
                _line(_ANY_BIT, bits, over=int(wanted), otherwise=int(not wanted)),
                _line(_RETURN, _ERROR | errno.EPERM),
                _line(_RETURN, _ALLOW),
            ]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _line(code: int, value: int, *, over: int = 0, otherwise: int = 0) -> bytes:
    """One ``struct sock_filter``: how many lines to jump over if the comparison holds, and how many if it does not."""
    return struct.pack("=HBBI", code, over, otherwise, value)
