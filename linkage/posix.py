"""What POSIX systems have and others lack: all calls of the kind stand here, so that another system is one module away.

A test looks for them in every other module.
"""

import fcntl
import os
import pwd
import signal
import socket
from pathlib import Path
from typing import Final

KILL: Final = signal.SIGKILL
"""The signal that no process can refuse."""


def lock(handle: int, *, wait: bool = True) -> None:
    """Hold the lock of an open file; the kernel lets go of it when the file is closed or the process ends.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
        OSError: there are no locks where the file lies.
    """
    fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_itself(path: Path) -> int:
    """A handle, for reading, on the file or folder at `path`.

    Raises:
        OSError: as the system says it; a symbolic link is refused.
    """
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def user_id() -> int:
    """The number of the user that this process runs as."""
    return os.getuid()


def user_name() -> str:
    """The name of that user by the system's list, not by the environment, which anybody can set; else the number."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    # A name may be any bytes.
    return name.encode("utf-8", "replace").decode()


def give(path: Path, user: int, group: int) -> None:
    """Make `path` that user's and that group's.

    Raises:
        PermissionError: only the superuser may.
    """
    os.chown(path, user, group)


def memory() -> int:
    """Bytes of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def do_not_wait(handle: int) -> None:
    """Let writing to a full pipe fail rather than wait."""
    os.set_blocking(handle, False)


def connect_local(path: str, timeout: float) -> socket.socket:
    """A connection to the Unix socket at `path`, made within `timeout` seconds.

    Raises:
        OSError: nobody listens there.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock
