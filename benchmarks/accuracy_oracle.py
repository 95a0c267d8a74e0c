"""How well rings could be found by one who knows the truth's own frequencies: a ceiling, not a competitor.

Fellegi and Sunter 1969, doi:10.1080/01621459.1969.10501049. For each kind of value two accounts agree at a level:
that of the rarest value that they share, by its holders (a class each doubling) and by how often the one of the two
that uses it less does (once, 2 to 19 times, more); or they share none. A pair weighs

    log2(prior odds) + Σ over kinds of log2(m / u)

with m and u of each level counted on the truth: m is the share of true pairs at the level, each pair weighing
1 / (n - 1) for a ring of n, so that each account counts once and a large ring does not stand for all; u is the share
of all other pairs. Where the world tells, prompts count by the template that they were made from, whatever was
reworded.

Pairs above a threshold are joined, by connected components and by Leiden under CPM. The threshold, the algorithm and
its resolution are those of the best B-cubed. `judged` also knows which groups are rings: those most of whose members
are in one true ring are kept, so that it measures linking alone.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from benchmarks.accuracy_measures import measured
from benchmarks.accuracy_tables import ACCOUNTS, LEAST_RING, Floats, Ints, Shared, pairs, read_held
from linkage import store
from linkage.communities import Graph, leiden

KINDS = ("payment", "ip", "ip_net", "device", "user_agent", "email", "email_domain", "phone", "org", "prompt")
BUDGET = 10_000_000
"""Pairs of one kind that are formed at most: values are taken by their holders, the rarest first."""

SHIFTS = (-4, -2, 0, 2, 4, 8, 12)
"""Bits beyond even odds at which pairs are joined. A group can be sure where each of its pairs is not."""

GAMMAS = (0.02, 0.1, 0.5, 2.0)
"""CPM's resolutions, in bits a pair: of a ring most pairs share nothing, so that few bits must do."""

MOST = 6_000_000
"""CPM is left out where more pairs are joined: a group of so many is no ring."""

USES = (2, 20)
CLASSES = 24

_HELD = r"""CREATE TEMP TABLE held AS
WITH seen AS (SELECT account_id, ip, device_id, user_agent FROM logins UNION ALL
    SELECT account_id, ip, device_id, user_agent FROM exchanges),
all_held AS (SELECT 'payment' AS kind, payment_id AS value, account_id FROM payments
    UNION ALL SELECT 'ip', ip, account_id FROM seen
    UNION ALL SELECT 'ip_net', CASE WHEN contains(ip, ':') THEN regexp_extract(ip, '^([^:]*:){4}')
        ELSE regexp_replace(ip, '\d+$', '0') END, account_id FROM seen
    UNION ALL SELECT 'device', device_id, account_id FROM seen
    UNION ALL SELECT 'user_agent', user_agent, account_id FROM seen
    UNION ALL SELECT 'email', email, account_id FROM accounts
    UNION ALL SELECT 'email_domain', email_domain, account_id FROM accounts
    UNION ALL SELECT 'phone', phone, account_id FROM accounts
    UNION ALL SELECT 'org', org_id, account_id FROM accounts)
SELECT kind, value, account_id, count(*) AS uses FROM all_held WHERE value <> '' GROUP BY ALL
UNION ALL """
_OWN = """SELECT 'prompt', coalesce(prompt_fingerprint, prompt::VARCHAR) AS value, account_id, count(*) FROM exchanges
WHERE value IS NOT NULL GROUP BY ALL"""
_TRUE = """SELECT 'prompt', prompt_fingerprint, account_id, count(*) FROM read_parquet($1)
WHERE prompt_fingerprint IS NOT NULL GROUP BY ALL"""


@dataclass(frozen=True)
class Weights:
    """Candidate pairs and their bits.

    Attributes:
        a, b: int64[P], accounts, the smaller first, in order.
        bits: float64[P], the posterior odds' logarithm to base 2; above 0 means likelier than not of one ring.
    """

    a: Ints
    b: Ints
    bits: Floats


def oracle(case: Path, truth: Mapping[str, str], templates: Path | None = None) -> dict[str, Any]:
    """The best B-cubed of an oracle on the case.

    Args:
        case: the case file.
        truth: the true ring of each account, "" for an innocent one.
        templates: a Parquet file with the columns `account_id` and `prompt_fingerprint` (the true template), one row
            an exchange; else prompts count as they stand in the case.

    Returns:
        `linked` and `judged`, each the measures of `measured` with `threshold` (bits) and `algorithm`; and `pairs`.
    """
    with store.reading(case) as con:
        shared = _shared(con, templates)
    ring = rings_of(shared.names, truth)
    weights = weigh(shared, ring)
    best: dict[str, dict[str, Any]] = {}
    for shift in SHIFTS:
        kept = weights.bits > shift
        ends, bits = (weights.a[kept], weights.b[kept]), weights.bits[kept] - shift
        for algorithm, labels in _partitions(len(shared.names), *ends, bits):
            mean = np.bincount(np.concatenate(ends), np.tile(bits, 2), minlength=len(shared.names)).astype(float)
            groups = shared.groups(labels, LEAST_RING, mean)
            for name, flagged in (("linked", groups), ("judged", [g for g in groups if _is_ring(g, truth)])):
                found = {**measured(truth, flagged), "threshold": shift, "algorithm": algorithm}
                if name not in best or (found["b_cubed"] or 0) > (best[name]["b_cubed"] or 0):
                    best[name] = found
    return {**best, "pairs": len(weights.a), "true_templates": templates is not None}


