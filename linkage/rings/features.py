"""What is measured of each candidate group, all groups at once."""

from dataclasses import dataclass, fields
from typing import Any

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
class Lives:
    """How the members of each group live, whatever they share: one entry a group, NaN where the exports do not tell.

    Attributes:
        size: accounts.
        created_spread: days within which the members signed up, the first and last tenth left out.
        created_spread_all: the same of all accounts.
        age: median days between sign-up and last activity.
        banned: share of members banned or suspended.
        banned_all: share of all accounts banned or suspended.
        rhythm: mean daily rhythm of members, 0 (round the clock) to 1.
        verified: share of members in the group's commonest verified organisation.
        place: by behaviour how far the members stand from the middle of all linked accounts' ranking, from -0.5 to 0.5,
            as if there were two more members in the middle; NaN where nothing is known of any.
        lives_all: how far it is known of all linked accounts how they live, 0 to 1: a third each for their hours, for
            how they took up a new model (both whole from a third of the accounts on), and for what likeness is worth.
        learnt: whether the case says what likeness is worth.
        exchanges, first, last: totals and times over the members.
    """

    size: Floats
    created_spread: Floats
    created_spread_all: float
    age: Floats
    banned: Floats
    banned_all: float
    rhythm: Floats
    verified: Floats
    place: dict[str, Floats]
    lives_all: float
    learnt: bool
    exchanges: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def of(self, groups: NDArray[np.int64]) -> "Lives":
        """Those of some groups alone."""

        def some(values: Any) -> Any:
            if isinstance(values, dict):
                return {name: of_name[groups] for name, of_name in values.items()}
            return values[groups] if isinstance(values, np.ndarray) else values

        return Lives(**{field.name: some(getattr(self, field.name)) for field in fields(Lives)})


@dataclass(frozen=True)
class Features(Lives):
    """What is known of each group. Shares are from 0 to 1; NaN where the exports do not tell.

    Attributes:
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
        alike: by behaviour (`identify.BEHAVIOURS`) mean bits of a member's likeness to the others.
    """

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
    alike: dict[str, Floats]


COSTLY_FAMILIES_NOT = frozenset({"network", "prompt", "contact", "organisation", "timing"})


