"""Commands in processes of their own that are forked from a warmed one, to be killed or starved."""

import multiprocessing
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from linkage.commands import run
from tests.reliability import figure

TIMES: Final = int(os.environ.get("LINKAGE_TORTURE", "1"))
"""How many times as many kills as in `make test-deep`; `make torture` sets it."""

SEED: Final = int(os.environ.get("LINKAGE_TORTURE_SEED", "1"))

PATIENCE: Final = 600.0
"""Seconds after which a command is taken to hang."""

_WARMING: Final = 900.0
"""The same for the first one, before which everything is imported and, on a new machine, compiled."""

_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.warm", __name__])

Setting = Mapping[str, str] | None
"""Variables of the environment."""

Before = Callable[[], object] | None
"""What the process does before it begins, such as to limit itself; a function that can be pickled."""


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        code: its exit code, or minus the signal.
        out, err: what it printed.
        peak: bytes of memory that it took at most beyond those that it began with; 0 if it did not end by itself.
    """

    code: int
    out: str
    err: str
    peak: int


class Worker:
    """A command that runs; `log` is where its output goes."""

    def __init__(
        self,
        words: Sequence[object],
        log: Path,
        *,
        setting: Setting = None,
        before: Before = None,
    ) -> None:
        self._log = log
        self._told, told = _FORKS.Pipe(duplex=False)
        given = [str(word) for word in words]
        self.process = _FORKS.Process(target=_work, args=(given, str(log), dict(setting or {}), before, told))
        self.process.start()
        told.close()
        if not self._told.poll(_WARMING):
            self.kill()
            raise TimeoutError(f"{given} did not begin")
        with suppress(EOFError):
            self._told.recv()
        self.began = time.monotonic()

    def wait(self, seconds: float = PATIENCE) -> Done | None:
        """How it ended; None if it still runs after so many seconds."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            return None
        out, err = (self._log.with_suffix(end).read_text(errors="replace") for end in (".out", ".err"))
        peak = 0
        with suppress(EOFError):
            peak = self._told.recv()
        self._told.close()
        return Done(self.process.exitcode, out, err, peak)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.join()
        self._told.close()


def _work(words: list[str], log: str, setting: dict[str, str], before: Before, told: Connection) -> None:
    os.environ.update(setting)
    for number, end in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(Path(log).with_suffix(end), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
    if before:
        before()
    held = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    told.send("go")
    code = run(words)
    sys.stdout.flush()
    told.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - held)
    sys.exit(code)


def finish(words: Sequence[object], log: Path, *, setting: Setting = None, before: Before = None) -> Done:
    """Run a command to its end.

    Raises:
        TimeoutError: it hangs.
    """
    worker = Worker(words, log, setting=setting, before=before)
    done = worker.wait()
    if done is None:
        worker.kill()
        raise TimeoutError(f"{words} hangs")
    return done


def say(line: str) -> None:
    """Print a line, which pytest shows if the test fails."""
    sys.stdout.write(line + "\n")


@dataclass
class Killer:
    """Kills a command again and again, at instants drawn uniformly over the time that it takes undisturbed.

    Attributes:
        command: its name, for the figures.
        wanted: how many kills in `make test-deep`.
        log: where the output of what is killed goes.
    """

    command: str
    wanted: int
    log: Path
    setting: Mapping[str, str] = field(default_factory=dict)

    def each(self, prepare: Callable[[], Sequence[object]], check: Callable[[bool], None]) -> None:
        """Prepare, run, kill, check; until so many were killed as are wanted.

        Args:
            prepare: brings everything to where it was, and gives the words of the command.
            check: looks whether nothing is lost, and is told whether the command was killed; it raises if something is.
        """
        took = []
        for _ in range(3):
            words = prepare()
            before = time.monotonic()
            whole = finish(words, self.log, setting=self.setting)
            assert whole.code == 0, whole.err
            took.append(time.monotonic() - before)
            check(False)
        # What it takes varies, and the last moments are the most delicate ones.
        span = 1.1 * sorted(took)[1]
        rng = random.Random(f"{SEED} {self.command}")
        wanted, killed = self.wanted * TIMES, 0
        say(f"{self.command}: {wanted} kills within {span:.3f} s, seed {SEED}")
        for _ in range(wanted * 4):
            if killed == wanted:
                return
            worker = Worker(prepare(), self.log, setting=self.setting)
            instant = rng.uniform(0, span)
            if worker.wait(max(0.0, worker.began + instant - time.monotonic())) is None:
                worker.kill()
            dead = worker.process.exitcode == -9
            killed += dead
            survived = False
            try:
                check(dead)
                survived = True
            finally:
                if dead:
                    # Each by itself: also a run that is stopped has counted what it did.
                    told = {"command": self.command, "kills": 1, "survived": int(survived)}
                    figure("faults", **told, seed=SEED, seconds=round(span, 3))
                if not survived:
                    say(f"{self.command}: killed after {instant:.4f} s, number {killed}")
        raise AssertionError(f"{killed} of {wanted}: it is over before it can be killed")
