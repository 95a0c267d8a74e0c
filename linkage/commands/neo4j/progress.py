"""How a start of the server is shown: steps, and bytes while it downloads. No command."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from linkage.commands.common import bytes_bar, live, note
from linkage.text import safe

if TYPE_CHECKING:
    from linkage.server import Progress


def server_progress() -> "AbstractContextManager[Callable[[Progress], None]]":
    """The block gets what `linkage.server.up` wants as `progress`."""
    return _Bar() if live() else nullcontext(_Lines().tell)


class _Lines:
    """A line a step, where there is no terminal."""

    def __init__(self) -> None:
        self._step = ""

    def tell(self, progress: "Progress") -> None:
        """Say the step, once."""
        if progress.step != self._step:
            self._step = progress.step
            size = f" ({progress.bytes_total / 1e6:,.0f} MB)" if progress.bytes_total else ""
            note(f"{progress.step}{size}")


class _Bar(AbstractContextManager[Any]):
    def __init__(self) -> None:
        self._bar = bytes_bar()
        self._status = self._bar.console.status("")
        self._task = self._bar.add_task("", total=None)
        self._downloads = False

    def __enter__(self) -> "Callable[[Progress], None]":
        self._status.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self._status.stop()

    def _tell(self, progress: "Progress") -> None:
        downloads = progress.bytes_total > 0
        if downloads != self._downloads:
            # A console shows one of them at a time.
            (self._status if downloads else self._bar).stop()
            (self._bar if downloads else self._status).start()
            self._downloads = downloads
        if downloads:
            self._bar.update(
                self._task, description=safe(progress.step), total=progress.bytes_total, completed=progress.bytes_done
            )
        else:
            self._status.update(safe(progress.step))
