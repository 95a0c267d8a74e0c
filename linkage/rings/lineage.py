"""Rings keep their ids: which ring of this run is which earlier one, and what became of each.

1. A ring can be an earlier one's heir if they share at least `OVERLAP` of the smaller's members. If as large a part of
   the earlier one's members is in no ring now, its identifiers speak for it: an heir shares at least `OVERLAP` of the
   smaller's bits. That finds a ring again all of whose accounts were replaced.
2. Who inherits from whom is an assignment, each at most once, that keeps most: the sum over heirs of common members,
   and of the share of bits in common times the members that are in no ring now (Kuhn 1955,
   doi:10.1002/nav.3800020109, as `scipy.optimize.linear_sum_assignment` solves it). Members who are still in rings show
   where theirs is: that strangers use its address now says nothing of it. Rings that were gone in the last run come
   after those that were not.
3. What has no heir merged into the ring that holds half of its members, or is gone. What inherits nothing split from
   the ring that held half of its members, or is born.

Ids never come from the clock or from chance: the same history gives the same ids.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

OVERLAP: Final = 0.5
"""The part of the smaller that an heir must share."""

GONE: Final = 0.75
"""What the claim of a ring counts that was gone in the last run."""

TELLING: Final = 20
"""An identifier that more rings of one run share says of none of them which it is."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Earlier:
    """All rings that there ever were, as they were when last seen; rows refer to `ids` by place.

    Attributes:
        ids: ring ids, sorted.
        there: bool[E], whether the last run had it.
        member_ring, member: int64, one entry a member that is still an account: its ring, and its index now.
        member_banned: bool, whether it was banned then; True where that was not kept.
        value_ring, value, value_bits: one entry an identifier that tied a ring of the last run and is still shared: its
            ring, its index now, and the bits that it brought to a mean member.
    """

    ids: Sequence[str]
    there: NDArray[np.bool_]
    member_ring: Ints
    member: Ints
    member_banned: NDArray[np.bool_]
    value_ring: Ints
    value: Ints
    value_bits: Floats

    @classmethod
    def none(cls) -> "Earlier":
        """What a first run has behind it."""
        numbers, flags = np.zeros(0, np.int64), np.zeros(0, np.bool_)
        return cls([], flags, numbers, numbers, flags, numbers, numbers, np.zeros(0))


@dataclass(frozen=True)
class Lineage:
    """What became of the rings of the last run, and whence those of this one come.

    Attributes:
        ids: object[groups], the id of each group of this run.
        columns: one entry a ring of this run, and one for each of the last run that ended: ring_id, group (-1 for what
            ended), event (one of `model.EVENTS`), other (the ring that it split from or merged into, or None), joined,
            left, banned: members that came, went and were banned since it was last seen.
    """

    ids: NDArray[np.object_]
    columns: dict[str, NDArray[Any]]


def lineage(
    labels: Ints, names: Sequence[str], banned: NDArray[np.bool_], evidence: Mapping[str, NDArray[Any]],
    earlier: Earlier, run: int,
) -> Lineage:  # fmt: skip
    """Give each group its id and tell what happened.

    Args:
        labels: int64[A], the group of each account; -1 for none.
        names: the account ids, by index.
        banned: bool[A], who is banned now.
        evidence: group, identifier and bits of what ties the groups, one entry each.
        earlier: the rings of earlier runs.
        run: this run's number.
    """
    groups, rings = int(labels.max(initial=-1)) + 1, len(earlier.ids)
    inside = np.flatnonzero(labels >= 0)
    size = np.bincount(labels[inside], minlength=groups)
    size_before = np.bincount(earlier.member_ring, minlength=rings)
    common = _common(
        (earlier.member_ring, earlier.member, np.ones(len(earlier.member))),
        (labels[inside], inside, np.ones(len(inside))),
        (rings, groups),
    )
    values = (evidence["group"].astype(np.int64), evidence["identifier"].astype(np.int64), evidence["bits"])
    alike = _alike((earlier.value_ring, earlier.value, earlier.value_bits), values, (rings, groups))
    absent = size_before - np.bincount(earlier.member_ring[labels[earlier.member] >= 0], minlength=rings)
    heir = _heirs(common, alike, size_before, absent, size, earlier.there)
    ancestor = np.full(groups, -1, np.int64)
    ancestor[heir[heir >= 0]] = np.flatnonzero(heir >= 0)
    ids = np.empty(groups, object)
    by_group = np.split(inside[np.argsort(labels[inside], kind="stable")], np.cumsum(size)[:-1]) if groups else []
    for at, members in enumerate(by_group):
        known = ancestor[at]
        ids[at] = earlier.ids[known] if known >= 0 else _new_id([names[a] for a in members.tolist()], run)
    return Lineage(ids, _events(labels, banned, earlier, ids, ancestor, common, size, size_before))


