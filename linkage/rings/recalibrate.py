"""What people decided recalibrates the score: one straight line in bits, the same for all groups.

Platt scaling (Platt 1999, "Probabilistic outputs for support vector machines"): of a group that has `bits`,

    bits' = slope · bits + offset        score = 1 / (1 + 2 ** -bits')

is fitted by maximum likelihood to the decided rings: 1 where one was confirmed, 0 where it was dismissed. Few decisions
must move little, so the score itself counts as `OWN` decisions, spread evenly from -`REACH` to `REACH` bits, each as
much a ring as its score says (a conjugate prior: Bedrick, Christensen and Johnson 1996,
doi:10.1080/01621459.1996.10476713). Without decisions that gives slope 1 and offset 0.

Platt's smoothed targets are left out: the score's own decisions do their work. So is isotonic regression, which needs
hundreds of decisions and makes steps out of a score.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FEWEST: Final = 5
"""So many rings must be confirmed, and as many dismissed."""

OWN: Final = 20.0
"""So many decisions does the score itself count as."""

REACH: Final = 6.0
"""Beyond so many bits (a score of 0.985) a decision counts as if there: else a slip on the surest ring turns all."""

SLOPES: Final = (0.25, 4.0)
"""Above 0, so that no ring overtakes another."""

OFFSETS: Final = (-6.0, 6.0)

# Decisions are counted by tenths of a bit: sums of whole numbers do not depend on their order.
_CELLS: Final = np.linspace(-REACH, REACH, 121)

_MOST_STEPS: Final = 200


@dataclass(frozen=True)
class Line:
    """A straight line from bits to recalibrated bits; by default the score as it is."""

    slope: float = 1.0
    offset: float = 0.0

    def shift(self, bits: Floats) -> Floats:
        """What is to be added to the bits of each group, rounded to 2 digits as all factors are."""
        return np.asarray(np.round((self.slope - 1.0) * bits + self.offset, 2), dtype=np.float64)


AS_IT_IS: Final = Line()


@dataclass(frozen=True)
class Recalibration:
    """What decisions make of the score.

    Attributes:
        confirmed, dismissed: decided rings that this run found again.
        gone: decided rings that it did not.
        slope, offset: of the line that is applied; 1 and 0 where scores are unchanged.
        loss_before: mean log loss of the score as it is, in bits a decided ring, from 0 (best) on: −log2 of the
            probability that the score gave to what people decided. None where no decided ring was found again.
        loss_after: the same of lines fitted without the ring that is judged (leave one out); None where there are too
            few decisions.
        unchanged: why scores are unchanged, "too few" or "no better"; "" where they are recalibrated.
    """

    confirmed: int
    dismissed: int
    gone: int
    slope: float
    offset: float
    loss_before: float | None
    loss_after: float | None
    unchanged: str

    @property
    def line(self) -> Line:
        """What the scores of the run are made with."""
        return Line(self.slope, self.offset)


def recalibrate(bits: Mapping[str, float], decided: Mapping[str, bool]) -> Recalibration:
    """Fit the line, and keep it if it foretells decisions better than the score as it is.

    Args:
        bits: of each group of the run, by ring id, before recalibration, and without what decisions bring about.
        decided: rings that people confirmed (True) or dismissed (False).

    >>> few = recalibrate({"a": 3.0, "b": 1.0}, {"a": True, "b": False, "c": True})
    >>> (few.confirmed, few.dismissed, few.gone, few.slope, few.unchanged)
    (1, 1, 1, 1.0, 'too few')
    """
    # Sorted, so that a mean has the same bits in any order of the rings.
    known = sorted((bits[ring], is_ring) for ring, is_ring in decided.items() if ring in bits)
    x = np.array([at for at, _ in known], dtype=np.float64)
    rings = np.array([is_ring for _, is_ring in known], dtype=np.bool_)
    confirmed = int(rings.sum())
    dismissed, gone = len(known) - confirmed, len(decided) - len(known)
    before = _mean_loss(AS_IT_IS.shift(x), x, rings) if known else None
    after = None
    if before is None or min(confirmed, dismissed) < FEWEST:
        unchanged = "too few"
    else:
        after = _mean_loss(_left_out(x, rings), x, rings)
        unchanged = "" if after < before else "no better"
    line = AS_IT_IS if unchanged else fit(x, rings)
    return Recalibration(confirmed, dismissed, gone, line.slope, line.offset, before, after, unchanged)


def fit(bits: Floats, rings: Bools) -> Line:
    """The line of maximum likelihood, rounded to 4 digits.

    Args:
        bits: float64[n], of each decided ring, before recalibration.
        rings: bool[n], what was decided: a ring or none.

    >>> fit(np.zeros(0), np.zeros(0, bool))
    Line(slope=1.0, offset=0.0)
    """
    count, confirmed = _tables(bits, rings)
    (line,) = _lines(count[np.newaxis], confirmed[np.newaxis])
    return line


def _cell(bits: Floats) -> NDArray[np.int64]:
    return np.rint((np.clip(bits, -REACH, REACH) + REACH) * 10).astype(np.int64)


def _tables(bits: Floats, rings: Bools) -> tuple[Floats, Floats]:
    """Decisions in each cell, and those of them that confirmed a ring, the score's own among them."""
    cell, own = _cell(bits), np.full(len(_CELLS), OWN / len(_CELLS))
    count: Floats = own + np.bincount(cell, minlength=len(_CELLS))
    confirmed: Floats = own * _probability(_CELLS) + np.bincount(cell[rings], minlength=len(_CELLS))
    return count, confirmed


