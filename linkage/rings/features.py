"""What is measured of each candidate group, all groups at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linkage.candidates import Candidates
from linkage.evidence import SCEPTIC, Likeness, Weighed
from linkage.identify import BEHAVIOURS, NEVER
from linkage.model import HEAVY_USES, NEAR_PROMPT, WORKED_PROMPT
from linkage.rings.profile import Profiles

Floats = NDArray[np.float64]

DAY_US = 86_400_000_000

INSIDE = 0.3
"""A shared prompt is the group's own when at least this part of its other users is in the group."""


@dataclass(frozen=True)
class Features:
    """One entry a group. Shares are from 0 to 1; NaN where the exports do not tell.

    Attributes:
        size: accounts.
        net: mean bits of a member beyond the prior.
        second: mean bits of a member's second strongest family that nobody can fake at no cost.
        beyond_network: mean bits of a member from families other than the network, fakeable ones left out.
        costly: share of members with a costly identifier (payment, device, phone, a user's kind) shared inside; who
            merely brushed it counts less (`evidence.weights.habit`).
        reach: members that share the most shared costly identifier. A device counts as the square root of its members:
            it can be a public terminal, while a payment method has one owner.
        same_network: share of members that share one address with all others who have it inside the group.
        own_prompts: share of the group's prompts that are shared inside it and rare outside.
        work: mean over the members of log2(uses / HEAVY_USES) of the template that a member works with most, of those
            that are the group's own; 0 for a member without one.
        repeated: share of an account's prompts that it had sent before.
        burst, handoff, balance: share of members in a burst, a hand-off or a balanced load with others of the group.
        created_spread: days within which the members signed up, the first and last tenth left out.
        created_spread_all: the same of all accounts.
        age: median days between sign-up and last activity.
        banned: share of members banned or suspended.
        banned_all: share of all accounts banned or suspended.
        rhythm: mean daily rhythm of members, 0 (round the clock) to 1.
        verified: share of members in the group's commonest verified organisation.
        alike: by behaviour (`identify.BEHAVIOURS`) mean bits of a member's likeness to the others.
        place: by behaviour how far the members stand from the middle of all linked accounts' ranking, from -0.5 to 0.5,
            as if there were two more members in the middle; NaN where nothing is known of any.
        lives_all: how far it is known of all linked accounts how they live, 0 to 1: a third each for their hours, for
            how they took up a new model (both whole from a third of the accounts on), and for what likeness is worth.
        learnt: whether the case says what likeness is worth.
        exchanges, first, last: totals and times over the members.
    """

    size: Floats
    net: Floats
    second: Floats
    beyond_network: Floats
    costly: Floats
    reach: Floats
    same_network: Floats
    own_prompts: Floats
    work: Floats
    repeated: Floats
    burst: Floats
    handoff: Floats
    balance: Floats
    created_spread: Floats
    created_spread_all: float
    age: Floats
    banned: Floats
    banned_all: float
    rhythm: Floats
    verified: Floats
    alike: dict[str, Floats]
    place: dict[str, Floats]
    lives_all: float
    learnt: bool
    exchanges: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


COSTLY_FAMILIES_NOT = frozenset({"network", "prompt", "contact", "organisation", "timing"})


