"""How far scores are from the share of groups that are true: the expected calibration error.

Source: Naeini, Cooper and Hauskrecht 2015, doi:10.1609/aaai.v29i1.9602, with equal-width bins as in Guo et al. 2017
(arXiv:1706.04599): ECE = Σ over bins of n_bin / n × |mean score − share that is true|.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

BINS: Final = 10


@dataclass(frozen=True)
class Bin:
    """Groups whose score is at least `low` and below `high` (the last bin holds 1 too).

    Attributes:
        low, high: bounds of the score.
        groups, true: how many there are, and how many of them are true.
        score: their mean score, or None where there are none.
    """

    low: float
    high: float
    groups: int
    true: int
    score: float | None


@dataclass(frozen=True)
class Calibration:
    """Scores beside the truth.

    Attributes:
        groups: judged groups, listed or not, but for explained ones. Each weighs the same.
        error: expected calibration error, 0 (best) to 1; None where there are no groups.
        bins: ten of equal width.
    """

    groups: int
    error: float | None
    bins: tuple[Bin, ...]


def calibrate(truth: Mapping[str, str], groups: Iterable[tuple[float, Collection[str]]]) -> Calibration:
    """Compare scores with the truth.

    Args:
        truth: the true ring of each account, "" for an innocent one.
        groups: score (0 to 1) and accounts of each group. It is true if at least half of them are in one true ring.

    >>> calibrate({"a": "x", "b": "x", "c": ""}, [(0.75, ["a", "b"]), (0.5, ["c"])]).error
    0.375
    """
    held: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for score, accounts in groups:
        held[min(int(score * BINS), BINS - 1)].append((score, _is_true(truth, accounts)))
    count = sum(map(len, held))
    bins, error = [], 0.0
    for at, members in enumerate(held):
        true = sum(right for _, right in members)
        # Sorted, so that the sum has the same bits in any order of the groups.
        total = sum(sorted(score for score, _ in members))
        error += abs(total - true)
        mean = total / len(members) if members else None
        bins.append(Bin(at / BINS, (at + 1) / BINS, len(members), true, mean))
    return Calibration(count, error / count if count else None, tuple(bins))


def _is_true(truth: Mapping[str, str], accounts: Collection[str]) -> bool:
    counts = Counter(truth.get(account, "") for account in accounts)
    return 2 * max((count for ring, count in counts.items() if ring), default=0) >= len(accounts)