def _lines(count: Floats, confirmed: Floats) -> list[Line]:
    """The line of each row of tables: Newton's method, the slope kept in its bounds.

    The loss is convex. No step moves a cell by more than a bit, within which its curvature at most doubles, so that no
    step goes uphill.
    """
    slope, offset = np.ones(len(count)), np.zeros(len(count))
    for _ in range(_MOST_STEPS):
        p = _probability(slope[:, np.newaxis] * _CELLS + offset[:, np.newaxis])
        off, curve = count * p - confirmed, np.log(2) * count * p * (1 - p)
        by_slope, by_offset = (off * _CELLS).sum(axis=1), off.sum(axis=1)
        both, mixed, alone = (curve * _CELLS**2).sum(axis=1), (curve * _CELLS).sum(axis=1), curve.sum(axis=1)
        # At a bound that it would cross the slope stays, and the offset moves alone.
        stuck = ((slope <= SLOPES[0]) & (by_slope > 0)) | ((slope >= SLOPES[1]) & (by_slope < 0))
        by_slope, mixed = np.where(stuck, 0.0, by_slope), np.where(stuck, 0.0, mixed)
        determinant = both * alone - mixed**2
        turn = (mixed * by_offset - alone * by_slope) / determinant
        move = (mixed * by_slope - both * by_offset) / determinant
        within = 1 / np.maximum(1.0, REACH * np.abs(turn) + np.abs(move))
        slope = np.clip(slope + within * turn, *SLOPES)
        offset = offset + within * move
        if max(np.abs(turn).max(), np.abs(move).max()) < 1e-9:
            break
    ends = zip(slope.tolist(), np.clip(offset, *OFFSETS).tolist(), strict=True)
    # Adding 0 makes 0 of -0.
    return [Line(round(a, 4), round(b, 4) + 0.0) for a, b in ends]


def _left_out(bits: Floats, rings: Bools) -> Floats:
    """What each decided ring's bits are shifted by under the line of all others."""
    count, confirmed = _tables(bits, rings)
    # Equal decisions leave equal tables behind.
    same, which = np.unique(2 * _cell(bits) + rings, return_inverse=True)
    without = np.zeros((len(same), len(_CELLS)))
    without[np.arange(len(same)), same // 2] = 1
    lines = _lines(count - without, confirmed - without * (same % 2)[:, np.newaxis])
    return np.array([float(lines[at].shift(bits[place])) for place, at in enumerate(which.tolist())])


def _probability(bits: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp2(-bits)), dtype=np.float64)


def _mean_loss(shift: Floats, bits: Floats, rings: Bools) -> float:
    z = bits + shift
    return round(float(np.logaddexp2(0.0, np.where(rings, -z, z)).mean()), 4)
