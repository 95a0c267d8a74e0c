"""What people decided about rings: append-only, the latest counts, and later runs remember it by the ring's id.

Decisions are the one thing in a case that cannot be made again, so they also stand in a JSON Lines file beside it.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import duckdb

from linkage import store
from linkage.errors import InputError, translate
from linkage.model import RingStatus

VERDICTS: Final[dict[str, RingStatus]] = {
    "confirm": "confirmed",
    "dismiss": "dismissed",
    "watch": "watch",
    "open": "open",
}
"""Each verdict and the status that it gives a ring; `open` takes an earlier one back."""

# The latest by its own time counts, wherever it was made: what comes from Neo4j may have been made before. None is of a
# time after it was recorded.
_TIME: Final = 'least("at", recorded_at), decision'
_ORDER: Final = f"({_TIME})"


@dataclass(frozen=True)
class Decision:
    """One decision about one ring.

    Attributes:
        ring_id: which ring.
        verdict: one of `VERDICTS`.
        note: why, in the person's words.
        tags: the person's labels.
        by: who.
        at: when it was decided, UTC.
        source: where it was taken: `neo4j` or `linkage`.
        run: the newest run then, whose evidence was seen; set by `record`.
        number: its place in the history, from 1; set by `record`.
    """

    ring_id: str
    verdict: str
    note: str
    tags: tuple[str, ...]
    by: str
    at: datetime
    source: str
    run: int = 0
    number: int = 0

    @property
    def said(self) -> tuple[object, ...]:
        """What tells it from an earlier one about the same ring."""
        return (self.verdict, self.note, self.tags, self.by)


def beside(case: Path) -> Path:
    """The JSON Lines file with all decisions of the case at `case`."""
    return case.with_name(f"{case.name}.decisions.jsonl")


def record(case: Path, decisions: Iterable[Decision]) -> list[Decision]:
    """Append decisions to the case and give their rings the status; returns those that say anything new.

    Raises:
        InputError: an unknown verdict.
        LinkageError: as `store.writing`.
    """
    added: list[Decision] = []
    given = list(decisions)
    for decision in given:
        if decision.verdict not in VERDICTS:
            raise InputError(f"There is no verdict {decision.verdict!r}.", f"Use one of: {', '.join(VERDICTS)}.")
    with store.writing(case) as con:
        (last, run) = con.execute(
            "SELECT (SELECT coalesce(max(decision), 0) FROM decisions), (SELECT coalesce(max(run), 0) FROM runs)"
        ).fetchall()[0]
        known = {(one.ring_id, one.source): one for one in of_ring(con)}
        for decision in given:
            before = known.get((decision.ring_id, decision.source))
            if before is not None and before.said == decision.said:
                continue
            last += 1
            kept = replace(decision, number=int(last), run=int(run))
            con.execute(
                "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [kept.number, kept.ring_id, kept.verdict, kept.note, list(kept.tags), kept.by, kept.at, kept.source,
                 kept.run, datetime.now(UTC).replace(tzinfo=None)],
            )  # fmt: skip
            known[kept.ring_id, kept.source] = kept
            added.append(kept)
        con.execute(status_sql("rings", "decisions"))
    _write_beside(case)
    return added


def status_sql(rings: str, decisions: str) -> str:
    """SQL that gives each ring in table `rings` the status of its latest decision, if there is one."""
    cases = " ".join(f"WHEN '{verdict}' THEN '{status}'" for verdict, status in VERDICTS.items())
    return (
        f"UPDATE {rings} SET status = CASE d.verdict {cases} END FROM (SELECT ring_id, arg_max(verdict, {_ORDER}) "  # noqa: S608 (our own names)
        f"AS verdict FROM {decisions} GROUP BY ring_id) d WHERE d.ring_id = {rings}.ring_id"
    )


def history(case: Path, ring_id: str | None = None) -> list[Decision]:
    """All decisions, or those on one ring, the oldest first."""
    with store.reading(case) as con:
        return of_ring(con, ring_id)


def of_ring(con: duckdb.DuckDBPyConnection, ring_id: str | None = None) -> list[Decision]:
    """Decisions on one ring, or all of them, the oldest first, from an open case."""
    rows = con.execute(
        f"""SELECT ring_id, verdict, note, tags, "by", "at", source, run, decision FROM decisions
        WHERE $1 IS NULL OR ring_id = $1 ORDER BY {_TIME}""",  # noqa: S608 (our own name)
        [ring_id],
    ).fetchall()
    return [Decision(row[0], row[1], row[2], tuple(row[3]), *row[4:]) for row in rows]


def confirmed(con: duckdb.DuckDBPyConnection, table: str = "decisions") -> dict[str, bool]:
    """Rings whose latest decision confirms (True) or dismisses (False) them, by ring id: to watch is not to decide."""
    rows = con.execute(
        f"SELECT ring_id, arg_max(verdict, {_ORDER}) AS verdict FROM {table} GROUP BY ring_id "  # noqa: S608 (our own names)
        "HAVING verdict IN ('confirm', 'dismiss') ORDER BY ring_id"
    ).fetchall()
    return {str(ring_id): verdict == "confirm" for ring_id, verdict in rows}


def newest(con: duckdb.DuckDBPyConnection) -> int:
    """Number of the newest decision in an open case, 0 if there is none."""
    return int(con.execute("SELECT coalesce(max(decision), 0) FROM decisions").fetchall()[0][0])


def _write_beside(case: Path) -> None:
    """Append what the file lacks: after a crash between commit and append that is more than one line."""
    path = beside(case)
    decisions = sorted(history(case), key=attrgetter("number"))
    try:
        kept = path.read_bytes() if path.exists() else b""
        # A line that was cut off by a crash is written again.
        kept = kept[: kept.rfind(b"\n") + 1]
        missing = decisions[kept.count(b"\n") :]
        if not missing:
            return
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            file.truncate(len(kept))
            file.seek(len(kept))
            file.write(b"".join(_line(decision) for decision in missing))
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise translate(exc, f"writing {path}") from None


def _line(decision: Decision) -> bytes:
    body: dict[str, Any] = {
        "number": decision.number,
        "ring_id": decision.ring_id,
        "verdict": decision.verdict,
        "note": decision.note,
        "tags": list(decision.tags),
        "by": decision.by,
        "at": decision.at.isoformat() + "Z",
        "source": decision.source,
        "run": decision.run,
    }
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"
