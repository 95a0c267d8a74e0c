"""What a report says, read from the case at one moment: a page of facts, and for each ring all that is drawn of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import numpy as np

from linkage import decisions, results, store
from linkage.bridge import Held
from linkage.context.model import Place
from linkage.model import LIKENESS, TIERS, kind_of, public_kind
from linkage.output import few, q_value
from linkage.output import score as shown_score
from linkage.report.picture import Value, picture
from linkage.report.timeline import ROWS, Timeline, timeline
from linkage.results import BystanderRow, EvidenceRow, MemberRow, Ring, RingRow
from linkage.ring_decided import ALLOWED, BOUND, AllowedRow, BoundRow, decided
from linkage.ring_why import PEOPLE, TIES, KindRow, RingWhy, StrongestRow, explained, slope_of
from linkage.summary import People, paragraph
from linkage.text import safe
from linkage.until import utc_now

MEMBERS: Final = 5_000
"""At most so many members of a ring stand in the page."""
EVIDENCE: Final = 500
"""At most so many values of a ring do; of the others a sum for each kind."""
SHARERS: Final = 5
"""At most so many other rings that have the same value are named."""


@dataclass(frozen=True)
class Facts:
    """A report's content, every text of it fit to be shown.

    Attributes:
        page: what stands above the list, by name.
        rings: a row of the list for each ring.
        details: what is drawn of each ring, in the same order.
    """

    page: dict[str, Any]
    rings: list[dict[str, Any]]
    details: list[dict[str, Any]]


def facts(case: Path, names: Sequence[str] = ()) -> Facts:
    """All listed rings of the newest run, or those that are named as in `results.ring`, listed or not.

    Raises:
        NotFoundError: no such ring, several, or no run yet.
    """
    with store.reading(case) as con:
        if names:
            found = {ring.ring_id: ring for ring in (results.ring_in(con, case, name).ring for name in names)}
            rows = sorted(found.values(), key=lambda ring: ring.rank)
        else:
            rows = results.rings_in(con, case)
        read = _Read(con, rows)
        whys = [read.why(ring) for ring in rows]
        page = _page(con, rows, case, whole=not names)
    details = [_detail(why, read) for why in whys]
    return Facts(_fit(page), [_fit(_row(why)) for why in whys], [_fit(detail) for detail in details])


_OF: Final = "ring_id IN (SELECT unnest(?::VARCHAR[]))"

# The parameter of each is the list of the rings' ids; the first column is the ring.
_TABLES: Final = {
    "members": f"SELECT * FROM {results.MEMBERS} WHERE {_OF} ORDER BY confidence DESC, bits DESC, account_id",
    "evidence": f"SELECT * FROM evidence WHERE {_OF} ORDER BY bits DESC, kind, value",
    "bystanders": f"SELECT * FROM bystanders WHERE {_OF} ORDER BY reason LIKE 'shares%', bits DESC, account_id",
    "kinds": f"SELECT * FROM ring_kinds WHERE {_OF} ORDER BY bits DESC, kind",
    "strongest": f"SELECT * FROM ring_strongest WHERE {_OF}",
    "ties": TIES,
    "sharers": f"""SELECT e.ring_id, e.kind, e.value, o.ring_id FROM evidence e JOIN evidence o USING (kind, value)
            JOIN rings r ON r.ring_id = o.ring_id
        WHERE e.{_OF} AND o.ring_id <> e.ring_id AND r.listed ORDER BY r.rank""",
    "touching": f"""SELECT b.ring_id, b.account_id, s.kind, s.value
        FROM bystanders b JOIN sightings s USING (account_id) JOIN evidence e USING (ring_id, kind, value)
        WHERE {_OF} ORDER BY b.bits DESC, b.account_id, s.kind, s.value""",
    "accounts": f"""SELECT m.ring_id, a.account_id, a.created_at, a.banned_at, a.status
        FROM members m JOIN accounts a USING (account_id) WHERE {_OF}""",
    "people": PEOPLE,
    "places": results.PLACES,
    "bound": BOUND,
    "allowed": ALLOWED,
}

_HOURS: Final = f"""
CREATE TEMP TABLE hours AS
SELECT m.ring_id, x.account_id, epoch(date_trunc('hour', x."at"))::BIGINT // 3600 AS hour, count(*) AS n
FROM exchanges x JOIN members m USING (account_id) WHERE {_OF} GROUP BY ALL
"""


class _Read:
    """All that is read of the chosen rings: one question for each table, since one for each ring takes far longer."""

    def __init__(self, con: duckdb.DuckDBPyConnection, rings: Sequence[RingRow]) -> None:
        ids = [ring.ring_id for ring in rings]
        rows = {name: _by_ring(con.execute(sql, [ids]).fetchall()) for name, sql in _TABLES.items()}
        self.members = _each(MemberRow, rows["members"])
        self.evidence = _each(EvidenceRow, rows["evidence"])
        self.bystanders = _each(BystanderRow, rows["bystanders"])
        self.kinds = _each(KindRow, rows["kinds"])
        self.strongest = _each(StrongestRow, rows["strongest"])
        self.ties = rows["ties"]
        self.sharers = rows["sharers"]
        self.touching = rows["touching"]
        self.people = _each(People, {ring: [row[1:] for row in people] for ring, people in rows["people"].items()})
        self.accounts = {ring: {row[1]: row[2:] for row in known} for ring, known in rows["accounts"].items()}
        self.places = _each(Place, {ring: [row[1:] for row in own] for ring, own in rows["places"].items()})
        self.bound, self.allowed = _each(BoundRow, rows["bound"]), _each(AllowedRow, rows["allowed"])
        self.standing = decisions.standing(con, utc_now())
        self.decisions = defaultdict(list)
        for decision in decisions.of_ring(con):
            self.decisions[decision.ring_id].append(decision)
        self.times = self._times(con, ids)
        self.slope = slope_of(con)

    def why(self, ring: RingRow) -> RingWhy:
        """Why and why not, as `linkage ring` says it."""
        at = ring.ring_id
        found = Ring(
            ring, tuple(self.members[at]), tuple(self.evidence[at]), tuple(self.bystanders[at]),
            tuple(self.decisions[at]), self.standing.get((at, None)), tuple(self.bound[at]), tuple(self.allowed[at]),
            tuple(self.places[at]),
        )  # fmt: skip
        strongest, people = self.strongest[at], self.people[at]
        ties = [Held(*row[1:6]) for row in self.ties[at]]
        return explained(
            found,
            tuple(self.kinds[at]),
            strongest[0] if strongest else None,
            ties,
            people[0] if people else People(),
            self.slope,
        )

    def _times(self, con: duckdb.DuckDBPyConnection, ids: list[str]) -> dict[str, Timeline]:
        con.execute(_HOURS, [ids])
        total = _arrays(con, "SELECT ring_id, hour, sum(n)::BIGINT FROM hours GROUP BY ALL ORDER BY ALL")
        drawn = {
            ring: [m.account_id for m in sorted(rows, key=lambda m: (-m.exchanges, m.account_id))[:ROWS]]
            for ring, rows in self.members.items()
        }
        con.execute("CREATE TEMP TABLE drawn (account_id VARCHAR, place BIGINT)")
        con.execute(
            "INSERT INTO drawn SELECT unnest(?::VARCHAR[]), unnest(?::BIGINT[])",
            [[a for rows in drawn.values() for a in rows], [at for rows in drawn.values() for at in range(len(rows))]],
        )
        rows = _arrays(con, "SELECT ring_id, place, hour, n FROM hours JOIN drawn USING (account_id) ORDER BY ALL")
        none = np.zeros(0, dtype=np.int64)
        out = {}
        for ring in ids:
            account, hour, count = rows.get(ring, (none, none, none))
            hours, counts = total.get(ring, (none, none))
            out[ring] = timeline(drawn.get(ring, []), account, hour, count, (hours, counts))
        return out


Row = TypeVar("Row")


def _by_ring(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    out: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        out[row[0]].append(row)
    return out


def _each(kind: type[Row], rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[Row]]:
    return defaultdict(list, {ring: [kind(*row) for row in own] for ring, own in rows.items()})


def _arrays(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """The columns after the first, a ring id that the rows are sorted by, of each ring."""
    ring, *columns = con.execute(sql).fetchnumpy().values()
    starts = [at for at in range(len(ring)) if not at or ring[at] != ring[at - 1]]
    ends = [*starts[1:], len(ring)]
    return {str(ring[a]): tuple(c[a:b] for c in columns) for a, b in zip(starts, ends, strict=False)}


def _is_banned(banned_at: datetime | None, status: str | None) -> bool:
    """As `ring_why.PEOPLE` counts them."""
    return banned_at is not None or (status or "").lower() in ("banned", "suspended")


def _page(con: duckdb.DuckDBPyConnection, rings: Sequence[RingRow], case: Path, *, whole: bool) -> dict[str, Any]:
    (known,) = results.runs_in(con, limit=1)
    stale = con.execute(
        "SELECT max(coalesce(finished_at, started_at)) > ? FROM commands", [known.started_at]
    ).fetchall()[0][0]
    asked, false = results.accused(rings)
    chance = [ring.q_value for ring in asked if ring.q_value is not None]
    return {
        "case": case.name,
        "run": known.run,
        "started": f"{known.started_at:%Y-%m-%d %H:%M}",
        "stale": bool(stale),
        "whole": whole,
        "flagged": len(asked),
        "explained": sum(ring.status == "explained" for ring in rings),
        "accounts": sum(ring.accounts for ring in asked),
        "false": few(false),
        "chance": few(max(chance) * len(chance)) if chance else None,
        "nulls": known.parameters.get("nulls"),
        "statuses": sorted({ring.status for ring in rings}),
    }


def _row(why: RingWhy) -> dict[str, Any]:
    ring = why.found.ring
    return {
        "id": ring.ring_id,
        "rank": ring.rank,
        "score": ring.score,
        "score_shown": shown_score(ring.score),
        "q": ring.q_value,
        "q_shown": q_value(ring.q_value),
        "status": ring.status,
        "listed": ring.listed,
        "accounts": ring.accounts,
        "exchanges": ring.exchanges,
        "first": _day(ring.first_seen),
        "last": _day(ring.last_seen),
        "kinds": sorted({row.kind for row in why.found.evidence}),
        "why": ring.why,
    }


def _detail(why: RingWhy, read: _Read) -> dict[str, Any]:
    found = why.found
    known = read.accounts.get(found.ring.ring_id, {})
    return {
        **_row(why),
        "summary": paragraph(why.summary[1:]),
        "doubts": found.ring.doubts,
        "bridge": why.bridge.sentence if why.bridge else "",
        "verdict": why.verdict,
        "decided": " ".join(decided(found)),
        "bits": found.ring.bits,
        "prior": why.prior,
        "by_kind": [
            [row.kind, _plural(row.kind), row.values, row.members, row.bits, shown_score(row.score_without),
             row.members_without] for row in why.kinds
        ],
        "factors": [[step.name, step.words, step.bits, step.total] for step in why.factors],
        "evidence": _evidence(found, read.sharers.get(found.ring.ring_id, [])),
        "members": _members(found, known),
        "bystanders": [[b.account_id, b.bits, b.reason] for b in found.bystanders],
        "decisions": [[d.words, d.by, _minute(d.at), list(d.tags), d.note] for d in found.decisions],
        "picture": _picture(found, read.ties[found.ring.ring_id], read.touching[found.ring.ring_id]),
        "timeline": _timeline(read.times[found.ring.ring_id], known),
    }  # fmt: skip


def _evidence(found: Ring, sharers: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    rows, known = found.evidence[:EVIDENCE], found.known
    others: dict[tuple[str, str], list[str]] = defaultdict(list)
    for _, kind, value, other in sharers:
        others[kind, value].append(other)
    more: dict[str, list[float]] = defaultdict(list)
    for row in found.evidence[EVIDENCE:]:
        more[row.kind].append(row.bits)
    return {
        "rows": [
            [e.kind, e.label or e.value, _beside(e, known.get((e.kind, e.value))), e.accounts, e.outsiders, e.bits,
             _day(e.first_seen), _day(e.last_seen), others[e.kind, e.value][:SHARERS],
             max(0, len(others[e.kind, e.value]) - SHARERS)] for e in rows
        ],
        "more": [[kind, len(bits), round(sum(bits), 4)] for kind, bits in sorted(more.items())],
    }  # fmt: skip


def _beside(row: EvidenceRow, place: Place | None) -> str:
    """What stands in parentheses beside a value: the value, where its label is shown, and what is known of it."""
    return "; ".join(part for part in (row.value if row.label else "", place.words if place else "") if part)


def _members(found: Ring, accounts: dict[str, Any]) -> dict[str, Any]:
    rows = found.members[:MEMBERS]
    known = [accounts.get(m.account_id, (None, None, "")) for m in rows]
    return {
        "account": [m.account_id for m in rows],
        "tier": [m.tier for m in rows],
        "confidence": [m.confidence for m in rows],
        "bits": [round(m.bits, 1) for m in rows],
        "exchanges": [m.exchanges for m in rows],
        "first": [_day(m.first_seen) for m in rows],
        "last": [_day(m.last_seen) for m in rows],
        "signed_up": [_day(created) for created, _, _ in known],
        "banned": [
            _day(banned) or ((status or "") if _is_banned(banned, status) else "") for _, banned, status in known
        ],
        "all": len(found.members),
        "tiers": [[tier, sum(m.tier == tier for m in found.members)] for tier in TIERS],
    }


def _picture(found: Ring, ties: Sequence[tuple[Any, ...]], touching: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    account = {m.account_id: at for at, m in enumerate(found.members)}
    value = {(e.kind, e.value): at for at, e in enumerate(found.evidence)}
    near: dict[str, list[int]] = defaultdict(list)
    for _, name, kind, text in touching:
        near[name].append(value[kind, text])
    drawn = picture(
        list(account),
        [Value(e.kind, e.label or e.value, e.bits, e.outsiders) for e in found.evidence],
        np.array([account[row[1]] for row in ties], dtype=np.int64),
        np.array([value[row[6], row[3]] for row in ties], dtype=np.int64),
        [row[5] for row in ties],
        near,
    )
    kinds = sorted({kind for kind, *_ in drawn.values} | {kind for *_, inside in drawn.accounts for kind, _ in inside})
    return {**vars(drawn), "words": {kind: [kind_of(kind).words, _plural(kind)] for kind in kinds if kind}}


def _timeline(times: Timeline, accounts: dict[str, Any]) -> dict[str, Any]:
    known = {name: accounts.get(name, (None, None, None)) for name, *_ in times.rows}
    return {
        "width": times.width,
        "rows": [
            [name, *cells, _hour(known[name][0]), _hour(known[name][1])] for name, *cells in times.rows
        ],
        "total": times.total,
        "sign_ups": _counted(created for created, _, _ in accounts.values()),
        "bans": _counted(banned for _, banned, _ in accounts.values()),
    }  # fmt: skip


def _counted(times: Iterable[datetime | None]) -> list[list[int]]:
    """Hours and how many fall into each; where they are very many, days."""
    hours = np.array([hour for hour in map(_hour, times) if hour is not None], dtype=np.int64)
    if len(np.unique(hours)) > 2_000:
        hours = hours // 24 * 24
    at, counts = np.unique(hours, return_counts=True)
    return [at.tolist(), counts.tolist()]


def _plural(kind: str) -> str:
    return "behaving alike" if kind == LIKENESS else kind_of(public_kind(kind)).plural


def _hour(at: datetime | None) -> int | None:
    return None if at is None else int(at.replace(tzinfo=UTC).timestamp() // 3600)


def _day(at: datetime | None) -> str:
    return "" if at is None else at.date().isoformat()


def _minute(at: datetime) -> str:
    return at.isoformat(" ", "minutes")


def _fit(value: Any) -> Any:
    """The same with the characters that would mislead a reader written as escapes: line breaks, bidi overrides."""
    if isinstance(value, str):
        return value if value.isprintable() else safe(value)
    if isinstance(value, dict):
        return {name: _fit(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fit(item) for item in value]
    return value