def rings_of(names: list[str], truth: Mapping[str, str]) -> Ints:
    """int64[n], the number of each account's true ring; -1 for an innocent one."""
    numbers = {ring: at for at, ring in enumerate(sorted({truth[name] for name in names if truth.get(name)}))}
    return np.array([numbers.get(truth.get(name, ""), -1) for name in names], np.int64)


def weigh(shared: Shared, ring: Ints, budget: int = BUDGET) -> Weights:
    """Candidate pairs, those that share a value, and their bits by the truth's own m and u.

    Args:
        shared: who holds what.
        ring: int64[n], the true ring of each account, -1 for none.
        budget: see `BUDGET`.
    """
    count = len(ring)
    size = np.bincount(ring[ring >= 0])
    true_pairs = int((size * (size - 1) // 2).sum())
    other_pairs = count * (count - 1) // 2 - true_pairs
    # Each account of a ring of two or more counts once: half for either end of a pair.
    accounts = size[size > 1].sum() / 2
    bits = np.log2(max(true_pairs, 0.5) / max(other_pairs, 0.5))
    keys: list[Ints] = []
    gains: list[Floats] = []
    for kind in range(len(shared.kinds)):
        key, level = _levels(shared, kind, budget)
        if not len(key):
            continue
        a, b = key // count, key % count
        same = (ring[a] >= 0) & (ring[a] == ring[b])
        weight = np.where(same, 1 / np.maximum(size[np.maximum(ring[a], 0)] - 1, 1), 0.0) if len(size) else same * 0.0
        levels = int(level.max()) + 1
        # Half a pair more at each level: a level that no pair was seen at is no proof.
        m = np.bincount(level, weight, minlength=levels) + 0.5 / len(level)
        u = np.bincount(level, ~same, minlength=levels) + 0.5
        m, u = m / max(accounts, 1.0), u / max(other_pairs, 1)
        nothing = np.log2(max(1 - m.sum(), 1e-6) / max(1 - u.sum(), 1e-6))
        bits += nothing
        keys.append(key)
        gains.append(np.log2(m / u)[level] - nothing)
    if not keys:
        none = np.zeros(0, np.int64)
        return Weights(none, none, np.zeros(0))
    whole, place = np.unique(np.concatenate(keys), return_inverse=True)
    total = bits + np.bincount(place, np.concatenate(gains), minlength=len(whole))
    return Weights(whole // count, whole % count, total)


def _levels(shared: Shared, kind: int, budget: int) -> tuple[Ints, Ints]:
    """Pairs that share a value of the kind, as a * n + b in order, and the level of each."""
    inside = shared.kind[shared.identifier] == kind
    _, identifier = np.unique(shared.identifier[inside], return_inverse=True)
    mine = Shared(
        shared.names, shared.account[inside], identifier, shared.uses[inside],
        np.zeros(int(identifier.max(initial=-1)) + 1, np.int64), (shared.kinds[kind],),
    )  # fmt: skip
    holders = np.sort(mine.holders)
    within = np.searchsorted(np.cumsum(holders * (holders - 1) // 2), budget, side="right")
    # Values of as many holders come in together or not at all.
    cap = (
        int(holders[-1]) if within == len(holders) and len(holders) else int(holders[within] - 1) if len(holders) else 0
    )
    one, two = pairs(mine, cap)
    key = mine.account[one] * len(mine.names) + mine.account[two]
    rarity = np.floor(np.log2(mine.holders[mine.identifier[one]])).astype(np.int64)
    use = len(USES) - np.searchsorted(USES, np.minimum(mine.uses[one], mine.uses[two]), side="right")
    level = np.minimum(rarity, CLASSES - 1) * (len(USES) + 1) + use
    order = np.lexsort((level, key))
    distinct, first = np.unique(key[order], return_index=True)
    return distinct, level[order][first]


def _shared(con: duckdb.DuckDBPyConnection, templates: Path | None) -> Shared:
    con.execute(ACCOUNTS)
    con.execute(_HELD + (_TRUE if templates else _OWN), [str(templates)] if templates else [])
    return read_held(con, KINDS)


def _partitions(count: int, a: Ints, b: Ints, bits: Floats) -> list[tuple[str, Ints]]:
    graph = coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(count, count))
    found = [("components", connected_components(graph, directed=False)[1].astype(np.int64))]
    if 0 < len(a) <= MOST:
        tied = Graph.from_edges(count, a.astype(np.int32), b.astype(np.int32), bits)
        found += [(f"CPM, resolution {gamma:g}", leiden(tied, gamma)) for gamma in GAMMAS]
    return found


def _is_ring(group: list[str], truth: Mapping[str, str]) -> bool:
    counts = Counter(truth.get(account, "") for account in group)
    return 2 * max((count for ring, count in counts.items() if ring), default=0) > len(group)
