"""Tables and bars for people. Text from exports is untrusted: none of it is markup, no control character passes."""

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

NARROWEST = 80


def console() -> Console:
    """Writes to stdout: colours and the terminal's width on a terminal, plain and wide elsewhere."""
    if sys.stdout.isatty():
        return Console(highlight=False, width=max(shutil.get_terminal_size().columns, NARROWEST))
    return Console(highlight=False, width=120, no_color=True, force_terminal=False)


def safe(value: object) -> str:
    """Text without control characters: they are shown as escapes.

    >>> safe("a\\x1b[31mred\\nb")
    'a\\\\x1b[31mred\\\\nb'
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in str(value)
    )


def table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> Table:
    """A table.

    Args:
        columns: a heading and how the column behaves: "left" and "right" never break, "wrap" may.
        rows: cells; None is an empty cell.
    """
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading, kind in columns:
        made.add_column(
            Text(heading),
            justify="right" if kind == "right" else "left",
            no_wrap=kind == "right",
            overflow="fold",
            ratio=1 if kind == "wrap" else None,
        )
    for row in rows:
        made.add_row(*(Text(safe("" if cell is None else cell)) for cell in row))
    return made


def day(value: datetime | None) -> str:
    """The date of a time, or nothing."""
    return "" if value is None else f"{value:%Y-%m-%d}"


def score(value: float) -> str:
    """A score; none is shown as certain.

    >>> score(0.9996), score(0.5)
    ('>0.99', '0.50')
    """
    return ">0.99" if value > 0.99 else f"{value:.2f}"


def bar(start: float, length: float, scale: float, width: int = 20) -> str:
    """A piece of a waterfall: blanks up to `start`, then blocks, `scale` filling `width` characters."""
    if scale <= 0:
        return ""
    begin = round(start / scale * width)
    end = max(round((start + length) / scale * width), begin + (length > 0))
    return " " * begin + "█" * (end - begin)
