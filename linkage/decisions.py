"""What people decided about rings and their members: append-only, the latest counts, and later runs remember it.

A decision is about a ring, or about some of its members. Of all that was decided about the same ring, or about the same
member of it, the latest that is in force counts (`latest_sql`). Decisions are the one thing in a case that cannot be
made again, so they also stand in a JSON Lines file beside it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import duckdb

from linkage import audit, journal, store
from linkage.errors import InputError
from linkage.model import RingStatus

VERDICTS: Final[dict[str, RingStatus]] = {
    "confirm": "confirmed",
    "dismiss": "dismissed",
    "watch": "watch",
    "open": "open",
}
"""Each verdict on a ring and the status that it gives; `open` takes an earlier one back: the run's own counts again."""

HERE: Final = "linkage"
"""The source of what is decided by a command, at the moment of its recording."""

MEMBER_VERDICTS: Final = ("confirm", "dismiss", "watch", "split", "open")
"""Verdicts on members: they belong with the others of the ring, do not, are watched, are a ring of their own."""

_NAMED: Final = 5

# The latest by its own time counts, wherever it was made: what comes from Neo4j may have been made before. None is of a
# time after it was recorded.
TIME: Final = 'least("at", recorded_at), decision'
_ORDER: Final = f"({TIME})"

_COLUMNS: Final = 'ring_id, verdict, note, tags, "by", "at", source, run, decision, coalesce(members, []), until'


