"""Impact: what a block of values would hit, and which values stop most of a ring at the least harm to others.

Blocking a value stops every account that uses it, as far as the exports say. `linkage.reach` reads who that is,
`linkage.cover` chooses.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage import reach, store
from linkage.cover import Chosen, Cover, Hits, Problem, Stops, cover, ordered
from linkage.errors import NotFoundError, UsageError
from linkage.expand import unknown_accounts
from linkage.model import kind_of
from linkage.reach import BANNED, IN_RING, INNOCENT, TARGET, Reach
from linkage.results import newest_run

SHARE: Final = 0.9

USE: Final = 0.5
"""A block stops an account of the ring if at least this part of its exchanges goes over what is blocked."""

STEPS: Final = tuple(round(step / 10, 1) for step in range(1, 11))
"""Shares of the trade-off."""

SECONDS: Final = 10.0
"""The exact optimum of the asked share is looked for at most so long; that of each other step a tenth of it."""


_ROLES: Final = (TARGET, INNOCENT, IN_RING, BANNED)


@dataclass(frozen=True)
class Hit:
    """What blocking some values hits.

    Attributes:
        values: how many are blocked.
        stopped: accounts of the ring (or list) of whose exchanges at least a part (`USE`) goes over one of them.
        innocents: accounts that use one, however little, and are neither of the ring, nor of another listed ring, nor
            banned: innocent as far as the case knows.
        in_rings: accounts of other listed rings (open, watch or confirmed).
        banned: accounts outside all of these that are banned already.
        exchanges: exchanges of the ring that go over one of them.
        exchanges_innocents, exchanges_in_rings: the same of innocents and of accounts of other rings.
    """

    values: int
    stopped: int
    innocents: int
    in_rings: int
    banned: int
    exchanges: int
    exchanges_innocents: int
    exchanges_in_rings: int


@dataclass(frozen=True)
class Blocked:
    """A value of the chosen set, in the order in which blocking pays most.

    Attributes:
        kind, value, label: the identifier; label is readable where the value is a hash.
        cheap: anyone can change it at no cost.
        alone: what it hits if it is blocked alone.
        stops_more, hits_more: accounts of the ring that it stops, and innocents that it hits, beyond the values before.
    """

    kind: str
    value: str
    label: str | None
    cheap: bool
    alone: Hit
    stops_more: int
    hits_more: int


@dataclass(frozen=True)
class Step:
    """A point of the trade-off.

    Attributes:
        share: of the ring that was to be stopped, 0 to 1.
        need: that is so many accounts.
        hit: what the chosen set hits.
        optimal: no set that stops as many hits fewer innocents, and none of those that hit as few is smaller.
        fewest: no set that stops as many hits fewer innocents than this; None where that is not known.
    """

    share: float
    need: int
    hit: Hit
    optimal: bool
    fewest: int | None


@dataclass(frozen=True)
class Impact:
    """The answer.

    Attributes:
        ring_id: the ring, or None where a list was given.
        accounts: of the ring, or of the list as far as the case knows them.
        unknown: accounts of the list that the case does not know.
        banned: accounts of the ring that are banned already.
        exchanges: of the ring.
        reachable: accounts that blocking all values of one of these kinds stops. The chosen sets count these alone;
            what two kinds stop only together comes on top.
        kinds: by kind, what blocking all of the ring's values of that kind would hit.
        asked: the chosen set for the share that was asked for, or for all that are reachable where those are fewer.
        blocked: its values.
        steps: the trade-off.
    """

    ring_id: str | None
    accounts: int
    unknown: tuple[str, ...]
    banned: int
    exchanges: int
    reachable: int
    kinds: tuple[tuple[str, Hit], ...]
    asked: Step
    blocked: tuple[Blocked, ...]
    steps: tuple[Step, ...]


def blockable(kind: str) -> bool:
    """Whether a kind's values can be blocked: not what accounts did together, nor whom they are tied to.

    >>> blockable("ip"), blockable("tax_id"), blockable("burst"), blockable("link:referral")
    (True, True, False, False)
    """
    return kind not in reach.TIMED and not kind.startswith("link:")


def impact(
    case: Path,
    accounts: Sequence[str],
    *,
    kinds: Sequence[str] = (),
    share: float = SHARE,
    use: float = USE,
    ring_id: str | None = None,
    seconds: float = SECONDS,
) -> Impact:
    """What blocking values of some accounts hits, and the set of values that stops enough of them at the least harm.

    Args:
        case: the case file; its newest run says who is in other rings.
        accounts: account ids.
        kinds: only values of these kinds are blocked; of all that can be, where none is named.
        share: the part of the accounts to stop, above 0 and at most 1.
        use: the part of an account's exchanges, 0 to 1, that must go over a value for its block to stop the account;
            with 0 any use is enough.
        ring_id: the ring that they are, for the answer.
        seconds: see `SECONDS`; 0 looks for no exact optimum.

    Raises:
        NotFoundError: the case has no run yet, knows none of the accounts, or they have no value of these kinds.
        UsageError: an argument out of its range, or a kind that cannot be blocked.
    """
    if not 0.0 < share <= 1.0:
        raise UsageError(f"A share of {share} cannot be stopped.", "Use more than 0 and at most 1, such as 0.9.")
    if not 0.0 <= use <= 1.0:
        raise UsageError(f"A use of {use} is no part of an account's exchanges.", "Use 0 to 1, such as 0.5.")
    for kind in kinds:
        if not blockable(kind):
            raise UsageError(f"{kind!r} is what accounts did or whom they are tied to: nothing that can be blocked.")
    with store.reading(case) as con:
        newest_run(con, case)
        named = sorted(set(accounts))
        unknown = unknown_accounts(con, named)
        known = sorted(set(named) - set(unknown))
        if not known:
            raise NotFoundError(
                f"The case knows none of the {len(named):,} accounts." if named else "There are no accounts given.",
                "Check that list and case are of the same export.",
            )
        found = reach.read(con, known, kinds)
        there = reach.kinds_of(con)
    if not there:
        raise NotFoundError("None of the accounts has a value that could be blocked.")
    for kind in kinds:
        if kind not in there:
            hint = f"Kinds of which they have values: {', '.join(there)}."
            raise NotFoundError(f"None of the accounts has a value of kind {kind!r}.", hint)
    return _Answer(found, use, seconds).of(ring_id, tuple(unknown), share)


class _Answer:
    def __init__(self, found: Reach, use: float, seconds: float) -> None:
        self.reach, self.use, self.seconds = found, use, seconds
        self.targets = found.role == TARGET
        # int64[A], exchanges that must be stopped for the account to be; int64[S], what each use brings to that.
        self.need = np.maximum(np.ceil(np.round(use * found.exchanges, 6)), 1).astype(np.int64)
        self.brings = found.over if use else np.full(len(found.id), np.iinfo(np.int64).max)
        self.brings = np.where(found.whole, self.need[found.account], self.brings)
        self.offered, self.problem = _problem(found, self.brings, self.need)

    def of(self, ring_id: str | None, unknown: tuple[str, ...], share: float) -> Impact:
        r, many = self.reach, int(self.targets.sum())
        kind = np.array(r.kind)
        need = min(_need(share, many), self.problem.reachable)
        # A set that stops more stops fewer, too: from the greatest share down, no row is dearer than the one below it.
        shares = sorted({s for s in STEPS if _need(s, many) <= self.problem.reachable} | {share}, reverse=True)
        covers: dict[float, Cover] = {}
        above: Cover | None = None
        for s in shares:
            seconds = self.seconds if s == share else self.seconds / 10
            found = cover(self.problem, min(_need(s, many), self.problem.reachable), seconds, quick=s != share)
            if above is not None and above.cost < found.cost - self.problem.price / 2:
                found = Cover(above.chosen, above.cost, found.bound, False)
            covers[s] = above = found
        steps = tuple(self._step(s, covers[s], min(_need(s, many), self.problem.reachable)) for s in reversed(shares))
        return Impact(
            ring_id=ring_id,
            accounts=many,
            unknown=unknown,
            banned=int((self.targets & r.banned).sum()),
            exchanges=int(r.exchanges[self.targets].sum()),
            reachable=self.problem.reachable,
            kinds=tuple((name, self._hit(kind == name)) for name in sorted(set(r.kind))),
            asked=self._step(share, covers[share], need),
            blocked=self._blocked(covers[share].chosen),
            steps=steps,
        )

    def _step(self, share: float, found: Cover, need: int) -> Step:
        # All values together cost less than one innocent.
        prices = self.problem.price * self.problem.values
        fewest = None if found.bound is None else max(0, math.ceil(found.bound - prices - 1e-6))
        return Step(share, need, self._hit(self._all(found.chosen)), found.optimal, fewest)

    def _all(self, chosen: Chosen) -> NDArray[np.bool_]:
        """bool[V] of all values, from one of those offered."""
        whole = np.zeros(len(self.reach.kind), np.bool_)
        whole[self.offered[chosen]] = True
        return whole

    def _hit(self, chosen: NDArray[np.bool_]) -> Hit:
        r = self.reach
        hit, stopped = r.hit(chosen), r.stopped(chosen)
        whole = np.zeros(len(hit), np.bool_)
        whole[r.account[r.whole & chosen[r.id]]] = True
        hit &= ~self.targets | (stopped >= self.need) | whole | (self.use == 0)
        accounts = [int((hit & (r.role == role)).sum()) for role in _ROLES]
        exchanges = [int(stopped[r.role == role].sum()) for role in _ROLES[:3]]
        return Hit(int(chosen.sum()), *accounts, *exchanges)

    def _blocked(self, chosen: Chosen) -> tuple[Blocked, ...]:
        r, rows = self.reach, []
        role, values = r.role[r.account], len(r.kind)
        uses = [(role == TARGET) & (self.brings >= self.need[r.account]), *(role == of for of in _ROLES[1:])]
        accounts = np.stack([np.bincount(r.id[of], minlength=values) for of in uses])
        exchanges = np.stack([np.bincount(r.id, r.over * (role == of), values) for of in _ROLES[:3]]).astype(np.int64)
        for at, more, harm in ordered(self.problem, chosen):
            v = int(self.offered[at])
            alone = Hit(1, *accounts[:, v].tolist(), *exchanges[:, v].tolist())
            rows.append(Blocked(r.kind[v], r.value[v], r.label[v], kind_of(r.kind[v]).fakeable, alone, more, harm))
        return tuple(rows)


def _need(share: float, accounts: int) -> int:
    # 0.9 · 10 is 9, whatever binary fractions make of it.
    return math.ceil(round(share * accounts, 6))


def _problem(found: Reach, brings: NDArray[np.int64], need: NDArray[np.int64]) -> tuple[NDArray[np.int64], Problem]:
    """The values to choose from, and the choice among them.

    Of values that do the same to the same targets and innocents one is offered: that over which most of the targets'
    exchanges go, then one that cannot be changed at no cost.
    """
    values, role, of = len(found.kind), found.role[found.account], need[found.account]
    columns: dict[str, int] = {}
    column = np.array(
        [columns.setdefault(_column(*name), len(columns)) for name in zip(found.kind, found.value, strict=True)]
    )
    stops, hits = (role == TARGET) & (brings > 0), role == INNOCENT
    enough = brings >= of
    marks = np.stack([found.account, np.where(stops & ~enough, column[found.id], -1), np.minimum(brings, of) * stops])
    ids, marks = found.id[stops | hits], np.ascontiguousarray(marks[:, stops | hits].T)
    start = np.searchsorted(ids, np.arange(values + 1))
    over = np.bincount(found.id, found.over * (role == TARGET), values)
    same: dict[bytes, list[int]] = {}
    for v in np.unique(found.id[stops]).tolist():
        same.setdefault(marks[start[v] : start[v + 1]].tobytes(), []).append(v)
    best = [min(group, key=lambda v: (-over[v], kind_of(found.kind[v]).fakeable, v)) for group in same.values()]
    offered = np.array(sorted(best), np.int64)
    place = np.full(values, -1, np.int64)
    place[offered] = np.arange(len(offered))
    at = place[found.id]
    stops, hits = stops & (at >= 0), hits & (at >= 0)
    return offered, Problem(
        len(offered),
        Stops.of(len(offered), at[stops], found.account[stops], column[found.id[stops]], brings[stops], of[stops]),
        Hits.of(len(offered), at[hits], found.account[hits]),
    )


def _column(kind: str, value: str) -> str:
    """Where an exchange names the value: it names one of each column, but a prompt on several levels."""
    return f"prompt {value.partition(':')[0] if ':' in value else ''}" if kind == "prompt" else kind
