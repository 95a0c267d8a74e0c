"""Every error that `linkage` shows a person.

    LinkageError                 1  our own fault: please report it
    ├── UsageError               2  the command line does not fit
    ├── InputError               3  an input breaks the data contract
    ├── NotFoundError            4  no such file, case, run, ring or account
    ├── Neo4jError               5  Neo4j is unreachable or refused
    ├── CheckFailedError         6  a check that was asked for failed
    ├── MachineError             7  the machine refused: disk, permission, memory
    │   └── CaseBusyError        7  another process holds the case file; a retry helps
    └── AlertError               8  an alert fired

A message says what happened, where and with which value; `hint` is the next thing to type. No foreign exception
reaches a person: `translate` turns each into one of these. This module imports only the standard library, because
every other module imports it.
"""

import errno
import re
from enum import IntEnum


class ExitCode(IntEnum):
    """What the `linkage` process exits with."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    INPUT = 3
    NOT_FOUND = 4
    NEO4J = 5
    CHECK_FAILED = 6
    MACHINE = 7
    ALERT = 8
    INTERRUPTED = 130


class LinkageError(Exception):
    """Base of all errors shown to a person.

    Args:
        message: one sentence: what, where, which value.
        hint: the next command to type, or what to change; may be empty.
        details: lines to show below the message, such as the end of a log.
    """

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, message: str, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class UsageError(LinkageError):
    """The command line, or the arguments of a function, do not fit. A retry does not help."""

    exit_code = ExitCode.USAGE


class InputError(LinkageError):
    """An input breaks the data contract. A retry helps only after the input was changed."""

    exit_code = ExitCode.INPUT


class NotFoundError(LinkageError):
    """Something that was named does not exist."""

    exit_code = ExitCode.NOT_FOUND


class Neo4jError(LinkageError):
    """Neo4j is unreachable or refused. A retry may help."""

    exit_code = ExitCode.NEO4J


class CheckFailedError(LinkageError):
    """A check that was asked for failed."""

    exit_code = ExitCode.CHECK_FAILED


class MachineError(LinkageError):
    """The machine refused: disk full, no permission, out of memory. A retry helps once that is mended."""

    exit_code = ExitCode.MACHINE


class CaseBusyError(MachineError):
    """Another process holds the case file. A retry helps when it has finished."""


class AlertError(LinkageError):
    """An alert fired."""

    exit_code = ExitCode.ALERT


_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def translate(exc: BaseException, doing: str = "") -> LinkageError:
    """Turn any exception into a `LinkageError`.

    Args:
        exc: what was raised; a `LinkageError` comes back as it is.
        doing: what was being done, for the message, e.g. ``"writing ./linkage.duckdb"``.
    """
    if isinstance(exc, LinkageError):
        return exc
    where = f" while {doing}" if doing else ""
    if isinstance(exc, MemoryError) or (isinstance(exc, OSError) and exc.errno == errno.ENOMEM):
        return MachineError(f"Out of memory{where}.", "Free memory, or use a machine with more.")
    if isinstance(exc, RuntimeError) and "can't start new thread" in str(exc):
        return MachineError(f"Out of memory or of threads{where}.", "Free some, or give it fewer: LINKAGE_THREADS=1")
    if isinstance(exc, OSError):
        return _from_os(exc, where)
    if type(exc).__module__.partition(".")[0] in ("duckdb", "_duckdb"):
        return _from_duckdb(exc, where)
    return LinkageError(
        f"Unexpected {type(exc).__name__}{where}.",
        "This is a fault in linkage: run again with LINKAGE_DEBUG=1 and report what it prints.",
    )


def _from_os(exc: OSError, where: str) -> LinkageError:
    named = f": {exc.filename}" if exc.filename else ""
    if exc.errno in _DISK_FULL:
        return MachineError(f"The disk is full{where}{named}.", "Free space, then run the same command again.")
    if exc.errno in _DENIED:
        return MachineError(f"Permission denied{where}{named}.", "Choose a place that you may write to.")
    if exc.errno == errno.ENOENT:
        return NotFoundError(f"No such file or folder{where}{named}.")
    return MachineError(f"The machine refused{where}{named}: {exc.strerror or type(exc).__name__}.")


def _from_duckdb(exc: BaseException, where: str) -> LinkageError:
    # DuckDB's messages may quote SQL and values: they are read for their kind and never shown whole.
    text = str(exc)
    low = text.lower()
    if type(exc).__name__ == "OutOfMemoryException":
        return MachineError(f"Out of memory or of temporary disk space{where}.", "Free some, then run again.")
    if "no space left" in low or "file too large" in low or "disk quota" in low or "could not write all bytes" in low:
        return MachineError(f"The disk is full{where}.", "Free space, then run the same command again.")
    if "permission denied" in low or "read-only file system" in low:
        return MachineError(f"Permission denied{where}.", "Choose a place that you may write to.")
    if "conflicting lock" in low:
        holder = re.search(r"\(PID (\d+)\)", text)
        by = f" by process {holder.group(1)}" if holder else ""
        return CaseBusyError(f"The case file is in use{by}.", "Wait until it has finished, then run again.")
    return LinkageError(
        f"The database engine failed{where} ({type(exc).__name__}).",
        "This is a fault in linkage: run again with LINKAGE_DEBUG=1 and report what it prints.",
    )
