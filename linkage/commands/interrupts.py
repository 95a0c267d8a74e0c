"""Ctrl-C stops a running query at once, not when it has ended."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from linkage import posix


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """While the block runs, SIGINT stops the queries of this process and raises KeyboardInterrupt.

    Python runs a signal's handler between two of its own instructions, so not while the database engine works, which
    may be minutes. What the kernel writes into the wake-up pipe arrives at once, though, and a thread waits for it.

    Yields:
        a function that tells whether SIGINT came. A thread other than the main one gets one that says no: signals
        are not its business.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return

    def handle(number: int, frame: FrameType | None) -> None:
        came.set()
        signal.default_int_handler(number, frame)

    reader, writer = os.pipe()
    posix.do_not_wait(writer)
    watcher = threading.Thread(target=_watch, args=(reader,), daemon=True)
    watcher.start()
    before = signal.signal(signal.SIGINT, handle)
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield came.is_set
    finally:
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGINT, before)
        os.close(writer)
        watcher.join()
        os.close(reader)


def _watch(reader: int) -> None:
    while numbers := os.read(reader, 64):
        # Where the module is not loaded, or not whole yet, no query can be running.
        stop = getattr(sys.modules.get("linkage.store"), "interrupt", None)
        if signal.SIGINT in numbers and stop is not None:
            stop()
