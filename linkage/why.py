"""What ties two accounts, or that nothing does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import networkx as nx

from linkage import store
from linkage.allowances import BY_WHOM
from linkage.errors import NotFoundError, UsageError
from linkage.evidence import HUB_DEGREE, pair_prior, saturate
from linkage.model import Kind, kind_of, public_kind
from linkage.results import newest_run


@dataclass(frozen=True)
class Tie:
    """One identifier that both accounts were seen with.

    Attributes:
        kind, value, label: the identifier; label is readable where the value is a hash.
        accounts: how many accounts share it.
        bits: what it is worth alone to this pair.
        counted: what it adds after saturation, families and the cap on what anyone can fake.
        note: why `counted` is less than `bits`, or "".
    """

    kind: str
    value: str
    label: str | None
    accounts: int
    bits: float
    counted: float
    note: str


@dataclass(frozen=True)
class Why:
    """The answer.

    Attributes:
        a, b: the accounts.
        ring_id: the ring that holds both, or None.
        ties: what they share, the most counted first.
        bits: all ties together.
        prior: what a pair must share before it is likelier than not.
        path: account, identifier, account, … from a to b, where they share nothing; empty if there is none.
        verdict: one sentence.
    """

    a: str
    b: str
    ring_id: str | None
    ties: tuple[Tie, ...]
    bits: float
    prior: float
    path: tuple[str, ...]
    verdict: str


_ALLOWED: Final = f"""
SELECT kind, value, max(x.label), any_value(h.accounts), 0.0, 0.0, {BY_WHOM}
FROM allowed_sightings x JOIN allowed_sightings y USING (kind, value) JOIN allowances a ON a.allowance = x.allowance
    JOIN (SELECT kind, value, accounts FROM hubs) h USING (kind, value)