def measure(weighed: Weighed, candidates: Candidates, profiles: Profiles) -> Features:
    """Measure all groups."""
    labels = candidates.labels
    inside = np.flatnonzero(labels >= 0)
    label = labels[inside]
    groups = int(labels.max(initial=-1)) + 1
    size = np.bincount(label, minlength=groups).astype(np.float64)

    def mean(values: NDArray[np.generic]) -> Floats:
        """Mean over the members that have a value."""
        numbers = values[inside].astype(np.float64)
        known = ~np.isnan(numbers)
        total = np.bincount(label[known], numbers[known], minlength=groups)
        count = np.bincount(label[known], minlength=groups)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    spread, age = _ages(profiles, inside, label, groups)
    created = profiles.created[profiles.created != NEVER]
    families = _hard_families(weighed, candidates)
    ranked = np.sort(families, axis=1)
    network = [at for at, name in enumerate(weighed.families) if name == "network"]
    costly, reach = _costly(weighed, candidates, groups)
    prompts = np.bincount(label, profiles.prompts[inside], minlength=groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A prompt may have two fingerprints, the provider's and ours.
        own_prompts = np.where(
            prompts > 0, np.minimum(_own_prompts(weighed, candidates, groups) / prompts, 1.0), np.nan
        )
        repeated = np.where(
            profiles.prompts > 0, 1.0 - profiles.distinct_prompts / np.maximum(profiles.prompts, 1), np.nan
        )
    return Features(
        size=size,
        net=mean(candidates.evidence.net),
        second=mean(ranked[:, -2] if ranked.shape[1] > 1 else np.zeros(len(labels))),
        beyond_network=mean(np.delete(families, network, axis=1).sum(axis=1)),
        costly=costly / np.maximum(size, 1),
        reach=reach,
        same_network=_greatest_holders(weighed, candidates, groups, ("ip",)) / np.maximum(size, 1),
        own_prompts=own_prompts,
        work=mean(_work(weighed, candidates)),
        repeated=mean(repeated),
        burst=mean(_together(weighed, candidates, "burst", 3)),
        handoff=mean(_together(weighed, candidates, "handoff", 2)),
        balance=mean(_together(weighed, candidates, "balance", 3)),
        created_spread=spread,
        created_spread_all=_spread_days(created),
        age=age,
        banned=mean(profiles.banned),
        banned_all=float(profiles.banned.mean()) if len(profiles.banned) else 0.0,
        rhythm=mean(profiles.rhythm),
        verified=_commonest(np.where(profiles.verified, profiles.org, -1)[inside], label, size),
        alike={name: mean(candidates.evidence.alike[:, at]) for at, name in enumerate(BEHAVIOURS)},
        place={name: _place(weighed.likeness.rank[inside, at], label, groups) for at, name in enumerate(BEHAVIOURS)},
        lives_all=_told(weighed.likeness),
        learnt=weighed.likeness.learnt,
        exchanges=np.bincount(label, profiles.exchanges[inside], minlength=groups).astype(np.int64),
        first=_extreme(np.minimum, profiles.first[inside], label, groups),
        last=_extreme(np.maximum, profiles.last[inside], label, groups),
    )


def _told(likeness: Likeness) -> float:
    linked = max(int((~np.isnan(likeness.rank)).any(axis=1).sum()), 1)
    known = (~np.isnan(likeness.rank)).sum(axis=0) / linked
    hours, change = (min(1.0, 3.0 * float(known[list(BEHAVIOURS).index(name)])) for name in ("rhythm", "adopted"))
    return (hours + change + float(likeness.learnt)) / 3


def _place(rank: Floats, label: NDArray[np.int64], groups: int) -> Floats:
    known = ~np.isnan(rank)
    count = np.bincount(label[known], minlength=groups)
    total = np.bincount(label[known], rank[known] - 0.5, minlength=groups)
    return np.where(count > 0, total / (count + SCEPTIC), np.nan)


def _kind_mask(weighed: Weighed, wanted: list[bool]) -> NDArray[np.bool_]:
    s = weighed.sightings
    per_kind = np.array(wanted, dtype=np.bool_)
    return per_kind[s.kind[s.identifier]] if len(per_kind) else np.zeros(len(s.account), np.bool_)


def _hard_families(weighed: Weighed, candidates: Candidates) -> Floats:
    """float64[A, F], each account's credits by family, fakeable kinds left out."""
    s = weighed.sightings
    hard = _kind_mask(weighed, [not kind.fakeable for kind in weighed.kinds])
    families = max(len(weighed.families), 1)
    if not len(s.account):
        return np.zeros((s.accounts, families))
    family = weighed.kind_family[s.kind[s.identifier]].astype(np.int64)
    cell = s.account.astype(np.int64) * families + family
    flat = np.bincount(cell[hard], candidates.evidence.credit[hard], minlength=s.accounts * families).astype(np.float64)
    return flat.reshape(s.accounts, families)


def _costly(weighed: Weighed, candidates: Candidates, groups: int) -> tuple[Floats, Floats]:
    s, labels = weighed.sightings, candidates.labels
    costly_kind = [
        not kind.fakeable and (kind.family not in COSTLY_FAMILIES_NOT or kind.name == "phone") for kind in weighed.kinds
    ]
    shared = _kind_mask(weighed, costly_kind) & (candidates.evidence.holders > 1)
    strongest, reach = np.zeros(s.accounts), np.zeros(groups)
    np.maximum.at(strongest, s.account[shared], weighed.habit[shared])
    device = _kind_mask(weighed, [kind.family == "device" for kind in weighed.kinds])[shared]
    holders = candidates.evidence.holders[shared].astype(np.float64)
    np.maximum.at(reach, labels[s.account[shared]], np.where(device, np.sqrt(holders), holders))
    inside = labels >= 0
    return np.bincount(labels[inside], strongest[inside], minlength=groups).astype(np.float64), reach


def _greatest_holders(weighed: Weighed, candidates: Candidates, groups: int, kinds: tuple[str, ...]) -> Floats:
    s = weighed.sightings
    shared = _kind_mask(weighed, [kind.name in kinds for kind in weighed.kinds]) & (candidates.evidence.holders > 1)
    greatest = np.zeros(groups)
    np.maximum.at(greatest, candidates.labels[s.account[shared]], candidates.evidence.holders[shared])
    return greatest


def _own_prompts(weighed: Weighed, candidates: Candidates, groups: int) -> Floats:
    s, holders = weighed.sightings, candidates.evidence.holders
    others = s.degree[s.identifier] + s.rivals[s.identifier] - 1
    own = (holders > 1) & (holders - 1 >= INSIDE * others)
    most = np.zeros(groups)
    # One prompt is known by its text, by near-duplicates and by what its account works with: the levels do not add up.
    for level in ("prompt", NEAR_PROMPT, WORKED_PROMPT):
        here = own & _kind_mask(weighed, [kind.name == level for kind in weighed.kinds])
        counts = s.count[here].astype(np.float64)
        most = np.maximum(most, np.bincount(candidates.labels[s.account[here]], counts, minlength=groups))
    return most


def _work(weighed: Weighed, candidates: Candidates) -> Floats:
    """float64[A], how much each account works with templates that are its group's own."""
    s, holders = weighed.sightings, candidates.evidence.holders
    worked = _kind_mask(weighed, [kind.name == WORKED_PROMPT for kind in weighed.kinds])
    senders = s.degree[s.identifier] + s.rivals[s.identifier] - 1
    own = worked & (holders > 1) & (holders - 1 >= INSIDE * senders)
    most = np.zeros(s.accounts)
    np.maximum.at(most, s.account[own], np.log2(np.maximum(s.count[own] / HEAVY_USES, 1.0)))
    return most


def _together(weighed: Weighed, candidates: Candidates, name: str, least: int) -> NDArray[np.bool_]:
    """Accounts that share an identifier of the kind with so many of their group, themselves among them."""
    s = weighed.sightings
    shared = _kind_mask(weighed, [kind.name == name for kind in weighed.kinds])
    found = np.zeros(s.accounts, np.bool_)
    found[s.account[shared & (candidates.evidence.holders >= least)]] = True
    return found


def _ages(
    profiles: Profiles, inside: NDArray[np.int64], label: NDArray[np.int64], groups: int
) -> tuple[Floats, Floats]:
    known = profiles.created[inside] != NEVER
    created, owner = profiles.created[inside][known], label[known]
    spread = _quantile(created, owner, groups, 0.9, up=True) - _quantile(created, owner, groups, 0.1)
    enough = np.bincount(owner, minlength=groups) >= 3
    lived = known & (profiles.last[inside] != NEVER)
    age = (profiles.last - profiles.created)[inside][lived]
    return np.where(enough, spread / DAY_US, np.nan), _quantile(age, label[lived], groups, 0.5) / DAY_US


def _quantile(
    values: NDArray[np.int64], label: NDArray[np.int64], groups: int, q: float, *, up: bool = False
) -> Floats:
    """The empirical quantile of each group's values, the lower or upper neighbour; NaN for an empty group."""
    to_whole = np.ceil if up else np.floor
    order = np.lexsort((values, label))
    count = np.bincount(label, minlength=groups)
    start = np.cumsum(count) - count
    at = start + to_whole(q * np.maximum(count - 1, 0)).astype(np.int64)
    if not len(values):
        return np.full(groups, np.nan)
    chosen = values[order][np.minimum(at, len(values) - 1)].astype(np.float64)
    return np.where(count > 0, chosen, np.nan)


def _spread_days(values: NDArray[np.int64]) -> float:
    if len(values) < 3:
        return float("nan")
    low, high = np.quantile(values.astype(np.float64), (0.1, 0.9))
    return float((high - low) / DAY_US)


def _commonest(codes: NDArray[np.int64], label: NDArray[np.int64], size: Floats) -> Floats:
    """Share of each group's members with the group's commonest code; -1 is no code."""
    best = np.zeros(len(size))
    known = codes >= 0
    if known.any():
        width = int(codes.max()) + 1
        cells, count = np.unique(label[known] * width + codes[known], return_counts=True)
        np.maximum.at(best, cells // width, count.astype(np.float64))
    return best / np.maximum(size, 1)


def _extreme(pick: np.ufunc, values: NDArray[np.int64], label: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    known = values != NEVER
    start = np.iinfo(np.int64).max if pick is np.minimum else np.iinfo(np.int64).min
    out = np.full(groups, start, np.int64)
    pick.at(out, label[known], values[known])
    return np.where(out == start, NEVER, out)
