"""From strengths to q-values.

Of N null models searched like the real sightings, V rings in all are at least as strong as a given ring, and R of the
real ones are, the ring itself among them:

    q = min(1, (1 + V) / ((1 + N) R))

estimates which part of the R would be there by chance (Storey and Tibshirani 2003, doi:10.1073/pnas.1530509100; the 1
in both places as for p-values by permutation, Phipson and Smyth 2010, doi:10.2202/1544-6115.1585). As Benjamini and
Hochberg's (1995, doi:10.1111/j.2517-6161.1995.tb02031.x), q-values are made monotone: a ring's is the least of its own
and of those of all weaker ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.model import LISTED_SCORE

Floats = NDArray[np.float64]

LISTED_Q: Final = 0.05
"""A ring is listed up to this q-value."""


@dataclass(frozen=True)
class Significance:
    """What the null models say.

    Attributes:
        q: float64[groups], 0 to 1, rounded to 6 digits; NaN where no null model was searched.
        nulls: how many were.
        floor: the least q-value that so many null models can give to the rings whose score reaches the line, were they
            all stronger than chance; 1 where there is none or no null model.
        by_chance: rings that a null model shows, on average, which would be listed: as strong as the weakest ring that
            is, and with a score that reaches the line. 0 where none is listed.
    """

    q: Floats
    nulls: int
    floor: float
    by_chance: float

    @property
    def passes(self) -> NDArray[np.bool_]:
        """bool[groups], those that may be listed if their score says so; all, where no null model was searched."""
        return np.isnan(self.q) | (self.q <= LISTED_Q)


def q_values(observed: Floats, nulls: Sequence[Floats]) -> Floats:
    """The q-value of each observed strength.

    Args:
        observed: strengths of the real rings.
        nulls: those of the rings of each null model, at least one.

    >>> q_values(np.array([5.0, 9.0, 1.0]), [np.array([2.0]), np.array([3.0, 0.5]), np.zeros(0)]).tolist()
    [0.125, 0.125, 0.25]
    """
    if not len(observed):
        return np.zeros(0)
    strength = np.sort(observed)
    chance = np.sort(np.concatenate(nulls))
    at_least = len(strength) - np.searchsorted(strength, strength, side="left")
    by_chance = len(chance) - np.searchsorted(chance, strength, side="left")
    raw = np.minimum(1.0, (1 + by_chance) / ((1 + len(nulls)) * at_least))
    monotone = np.minimum.accumulate(raw)
    return np.round(monotone[np.searchsorted(strength, observed, side="left")], 6).astype(np.float64)


def significance(strength: Floats, score: Floats, nulls: Sequence[tuple[Floats, Floats]]) -> Significance:
    """Compare the real rings with those of the null models.

    Args:
        strength, score: of the real rings, bits and 0 to 1.
        nulls: the same of the rings of each null model.
    """
    if not nulls:
        return Significance(np.full(len(strength), np.nan), 0, 1.0, 0.0)
    q = q_values(strength, [null for null, _ in nulls])
    reach = score >= LISTED_SCORE
    listed = reach & (q <= LISTED_Q)
    weakest = strength[listed].min(initial=np.inf)
    chance = sum(int(((null >= weakest) & (scores >= LISTED_SCORE)).sum()) for null, scores in nulls)
    floor = 1.0 / ((1 + len(nulls)) * reach.sum()) if reach.any() else 1.0
    return Significance(q, len(nulls), round(float(floor), 6), round(chance / len(nulls), 6))
