"""Tables and bars for people. Text from exports is untrusted: none of it is markup, no control character passes.

Identifiers are there to be copied: no cell is ever cut or broken. Where a row does not fit, its last column, if it is
prose, goes below it.
"""

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from linkage.text import safe

NARROWEST: Final = 80
PIPED: Final = 120
"""Columns where there is no terminal to ask."""

GAP: Final = "  "
PROSE: Final = 34
"""Prose stands beside its row if so many columns are left for it; else below, indented by `INDENT`."""
INDENT: Final = 4


class Page:
    """Writes to stdout: colours and the terminal's width on a terminal, plain elsewhere."""

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        self.width = max(shutil.get_terminal_size().columns, NARROWEST) if terminal else PIPED
        self._console = _Console(highlight=False, width=self.width, no_color=None if terminal else True)

    @property
    def narrow(self) -> bool:
        """Whether tables should leave out what can be spared."""
        return self.width < 100

    def say(self, text: str = "") -> None:
        """One paragraph, wrapped."""
        self._console.print(Text(safe(text)))

    def table(self, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> None:
        """A table.

        Args:
            columns: a heading and how the column is set: "left", "right" or, for the last one only, "prose".
            rows: cells; None is an empty cell.
        """
        lines = _lines(columns, [["" if cell is None else safe(cell) for cell in row] for row in rows], self.width)
        for at, line in enumerate(lines):
            self._console.print(Text(line, style="bold" if at == 0 else ""), soft_wrap=True)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # rich would exit with 1; whoever reads no further (head, less) is content.
        raise BrokenPipeError


def _lines(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    headings = [heading for heading, _ in columns]
    prose = columns[-1][1] == "prose"
    fixed = len(columns) - prose
    widths = [max(map(cell_len, cells)) for cells in zip(headings, *rows, strict=True)][:fixed]
    used = sum(widths) + len(GAP) * len(widths)
    beside = prose and width - used >= PROSE

    def set_row(cells: Sequence[str]) -> str:
        parts = []
        for cell, wide, (_, kind) in zip(cells[:fixed], widths, columns[:fixed], strict=True):
            blank = " " * (wide - cell_len(cell))
            parts.append(blank + cell if kind == "right" else cell + blank)
        return GAP.join(parts)

    def with_prose(cells: Sequence[str]) -> list[str]:
        row = set_row(cells)
        if not prose:
            return [row.rstrip()]
        if beside:
            first, *more = _wrapped(cells[-1], width - used) or [""]
            return [f"{row}{GAP}{first}".rstrip(), *(" " * used + line for line in more)]
        return [row.rstrip(), *(" " * INDENT + line for line in _wrapped(cells[-1], width - INDENT))]

    head = f"{set_row(headings)}{GAP}{headings[-1]}" if beside else set_row(headings)
    longest = max([cell_len(head), *(cell_len(line) for row in rows for line in with_prose(row))])
    return [head.rstrip(), "─" * min(longest, width), *(line for row in rows for line in with_prose(row))]


def _wrapped(text: str, width: int) -> list[str]:
    """Break between words only: a word that is longer than a line may be an identifier."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines if text else []


def day(value: datetime | None) -> str:
    """The date of a time, or nothing."""
    return "" if value is None else f"{value:%Y-%m-%d}"


def score(value: float) -> str:
    """A score; none is shown as certain.

    >>> score(0.9996), score(0.5)
    ('>0.99', '0.50')
    """
    return ">0.99" if value > 0.99 else f"{value:.2f}"


def q_value(value: float | None) -> str:
    """A q-value; "-" where no null model was searched.

    >>> q_value(0.0111), q_value(1.0), q_value(None)
    ('0.011', '1.000', '-')
    """
    return "-" if value is None else f"{value:.3f}"


def few(number: float) -> str:
    """A number of rings that is expected: none is shown as certain.

    >>> few(0.02), few(11.34)
    ('less than 0.1', 'about 11.3')
    """
    return f"about {number:.1f}" if number >= 0.1 else "less than 0.1"


def bar(start: float, length: float, scale: float, width: int = 20) -> str:
    """A piece of a waterfall: blanks up to `start`, then blocks, `scale` filling `width` characters."""
    if scale <= 0:
        return ""
    begin = round(start / scale * width)
    end = max(round((start + length) / scale * width), begin + (length > 0))
    return " " * begin + "█" * (end - begin)
