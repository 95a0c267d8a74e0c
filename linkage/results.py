"""Read what the newest run left in a case: rings, their members and evidence, hubs, runs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from linkage import decisions, store
from linkage.context.model import Place
from linkage.decisions import Decision
from linkage.errors import NotFoundError
from linkage.model import FLAGGED, TIERS
from linkage.ring_decided import ALLOWED, BOUND, AllowedRow, BoundRow
from linkage.until import utc_now


@dataclass(frozen=True)
class RingRow:
    """One ring.

    Attributes:
        ring_id: stable from run to run.
        rank: 1 is the first to look at.
        score: 0 to 1.
        q_value: the part of the rings as strong as this one that chance would make, 0 to 1; None without null models.
        status: one of `model.STATUSES`.
        listed: its score reaches the line and chance does not make it, or its score would but for its explanation.
        accounts, exchanges: members, and their exchanges.
        first_seen, last_seen: of any member.
        why, doubts: in plain language; doubts may be "".
        bits: mean bits of a member beyond the prior.
        factors: bits of each factor of the score.
    """

    ring_id: str
    rank: int
    score: float
    q_value: float | None
    status: str
    listed: bool
    accounts: int
    exchanges: int
    first_seen: datetime | None
    last_seen: datetime | None
    why: str
    doubts: str
    bits: float
    factors: dict[str, float]


@dataclass(frozen=True)
class MemberRow:
    """A member: tier is one of `model.TIERS`, confidence 0 to 1, bits beyond the prior.

    `decision` is the number of the one that brought it in, where the evidence did not.
    """

    ring_id: str
    account_id: str
    tier: str
    confidence: float
    bits: float
    exchanges: int
    first_seen: datetime | None
    last_seen: datetime | None
    decision: int | None = None


@dataclass(frozen=True)
class EvidenceRow:
    """What ties a ring: members (`accounts`) and others (`outsiders`) with a value, and its bits for a mean member."""

    ring_id: str
    kind: str
    value: str
    label: str | None
    accounts: int
    outsiders: int
    bits: float
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True)
class BystanderRow:
    """An account that touches a ring and is no member; bits of its strongest tie."""

    ring_id: str
    account_id: str
    bits: float
    reason: str


@dataclass(frozen=True)
class Ring:
    """A ring with all that belongs to it.

    Attributes:
        ring, members, evidence, bystanders: as the newest run left them.
        decisions: on the ring and its members, from the oldest to the newest.
        decision: the one on the ring as a whole that counts now, or None.
        bound: whom decisions brought in or took out, and members whom one took out of another ring.
        allowed: what several members share and is allowed, the most shared first.
        places: what the run knew of its values by the tables of context.
    """

    ring: RingRow
    members: tuple[MemberRow, ...]
    evidence: tuple[EvidenceRow, ...]
    bystanders: tuple[BystanderRow, ...]
    decisions: tuple[Decision, ...]
    decision: Decision | None = None
    bound: tuple[BoundRow, ...] = ()
    allowed: tuple[AllowedRow, ...] = ()
    places: tuple[Place, ...] = ()

    @property
    def known(self) -> dict[tuple[str, str], Place]:
        """The places by kind and value."""
        return {(place.kind, place.value): place for place in self.places}


@dataclass(frozen=True)
class Listed:
    """All listed rings of a run: rings by rank, members by ring, tier and account, evidence by ring and bits."""

    rings: tuple[RingRow, ...]
    members: tuple[MemberRow, ...]
    evidence: tuple[EvidenceRow, ...]


@dataclass(frozen=True)
class HubRow:
    """A damped identifier: its holders, what it is worth alone beyond the prior, pairs not formed, and why."""

    kind: str
    value: str
    label: str | None
    accounts: int
    bits_alone: float
    pairs_spared: int
    reason: str


@dataclass(frozen=True)
class RunRow:
    """A run of detect."""

    run: int
    started_at: datetime
    seconds: float
    parameters: dict[str, Any]
    versions: dict[str, str]
    counts: dict[str, int]
    timings: dict[str, float]


@dataclass(frozen=True)
class TemplateAlias:
    """A name that a template had, and the one that it has: part is `template`, `opening` or `ending`."""

    part: str
    alias: str
    template: str


def rings(case: Path, *, unlisted: bool = False, limit: int | None = None) -> list[RingRow]:
    """The rings of the newest run by rank.

    Args:
        case: the case file.
        unlisted: also those whose score is below the line.
        limit: at most so many.

    Raises:
        NotFoundError: the case has no run yet.
    """
    with store.reading(case) as con:
        newest_run(con, case)
        return _rings(con, unlisted=unlisted, limit=limit)


MEMBERS: Final = """(SELECT m.*, b.decision FROM members m LEFT JOIN bound b
    ON b.joined AND b.ring_id = m.ring_id AND b.account_id = m.account_id)"""
"""What `MemberRow` takes."""


PLACES: Final = """
SELECT e.ring_id, p.kind, p.value, p.asn, p.name, p.type FROM evidence e JOIN places p USING (kind, value)
WHERE e.ring_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL
"""
"""Ring, then what `Place` takes."""


def rings_in(con: duckdb.DuckDBPyConnection, case: Path, now: datetime | None = None) -> list[RingRow]:
    """The listed rings by rank, from a case that is open already, with their statuses at `now`."""
    newest_run(con, case)
    return _rings(con, now=now)


def accused(rows: Sequence[RingRow]) -> tuple[list[RingRow], float]:
    """The listed rings that nobody dismissed, and how many of them are innocent if their scores hold."""
    found = [row for row in rows if row.listed and row.status in FLAGGED]
    return found, sum(1 - row.score for row in found)


def listed(case: Path, names: Sequence[str] = ()) -> Listed:
    """The listed rings with all their members and evidence, read at one moment: a run in between changes nothing.

    Args:
        case: the case file.
        names: only these rings, listed or not, each named as in `ring`; by default all that are listed.

    Raises:
        NotFoundError: the case has no run yet, or no such ring.
    """
    with store.reading(case) as con:
        return listed_in(con, case, names)


def listed_in(con: duckdb.DuckDBPyConnection, case: Path, names: Sequence[str] = ()) -> Listed:
    """`listed`, from a case that is open already."""
    newest_run(con, case)
    if not names:
        return Listed(tuple(_rings(con)), tuple(_members(con)), tuple(_evidence(con)))
    chosen = {row.ring_id: row for row in (_find(con, name) for name in names)}
    return Listed(
        tuple(sorted(chosen.values(), key=lambda row: row.rank)),
        tuple(_members(con, list(chosen))),
        tuple(_evidence(con, list(chosen))),
    )


def judged(case: Path) -> list[tuple[RingRow, list[str]]]:
    """All judged groups by rank, listed or not, each with its accounts, read at one moment.

    Raises:
        NotFoundError: the case has no run yet.
    """
    with store.reading(case) as con:
        newest_run(con, case)
        accounts: dict[str, list[str]] = {}
        for ring_id, account in con.execute(
            "SELECT ring_id, account_id FROM members ORDER BY ring_id, account_id"
        ).fetchall():
            accounts.setdefault(ring_id, []).append(account)
        return [(row, accounts[row.ring_id]) for row in _rings(con, unlisted=True)]


def ring(case: Path, name: str) -> Ring:
    """One ring with its members, evidence and bystanders.

    Args:
        case: the case file.
        name: its id, the start of its id if only one ring's starts so, or its rank (`3` or `#3`).

    Raises:
        NotFoundError: no such ring, several, or no run yet.
    """
    with store.reading(case) as con:
        return ring_in(con, case, name)


def ring_in(con: duckdb.DuckDBPyConnection, case: Path, name: str) -> Ring:
    """`ring`, from a case that is open already: who reads more of it reads it at the same moment."""
    newest_run(con, case)
    now = utc_now()
    found = _find(con, name)
    ring_id = found.ring_id
    members = con.execute(
        f"SELECT * FROM {MEMBERS} WHERE ring_id = ? ORDER BY confidence DESC, bits DESC, account_id",  # noqa: S608
        [ring_id],
    ).fetchall()
    evidence = con.execute(
        "SELECT * FROM evidence WHERE ring_id = ? ORDER BY bits DESC, kind, value", [ring_id]
    ).fetchall()
    near = con.execute(
        "SELECT * FROM bystanders WHERE ring_id = ? ORDER BY reason LIKE 'shares%', bits DESC, account_id",
        [ring_id],
    ).fetchall()
    decided = decisions.of_ring(con, ring_id)
    return Ring(
        found,
        tuple(MemberRow(*row) for row in members),
        tuple(EvidenceRow(*row) for row in evidence),
        tuple(BystanderRow(*row) for row in near),
        tuple(decided),
        decisions.standing(con, now).get((ring_id, None)),
        tuple(BoundRow(*row) for row in con.execute(BOUND, [[ring_id]]).fetchall()),
        tuple(AllowedRow(*row) for row in con.execute(ALLOWED, [[ring_id]]).fetchall()),
        tuple(Place(*row[1:]) for row in con.execute(PLACES, [[ring_id]]).fetchall()),
    )


def members(case: Path) -> list[MemberRow]:
    """Members of all listed rings, by ring, tier and account."""
    with store.reading(case) as con:
        newest_run(con, case)
        return _members(con)


def evidence(case: Path) -> list[EvidenceRow]:
    """Evidence of all listed rings, by ring, the most bits first."""
    with store.reading(case) as con:
        newest_run(con, case)
        return _evidence(con)


def hubs(case: Path, *, limit: int | None = None) -> list[HubRow]:
    """The ledger of damped identifiers, the most shared first."""
    with store.reading(case) as con:
        newest_run(con, case)
        rows = con.execute("SELECT * FROM hubs ORDER BY accounts DESC, kind, value LIMIT ?", [_limit(limit)]).fetchall()
    return [HubRow(*row) for row in rows]


def template_aliases(case: Path) -> list[TemplateAlias]:
    """Names that templates of prompts had before later prompts joined them to others, by part and name."""
    with store.reading(case) as con:
        rows = con.execute(
            """SELECT DISTINCT CASE part WHEN 'body' THEN 'template' ELSE part END AS part, alias, template
            FROM template_aliases WHERE alias <> template ORDER BY part, alias"""
        ).fetchall()
    return [TemplateAlias(part, f"{part}:{alias:016x}", f"{part}:{template:016x}") for part, alias, template in rows]


def runs(case: Path, *, limit: int | None = None) -> list[RunRow]:
    """The runs of detect, the newest first."""
    with store.reading(case) as con:
        return runs_in(con, limit=limit)


def runs_in(con: duckdb.DuckDBPyConnection, *, limit: int | None = None) -> list[RunRow]:
    """`runs`, from a case that is open already."""
    rows = con.execute("SELECT * FROM runs ORDER BY run DESC LIMIT ?", [_limit(limit)]).fetchall()
    return [RunRow(*row[:3], *(json.loads(part) for part in row[3:])) for row in rows]


def newest_run(con: duckdb.DuckDBPyConnection, case: Path) -> RunRow:
    """The newest run of an open case; `case` is its path, for the message.

    Raises:
        NotFoundError: the case has no run yet.
    """
    for run in runs_in(con, limit=1):
        return run
    raise NotFoundError(f"{case} has no run yet.", "Make one: linkage detect")


def started(con: duckdb.DuckDBPyConnection) -> tuple[datetime, datetime]:
    """When the first and the newest run began, of a case that has one."""
    ((first, newest),) = con.execute("SELECT min(started_at), max(started_at) FROM runs").fetchall()
    return first, newest


def _rings(
    con: duckdb.DuckDBPyConnection, *, unlisted: bool = False, limit: int | None = None, now: datetime | None = None
) -> list[RingRow]:
    rows = con.execute(
        f"SELECT * FROM {decisions.rings_sql(now or utc_now())} WHERE listed OR ? ORDER BY rank LIMIT ?",  # noqa: S608
        [unlisted, _limit(limit)],
    )
    return [_ring_row(row) for row in rows.fetchall()]


# Those of some rings, or of all that are listed.
_CHOSEN: Final = "CASE WHEN $ids IS NULL THEN r.listed ELSE r.ring_id IN (SELECT unnest($ids::VARCHAR[])) END"


def _members(con: duckdb.DuckDBPyConnection, ids: list[str] | None = None) -> list[MemberRow]:
    rows = con.execute(
        f"""SELECT t.* FROM {MEMBERS} t JOIN rings r USING (ring_id) WHERE {_CHOSEN}
        ORDER BY r.rank, list_position($tiers, t.tier), t.account_id""",  # noqa: S608
        {"ids": ids, "tiers": list(TIERS)},
    )
    return [MemberRow(*row) for row in rows.fetchall()]


def _evidence(con: duckdb.DuckDBPyConnection, ids: list[str] | None = None) -> list[EvidenceRow]:
    rows = con.execute(
        f"""SELECT t.* FROM evidence t JOIN rings r USING (ring_id) WHERE {_CHOSEN}
        ORDER BY r.rank, t.bits DESC, t.kind, t.value""",  # noqa: S608
        {"ids": ids},
    )
    return [EvidenceRow(*row) for row in rows.fetchall()]


def _find(con: duckdb.DuckDBPyConnection, name: str) -> RingRow:
    rank, table = name.removeprefix("#"), decisions.rings_sql(utc_now())
    if rank.isascii() and rank.isdigit() and len(rank) < 10:
        rows = con.execute(f"SELECT * FROM {table} WHERE rank = ?", [int(rank)]).fetchall()  # noqa: S608
    else:
        rows = con.execute(f"SELECT * FROM {table} WHERE starts_with(ring_id, ?) ORDER BY rank", [name]).fetchall()  # noqa: S608
        rows = [row for row in rows if row[0] == name] or rows
    if not rows or not name:
        raise NotFoundError(f"There is no ring {name!r} in the newest run.", "See them: linkage rings --all")
    if len(rows) > 1:
        raise NotFoundError(f"{len(rows)} rings' ids start with {name!r}.", "Write more of the id.")
    return _ring_row(rows[0])


def _ring_row(row: Sequence[Any]) -> RingRow:
    plain: list[Any] = [*row[:-1], json.loads(row[-1])]
    return RingRow(*plain)


def _limit(limit: int | None) -> int:
    return 2**62 if limit is None else limit