@dataclass(frozen=True)
class Decision:
    """One decision about one ring, or about some of its members.

    Attributes:
        ring_id: which ring.
        verdict: one of `VERDICTS`, or of `MEMBER_VERDICTS` where it is about members.
        note: why, in the person's words.
        tags: the person's labels.
        by: who.
        at: when it was decided, UTC.
        source: where it was taken: `neo4j` or `linkage`.
        run: the newest run then, whose evidence was seen; set by `record`.
        number: its place in the history, from 1; set by `record`.
        members: the accounts that it is about, sorted; () is the ring as a whole.
        until: from then on it does not count any more, UTC; None has no end.
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
    members: tuple[str, ...] = ()
    until: datetime | None = None

    @property
    def said(self) -> tuple[object, ...]:
        """What tells it from an earlier one about the same."""
        return (self.verdict, self.note, self.tags, self.by, self.members, self.until)

    @property
    def words(self) -> str:
        """The verdict, the first members that it is about, and until when it counts, for a sentence."""
        more = f", … ({len(self.members):,})" if len(self.members) > _NAMED else ""
        about = f" ({', '.join(self.members[:_NAMED])}{more})" if self.members else ""
        return f"{self.verdict}{about}{f' until {self.until:%Y-%m-%d %H:%M}' if self.until else ''}"

    @property
    def subjects(self) -> tuple[tuple[str, str | None], ...]:
        """What it is about: ring and member, None for the ring as a whole."""
        return tuple((self.ring_id, account) for account in self.members or (None,))


def beside(case: Path) -> Path:
    """The JSON Lines file with all decisions of the case at `case`."""
    return case.with_name(f"{case.name}.decisions.jsonl")


def record(case: Path, decisions: Iterable[Decision]) -> list[Decision]:
    """Append decisions to the case; returns those that say anything new.

    Raises:
        InputError: an unknown verdict, or what is no text.
        LinkageError: as `store.writing`.
    """
    added: list[Decision] = []
    given = list(decisions)
    for decision in given:
        known_verdicts = MEMBER_VERDICTS if decision.members else tuple(VERDICTS)
        if decision.verdict not in known_verdicts:
            raise InputError(f"There is no verdict {decision.verdict!r}.", f"Use one of: {', '.join(known_verdicts)}.")
        journal.must_be_text(decision.note, decision.by, *decision.tags, *decision.members)
    key = audit.key_of(case)
    with store.writing(case) as con:
        (last, run) = con.execute(
            "SELECT (SELECT coalesce(max(decision), 0) FROM decisions), (SELECT coalesce(max(run), 0) FROM runs)"
        ).fetchall()[0]
        known = {(subject, one.source): one for one in of_ring(con) for subject in one.subjects}
        recorded_at = store.now(con)
        times = dict(con.execute('SELECT decision, least("at", recorded_at) FROM decisions').fetchall())
        for decision in given:
            before = [known.get((subject, decision.source)) for subject in decision.subjects]
            if all(one is not None and one.said == decision.said for one in before):
                continue
            last += 1
            kept = replace(decision, at=_utc(decision.at), number=int(last), run=int(run))
            if kept.source == HERE:
                # The clock may have gone back since, and the later one counts all the same.
                earlier = (times[one.number] for (about, _), one in known.items() if about in kept.subjects)
                kept = replace(kept, at=max(kept.at, max(earlier, default=kept.at)))
            times[kept.number] = min(kept.at, recorded_at)
            con.execute(
                "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [kept.number, kept.ring_id, kept.verdict, kept.note, list(kept.tags), kept.by, kept.at, kept.source,
                 kept.run, recorded_at, list(kept.members) or None, kept.until],
            )  # fmt: skip
            known |= {(subject, kept.source): kept for subject in kept.subjects}
            added.append(kept)
            facts = {"decision": kept.number, "ring": kept.ring_id, "verdict": kept.verdict, "source": kept.source}
            about = {"members": len(kept.members), "digest": audit.digest(key, line(kept))}
            audit.extend(con, key, "review", facts | about)
    # Also where nothing is new: a crash may have come between the commit and the line beside it.
    journal.append(beside(case), lines(case))
    audit.copy(case)
    return added


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def in_force(now: datetime) -> str:
    """SQL that holds for rows that count at `now`: whose `until`, if there is one, is to come."""
    return f"(until IS NULL OR until > TIMESTAMP '{now:%Y-%m-%d %H:%M:%S.%f}')"


def latest_sql(now: datetime, schema: str = "") -> str:
    """SQL for what counts at `now`, the one definition of it: ring_id, account_id (NULL: the ring), verdict, decision.

    Args:
        now: UTC without a zone.
        schema: of the case, with a point behind it.
    """
    each = f"(SELECT *, unnest(coalesce(members, [NULL]::VARCHAR[])) AS account_id FROM {schema}decisions)"  # noqa: S608
    return (
        f"SELECT ring_id, account_id, arg_max(verdict, {_ORDER}) AS verdict, arg_max(decision, {_ORDER}) AS decision "  # noqa: S608 (our own names)
        f"FROM {each} WHERE {in_force(now)} GROUP BY ring_id, account_id"
    )


def rings_sql(now: datetime, schema: str = "") -> str:
    """SQL for the table `rings`, each with the status that the decision on it gives at `now`, if there is one."""
    cases = " ".join(f"WHEN '{verdict}' THEN '{status}'" for verdict, status in VERDICTS.items() if verdict != "open")
    return (
        f"(SELECT r.* REPLACE (CASE d.verdict {cases} ELSE r.status END AS status) FROM {schema}rings r "  # noqa: S608 (our own names)
        f"LEFT JOIN ({latest_sql(now, schema)}) d ON d.ring_id = r.ring_id AND d.account_id IS NULL)"
    )


def history(case: Path, ring_id: str | None = None) -> list[Decision]:
    """All decisions, or those on one ring and its members, the oldest first."""
    with store.reading(case) as con:
        return of_ring(con, ring_id)


def of_ring(con: duckdb.DuckDBPyConnection, ring_id: str | None = None) -> list[Decision]:
    """Decisions on one ring and its members, or all of them, the oldest first, from an open case."""
    rows = con.execute(
        f"SELECT {_COLUMNS} FROM decisions WHERE $1 IS NULL OR ring_id = $1 ORDER BY {TIME}",  # noqa: S608 (our own names)
        [ring_id],
    ).fetchall()
    # The columns stand in the order of the fields.
    plain: list[list[Any]] = [[tuple(value) if isinstance(value, list) else value for value in row] for row in rows]
    return [Decision(*row) for row in plain]


def standing(con: duckdb.DuckDBPyConnection, now: datetime) -> dict[tuple[str, str | None], Decision]:
    """The decision that counts at `now` on each ring, and on each member of one, by ring id and account (or None)."""
    made = {one.number: one for one in of_ring(con)}
    rows = con.execute(f"SELECT ring_id, account_id, decision FROM ({latest_sql(now)}) ORDER BY ALL").fetchall()  # noqa: S608
    return {(ring_id, account): made[number] for ring_id, account, number in rows}


def confirmed(con: duckdb.DuckDBPyConnection, now: datetime, schema: str = "") -> dict[str, bool]:
    """Rings whose decision confirms (True) or dismisses (False) them, by ring id: to watch is not to decide."""
    rows = con.execute(
        f"SELECT ring_id, verdict FROM ({latest_sql(now, schema)}) WHERE account_id IS NULL "  # noqa: S608 (our own names)
        "AND verdict IN ('confirm', 'dismiss') ORDER BY ring_id"
    ).fetchall()
    return {str(ring_id): verdict == "confirm" for ring_id, verdict in rows}


def newest(con: duckdb.DuckDBPyConnection) -> int:
    """Number of the newest decision in an open case, 0 if there is none."""
    return int(con.execute("SELECT coalesce(max(decision), 0) FROM decisions").fetchall()[0][0])


def lines(case: Path) -> list[bytes]:
    """All decisions as they stand in the file beside the case."""
    with store.reading(case) as con:
        return list(lines_of(con).values())


def lines_of(con: duckdb.DuckDBPyConnection) -> dict[int, bytes]:
    """The same by number, from an open case."""
    return {one.number: line(one) for one in sorted(of_ring(con), key=attrgetter("number"))}


def line(decision: Decision) -> bytes:
    """A decision as it stands there."""
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
        "members": list(decision.members),
        "until": decision.until and decision.until.isoformat() + "Z",
    }
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"
