"""The rows that were set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linkage import store


@dataclass(frozen=True)
class RejectRow:
    """One row that was set aside.

    Attributes:
        file: the file's name.
        table: the contract table that it was read as.
        line: the line in the file, from 1; None if it cannot be told.
        column: the offending column, "" if the row itself is broken.
        reason: why.
        excerpt: the offending column's text, `***` where it is private.
    """

    file: str
    table: str
    line: int | None
    column: str
    reason: str
    excerpt: str | None


def rejects(
    case: Path, *, reason: str | None = None, file: str | None = None, limit: int | None = None
) -> list[RejectRow]:
    """Rejected rows by file and line.

    Args:
        case: the case file.
        reason: only rows whose reason contains this text.
        file: only rows of the files of this name.
        limit: at most so many.
    """
    with store.reading(case) as con:
        rows = con.execute(
            """SELECT f.name, f."table", r.line, r."column", r.reason, r.excerpt
            FROM rejects r JOIN files f USING (file)
            WHERE ($1 IS NULL OR contains(r.reason, $1)) AND ($2 IS NULL OR f.name = $2)
            ORDER BY f.file, r.line, r."column", r.reason LIMIT $3""",
            [reason, file, limit if limit is not None else 2**62],
        ).fetchall()
    return [RejectRow(*row) for row in rows]


def export_rejects(rows: Sequence[RejectRow], path: Path) -> None:
    """Write rejected rows as CSV, or as JSON Lines if `path` ends in `.jsonl`.

    Raises:
        LinkageError: the file cannot be written.
    """
    from linkage.export import write_rows  # noqa: PLC0415

    write_rows(path, ("file", "table", "line", "column", "reason", "excerpt"), [vars(row) for row in rows])
