"""`linkage ring --sources`: the rows of the exports behind a ring, by evidence."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from linkage.commands.common import note, print_json

if TYPE_CHECKING:
    from linkage.sources import SourceRow

SHOWN = 20
VALUES = 12


def show(ring_id: str, case: Path, *, limit: int | None, everything: bool, as_json: bool) -> None:
    """Print the rows that back a ring: all of them as JSON, else those of the first values and accounts.

    Args:
        ring_id: a ring, as in `results.ring`.
        case: the case file.
        limit: at most so many rows of each value and account.
        everything: all values and accounts.
        as_json: one JSON document.
    """
    from linkage.output import Page
    from linkage.sources import LIMIT, sources

    rows = sources(case, ring_id, limit=limit or LIMIT)
    if as_json:
        print_json("ring_sources", rows)
        return
    page = Page()
    groups = [list(found) for _, found in groupby(rows, key=lambda row: (row.kind, row.value))]
    for group in groups if everything else groups[:VALUES]:
        head = group[0]
        named = f"{head.kind} {_value(head)}"
        accounts = {row.account_id: row for row in group}
        total = sum(row.total for row in accounts.values())
        page.say(f"{named}: {_count(total, 'row')} of {_count(len(accounts), 'account')}")
        chosen = list(accounts) if everything else list(accounts)[:SHOWN]
        shown = [row for row in group if row.account_id in set(chosen)]
        headings = [("account", "left"), ("table", "left"), ("column", "left"), ("at", "left"), ("line", "right")]
        cells = [
            (row.account_id, row.table, row.column, row.at and f"{row.at:%Y-%m-%d %H:%M:%S}",
             row.line and f"{row.line}", f"{row.file or ''}{f' ({row.note})' if row.note else ''}".strip())
            for row in shown
        ]  # fmt: skip
        page.table([*headings, ("file", "left")], cells)
        page.say()
    files = sorted({(row.file, row.sha256) for row in rows if row.file and row.sha256})
    if files:
        page.say("Files, by their SHA-256:")
        page.table([("file", "left"), ("sha256", "left")], files)
    if not rows:
        page.say("No row of the case backs the ring any more.")
    if len(groups) > VALUES and not everything:
        note(f"{VALUES} of {len(groups):,} values: --all shows the rest, --limit N more rows of each account.")


def _value(row: "SourceRow") -> str:
    """The value, or its label where it is a hash of something private."""
    if row.label and row.kind in ("email", "phone"):
        return row.label
    if row.kind in ("email", "phone"):
        return "***"
    return f"{row.label} ({row.value})" if row.label else row.value


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
