"""Ring ids that live on: a ring inherits the id of the earlier ring that it overlaps most."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

OVERLAP: Final = 0.5
"""A ring is an earlier one's heir if they share at least this part of the smaller."""


def group_ids(
    labels: NDArray[np.int64], names: Sequence[str], earlier: Mapping[str, Sequence[str]], run: int
) -> NDArray[np.object_]:
    """object[groups], the `ring_ids` of a partition.

    Args:
        labels: int64[A], the group of each account, or -1.
        names: the account ids, by index.
        earlier, run: as in `ring_ids`.
    """
    inside = np.flatnonzero(labels >= 0)
    order = inside[np.argsort(labels[inside], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []
    return np.array(ring_ids([[names[a] for a in group] for group in groups], earlier, run), dtype=object)


def ring_ids(rings: Sequence[Sequence[str]], earlier: Mapping[str, Sequence[str]], run: int) -> list[str]:
    """An id for each ring: inherited, or a hash of its sorted members and the run's number.

    Never random and never from the clock: the same history gives the same ids. Each earlier id is inherited once, the
    greatest overlap first.

    Args:
        rings: the accounts of each ring of this run; a partition.
        earlier: the accounts of each ring of the run before, by id.
        run: this run's number.

    >>> first = ring_ids([["a", "b", "c"]], {}, 1)
    >>> ring_ids([["x", "y", "z"], ["a", "b", "d"]], {first[0]: ["a", "b", "c"]}, 2)[1] == first[0]
    True
    """
    home = {account: ring_id for ring_id, accounts in earlier.items() for account in accounts}
    claims: list[tuple[int, int, str]] = []
    for at, accounts in enumerate(rings):
        for ring_id, common in Counter(home[a] for a in accounts if a in home).items():
            if common >= OVERLAP * min(len(accounts), len(earlier[ring_id])):
                claims.append((common, at, ring_id))
    ids: dict[int, str] = {}
    taken: set[str] = set()
    for _, at, ring_id in sorted(claims, key=lambda claim: (-claim[0], min(rings[claim[1]]), claim[2])):
        if at not in ids and ring_id not in taken:
            ids[at] = ring_id
            taken.add(ring_id)
    return [ids.get(at) or _new_id(accounts, run) for at, accounts in enumerate(rings)]


def _new_id(accounts: Sequence[str], run: int) -> str:
    digest = hashlib.sha256(f"{run}".encode())
    for account in sorted(accounts):
        # A length in front keeps ["ab", "c"] apart from ["a", "bc"].
        digest.update(f"\n{len(account)}:{account}".encode(errors="surrogatepass"))
    return f"R{digest.hexdigest()[:12]}"
