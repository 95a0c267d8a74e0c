"""Why a ring was put forward, and why not: the waterfall by kind, the weakest bridge, what would change the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from linkage import results, store
from linkage.bridge import Bridge, Held, weakest_bridge
from linkage.factors import Step, against, score_of, steps
from linkage.model import DECISIONS, LIKENESS, LISTED_SCORE, kind_of
from linkage.output import score as shown
from linkage.results import Ring, RingRow
from linkage.summary import People, Sentence, summary


@dataclass(frozen=True)
class KindRow:
    """What a kind brings to a ring, and what the ring would be without it (`rings.without`).

    Attributes:
        kind: as the contract names it.
        values: how many values of it `evidence` lists.
        bits: what it brings to an average member.
        members: who have a value that brings them bits.
        score_without: the score of the same members without this kind.
        members_without: those that would still be tied.
    """

    ring_id: str
    kind: str
    values: int
    bits: float
    members: int
    score_without: float
    members_without: int


@dataclass(frozen=True)
class StrongestRow:
    """The value that brings a ring most, and what the ring would be without it; as in `KindRow`."""

    ring_id: str
    kind: str
    value: str
    label: str | None
    bits: float
    members: int
    score_without: float
    members_without: int


@dataclass(frozen=True)
class RingWhy:
    """The answer.

    Attributes:
        found: the ring with its members, evidence and bystanders.
        kinds: the waterfall by kind, the most bits first; empty for a run of an older version.
        prior: bits that two strangers need. The bits of `kinds` less the prior are the ring's mean net bits.
        strongest: its strongest value.
        factors: the waterfall of the score.
        bridge: its weakest bridge.
        verdict: what would change the verdict, in words.
        summary: sentences for a ticket.
    """

    found: Ring
    kinds: tuple[KindRow, ...]
    prior: float
    strongest: StrongestRow | None
    factors: tuple[Step, ...]
    bridge: Bridge | None
    verdict: str
    summary: tuple[Sentence, ...]


# Of many rings at once, since one question for each takes far longer: the parameter is the list of their ids.
TIES: Final = """
SELECT m.ring_id, s.account_id, coalesce(h.trust, s.kind), s.value, h.label, s.bits, s.kind
FROM members m JOIN sightings s USING (account_id) JOIN evidence e USING (ring_id, kind, value)
    JOIN shared h USING (kind, value)
WHERE m.ring_id IN (SELECT unnest(?::VARCHAR[])) AND (s.bits > 0 OR h.bits <= 0)
"""
"""Ring, then what `Held` takes, then the kind of the value."""

PEOPLE: Final = """
SELECT m.ring_id, count(*) FILTER (a.banned_at IS NOT NULL OR lower(a.status) IN ('banned', 'suspended')),
    quantile_disc(a.created_at, 0.1), quantile_disc(a.created_at, 0.9)
FROM members m JOIN accounts a USING (account_id) WHERE m.ring_id IN (SELECT unnest(?::VARCHAR[])) GROUP BY m.ring_id
"""
"""Ring, then what `People` takes."""

# What a bit of a factor is worth in the score, where people's decisions recalibrate it.
_SLOPE = """
SELECT coalesce((parameters->>'$.recalibration.slope')::DOUBLE, 1.0) FROM runs ORDER BY run DESC LIMIT 1
"""


def ring_why(case: Path, name: str) -> RingWhy:
    """Why and why not of one ring of the newest run.

    Args:
        case: the case file.
        name: as in `results.ring`.

    Raises:
        NotFoundError: no such ring, several, or no run yet.
    """
    with store.reading(case) as con:
        found = results.ring_in(con, case, name)
        ring = found.ring
        rows = con.execute("SELECT * FROM ring_kinds WHERE ring_id = ? ORDER BY bits DESC, kind", [ring.ring_id])
        kinds = tuple(KindRow(*row) for row in rows.fetchall())
        strongest = con.execute("SELECT * FROM ring_strongest WHERE ring_id = ?", [ring.ring_id]).fetchone()
        ties = [Held(*row[1:6]) for row in con.execute(TIES, [[ring.ring_id]]).fetchall()]
        people = people_of(con, ring.ring_id)
        slope = slope_of(con)
    return explained(found, kinds, StrongestRow(*strongest) if strongest else None, ties, people, slope)


def explained(
    found: Ring, kinds: tuple[KindRow, ...], strongest: StrongestRow | None, ties: Sequence[Held], people: People,
    slope: float,
) -> RingWhy:  # fmt: skip
    """`ring_why` from what was read of a ring already; `kinds` by bits, `slope` of `slope_of`."""
    ring = found.ring
    return RingWhy(
        found=found,
        kinds=kinds,
        prior=round(sum(row.bits for row in kinds) - ring.bits, 4) if kinds else 0.0,
        strongest=strongest,
        factors=steps(ring.factors),
        bridge=weakest_bridge(ties, ring.accounts),
        verdict=verdict(ring, kinds, slope=slope),
        summary=tuple(summary(found, people)),
    )


def people_of(con: duckdb.DuckDBPyConnection, ring_id: str) -> People:
    """What is known of a ring's members, for its summary."""
    row = con.execute(PEOPLE, [[ring_id]]).fetchone()
    return People(*row[1:]) if row else People()