def measure(weighed: Weighed, candidates: Candidates, profiles: Profiles, lives: Lives | None = None) -> Features:
    """Measure all groups. What is measured of a group does not depend on which others there are.

    Args:
        weighed, candidates, profiles: what the earlier steps found.
        lives: how the members of each group live, where that is known already.
    """
    labels = candidates.labels
    inside = np.flatnonzero(labels >= 0)
    label = labels[inside]
    lives = lives or _lives(weighed, profiles, inside, label, int(labels.max(initial=-1)) + 1)
    groups = len(lives.size)
    shared = _Shared.of(weighed, candidates, inside)

    def mean(values: NDArray[np.generic]) -> Floats:
        return _mean(values, label, groups)

    families = shared.families()
    ranked = np.sort(families, axis=1)
    network = [at for at, name in enumerate(weighed.families) if name == "network"]
    costly, reach = shared.costly()
    greatest = np.zeros(groups)
    np.maximum.at(greatest, shared.label, reach)
    sent, distinct = profiles.prompts[inside], profiles.distinct_prompts[inside]
    prompts = np.bincount(label, sent, minlength=groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A prompt may have two fingerprints, the provider's and ours.
        own_prompts = np.where(prompts > 0, np.minimum(shared.own_prompts(groups) / prompts, 1.0), np.nan)
        repeated = np.where(sent > 0, 1.0 - distinct / np.maximum(sent, 1), np.nan)
    return Features(
        **{field.name: getattr(lives, field.name) for field in fields(Lives)},
        net=mean(candidates.evidence.net[inside]),
        second=mean(ranked[:, -2] if ranked.shape[1] > 1 else np.zeros(len(inside))),
        beyond_network=mean(np.delete(families, network, axis=1).sum(axis=1)),
        costly=np.bincount(label, costly, minlength=groups) / np.maximum(lives.size, 1),
        reach=greatest,
        same_network=shared.greatest_holders("ip", groups) / np.maximum(lives.size, 1),
        own_prompts=own_prompts,
        work=mean(shared.work()),
        repeated=mean(repeated),
        burst=mean(shared.together("burst", 3)),
        handoff=mean(shared.together("handoff", 2)),
        balance=mean(shared.together("balance", 3)),
        alike={name: mean(candidates.evidence.alike[inside, at]) for at, name in enumerate(BEHAVIOURS)},
    )


def _lives(
    weighed: Weighed, profiles: Profiles, inside: NDArray[np.int64], label: NDArray[np.int64], groups: int
) -> Lives:
    size = np.bincount(label, minlength=groups).astype(np.float64)
    spread, age = _ages(profiles, inside, label, groups)
    created = profiles.created[profiles.created != NEVER]
    return Lives(
        size=size,
        created_spread=spread,
        created_spread_all=_spread_days(created),
        age=age,
        banned=_mean(profiles.banned[inside], label, groups),
        banned_all=float(profiles.banned.mean()) if len(profiles.banned) else 0.0,
        rhythm=_mean(profiles.rhythm[inside], label, groups),
        verified=_commonest(np.where(profiles.verified[inside], profiles.org[inside], -1), label, size),
        place={name: _place(weighed.likeness.rank[inside, at], label, groups) for at, name in enumerate(BEHAVIOURS)},
        lives_all=_told(weighed.likeness),
        learnt=weighed.likeness.learnt,
        exchanges=np.bincount(label, profiles.exchanges[inside], minlength=groups).astype(np.int64),
        first=_extreme(np.minimum, profiles.first[inside], label, groups),
        last=_extreme(np.maximum, profiles.last[inside], label, groups),
    )


def _mean(values: NDArray[np.generic], label: NDArray[np.int64], groups: int) -> Floats:
    """Mean over the members of each group, given one value each, that have one."""
    numbers = values.astype(np.float64)
    known = ~np.isnan(numbers)
    total = np.bincount(label[known], numbers[known], minlength=groups)
    count = np.bincount(label[known], minlength=groups)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


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


@dataclass(frozen=True)
class _Shared:
    """The sightings that members of a group have in common with each other, one entry each.

    Attributes:
        weighed: all of them.
        members: how many accounts are in a group.
        kind: int[…], the index of the kind.
        member: int[…], the place of the account among the members.
        label: int[…], its group.
        count: int[…], as in `Sightings`.
        habit, credit: float[…], as in `Weighed` and in `GroupEvidence`.
        holders: int[…], members of the group that have the identifier.
        others: int[…], accounts that have it, one left out: those that use it less among them.
    """

    weighed: Weighed
    members: int
    kind: NDArray[np.int16]
    member: NDArray[np.int64]
    label: NDArray[np.int64]
    count: NDArray[np.int64]
    habit: Floats
    credit: Floats
    holders: NDArray[np.int32]
    others: NDArray[np.int64]

    @classmethod
    def of(cls, weighed: Weighed, candidates: Candidates, inside: NDArray[np.int64]) -> "_Shared":
        s, evidence = weighed.sightings, candidates.evidence
        rows = np.flatnonzero(evidence.holders > 1)
        account, identifier = s.account[rows], s.identifier[rows]
        place = np.empty(s.accounts, np.int64)
        place[inside] = np.arange(len(inside))
        senders = np.diff(weighed.by_identifier) + s.rivals
        return cls(
            weighed,
            len(inside),
            s.kind[identifier],
            place[account],
            candidates.labels[account],
            s.count[rows],
            weighed.habit[rows],
            evidence.credit[rows],
            evidence.holders[rows],
            senders[identifier] - 1,
        )

    def _of_kinds(self, wanted: list[bool]) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = np.array([*wanted, False], dtype=np.bool_)[self.kind]
        return found

    def _named(self, name: str) -> NDArray[np.bool_]:
        return self._of_kinds([kind.name == name for kind in self.weighed.kinds])

    def families(self) -> Floats:
        """float64[members, F], each member's credits by family, fakeable kinds left out."""
        hard = self._of_kinds([not kind.fakeable for kind in self.weighed.kinds])
        families = max(len(self.weighed.families), 1)
        cell = self.member[hard] * families + self.weighed.kind_family[self.kind[hard]]
        flat = np.bincount(cell, self.credit[hard], minlength=self.members * families).astype(np.float64)
        return flat.reshape(self.members, families)

    def costly(self) -> tuple[Floats, Floats]:
        """What each member carries of its strongest costly identifier, and how far each sighting's one reaches."""
        kinds = self.weighed.kinds
        here = self._of_kinds(
            [not kind.fakeable and (kind.family not in COSTLY_FAMILIES_NOT or kind.name == "phone") for kind in kinds]
        )
        strongest = np.zeros(self.members)
        np.maximum.at(strongest, self.member[here], self.habit[here])
        device, holders = self._of_kinds([kind.family == "device" for kind in kinds]), self.holders.astype(np.float64)
        return strongest, np.where(here, np.where(device, np.sqrt(holders), holders), 0.0)

    def greatest_holders(self, name: str, groups: int) -> Floats:
        """float64[groups], members that share the commonest identifier of the kind."""
        here, greatest = self._named(name), np.zeros(groups)
        np.maximum.at(greatest, self.label[here], self.holders[here])
        return greatest

    def own_prompts(self, groups: int) -> Floats:
        """float64[groups], exchanges with prompts that are the group's own."""
        own, most = self.holders - 1 >= INSIDE * self.others, np.zeros(groups)
        # One prompt is known by its text, by near-duplicates and by what its account works with: the levels do not
        # add up.
        for level in ("prompt", NEAR_PROMPT, WORKED_PROMPT):
            here = own & self._named(level)
            most = np.maximum(
                most, np.bincount(self.label[here], self.count[here].astype(np.float64), minlength=groups)
            )
        return most

    def work(self) -> Floats:
        """float64[members], how much each works with templates that are its group's own."""
        own = self._named(WORKED_PROMPT) & (self.holders - 1 >= INSIDE * self.others)
        most = np.zeros(self.members)
        np.maximum.at(most, self.member[own], np.log2(np.maximum(self.count[own] / HEAVY_USES, 1.0)))
        return most

    def together(self, name: str, least: int) -> NDArray[np.bool_]:
        """bool[members], who shares an identifier of the kind with so many of its group, itself among them."""
        found = np.zeros(self.members, np.bool_)
        found[self.member[self._named(name) & (self.holders >= least)]] = True
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
