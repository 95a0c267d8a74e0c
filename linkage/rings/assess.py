"""From candidates to features and scores, on arrays alone: the same for what was seen and for its null models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from linkage.candidates import Candidates
from linkage.evidence import Weighed, group_evidence
from linkage.rings.bind import Bond, Bound, bind
from linkage.rings.features import Features, measure
from linkage.rings.members import owners
from linkage.rings.profile import Profiles
from linkage.rings.recalibrate import AS_IT_IS, Line
from linkage.rings.score import FACTORS, Scores, base, score
from linkage.rings.unite import unite


@dataclass(frozen=True)
class Assessed:
    """Candidate groups with what was measured of them.

    Attributes:
        candidates: the groups, possible victims taken out.
        victims: int64[A], the group that an account is a possible victim of, or -1.
        features, scores: one entry a group.
        strength: float64[groups], the score's bits before any rounding and recalibration, so that ties are rare.
        bound: what decisions on members changed.
        line: what people's decisions make of the score's bits.
    """

    candidates: Candidates
    victims: NDArray[np.int64]
    features: Features
    scores: Scores
    strength: NDArray[np.float64]
    bound: Bound
    line: Line = AS_IT_IS

    def under(self, line: Line) -> "Assessed":
        """The same groups, their scores recalibrated."""
        return replace(self, scores=score(self.features, line), line=line)

    @property
    def foreseen(self) -> NDArray[np.float64]:
        """float64[groups], bits of the score as it is, but for bans: who decides on a ring bans its accounts."""
        factors = score(self.features).factors
        return np.asarray(np.sum([factors[name] for name in factors if name != "banned"], axis=0), dtype=np.float64)


def assess(
    weighed: Weighed,
    candidates: Candidates,
    people: Profiles,
    *,
    min_accounts: int,
    bonds: Sequence[Bond] = (),
    line: Line = AS_IT_IS,
) -> Assessed:
    """Put pieces of one ring together, obey decisions on members, take out possible victims, measure and score.

    Args:
        weighed, candidates: what the earlier steps found.
        people: what is known of each account.
        min_accounts: a candidate that loses a victim must still have so many.
        bonds: decisions on members, the oldest first; null models have none.
        line: what people's decisions make of the score's bits. It changes no group: pieces are united by strength.
    """
    candidates = unite(weighed, candidates, lambda labels: _strength(weighed, candidates, labels, people))
    bound = bind(candidates.labels, bonds, min_accounts)
    if bonds:
        candidates = replace(candidates, labels=bound.labels, evidence=group_evidence(weighed, bound.labels))
    candidates, victims = _without_owners(weighed, candidates, min_accounts, bound.kept)
    features = measure(weighed, candidates, people)
    strength = _bits(features)
    return Assessed(candidates, victims, features, score(features, line), strength, bound, line)


def _strength(
    weighed: Weighed, candidates: Candidates, labels: NDArray[np.int64], people: Profiles
) -> NDArray[np.float64]:
    groups = replace(candidates, labels=labels, evidence=group_evidence(weighed, labels))
    return _bits(measure(weighed, groups, people))


def _bits(features: Features) -> NDArray[np.float64]:
    bits: NDArray[np.float64] = base(features) + np.sum([factor.bits(features) for factor in FACTORS], axis=0)
    return bits


def _without_owners(
    weighed: Weighed, candidates: Candidates, min_accounts: int, kept: NDArray[np.bool_]
) -> tuple[Candidates, NDArray[np.int64]]:
    """Take possible victims out of their groups, where the group stays large enough and nobody decided otherwise.

    Returns:
        the candidates without them, and for each account the group that it is a victim of, or -1.
    """
    labels = candidates.labels
    found = owners(weighed, candidates) & ~kept
    leaving = np.bincount(labels[found], minlength=int(labels.max(initial=-1)) + 1)
    sizes = np.bincount(labels[labels >= 0], minlength=len(leaving))
    found &= np.where(labels >= 0, (sizes - leaving >= min_accounts)[labels] if len(sizes) else False, False)
    victims = np.where(found, labels, -1)
    remaining = np.where(found, -1, labels)
    return replace(candidates, labels=remaining, evidence=group_evidence(weighed, remaining)), victims
