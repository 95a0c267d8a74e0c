"""The columns that the tests of timing read, made ready once for all of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from linkage.kernel import kernel

Ints = NDArray[np.int64]
Ids = NDArray[np.int32]

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400
MARGIN: Final = 4 * HOUR
"""Between the last event of one work and the first of the next on the common axis, so that no window reaches over."""

LEAST_BITS: Final = 10.0
"""A finding is reported when chance makes it in fewer than one of 2**LEAST_BITS cases, all corrections made."""


@dataclass(frozen=True)
class Events:
    """Exchanges that follow shared work.

    Attributes:
        account: int32[E], index of the account.
        work: int32[E], index of the prompt template or fingerprint.
        at: int64[E], microseconds since 1970.
        org: int64[A], the verified organisation of each account, -1 for none.
        accounts: ids of the accounts; indices follow their sorted order or any other that the ids alone decide.
        works: names of the works.
    """

    account: Ids
    work: Ids
    at: Ints
    org: Ints
    accounts: Sequence[str]
    works: Sequence[str]


@dataclass(frozen=True)
class Finding:
    """Accounts that are coordinated in time.

    Attributes:
        kind: `burst`, `handoff` or `balance`.
        value: hash of kind, work and accounts: the same finding has the same value in every run.
        account: int32[g], the accounts, rising.
        count: int64[g], how often each took part (for `balance`, how many exchanges it carried).
        first, last: int64[g], microseconds since 1970.
        p_value: bound on the chance of such a finding among independent accounts, corrected for all that was tested.
        bits: -log2(p_value).
        sentence: what was seen, for an investigator.
    """

    kind: str
    value: str
    account: Ids
    count: Ints
    first: Ints
    last: Ints
    p_value: float
    bits: float
    sentence: str


@dataclass(frozen=True)
class Traffic:
    """Events of works that two actors or more share. An actor is an account, or a whole verified organisation.

    Attributes:
        events: as given.
        actor: int32[E], sorted by (work, actor, second); an organisation's is its first account.
        work: int32[E].
        second: int64[E], since `base`.
        base: a full hour in seconds since 1970, some hours before the first event.
        span: seconds from `base` to some hours after the last event, full hours.
        single: bool[A], false for the accounts of an actor with several: they stand in no finding.
    """

    events: Events
    actor: Ids
    work: Ids
    second: Ints
    base: int
    span: int
    single: NDArray[np.bool_]

    @cached_property
    def position(self) -> Ints:
        """int64[E], work and second as one number: two positions are near only if the work is the same."""
        return self.work.astype(np.int64) * self.span + self.second

    def finding(
        self, kind: str, work: int, actors: Ids, count: Ints, first: Ints, last: Ints, bits: float, sentence: str
    ) -> Finding:
        """A finding of these actors; `first` and `last` are seconds since `base`, `work` is -1 for several works."""
        named = self.events.works[work] if work >= 0 else ""
        content = "\n".join((kind, named, *sorted(self.events.accounts[int(actor)] for actor in actors)))
        return Finding(
            kind,
            hashlib.sha256(content.encode()).hexdigest()[:16],
            actors,
            count,
            (first + self.base) * 1_000_000,
            (last + self.base) * 1_000_000,
            float(2.0**-bits),
            bits,
            sentence,
        )


def traffic(events: Events) -> Traffic:
    """Leave out works that one actor has alone, and sort the rest."""
    org, accounts = events.org, len(events.org)
    head = np.arange(accounts, dtype=np.int32)
    codes, first = np.unique(org, return_index=True)
    known = codes >= 0
    has = org >= 0
    head[has] = first[known][np.searchsorted(codes[known], org[has])].astype(np.int32)
    single = np.bincount(head, minlength=accounts)[head] == 1
    second = events.at // 1_000_000
    low, high = (int(second.min()), int(second.max())) if len(second) else (0, 0)
    base = low // HOUR * HOUR - MARGIN
    span = -(-(high - base) // HOUR) * HOUR + MARGIN
    actor = head[events.account]
    shared = _shared(actor, events.work, len(events.works))[events.work] if len(actor) else np.zeros(0, np.bool_)
    actor, work, second = actor[shared], events.work[shared], second[shared] - base
    order = np.lexsort((second, work.astype(np.int64) * accounts + actor))
    return Traffic(events, actor[order], work[order], second[order], base, span, single)


@kernel
def _shared(actor, work, works):  # type: ignore[no-untyped-def]
    some = np.full(works, -1, np.int64)
    shared = np.zeros(works, np.bool_)
    for at in range(len(work)):
        if some[work[at]] < 0:
            some[work[at]] = actor[at]
        elif some[work[at]] != actor[at]:
            shared[work[at]] = True
    return shared


def runs(*columns: NDArray[Any]) -> Ints:
    """Starts of the runs of equal rows, and the length at the end: run r is [runs[r], runs[r + 1])."""
    n = len(columns[0])
    new = np.zeros(n, np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.append(np.flatnonzero(new), n).astype(np.int64)
