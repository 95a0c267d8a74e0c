"""Plain language: why a group was put forward, and what speaks against it."""

from collections.abc import Sequence
from dataclasses import dataclass

from linkage.model import kind_of


@dataclass(frozen=True)
class Shared:
    """What a group shares of one kind.

    Attributes:
        kind: the kind's name.
        values: how many values of it two members or more share.
        most: members sharing the most shared value.
        outsiders: accounts outside the group that have this value too.
        bits: what the kind brings to an average member.
    """

    kind: str
    values: int
    most: int
    outsiders: int
    bits: float


@dataclass(frozen=True)
class Facts:
    """What the sentences need; see `features.Features`. None where the exports do not tell."""

    size: int
    own_prompts: float | None
    uses: float
    burst: float
    handoff: float
    balance: float
    created_spread: float | None
    banned: int
    rhythm: float | None
    age: float | None
    verified: float


def why(facts: Facts, shared: Sequence[Shared], factors: dict[str, float], *, explained: bool) -> str:
    """One or two sentences on what ties the members, strongest first."""
    ties = [_tie(line) for line in sorted(shared, key=lambda s: (-s.bits, s.kind)) if line.bits >= 0.05][:4]
    text = f"{facts.size:,} accounts share {_listed(ties)}." if ties else f"{facts.size:,} accounts are tied."
    more = []
    if factors.get("work", 0) > 0:
        more.append(f"a member sent its template {facts.uses:,.0f} times on average")
    if factors.get("bursts", 0) > 0:
        more.append(f"{facts.burst:.0%} of them sent the same prompt within the same minutes")
    if factors.get("handoffs", 0) > 0:
        more.append(f"{facts.handoff:.0%} of them go on within minutes with a job that stopped on another")
    if factors.get("balance", 0) > 0:
        more.append(f"{facts.balance:.0%} of them carry one load, evened out between them")
    if factors.get("prompts", 0) > 0 and facts.own_prompts is not None:
        more.append(f"{facts.own_prompts:.0%} of their prompts are shared among them and rare elsewhere")
    if factors.get("sign_ups", 0) >= 0.5 and facts.created_spread is not None:
        more.append(f"they signed up within {_days(facts.created_spread)}")
    if factors.get("alike", 0) >= 0.5:
        more.append("they behave alike")
    if factors.get("new_model", 0) >= 0.5:
        more.append("they moved to a new model sooner than others")
    if factors.get("banned", 0) > 0:
        more.append(f"{facts.banned:,} of them {'is' if facts.banned == 1 else 'are'} banned or suspended already")
    if factors.get("round_the_clock", 0) > 0:
        more.append("they are active round the clock")
    if more:
        text += f" {_listed(more).capitalize() if more[0][0].islower() else _listed(more)}."
    if explained:
        reasons = _innocent(facts, factors)
        strongest = min(reasons, key=lambda name: (factors[name], name))
        text = f"Explained: {reasons[strongest]}. {text}"
    return text


def doubts(facts: Facts, shared: Sequence[Shared], factors: dict[str, float]) -> str:
    """What speaks for an innocent explanation; empty if nothing does."""
    against = list(_innocent(facts, factors).values())
    if factors.get("size", 0) < 0:
        against.append("they are few")
    if not factors.get("kinds", 0) and len(shared) == 1:
        against.append("only one kind of identifier ties them")
    open_values = [line for line in shared if line.outsiders > line.most]
    if open_values:
        against.append(f"most who use the same {_listed([kind_of(s.kind).words for s in open_values])} are outside")
    text = "; ".join(against)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _innocent(facts: Facts, factors: dict[str, float]) -> dict[str, str]:
    """What each factor that speaks for innocence says, by its name."""
    age = "" if facts.age is None else f", and are {_days(facts.age)} old"
    sentences = {
        "organisation": f"{facts.verified:.0%} belong to one verified organisation",
        "network_only": "they share nothing but addresses, as customers of one network or VPN do",
        "household": "so few accounts at one address can be a household",
        "daily_rhythm": "they keep a daily rhythm, as most do",
        "slow_to_change": "they moved to a new model no sooner than others",
        "own_words": "each writes prompts of its own",
        "tenure": f"they signed up earlier than others{age}",
    }
    return {name: text for name, text in sentences.items() if factors.get(name, 0) < 0}


def _tie(line: Shared) -> str:
    kind = kind_of(line.kind)
    if line.values == 1:
        return f"one {kind.words}" + (f" ({line.most:,} of them)" if line.most > 2 else "")
    return f"{line.values:,} {kind.plural} (one at {line.most:,} of them)"


def _days(days: float) -> str:
    if days < 1:
        return "a day"
    return f"{days:,.0f} day{'' if round(days) == 1 else 's'}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
