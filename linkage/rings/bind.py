"""Decisions on members bind the groups of a run: who must stay together, and who apart.

A bond is one such decision. Each account goes by the latest bond that names it, and by no other, for whom it is with:

    confirm, a ring    its members of that run stay together: a block
    split              those who were named stay together: a block
    confirm, members   they are where most of the others of the ring are
    dismiss            no block

Those whom a dismissal or a split names stay apart from the others of the ring, unless a later bond puts the two
together: in one block, or by confirming the one beside the other.

1. Each block gathers in the group that holds most of it, and confirmed members in the one that holds most of the
   others of their ring: of equals, in the first. Strangers come along with nobody. What no group holds stays so.
2. Where a group holds accounts that must be apart, those who were named leave it together, with their whole blocks, and
   are a group of their own; bond after bond, and within that group again, until nobody is left to part.
3. Groups of too few accounts are dissolved.

Step 2 only ever divides groups, and never a block: so afterwards no two accounts are together that must be apart, and
each block is in one group or in none. Groups come in from the evidence alone, whatever was bound in an earlier run: a
decision that is taken back leaves nothing behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linkage.candidates import at_least

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Bond:
    """A decision that says who belongs together.

    Attributes:
        decision: its number.
        verdict: `confirm`, `dismiss` or `split`.
        accounts: int64, sorted, whom it names; all members of the run that it was made on where it confirms a ring.
        others: int64, sorted, the other members of the ring in that run; none where it confirms a ring.
    """

    decision: int
    verdict: str
    accounts: Ints
    others: Ints

    @property
    def is_block(self) -> bool:
        """Whether those who are named stay together, wherever they go."""
        return self.verdict == "split" or (self.verdict == "confirm" and not len(self.others))


@dataclass(frozen=True)
class Bound:
    """Groups after decisions.

    Attributes:
        labels: int64[A], the group of each account, numbered by smallest member; -1 for none.
        kept: bool[A], whether a decision says that the account is where it is.
        joined: int64[A], the decision that brought the account into its group; 0 for none.
        left: int64[A], the decision by which it left a group; 0 for none.
        left_from: int64[A], that group, by its number now; -1 where it is none any more.
    """

    labels: Ints
    kept: NDArray[np.bool_]
    joined: Ints
    left: Ints
    left_from: Ints

    @classmethod
    def free(cls, labels: Ints) -> "Bound":
        """Groups without any decision."""
        none = np.zeros(len(labels), np.int64)
        return cls(labels, none.astype(np.bool_), none, none, none - 1)


def bind(labels: Ints, bonds: Sequence[Bond], min_accounts: int) -> Bound:
    """Bind groups by decisions.

    Args:
        labels: int64[A], the group of each account as the evidence gives it; -1 for none.
        bonds: the oldest first.
        min_accounts: the smallest group.
    """
    if not bonds:
        return Bound.free(labels)
    latest = np.full(len(labels), -1, np.int64)
    for at, bond in enumerate(bonds):
        latest[bond.accounts] = at
    block = np.array([bond.is_block for bond in bonds])
    unit = np.where((latest >= 0) & block[latest], len(labels) + latest, np.arange(len(labels)))
    parting = _Parting(bonds, latest, unit, labels)
    parting.gather()
    for at, bond in enumerate(bonds):
        if bond.verdict != "confirm":
            parting.part(at)
    bound = at_least(parting.labels, min_accounts)
    left_from = np.where(parting.left > 0, bound[parting.beside], -1)
    left_from[left_from == bound] = -1
    return Bound(
        labels=bound,
        kept=(bound >= 0) & (latest >= 0) & np.array([bond.verdict != "dismiss" for bond in bonds])[latest],
        joined=np.where((bound >= 0) & (parting.left == 0), parting.joined, 0),
        left=parting.left,
        left_from=left_from,
    )


class _Parting:
    def __init__(self, bonds: Sequence[Bond], latest: Ints, unit: Ints, labels: Ints) -> None:
        none = np.zeros(len(labels), np.int64)
        self.bonds, self.latest, self.unit = bonds, latest, unit
        self.before, self.labels = labels, labels.copy()
        self.joined, self.left, self.beside = none.copy(), none.copy(), none.copy()
        self.next = int(labels.max(initial=-1)) + 1
        # Whom a confirmed member is beside.
        self.fellows = {
            at: frozenset(bond.others.tolist())
            for at, bond in enumerate(bonds)
            if bond.verdict == "confirm" and not bond.is_block
        }

    def gather(self) -> None:
        """Step 1. Votes are those of the groups as they came, so that the order of bonds does not matter."""
        for at, bond in enumerate(self.bonds):
            own = bond.accounts[self.latest[bond.accounts] == at]
            votes = self.before[own if bond.is_block else bond.others]
            votes = votes[votes >= 0]
            if bond.verdict == "dismiss" or not len(votes):
                continue
            target = int(np.bincount(votes).argmax())
            moved = own[self.before[own] != target]
            self.labels[moved] = target
            self.joined[moved] = bond.decision

    def part(self, at: int) -> None:
        """Step 2, for one bond."""
        bond = self.bonds[at]
        groups = np.intersect1d(self.labels[bond.accounts], self.labels[bond.others])
        todo = groups[groups >= 0].tolist()
        while todo:
            group = todo.pop()
            named, others = (side[self.labels[side] == group].tolist() for side in (bond.accounts, bond.others))
            leaving = {int(self.unit[n]) for n in named if any(self._apart(at, n, other) for other in others)}
            if not leaving:
                continue
            inside = np.flatnonzero(self.labels == group)
            goes = np.isin(self.unit[inside], list(leaving))
            if goes.all():
                # Everybody was named by somebody: the first stays, so that the group is divided.
                goes = self.unit[inside] != self.unit[inside[0]]
            self.labels[inside[goes]] = self.next
            self.left[inside[goes]], self.beside[inside[goes]] = bond.decision, inside[~goes][0]
            todo += [group, self.next]
            self.next += 1

    def _apart(self, at: int, named: int, other: int) -> bool:
        """Whether two accounts of bond `at` must still be apart."""
        if self.unit[named] == self.unit[other]:
            return False
        return not any(
            self.latest[one] > at and two in self.fellows.get(int(self.latest[one]), ())
            for one, two in ((named, other), (other, named))
        )
