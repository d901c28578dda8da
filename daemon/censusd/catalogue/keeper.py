"""The keeper: a small process that is the parent of one private PostgreSQL, for as long as somebody uses it.

``censusd.catalogue.embedded`` runs it as a script with ``python -I -S``, so it imports nothing of censusd and little of
the standard library: it is up in some 15 ms and holds about 10 MB. By hand it is
``python -m censusd.catalogue.keeper SERVER_LOCK USERS_LOCK DIRECTORY USER COMMAND...``, where

- ``SERVER_LOCK`` is the number of an inherited descriptor that already holds an exclusive flock. The keeper and every
  process of PostgreSQL share it, so the kernel frees it when the last of them is gone, and not before.
- ``USERS_LOCK`` is the number of an inherited descriptor without a lock. Every user of the server holds a shared flock
  on that file; the keeper waits for the exclusive one, which the kernel grants when no user is left, however they
  ended.
- ``DIRECTORY`` is the number of an inherited descriptor of the cluster's directory. Nothing here knows its path: the
  user to become may not be allowed to pass through the directories above it.
- ``USER`` is ``name:uid:gid`` to drop privileges to, or empty to stay who it is.
- ``COMMAND`` is PostgreSQL's server with its arguments.

What PostgreSQL prints goes to ``log/server.log`` in that directory. Standard error is the starter's: until it hangs up,
it gets a copy and learns why nothing starts.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import threading

LOG = "log/server.log"
"""The log, relative to the cluster's directory."""

LOG_LIMIT = 4 << 20
"""Bytes in a log file before it is renamed to ``.1``; so there are never more than twice as many."""

FAST_STOP = 60.0
"""Seconds for the shutdown checkpoint before PostgreSQL is told to stop without one."""

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
"""From <linux/prctl.h>."""

_libc = ctypes.CDLL(None)


class Log:
    """A log file that is renamed to ``.1`` when it is full. It never raises: a full disk must not stop the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptor = -1
        self._size = 0
        self._relaying = True
        os.set_blocking(2, False)

    def write(self, text: bytes) -> None:
        """Append to the file, and pass on to the starter while it listens."""
        with self._lock:
            try:
                self._make_room(len(text))
                self._size += os.write(self._descriptor, text)
            except OSError:
                pass
            if self._relaying:
                self._relay(text)

    def _relay(self, text: bytes) -> None:
        try:
            os.write(2, text)
        except BlockingIOError:
            pass  # the starter is slow; it is in the file
        except OSError:
            self._relaying = False
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, 2, inheritable=False)
            os.close(devnull)

    def _make_room(self, length: int) -> None:
        if self._descriptor >= 0 and self._size + length <= LOG_LIMIT:
            return
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            os.replace(LOG, LOG + ".1")
        os.makedirs(os.path.dirname(LOG), exist_ok=True)
        self._descriptor = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size


def drop_privileges(user: str) -> None:
    """Become ``name:uid:gid`` for good; an empty text stays who it is.

    Either way, capabilities that systemd gave the daemon (AmbientCapabilities=) do not pass on to PostgreSQL.
    """
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    if user:
        name, uid, gid = user.rsplit(":", 2)
        os.initgroups(name, int(gid))
        os.setgid(int(gid))
        os.setuid(int(uid))


def spawn(command: list[str], output: int) -> int:
    """Run PostgreSQL as a child that gets SIGINT (its fast shutdown) when the keeper dies, whatever kills it.

    The kernel sends that signal when the *thread* that forked ends, so this belongs on the main thread; and it forgets
    the wish when a process changes its user, so privileges are dropped before.

    Returns:
        The child's process id. It is never reaped here, so the number cannot become a stranger's.
    """
    keeper = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        if _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0) or os.getppid() != keeper:
            os._exit(1)  # the second: it died before the wish was known
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.chdir("/")  # before version 16, PostgreSQL cannot start where it could not come back to by path
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execv(command[0], command)  # noqa: S606  # no shell is what we want
    except OSError as error:
        os.write(output, f"{command[0]} cannot be run: {error}\n".encode(errors="surrogateescape"))
    finally:
        os._exit(127)


def stop_when_unused(users_lock: int, postmaster: int, log: Log, has_ended: threading.Event) -> None:
    """Wait until nobody holds the users' lock, then stop PostgreSQL. Keeps the lock, so nobody joins a dying server."""
    fcntl.flock(users_lock, fcntl.LOCK_EX)
    log.write(b"keeper: nobody uses this server any more; it stops\n")
    os.kill(postmaster, signal.SIGINT)
    if not has_ended.wait(FAST_STOP):
        log.write(b"keeper: the shutdown takes too long; the next start will recover from the write-ahead log\n")
        os.kill(postmaster, signal.SIGQUIT)


def keep(users_lock: int, directory: int, user: str, command: list[str]) -> None:
    """Run PostgreSQL until it ends by itself or nobody uses it any more."""
    os.fchdir(directory)
    os.umask(0o077)
    drop_privileges(user)
    log = Log()
    reader, writer = os.pipe()
    postmaster = spawn(command, writer)
    os.close(writer)
    has_ended = threading.Event()
    arguments = (users_lock, postmaster, log, has_ended)
    threading.Thread(target=stop_when_unused, args=arguments, daemon=True).start()
    while text := os.read(reader, 65536):
        log.write(text)
    end = os.waitid(os.P_PID, postmaster, os.WEXITED | os.WNOWAIT)
    has_ended.set()
    if end is not None and end.si_status:
        how = "with status" if end.si_code == os.CLD_EXITED else "by signal"
        log.write(f"keeper: PostgreSQL ended {how} {end.si_status}\n".encode())


def main(arguments: list[str]) -> int:
    """Detach from the starter, keep PostgreSQL, and say on standard error why that is not possible."""
    if len(arguments) < 5:
        sys.stderr.write("usage: keeper SERVER_LOCK USERS_LOCK DIRECTORY USER COMMAND... (censusd runs this itself)\n")
        return 2
    # The server's lock needs no care: inherited, it is held by this process and those it starts.
    _server_lock, users_lock, directory, user, *command = arguments
    # A signal to the whole terminal or control group is meant for the daemon, which still needs its database to end
    # well. It closes its lock when it is done, and the server stops.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # The starter waits for this first process alone, so nobody has to reap the keeper.
    if os.fork():
        os._exit(0)
    _libc.prctl(PR_SET_NAME, b"censusd-keeper", 0, 0, 0)
    try:
        keep(int(users_lock), int(directory), user, command)
    except OSError as error:
        sys.stderr.write(f"keeper: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
