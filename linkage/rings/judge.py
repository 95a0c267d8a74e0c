"""From assessed groups to judged rings: the columns that the case keeps of a run."""

import json
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linkage.candidates import Candidates
from linkage.evidence import Weighed
from linkage.model import HEAVY_USES, LISTED_SCORE
from linkage.rings.assess import Assessed
from linkage.rings.explain import Facts, Shared, doubts, why
from linkage.rings.features import Features
from linkage.rings.lineage import Lineage
from linkage.rings.members import CORE_BITS, bridges, confidence
from linkage.rings.profile import Profiles
from linkage.rings.without import left_out
from linkage.significance import Significance

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Judged:
    """The result of a run, as columns; names are those of the case's tables, accounts and identifiers are indices.

    Attributes:
        rings: ring_id, rank, score, q_value (NaN where unknown), status, listed, accounts, exchanges, first, last, why,
            doubts, bits, factors.
        members: ring_id, account, tier, confidence, bits, banned.
        evidence: ring_id, identifier, accounts, outsiders, bits.
        owners: ring_id, account: possible victims, who are no members.
        kinds, strongest: ring_id, and what `without` says of each kind and of the strongest value.
        lineage: ring_id, event, other, accounts, joined, left, banned, score (NaN for what ended), listed.
        bound: ring_id, account, joined (False: it left), decision: whom decisions on members brought in or took out.
    """

    rings: Columns
    members: Columns
    evidence: Columns
    owners: Columns
    kinds: Columns
    strongest: Columns
    lineage: Columns
    bound: Columns


def judge(
    weighed: Weighed,
    assessed: Assessed,
    people: Profiles,
    significance: Significance,
    evidence: Columns,
    past: Lineage,
) -> Judged:
    """Give each assessed group its id, its sentences and its place in the list.

    Args:
        weighed, assessed: what the earlier steps found.
        people: what is known of each account.
        significance: of each assessed group.
        evidence: as `evidence_of` gives it.
        past: where the groups come from.
    """
    candidates, victims = assessed.candidates, assessed.victims
    ids = past.ids
    owner_accounts = np.flatnonzero(victims >= 0)
    kinds, strongest = left_out(weighed, assessed, people, evidence)
    rings = _rings(weighed, assessed, significance, evidence, ids, people)
    return Judged(
        rings=rings,
        members=_members(weighed, candidates, ids, people),
        evidence={
            "ring_id": ids[evidence["group"]] if len(ids) else ids,
            **{name: column for name, column in evidence.items() if name != "group"},
        },
        owners={"ring_id": ids[victims[owner_accounts]], "account": owner_accounts.astype(np.int32)}
        if len(ids)
        else {"ring_id": ids, "account": np.zeros(0, np.int32)},
        kinds={"ring_id": ids[kinds.pop("group")], **kinds},
        strongest={"ring_id": ids[strongest.pop("group")], **strongest},
        lineage=_lineage(past, rings),
        bound=_bound(assessed, ids),
    )


def _lineage(past: Lineage, rings: Columns) -> Columns:
    """What became of the rings, with what they are now; of those that ended nothing is left."""
    columns = dict(past.columns)
    group = columns.pop("group")
    ended: dict[str, Any] = {"accounts": 0, "score": np.nan, "listed": False}
    return columns | {
        name: np.append(rings[name], np.array([nothing], rings[name].dtype))[group] for name, nothing in ended.items()
    }


def _bound(assessed: Assessed, ids: NDArray[np.object_]) -> Columns:
    bound, labels = assessed.bound, assessed.candidates.labels
    came = np.flatnonzero((bound.joined > 0) & (labels >= 0))
    went = np.flatnonzero(bound.left_from >= 0)
    group = np.concatenate((labels[came], bound.left_from[went]))
    return {
        "ring_id": ids[group] if len(ids) else ids,
        "account": np.concatenate((came, went)).astype(np.int32),
        "joined": np.arange(len(group)) < len(came),
        "decision": np.concatenate((bound.joined[came], bound.left[went])),
    }


def _members(weighed: Weighed, candidates: Candidates, ids: NDArray[np.object_], people: Profiles) -> Columns:
    inside = np.flatnonzero(candidates.labels >= 0)
    net = candidates.evidence.net[inside]
    tier = np.where(net >= CORE_BITS, "core", "likely").astype(object)
    tier[bridges(weighed, candidates)[inside]] = "bridge"
    return {
        "ring_id": ids[candidates.labels[inside]] if len(ids) else ids,
        "account": inside.astype(np.int32),
        "tier": tier,
        "confidence": np.round(confidence(net) * candidates.stability[inside], 4),
        "bits": np.round(net, 4),
        "banned": people.banned[inside],
    }


