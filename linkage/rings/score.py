"""How much a candidate group looks like one hand behind many accounts: factors in bits, added up.

A linked group is not a ring yet: families, offices and friends share things too. The score starts from `BASE` bits
(most linked groups are innocent), adds what speaks for coordination, subtracts what speaks for ordinary life, and

    score = 1 / (1 + 2 ** -bits)

Each factor is bounded, so none decides alone. A factor about which the exports say nothing is 0. Country, plan and free
text never enter. The bounds are judgements, stated here; `docs/detection.md` gives the reasons.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.model import DECISIONS, LISTED_SCORE
from linkage.rings.features import Features
from linkage.rings.recalibrate import AS_IT_IS, Line

Floats = NDArray[np.float64]

BASE: Final = -3.0
KNOWN_LIVES: Final = -2.25
EXPLAINED_SHARE: Final = 0.8
"""From this share of members in one verified organisation on, a group is `explained`."""


@dataclass(frozen=True)
class Factor:
    """One reason.

    Attributes:
        name: as in `rings.factors`.
        bits: from the features to float64[groups]; NaN becomes 0.
        innocent: it speaks for an innocent explanation, so that its bits are never above 0.
    """

    name: str
    bits: Callable[[Features], Floats]
    innocent: bool = False


def _between(values: Floats, low: float, high: float) -> Floats:
    return np.clip(np.nan_to_num(values, nan=0.0), low, high)


def _when(condition: NDArray[np.bool_], values: Floats | float) -> Floats:
    return np.where(condition, values, 0.0)


def _sum(values: dict[str, Floats], *names: str) -> Floats:
    total: Floats = np.sum([np.nan_to_num(values[name], nan=0.0) for name in names], axis=0)
    return total


def _unless_lives_are_known(f: Features, bits: Floats) -> Floats:
    # What a group shares says how surely it is tied, not why. Where it is known how its members live, that says why.
    return bits * (1.0 - f.lives_all)


def _ties(f: Features) -> Floats:
    return _between(f.net / 8, 0, 0.75) + _unless_lives_are_known(f, _between(f.net / 4 - 0.75, 0, 1.75))


def _kinds(f: Features) -> Floats:
    return _unless_lives_are_known(f, _between(f.second / 3, 0, 4))


def _costly(f: Features) -> Floats:
    return _unless_lives_are_known(f, f.costly * _between(np.log2(np.maximum(f.reach, 1) / 3), 0, 3))


def _size(f: Features) -> Floats:
    # Size alone misleads: chains of acquaintances are large too.
    return _between(np.log2(np.maximum(f.size, 1) / 4) / 8, -0.25, 0.5)


def _prompts(f: Features) -> Floats:
    bits = _when(f.own_prompts >= 0.02, _between(4 * f.own_prompts + 0.5, 0, 3))
    return bits / 8 + _unless_lives_are_known(f, bits * 7 / 8)


def _bursts(f: Features) -> Floats:
    return _between(3 * f.burst, 0, 3)


def _handoffs(f: Features) -> Floats:
    return _between(3 * f.handoff, 0, 3)


def _balance(f: Features) -> Floats:
    return _between(2 * f.balance, 0, 2)


def _work(f: Features) -> Floats:
    # A template that each of them sent a hundred times is a job; a thousand times, an industry.
    bits = _between(f.work / 2, 0, 3)
    return bits / 4 + _unless_lives_are_known(f, bits * 3 / 4)


def _sign_ups(f: Features) -> Floats:
    if not f.learnt:
        return _between(np.log2((f.created_spread_all + 1) / (f.created_spread + 1)) / 2, 0, 2)
    return _between(0.75 * _sum(f.alike, "signed_up", "began") - 0.5, -0.5, 4)


def _alike(f: Features) -> Floats:
    life = _sum(f.alike, "volume", "addresses", "asked", "answered")
    return _between(0.4 * life + 0.6 * _sum(f.alike, "adopted", "switched") + 0.3 * _sum(f.alike, "rhythm"), 0, 3)


def _hours(f: Features) -> Floats:
    return -9 * f.place["rhythm"] - 1


def _round_the_clock(f: Features) -> Floats:
    return _between(_hours(f), 0, 4)


def _change(f: Features) -> Floats:
    return 12 * (f.place["switched"] - f.place["adopted"]) - 1.5


def _new_model(f: Features) -> Floats:
    return _between(_change(f), 0, 5)


def _volume(f: Features) -> Floats:
    return _between(f.place["volume"], 0, 0.5)


def _young(f: Features) -> Floats:
    return _between(4 * f.place["signed_up"], 0, 2)


def _banned(f: Features) -> Floats:
    # One banned account among a few can be chance: two are a pattern.
    bits = _between(np.log2((f.banned + 0.02) / (f.banned_all + 0.02)) * 1.5, 0, 5)
    return np.where(f.banned * f.size >= 1.5, bits, _when(f.banned * f.size >= 0.5, bits / 2))


def _network_only(f: Features) -> Floats:
    apart = (f.burst < 0.5) & (f.handoff < 0.5) & (f.balance < 0.5)
    return _when((f.beyond_network < 1) & apart, -0.5 - 3.5 * (1.0 - f.lives_all))


def _daily_rhythm(f: Features) -> Floats:
    return _between(_hours(f), -3, 0)


def _slow_to_change(f: Features) -> Floats:
    return _between(_change(f), -3, 0)


def _own_words(f: Features) -> Floats:
    # Every account writes its own prompts, and next to none is the group's own.
    bits = -_when(f.own_prompts < 0.02, _between(1.5 - 10 * np.nan_to_num(f.own_prompts), 0, 1.5))
    return _unless_lives_are_known(f, bits)


def _tenure(f: Features) -> Floats:
    return _between(4 * f.place["signed_up"], -2, 0)


def _household(f: Features) -> Floats:
    few = (f.size <= 5) & (f.same_network >= 0.99) & (f.burst == 0) & ~(f.own_prompts >= 0.02)
    return _when(few, -3.0)


def _organisation(f: Features) -> Floats:
    return _when(f.verified >= EXPLAINED_SHARE, -4.0)


FACTORS: Final = (
    Factor("ties", _ties),
    Factor("kinds", _kinds),
    Factor("costly", _costly),
    Factor("size", _size),
    Factor("prompts", _prompts),
    Factor("work", _work),
    Factor("bursts", _bursts),
    Factor("handoffs", _handoffs),
    Factor("balance", _balance),
    Factor("sign_ups", _sign_ups),
    Factor("alike", _alike),
    Factor("round_the_clock", _round_the_clock),
    Factor("new_model", _new_model),
    Factor("volume", _volume),
    Factor("young", _young),
    Factor("banned", _banned),
    Factor("network_only", _network_only, innocent=True),
    Factor("daily_rhythm", _daily_rhythm, innocent=True),
    Factor("slow_to_change", _slow_to_change, innocent=True),
    Factor("own_words", _own_words, innocent=True),
    Factor("tenure", _tenure, innocent=True),
    Factor("household", _household, innocent=True),
    Factor("organisation", _organisation, innocent=True),
)


@dataclass(frozen=True)
class Scores:
    """One entry a group.

    Attributes:
        score: float64[groups], 0 to 1, rounded to 4 digits.
        factors: name to float64[groups] bits, rounded to 2 digits, `base` first and, where decisions
            recalibrate the score, `decisions` last.
        explained: bool[groups], linked, but explained as innocent.
        linked: float64[groups], the score but for what speaks for innocence.
    """

    score: Floats
    factors: dict[str, Floats]
    explained: NDArray[np.bool_]
    linked: Floats


def base(features: Features) -> float:
    """Bits that every group starts from: where it is known how accounts live, an ordinary life speaks for innocence."""
    return round(BASE + KNOWN_LIVES * features.lives_all, 2)


def score(features: Features, line: Line = AS_IT_IS) -> Scores:
    """Score all groups.

    Args:
        features: of each group.
        line: what decisions make of the bits; by default nothing.
    """
    factors = {"base": np.full(len(features.size), base(features))}
    for factor in FACTORS:
        factors[factor.name] = np.round(factor.bits(features), 2)
    bits = np.sum(list(factors.values()), axis=0)
    for_innocence = np.sum([factors[factor.name] for factor in FACTORS if factor.innocent], axis=0)
    one_organisation = (features.verified >= EXPLAINED_SHARE) & ~(features.burst >= 0.5)
    # What would be a ring but for an innocent explanation.
    linked = _probability(_along(line, bits - for_innocence))
    if line != AS_IT_IS:
        factors[DECISIONS] = line.shift(bits)
    reached = _probability(_along(line, bits))
    explained = (linked >= LISTED_SCORE) & (one_organisation | (reached < LISTED_SCORE))
    return Scores(reached, factors, explained, linked)


def _along(line: Line, bits: Floats) -> Floats:
    return bits + line.shift(bits)


def _probability(bits: Floats) -> Floats:
    return np.round(1.0 / (1.0 + np.exp2(-bits)), 4)
