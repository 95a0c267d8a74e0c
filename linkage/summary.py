"""A ring in one paragraph, to paste into a ticket.

Each sentence says what it rests on: lines of the ring's evidence (kind and value), and facts about its members. So
whoever reads it can look each of them up. It names values that a provider must look up elsewhere (payment methods,
devices, addresses, prompts); of e-mails and phone numbers only the masked label; of all other kinds none, since a value
may be a secret, such as an API key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from linkage.context.model import Place
from linkage.factors import Step, against
from linkage.model import kind_of
from linkage.output import day
from linkage.output import score as shown
from linkage.results import EvidenceRow, Ring

MOST_WORDS: Final = 120
KINDS: Final = 3
"""So many kinds are told of."""

NAMEABLE: Final = frozenset({"payment", "device", "ip", "ip_net", "prompt", "email_domain"})
LONGEST: Final = 60
"""Longer values are not named: a paragraph is read aloud."""


@dataclass(frozen=True)
class Sentence:
    """One sentence.

    Attributes:
        text: plain English. Values of the exports in it are as they are in the case: escape them (`text.safe`).
        evidence: kind and value of the lines of the ring's evidence that it rests on.
        facts: what else it rests on: "accounts", "exchanges", "sign_ups", "bans", "organisations", "score".
    """

    text: str
    evidence: tuple[tuple[str, str], ...] = ()
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class People:
    """Members: how many are banned or suspended; when most signed up, all but the first and the last tenth."""

    banned: int = 0
    early: datetime | None = None
    late: datetime | None = None


_RESTS_ON: Final[dict[str, tuple[str, ...]]] = {
    "daily_rhythm": ("exchanges",),
    "own_words": ("exchanges",),
    "tenure": ("sign_ups", "exchanges"),
    "organisation": ("accounts", "organisations"),
}

_TOGETHER: Final = {
    "burst": "{n} accounts sent the same prompts within the same minutes, again and again",
    "handoff": "{n} accounts took over each other's jobs within minutes",
    "balance": "{n} accounts carried one load, evened out between them",
}

_NEXT: Final = {
    "payment": "who owns {it}, and whether that person knows of all {n} accounts",
    "device": "whether {it} is one person's machine or a shared one",
    "network": "whom {it} belongs to: a home, or a VPN, a campus or a company",
    "prompt": "what {it} is for, and who else would send it",
    "timing": "whether one script drives these accounts: compare their exchanges minute by minute",
    "contact": "whether one person uses {it}",
    "organisation": "whether that organisation runs these accounts",
}
"""By family, what a person should look at first."""

_NEXT_AGAINST: Final = {
    "organisation": "whether the organisation itself runs these accounts",
    "household": "whether these accounts belong to one household",
}


def summary(ring: Ring, people: People | None = None) -> list[Sentence]:
    """The sentences of the paragraph, at most `MOST_WORDS` words in all.

    Args:
        ring: as `results.ring` gives it.
        people: what is known of its members; by default nothing.
    """
    people = people or People()
    kinds = _by_kind(ring.evidence)
    doubts = against(ring.ring.factors)
    told = [
        (0, _who(ring)),
        (0, _ties(kinds, ring.known)),
        *((1, sentence) for sentence in _together(ring)),
        (3, _signed_up(ring, people)),
        (2, _banned(people)),
        (0, _against(ring, doubts)),
        (0, _score(ring)),
        (1, _next(ring, kinds, doubts)),
    ]
    kept = [(importance, sentence) for importance, sentence in told if sentence]
    while sum(len(sentence.text.split()) for _, sentence in kept) > MOST_WORDS:
        # The least important goes first, of equal ones the last.
        at = max(range(len(kept)), key=lambda at: (kept[at][0], at))
        del kept[at]
    return [sentence for _, sentence in kept]


def paragraph(sentences: Sequence[Sentence]) -> str:
    """The sentences as one paragraph."""
    return " ".join(sentence.text for sentence in sentences)


def _by_kind(evidence: Sequence[EvidenceRow]) -> list[list[EvidenceRow]]:
    """The lines of each kind, the kind of most bits first, in it the value that most members share."""
    lines = sorted(evidence, key=lambda row: (row.kind, -row.accounts, row.outsiders, row.value))
    kinds = [list(rows) for _, rows in groupby(lines, key=lambda row: row.kind)]
    return sorted(kinds, key=lambda rows: (-sum(row.bits for row in rows), rows[0].kind))


def _name(row: EvidenceRow) -> str:
    """How a value is called in a sentence, or "" if it must not or need not be."""
    private = row.kind in ("email", "phone")
    name = (row.label or "") if private else row.value if row.kind in NAMEABLE else ""
    return name if len(name) <= LONGEST and len(name.split()) == 1 else ""


def _key(row: EvidenceRow) -> tuple[str, str]:
    return row.kind, row.value


def _who(ring: Ring) -> Sentence:
    r = ring.ring
    when = ""
    if r.first_seen and r.last_seen:
        first, last = day(r.first_seen), day(r.last_seen)
        when = f", active on {first}" if first == last else f", active from {first} to {last}"
    exchanges = f"{r.exchanges:,} exchange{'' if r.exchanges == 1 else 's'}"
    return Sentence(
        f"Ring {r.ring_id}: {r.accounts:,} accounts with {exchanges}{when}.", facts=("accounts", "exchanges")
    )


def _ties(kinds: Sequence[Sequence[EvidenceRow]], known: Mapping[tuple[str, str], Place]) -> Sentence | None:
    told = [rows for rows in kinds if rows[0].kind not in _TOGETHER][:KINDS]
    if not told:
        return None
    return Sentence(
        f"They share {_listed([_tie(rows, known) for rows in told])}.", tuple(_key(rows[0]) for rows in told)
    )


def _tie(rows: Sequence[EvidenceRow], known: Mapping[tuple[str, str], Place]) -> str:
    most, kind = rows[0], kind_of(rows[0].kind)
    name, place = _name(most), known.get(_key(most))
    name = f"{name}, {place.phrase}" if name and place else name
    others = {0: "nobody else", 1: "one outsider"}.get(most.outsiders, f"{most.outsiders:,} outsiders")
    spread = f"{most.accounts:,} of them, {others}"
    if len(rows) == 1:
        return f"one {kind.words} ({name}: {spread})" if name else f"one {kind.words} ({spread})"
    return f"{len(rows):,} {kind.plural} (" + (f"above all {name}: {spread})" if name else f"one at {spread})")


def _together(ring: Ring) -> list[Sentence]:
    out = []
    for kind, words in _TOGETHER.items():
        rows = sorted((row for row in ring.evidence if row.kind == kind), key=lambda r: (-r.accounts, r.value))
        if rows:
            out.append(Sentence(f"{words.format(n=f'{rows[0].accounts:,}')}.", (_key(rows[0]),), ("exchanges",)))
    return out


def _signed_up(ring: Ring, people: People) -> Sentence | None:
    if not people.early or not people.late or ring.ring.factors.get("sign_ups", 0) < 0.5:
        return None
    early, late = day(people.early), day(people.late)
    when = f"on {early}" if early == late else f"between {early} and {late}"
    return Sentence(f"Most signed up {when}.", facts=("sign_ups",))


def _banned(people: People) -> Sentence | None:
    if not people.banned:
        return None
    who = "One of them is" if people.banned == 1 else f"{people.banned:,} of them are"
    return Sentence(f"{who} banned or suspended already.", facts=("bans",))


def _against(ring: Ring, doubts: Sequence[Step]) -> Sentence:
    if not doubts:
        return Sentence("Nothing in the exports speaks for an innocent explanation.", facts=("accounts", "exchanges"))
    facts = tuple(dict.fromkeys(fact for step in doubts[:2] for fact in _RESTS_ON.get(step.name, ("accounts",))))
    networks = [row for row in ring.evidence if kind_of(row.kind).family == "network"]
    rests = networks[:1] if {"household", "network_only"} & {step.name for step in doubts[:2]} else []
    words = _listed([step.words for step in doubts[:2]])
    return Sentence(f"Against it speaks that {words}.", tuple(_key(row) for row in rests), facts)


def _score(ring: Ring) -> Sentence:
    r = ring.ring
    chance = "" if r.q_value is None else f", its q-value against chance {r.q_value:.2g}"
    return Sentence(
        f"Its score is {shown(r.score)} of 1{chance}; it is a lead to check, not a verdict.", facts=("score",)
    )


def _next(ring: Ring, kinds: Sequence[Sequence[EvidenceRow]], doubts: Sequence[Step]) -> Sentence | None:
    if not kinds:
        return None
    row = kinds[0][0]
    for step in doubts:
        if step.name in _NEXT_AGAINST:
            return Sentence(f"Check next {_NEXT_AGAINST[step.name]}.", facts=_RESTS_ON.get(step.name, ("accounts",)))
    kind = kind_of(row.kind)
    family = "timing" if row.kind in _TOGETHER else kind.family
    text = _NEXT.get(family, "where {it} comes from, and who else could have it")
    if kind.family == "network" and _key(row) in ring.known:
        text = "who was behind {it} at those times: its network can say"
    it = _name(row) or f"their commonest {kind.words}"
    # What a value contains is no placeholder: it goes in last.
    return Sentence(f"Check next {text.replace('{n}', f'{ring.ring.accounts:,}').replace('{it}', it)}.", (_key(row),))


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