def evidence_of(weighed: Weighed, assessed: Assessed) -> Columns:
    """One row for each group and identifier that brings it bits; `bits` are those of an average member.

    The bits of a group's rows add up to its mean net bits plus the prior.

    Returns:
        group, identifier, accounts, outsiders, bits.
    """
    candidates, features = assessed.candidates, assessed.features
    s, labels, credit = weighed.sightings, candidates.labels, candidates.evidence.credit
    brings = np.flatnonzero(credit > 0)
    identifiers = max(len(s.kind), 1)
    cells = labels[s.account[brings]] * identifiers + s.identifier[brings]
    cell, first, inverse = np.unique(cells, return_index=True, return_inverse=True)
    group, identifier = cell // identifiers, cell % identifiers
    total = np.bincount(inverse, credit[brings], minlength=len(cell))
    bits = total / np.maximum(features.size[group], 1)
    holders = candidates.evidence.holders[brings][first].astype(np.int64)
    # What brings its own holders next to nothing is noise: it would bury the rest.
    kept = total >= 0.05 * holders
    return {
        "group": group[kept],
        "identifier": identifier[kept].astype(np.int32),
        "accounts": holders[kept],
        "outsiders": (s.degree[identifier] - holders)[kept] if len(cell) else holders,
        "bits": np.round(bits[kept], 6),
    }


def _rings(
    weighed: Weighed,
    assessed: Assessed,
    significance: Significance,
    evidence: Columns,
    ids: NDArray[np.object_],
    people: Profiles,
) -> Columns:
    groups = len(ids)
    features, scores, labels = assessed.features, assessed.scores, assessed.candidates.labels
    banned = np.bincount(labels[labels >= 0], people.banned[labels >= 0], minlength=max(groups, 1))
    lines = _shared_by_group(weighed, evidence, groups)
    reasons, against, factors = [], [], []
    columns = [values.tolist() for values in scores.factors.values()]
    for at in range(groups):
        bits = dict(zip(scores.factors, (values[at] for values in columns), strict=True))
        facts = _facts(features, at, int(banned[at]))
        reasons.append(why(facts, lines[at], bits, explained=bool(scores.explained[at])))
        against.append(doubts(facts, lines[at], bits))
        factors.append(json.dumps({name: value for name, value in bits.items() if value}))
    listed = scores.explained | ((scores.score >= LISTED_SCORE) & significance.passes)
    order = np.lexsort((ids, -features.exchanges, -features.size, -scores.score, scores.explained, ~listed))
    rank = np.empty(groups, np.int64)
    rank[order] = np.arange(1, groups + 1)
    return {
        "ring_id": ids,
        "rank": rank,
        "score": scores.score,
        "q_value": significance.q,
        "status": np.where(scores.explained, "explained", "open").astype(object),
        "listed": listed,
        "accounts": features.size.astype(np.int64),
        "exchanges": features.exchanges,
        "first": features.first,
        "last": features.last,
        "why": np.array(reasons, dtype=object),
        "doubts": np.array(against, dtype=object),
        "bits": np.round(features.net, 4),
        "factors": np.array(factors, dtype=object),
    }


def _facts(features: Features, at: int, banned: int) -> Facts:
    def known(values: NDArray[np.float64]) -> float | None:
        return None if np.isnan(values[at]) else float(values[at])

    return Facts(
        size=int(features.size[at]),
        own_prompts=known(features.own_prompts),
        uses=HEAVY_USES * 2.0 ** float(features.work[at]),
        burst=float(features.burst[at]),
        handoff=float(features.handoff[at]),
        balance=float(features.balance[at]),
        created_spread=known(features.created_spread),
        banned=banned,
        rhythm=known(features.rhythm),
        age=known(features.age),
        verified=float(features.verified[at]),
    )


def _shared_by_group(weighed: Weighed, evidence: Columns, groups: int) -> list[list[Shared]]:
    """What each group shares, a line for each kind, the most bits first."""
    group, kind = evidence["group"], weighed.sightings.kind[evidence["identifier"]]
    # Of each kind the value that most members have comes first, of those the one that fewest others have.
    order = np.lexsort((evidence["outsiders"], -evidence["accounts"], kind, group))
    first = np.flatnonzero(np.diff(group[order], prepend=-1) | np.diff(kind[order], prepend=-1))
    most = order[first]
    lines = zip(
        group[most].tolist(),
        kind[most].tolist(),
        np.diff(first, append=len(order)).tolist(),
        evidence["accounts"][most].tolist(),
        evidence["outsiders"][most].tolist(),
        np.add.reduceat(evidence["bits"][order], first).tolist() if len(first) else [],
        strict=True,
    )
    out: list[list[Shared]] = [[] for _ in range(groups)]
    for at, name, *values in lines:
        out[at].append(Shared(weighed.sightings.kinds[name], *values))
    for of_group in out:
        of_group.sort(key=attrgetter("bits"), reverse=True)
    return out
