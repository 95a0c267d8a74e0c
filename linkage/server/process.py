"""Processes: start one that outlives us, know it again, stop it. One that is not ours is never touched."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from linkage import posix
from linkage.errors import MachineError, Neo4jError, translate

PRIVATE: Final = 0o077
"""The mask of what the server writes: its files are for their owner alone, also where its home is opened to others."""

_PROC: Final = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process as it can be known again.

    Attributes:
        pid: its number, which the system gives to another one later.
        started: when it started, in the system's own words; together with `pid` it names one process.
        command: its command line.
    """

    pid: int
    started: str
    command: str


def look(pid: int) -> Process | None:
    """The process of this number; None if there is none, or one that has ended and was not collected."""
    if pid <= 0:
        return None
    return _from_proc(pid) if sys.platform == "linux" else _from_ps(pid)


def _from_proc(pid: int) -> Process | None:
    try:
        # The name in brackets may hold blanks and brackets itself.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    if len(fields) < 20 or (fields[0] in "ZX" and _threads(pid) < 2):
        return None
    return Process(pid, fields[19], " ".join(os.fsdecode(word) for word in words).strip())


def _threads(pid: int) -> int:
    """How many threads there are: while a killed process has others than its first, it holds its ports and locks."""
    try:
        return len(list((_PROC / str(pid) / "task").iterdir()))
    except OSError:
        return 0


def _from_ps(pid: int) -> Process | None:
    try:
        done = subprocess.run(
            ["ps", "-ww", "-o", "stat=", "-o", "lstart=", "-o", "command=", "-p", str(pid)],
            capture_output=True, text=True, errors="replace", timeout=10, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    # stat, then a time in five words, then the command.
    words = done.stdout.split(maxsplit=6)
    if done.returncode or len(words) < 7 or words[0].startswith("Z"):
        return None
    return Process(pid, " ".join(words[1:6]), words[6].strip())


def same(process: Process) -> bool:
    """Whether `process` still runs, and is not another one that got its number.

    The command line is not compared whole: it changes between the fork and the start of the program.
    """
    found = look(process.pid)
    return found is not None and found.started == process.started


def spawn(command: Sequence[str], folder: Path, said: Path, environment: Mapping[str, str]) -> Process | None:
    """Start `command` in its own session and in `folder`, its words going into the file `said`.

    A shell starts it and ends at once: so it is nobody's child, is collected when it ends however long we live, and
    a Ctrl-C in our terminal does not reach it.

    Returns:
        the process; None if it has ended already.
    """
    script = 'said=$1; shift; "$@" >"$said" 2>&1 </dev/null & echo $!'
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", said, *command],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True,
            start_new_session=True, umask=PRIVATE,
        )  # fmt: skip
    except OSError as exc:
        raise translate(exc, "starting the server") from None
    except subprocess.SubprocessError as exc:
        raise Neo4jError(f"The server could not be started ({type(exc).__name__}).") from None
    return look(int(done.stdout))


def stop(process: Process, *, patience: float) -> None:
    """End `process` and wait until it is gone: ask, and after `patience` seconds insist.

    Raises:
        MachineError: it may not be ended, or stays.
    """
    for number, seconds in ((signal.SIGTERM, patience), (posix.KILL, 10.0)):
        # Looked at right before: by now the number may be another's.
        if not same(process):
            return
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return
        except OSError as exc:
            raise translate(exc, f"stopping the server (process {process.pid})") from None
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not same(process):
                return
            time.sleep(0.05)
    raise MachineError(
        f"The server (process {process.pid}) does not end.", "Look at it with: ps -p " + str(process.pid)
    )
