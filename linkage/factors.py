"""The factors of a ring's score in plain words, from the base to the score."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from linkage.model import DECISIONS

WORDS: Final = {
    "base": "most linked groups are innocent",
    "ties": "they share far more than strangers do",
    "kinds": "a second, independent kind ties them",
    "costly": "one payment method, device or phone serves more of them than a household has",
    "size": "they are many",
    "prompts": "their prompts are shared among them and rare elsewhere",
    "work": "they work with templates that hardly anybody else sends",
    "bursts": "they send the same prompt within the same minutes",
    "handoffs": "a job that stops on one goes on on another within minutes",
    "balance": "they carry one load, evened out between them",
    "alike": "they behave alike",
    "sign_ups": "they signed up close together",
    "new_model": "they moved to a new model sooner than others",
    "volume": "they send more than others",
    "young": "they signed up later than others",
    "banned": "some are banned or suspended already",
    "round_the_clock": "they are active round the clock",
    "network_only": "they share nothing but addresses, as customers of one network or VPN do",
    "daily_rhythm": "they keep a daily rhythm, as most do",
    "slow_to_change": "they moved to a new model no sooner than others",
    "own_words": "each writes prompts of its own",
    "tenure": "they signed up earlier than others",
    "household": "so few accounts at one address can be a household",
    "organisation": "most belong to one verified organisation",
    DECISIONS: "what people decided on rings raises such scores",
}
_AGAINST: Final = {"size": "they are few", DECISIONS: "what people decided on rings lowers such scores"}


@dataclass(frozen=True)
class Step:
    """One step from the base to the score: bits are above 0 where they speak for a ring, `total` is the sum so far."""

    name: str
    words: str
    bits: float
    total: float


def steps(factors: Mapping[str, float]) -> tuple[Step, ...]:
    """The waterfall of a score: the base, what speaks for a ring, then what speaks against it, each strongest first.

    What decisions make of the sum of them comes last.

    Args:
        factors: bits by name, as in `results.RingRow.factors`.

    >>> [(step.name, step.total) for step in steps({"base": -3.0, "tenure": -1.5, "size": 0.2, "ties": 2.5})]
    [('base', -3.0), ('ties', -0.5), ('size', -0.3), ('tenure', -1.8)]
    """

    def place(name: str) -> tuple[bool, bool, bool, float, str]:
        bits = factors[name]
        return name != "base", name == DECISIONS, bits < 0, -abs(bits), name

    total, out = 0.0, []
    for name in sorted(factors, key=place):
        bits = factors[name]
        total = round(total + bits, 2)
        out.append(Step(name, words(name, bits), bits, total))
    return tuple(out)


def words(name: str, bits: float) -> str:
    """What a factor says; one that has no words yet says its name."""
    return (_AGAINST.get(name) if bits < 0 else None) or WORDS.get(name) or name.replace("_", " ")


def against(factors: Mapping[str, float]) -> tuple[Step, ...]:
    """What speaks for an innocent explanation, the strongest first."""
    return tuple(step for step in steps(factors) if step.bits < 0 and step.name not in ("base", DECISIONS))


def score_of(bits: float) -> float:
    """1 / (1 + 2 ** -bits), as `rings.score` has it.

    >>> score_of(0.0), score_of(2.0)
    (0.5, 0.8)
    """
    return float(round(1.0 / (1.0 + 2.0 ** -max(-60.0, min(60.0, bits))), 4))