def _heirs(
    common: coo_array, alike: coo_array, size_before: Ints, absent: Ints, size: Ints, there: NDArray[np.bool_]
) -> Ints:
    """int64[E], the group that inherits each earlier ring's id, or -1."""
    heir = np.full(len(size_before), -1, np.int64)
    both = (common + alike).tocoo()
    ring, group = both.coords[0].astype(np.int64), both.coords[1].astype(np.int64)
    if not len(ring):
        return heir
    smaller = np.maximum(np.minimum(size_before[ring], size[group]), 1)
    members, share = common.tocsr()[ring, group], alike.tocsr()[ring, group]
    mute = absent[ring] >= OVERLAP * size_before[ring]
    claims = (members >= OVERLAP * smaller) | (mute & (share >= OVERLAP))
    # Of halves that hold as many members, bits tell.
    worth = members + share * (np.minimum(np.maximum(absent[ring], size_before[ring] == 0), size[group]) + 0.5)
    ring, group = ring[claims], group[claims]
    worth = worth[claims] * np.where(there[ring], 1.0, GONE)
    nodes = len(size_before) + len(size)
    edges = coo_array((np.ones(len(ring)), (ring, len(size_before) + group)), shape=(nodes, nodes))
    part = connected_components(edges, directed=False)[1][ring]
    # Most rings have one heir to choose from, and are its only ancestor.
    lone = (np.bincount(part) == 1)[part]
    heir[ring[lone & (worth > 0.0)]] = group[lone & (worth > 0.0)]
    order = np.flatnonzero(~lone)[np.argsort(part[~lone], kind="stable")]
    for rows in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
        known, e = np.unique(ring[rows], return_inverse=True)
        here, g = np.unique(group[rows], return_inverse=True)
        matrix = np.zeros((len(known), len(here)))
        matrix[e, g] = worth[rows]
        for x, y in zip(*linear_sum_assignment(matrix, maximize=True), strict=True):
            if matrix[x, y] > 0.0:
                heir[known[x]] = here[y]
    return heir