def slope_of(con: duckdb.DuckDBPyConnection) -> float:
    """What a bit of a factor is worth in the newest run's score."""
    row = con.execute(_SLOPE).fetchone()
    return float(row[0]) if row else 1.0


def verdict(ring: RingRow, kinds: Sequence[KindRow], *, slope: float = 1.0) -> str:
    """What decides that a ring is listed, or that it is not; "" where the run has kept nothing of it.

    Args:
        ring, kinds: as in `RingWhy`.
        slope: what a bit of a factor is worth in the score (`rings.recalibrate`).
    """
    if ring.score >= LISTED_SCORE and ring.listed:
        return _listed(kinds)
    if ring.score >= LISTED_SCORE:
        chance = "" if ring.q_value is None else f": chance makes groups as strong (q-value {ring.q_value:.2f})"
        return f"Its score reaches the line of {LISTED_SCORE:.2f}, but it is not listed{chance}."
    return _not_listed(ring.factors, listed=ring.listed, slope=slope)


def _listed(kinds: Sequence[KindRow]) -> str:
    if not kinds:
        return ""
    deciding = [row for row in kinds if row.score_without < LISTED_SCORE]
    deciding.sort(key=lambda row: (row.score_without, row.kind))
    if not deciding:
        least = min(row.score_without for row in kinds)
        return f"No single kind decides: its score is at least {shown(least)} without any one of them."
    parts = [f"without {_named(row.kind)} (score {shown(row.score_without)})" for row in deciding]
    return f"It would not be listed {' or '.join(parts)}."


def _named(kind: str) -> str:
    return "their likeness" if kind == LIKENESS else kind_of(kind).plural


def _not_listed(factors: Mapping[str, float], *, listed: bool, slope: float) -> str:
    first = f"Its score is below the line of {LISTED_SCORE:.2f}"
    doubts, total = against(factors), sum(factors.values())
    innocent = sum(step.bits for step in doubts)
    alone = [(step, score_of(total - slope * step.bits)) for step in doubts]
    together = [(doubts, score_of(total - slope * innocent))]
    if factors.get(DECISIONS, 0.0) < 0:
        # Without decisions the slope is 1 again.
        decided = steps(factors)[-1]
        alone.append((decided, score_of(total - decided.bits)))
        together.append(((*doubts, decided), score_of(total - decided.bits - innocent)))
    parts = [
        f"{step.words} ({step.bits:+.1f} bits; {shown(score)} without it)"
        for step, score in alone
        if score >= LISTED_SCORE
    ]
    if len(parts) == 1:
        return f"{first} for one reason: {parts[0]}."
    if parts:
        return f"{first}. It would reach it without any one of these: {'; '.join(parts)}."
    for reasons, score in together:
        if score >= LISTED_SCORE:
            parts = [f"{step.words} ({step.bits:+.1f} bits)" for step in reasons]
            return f"{first} for several reasons together: {'; '.join(parts)}. Without them it would be {shown(score)}."
    what = "listed as explained" if listed else "not listed"
    return (
        f"{first}, so that it is {what}: even without all that speaks against it, it would be {shown(together[-1][1])}."
    )
