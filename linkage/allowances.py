"""Identifiers that people allow: append-only as decisions are, and the latest on an identifier counts until it is over.

What is allowed links nobody in later runs (`linkage.allowed_sightings`). It stands in a JSON Lines file beside the
case, too.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from linkage import audit, journal, store
from linkage.decisions import in_force

_COLUMNS: Final = 'kind, value, allowed, reason, "by", "at", until, run, allowance'


BY_WHOM: Final = """'allowed by ' || coalesce(nullif(max("by"), ''), 'somebody') || ': ' || max(reason)"""
"""SQL for who allowed an identifier and why, over rows that have `by` and `reason`."""


@dataclass(frozen=True)
class Allowance:
    """That an identifier is allowed, or is not any more.

    Attributes:
        kind, value: the identifier as the case keeps it.
        allowed: False takes an earlier one back.
        reason: why, in the person's words.
        by: who.
        at: when, UTC.
        until: from then on it does not count any more, UTC; None has no end.
        run: the newest run then; set by `record`.
        number: its place in the history, from 1; set by `record`.
    """

    kind: str
    value: str
    allowed: bool
    reason: str
    by: str
    at: datetime
    until: datetime | None = None
    run: int = 0
    number: int = 0


def beside(case: Path) -> Path:
    """The JSON Lines file with all allowances of the case at `case`."""
    return case.with_name(f"{case.name}.allowances.jsonl")


def record(case: Path, one: Allowance) -> Allowance | None:
    """Append to the case; None where the last one on that identifier says the same.

    Raises:
        InputError: reason or name are no text.
        LinkageError: as `store.writing`.
    """
    journal.must_be_text(one.reason, one.by)
    key = audit.key_of(case)
    with store.writing(case) as con:
        known = [row for row in of_case(con) if (row.kind, row.value) == (one.kind, one.value)]
        number, run = con.execute(
            "SELECT (SELECT coalesce(max(allowance), 0) + 1 FROM allowances), (SELECT coalesce(max(run), 0) FROM runs)"
        ).fetchall()[0]
        kept = replace(one, number=int(number), run=int(run))
        fresh = not known or replace(known[-1], at=kept.at, run=kept.run, number=kept.number) != kept
        if fresh:
            con.execute(
                "INSERT INTO allowances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [kept.number, kept.kind, kept.value, kept.allowed, kept.reason, kept.by, kept.at, kept.until, kept.run],
            )
            facts = {"allowance": kept.number, "kind": kept.kind, "allowed": kept.allowed}
            audit.extend(con, key, "allow", {**facts, "digest": audit.digest(key, line(kept))})
    # Also where nothing is new: a crash may have come between the commit and the line beside it.
    journal.append(beside(case), lines(case))
    audit.copy(case)
    return kept if fresh else None


def latest_sql(now: datetime, schema: str = "") -> str:
    """SQL for what counts at `now` of each identifier: kind, value, allowance (its number).

    Args:
        now: UTC without a zone.
        schema: of the case, with a point behind it.
    """
    return (
        f"SELECT kind, value, max(allowance) AS allowance FROM {schema}allowances WHERE {in_force(now)} "  # noqa: S608 (our own names)
        "GROUP BY kind, value"
    )


def of_case(con: duckdb.DuckDBPyConnection) -> list[Allowance]:
    """All of an open case, the oldest first."""
    rows = con.execute(f"SELECT {_COLUMNS} FROM allowances ORDER BY allowance").fetchall()  # noqa: S608 (our own names)
    return [Allowance(*row) for row in rows]


def standing(con: duckdb.DuckDBPyConnection, now: datetime) -> list[Allowance]:
    """What is allowed at `now`, by kind and value."""
    made = {one.number: one for one in of_case(con)}
    rows = con.execute(f"SELECT allowance FROM ({latest_sql(now)}) ORDER BY kind, value").fetchall()  # noqa: S608
    return [made[number] for (number,) in rows if made[number].allowed]


def lines(case: Path) -> list[bytes]:
    """All of them as they stand in the file beside the case."""
    with store.reading(case) as con:
        return list(lines_of(con).values())


def lines_of(con: duckdb.DuckDBPyConnection) -> dict[int, bytes]:
    """The same by number, from an open case."""
    return {row.number: line(row) for row in of_case(con)}


def line(one: Allowance) -> bytes:
    """One as it stands there."""
    times = {"at": one.at.isoformat() + "Z", "until": one.until and one.until.isoformat() + "Z"}
    return json.dumps({**asdict(one), **times}, ensure_ascii=False).encode() + b"\n"