WHERE x.account_id = ? AND y.account_id = ? GROUP BY kind, value ORDER BY kind, value
"""  # noqa: S608 (our own SQL)


def why(case: Path, a: str, b: str) -> Why:
    """What ties accounts `a` and `b` in the newest run of the case.

    Raises:
        UsageError: `a` and `b` are the same.
        NotFoundError: an account that the case does not know, or no run yet.
    """
    if a == b:
        raise UsageError("Name two different accounts.")
    with store.reading(case) as con:
        allowed = [Tie(*row) for row in con.execute(_ALLOWED, [a, b]).fetchall()]
        population = float(newest_run(con, case).parameters["population"])
        for account in (a, b):
            must_exist(con, account)
        rows = con.execute(
            """SELECT coalesce(s.trust, x.kind), x.value, s.label, s.accounts, least(x.bits, y.bits) FROM sightings x
            JOIN sightings y USING (kind, value) JOIN shared s USING (kind, value)
            WHERE x.account_id = ? AND y.account_id = ? ORDER BY 5 DESC, 1, 2""",
            [a, b],
        ).fetchall()
        ring = _common_ring(con, a, b)
        path = () if rows else _path(con, a, b, ring)
    prior = pair_prior(population)
    ties, bits = add_up([(str(k), str(v), label, int(n), float(w)) for k, v, label, n, w in rows])
    verdict = _verdict(ties, bits - prior, path, ring) + (" What is allowed does not count." if allowed else "")
    return Why(a, b, ring, (*ties, *allowed), round(bits, 4), round(prior, 4), path, verdict)


def add_up(shared: list[tuple[str, str, str | None, int, float]]) -> tuple[tuple[Tie, ...], float]:
    """Add up what a pair shares, as `evidence.pairs` does.

    Args:
        shared: kind, value, label, accounts and bits of each shared identifier.

    Returns:
        the ties, the most counted first, and their sum in bits.
    """
    worth: dict[Kind, float] = {}
    totals: dict[str, float] = {}
    for name in {row[0] for row in shared}:
        each = [row[4] for row in shared if row[0] == name]
        totals[name] = sum(each)
        worth[kind_of(name)] = saturate(max(each), totals[name])
    part: dict[str, float] = dict.fromkeys(totals, 0.0)
    hard = soft = 0.0
    for family in {kind.family for kind in worth}:
        fellows = [kind for kind in worth if kind.family == family]
        best = {
            fake: max((k for k in fellows if k.fakeable == fake), key=lambda k: (worth[k], k.name), default=None)
            for fake in (False, True)
        }
        firm, faked = best[False], best[True]
        base = worth[firm] if firm else 0.0
        if firm:
            part[firm.name] = base
        if faked:
            part[faked.name] = max(0.0, worth[faked] - base)
            soft += part[faked.name]
        hard += base
    cap = min(hard, soft) / soft if soft > 0 else 0.0
    ties = []
    for name, value, label, accounts, bits in shared:
        scale = cap if kind_of(name).fakeable else 1.0
        counted = bits / totals[name] * part[name] * scale if totals[name] > 0 else 0.0
        ties.append(
            Tie(
                public_kind(name),
                value,
                label,
                accounts,
                round(bits, 4),
                round(counted, 4),
                _note(name, bits, counted, part, scale),
            )
        )
    ties.sort(key=lambda tie: (-tie.counted, -tie.bits, tie.kind, tie.value))
    return tuple(ties), hard + min(hard, soft)


def _note(name: str, bits: float, counted: float, part: dict[str, float], scale: float) -> str:
    if bits <= 0:
        return "a hub: too many accounts share it"
    if counted >= bits - 1e-9:
        return ""
    if part[name] == 0:
        return "already counted: a correlated kind is stronger"
    if scale < 1:
        return "anyone can fake it: counts at most as much as the rest"
    return "several of one kind count as one fact seen again"


def must_exist(con: duckdb.DuckDBPyConnection, account: str) -> None:
    """Refuse an account that no table of the case names.

    Raises:
        NotFoundError: it is none.
    """
    for table in ("account_rows", "payments", "logins", "exchanges", "identifiers", "links"):
        if con.execute(f"SELECT 1 FROM {table} WHERE account_id = ? LIMIT 1", [account]).fetchone():  # noqa: S608
            return
    if con.execute("SELECT 1 FROM links WHERE other_account_id = ? LIMIT 1", [account]).fetchone():
        return
    raise NotFoundError(f"The case knows no account {account!r}.", "Look for it: linkage rings, linkage ring ID")


def _common_ring(con: duckdb.DuckDBPyConnection, a: str, b: str) -> str | None:
    row = con.execute(
        "SELECT ring_id FROM members x JOIN members y USING (ring_id) WHERE x.account_id = ? AND y.account_id = ?",
        [a, b],
    ).fetchone()
    return str(row[0]) if row else None


def _path(con: duckdb.DuckDBPyConnection, a: str, b: str, ring: str | None) -> tuple[str, ...]:
    """The path of most bits through the ring, or through one account between; empty if there is none."""
    graph: nx.Graph[tuple[str, ...]] = nx.Graph()
    if ring:
        rows = con.execute(
            """SELECT s.account_id, s.kind, s.value, s.bits FROM sightings s JOIN members m USING (account_id)
            JOIN evidence e ON e.ring_id = m.ring_id AND e.kind = s.kind AND e.value = s.value WHERE m.ring_id = ?""",
            [ring],
        ).fetchall()
    else:
        rows = con.execute(
            """WITH ends AS (SELECT s.* FROM sightings s JOIN shared h USING (kind, value)
                WHERE account_id IN (?, ?) AND h.accounts <= ? AND s.bits > 0),
            near AS (SELECT s.* FROM sightings s SEMI JOIN ends USING (kind, value))
            SELECT account_id, kind, value, bits FROM near""",
            [a, b, HUB_DEGREE],
        ).fetchall()
    for account, kind, value, bits in rows:
        if bits > 0:
            graph.add_edge(("account", account), (kind, value), cost=1.0 + 1.0 / bits)
    start, end = ("account", a), ("account", b)
    if start not in graph or end not in graph or not nx.has_path(graph, start, end):
        return ()
    nodes = nx.shortest_path(graph, start, end, weight="cost")
    return tuple(node[1] if node[0] == "account" else f"{node[0]} {node[1]}" for node in nodes)


def _verdict(ties: tuple[Tie, ...], beyond: float, path: tuple[str, ...], ring: str | None) -> str:
    if not ties:
        if not path:
            return "Nothing ties them."
        through = (len(path) - 1) // 2 - 1
        where = f" in ring {ring}" if ring else ""
        return f"They share nothing directly; the path between them{where} runs through {through} other account(s)."
    if beyond > 0:
        return f"They share {beyond:.1f} bits more than two strangers need: likelier one hand than not."
    if ring:
        return f"What they share alone is {-beyond:.1f} bits short of a link; ring {ring} ties them together."
    return f"What they share is {-beyond:.1f} bits short of a link."
