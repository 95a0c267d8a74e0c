"""The ledger of hubs: identifiers that too many accounts share to link any two of them.

A hub is damped, never dropped: it forms no pairs, and counts at the level of groups with the few bits that its rarity
leaves. The ledger says so for each, so that an analyst can see what was set aside.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from linkage.evidence.weights import Weighed, pair_prior

HUB_DEGREE: Final = 100
"""Shared by more accounts than this, an identifier forms no pairs. Greater finds more and costs its square."""


@dataclass(frozen=True)
class Hub:
    """One line of the ledger.

    Attributes:
        identifier: its index.
        accounts: how many share it.
        bits_alone: what sharing it is worth beyond the prior (negative: it cannot link anybody by itself).
        pairs_spared: the pairs that it would have formed.
        reason: why it was damped.
    """

    identifier: int
    accounts: int
    bits_alone: float
    pairs_spared: int
    reason: str


def hubs(weighed: Weighed, hub_degree: int = HUB_DEGREE) -> list[Hub]:
    """All hubs, the most shared first."""
    degree = weighed.sightings.degree
    prior = pair_prior(weighed.population)
    found = np.flatnonzero(degree > hub_degree)
    found = found[np.lexsort((found, -degree[found]))]
    return [_line(weighed, int(i), int(degree[i]), float(weighed.bits[i]), prior, hub_degree) for i in found]


def _line(weighed: Weighed, identifier: int, degree: int, bits: float, prior: float, hub_degree: int) -> Hub:
    words = weighed.kinds[weighed.sightings.kind[identifier]].words
    worth = f"worth {bits:.1f} bits" if bits > 0 else "worth nothing"
    reason = f"one {words} at {degree:,} accounts (over {hub_degree}): forms no pairs, {worth} within a group"
    return Hub(identifier, degree, round(bits - prior, 6), degree * (degree - 1) // 2, reason)