def _events(
    labels: Ints, banned: NDArray[np.bool_], earlier: Earlier, ids: NDArray[np.object_], ancestor: Ints,
    common: coo_array, size: Ints, size_before: Ints,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    groups = len(ids)
    parent = np.where(ancestor >= 0, ancestor, _most(common.T.tocoo(), size, earlier.there))
    before = np.full(len(labels), -1, np.int64)
    kept = earlier.there[earlier.member_ring]
    # An account was in one ring at most a run; of rings that are gone only the one that came back matters.
    back = np.isin(earlier.member_ring, ancestor[ancestor >= 0]) | kept
    for mine in (back & ~kept, kept):
        before[earlier.member[mine]] = earlier.member_ring[mine]
    was_banned = np.ones(len(labels), np.bool_)
    was_banned[earlier.member[back]] = earlier.member_banned[back]
    inside = np.flatnonzero(labels >= 0)
    stayed = inside[(before[inside] == parent[labels[inside]]) & (parent[labels[inside]] >= 0)]
    stays = np.bincount(labels[stayed], minlength=groups)
    now_banned = np.bincount(labels[stayed], banned[stayed] & ~was_banned[stayed], minlength=groups).astype(np.int64)
    joined = size - stays
    left = np.where(ancestor >= 0, np.append(size_before, 0)[parent] - stays, 0)
    net = joined - left - now_banned
    event = np.full(groups, "same", object)
    event[(joined > 0) | (left > 0)] = "changed"
    event[net > 0], event[net < 0] = "grew", "shrank"
    event[(now_banned > 0) & (joined > 0)] = "replaced"
    event[~np.append(earlier.there, True)[ancestor]] = "returned"
    event[ancestor < 0] = np.where(parent[ancestor < 0] >= 0, "split_from", "born")
    other = np.full(groups, None, object)
    split = np.flatnonzero(event == "split_from")
    other[split] = [earlier.ids[at] for at in parent[split].tolist()]
    ended = np.setdiff1d(np.flatnonzero(earlier.there), ancestor)
    into = _most(common, size_before, np.ones(groups, np.bool_))[ended]
    ended_other = np.full(len(ended), None, object)
    ended_other[into >= 0] = ids[into[into >= 0]]
    zeros = np.zeros(len(ended), np.int64)
    return {
        "ring_id": np.concatenate((ids, np.array([earlier.ids[at] for at in ended.tolist()], object))),
        "group": np.concatenate((np.arange(groups), zeros - 1)),
        "event": np.concatenate((event, np.where(into >= 0, "merged_into", "gone").astype(object))),
        "other": np.concatenate((other, ended_other)),
        "joined": np.concatenate((joined, zeros)),
        "left": np.concatenate((left, size_before[ended] if len(ended) else zeros)),
        "banned": np.concatenate((now_banned, zeros)),
    }


def _most(common: coo_array, size: Ints, allowed: NDArray[np.bool_]) -> Ints:
    """For each row the allowed column with most in common, if that is half of the row's size or more; else -1."""
    row, column = common.coords
    enough = (common.data >= OVERLAP * size[row]) & allowed[column] if len(row) else np.zeros(0, np.bool_)
    row, column, shared = row[enough], column[enough], common.data[enough]
    order = np.lexsort((-column, shared, row))
    found = np.full(common.shape[0], -1, np.int64)
    found[row[order]] = column[order]  # The last of a row counts: the greatest, then the first column.
    return found


def _alike(before: tuple[Ints, Ints, Floats], now: tuple[Ints, Ints, Floats], shape: tuple[int, int]) -> coo_array:
    """The share of the smaller's bits that two rings have in common."""
    before, now = _telling(before), _telling(now)
    shared = _common(before, now, shape)
    ring, group = shared.coords
    totals = [np.bincount(rows[0], rows[2], minlength=most) for rows, most in zip((before, now), shape, strict=True)]
    least = np.minimum(totals[0][ring], totals[1][group]) if len(ring) else np.zeros(0)
    return coo_array((shared.data / np.maximum(least, 1e-9), (ring, group)), shape=shape)


def _telling(rows: tuple[Ints, Ints, Floats]) -> tuple[Ints, Ints, Floats]:
    few = np.bincount(rows[1])[rows[1]] <= TELLING if len(rows[1]) else np.zeros(0, np.bool_)
    return rows[0][few], rows[1][few], rows[2][few]


def _common(before: tuple[Ints, Ints, Floats], now: tuple[Ints, Ints, Floats], shape: tuple[int, int]) -> coo_array:
    """For each pair of an earlier and a present ring the sum, over what both have, of the lesser weight."""
    order = np.argsort(now[1], kind="stable")
    group, value, weight = now[0][order], now[1][order], now[2][order]
    first, last = np.searchsorted(value, before[1]), np.searchsorted(value, before[1], side="right")
    times = last - first
    row = np.repeat(np.arange(len(times)), times)
    place = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times) + np.repeat(first, times)
    lesser = np.minimum(before[2][row], weight[place])
    out = coo_array((lesser, (before[0][row], group[place])), shape=shape)
    out.sum_duplicates()
    return out


def _new_id(accounts: Sequence[str], run: int) -> str:
    digest = hashlib.sha256(f"{run}".encode())
    for account in sorted(accounts):
        # A length in front keeps ["ab", "c"] apart from ["a", "bc"].
        digest.update(f"\n{len(account)}:{account}".encode(errors="surrogatepass"))
    return f"R{digest.hexdigest()[:12]}"
