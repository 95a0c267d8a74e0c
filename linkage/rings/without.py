"""What would change the verdict: each group judged again without one kind of evidence, and without its strongest value.

The members stay the same. What is left out is worth nothing to them and counts as unshared, so that it brings neither
bits nor coordination; without `prompt` the exports say nothing of prompts at all. What the rest is worth does not
change, but where a kind was hidden behind a stronger one of its family (`ip_net` behind `ip`), it counts in its place.

Groups do not touch each other's evidence, so each pass leaves out another kind of every group at once: the first of
each, then the second of each, of those that have one.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from linkage.evidence import Weighed, group_evidence, unlearnt
from linkage.model import LIKENESS, public_kind
from linkage.rings.assess import Assessed
from linkage.rings.features import measure
from linkage.rings.profile import Profiles
from linkage.rings.score import score

PART: Final = 1 << 23
"""Groups are judged again so many sightings at once: what stands beside a sighting takes several times its memory."""

Columns = dict[str, NDArray[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Poorer:
    """One entry a group, judged without a part of its evidence.

    Attributes:
        score: float64[groups], 0 to 1, rounded as `score.Scores` is.
        tied: int64[groups], members that what is left still ties: their net bits are above 0.
    """

    score: NDArray[np.float64]
    tied: Ints


def left_out(weighed: Weighed, assessed: Assessed, people: Profiles, evidence: Columns) -> tuple[Columns, Columns]:
    """What each kind, and the value that brings most, mean to each group, and what it would be without them.

    Args:
        weighed, assessed, people: as `assess` had them.
        evidence: group, identifier, accounts and bits of the values that the case keeps.

    Returns:
        Of kinds: group, kind (as the contract names it), values (of `evidence`), bits (for an average member), members
        (with a value that brings them bits), score_without, members_without. One row a group and kind that brings bits
        or changes the verdict, by group, the most bits first; then one for behaving alike (`model.LIKENESS`) where it
        matters. Over a group's rows the bits add up to its mean net bits plus the prior.

        Of the strongest value: group, identifier, bits, members, score_without, members_without. One row a group that
        has evidence.
    """
    kinds, alike, strongest = [], [], []
    for among in _parts(weighed, assessed):
        common = common_alone(weighed, assessed, among)
        here = np.isin(evidence["group"], among)
        known = {name: column[here] for name, column in evidence.items()}
        kinds.append(_kinds(*common, people, known))
        alike.append(_likeness(*common, people, among))
        strongest.append(_strongest(*common, people, known))
    return _joined(kinds + alike), _joined(strongest)


def _parts(weighed: Weighed, assessed: Assessed) -> Iterator[Ints]:
    """Groups that follow each other, with about `PART` sightings in common; one part at least, though it be empty."""
    labels, groups = assessed.candidates.labels, len(assessed.features.size)
    common = weighed.sightings.account[assessed.candidates.evidence.holders > 1]
    of_group = np.bincount(labels[common] + 1, minlength=groups + 1)[1:]
    part = (np.cumsum(of_group) - of_group) // PART
    for number in range(int(part.max(initial=0)) + 1):
        yield np.flatnonzero(part == number)


def _joined(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def common_alone(weighed: Weighed, assessed: Assessed, among: Ints) -> tuple[Weighed, Assessed]:
    """Some groups alone, with the sightings alone that their members have in common: nothing else is looked at here."""
    evidence, labels = assessed.candidates.evidence, assessed.candidates.labels
    chosen = _numbered(assessed, among) >= 0
    kept = (evidence.holders > 1) & chosen[weighed.sightings.account]
    fewer = replace(evidence, holders=evidence.holders[kept], credit=evidence.credit[kept])
    some = replace(assessed.candidates, labels=np.where(chosen, labels, -1), evidence=fewer)
    return weighed.only(kept), replace(assessed, candidates=some)


def _numbered(assessed: Assessed, among: Ints) -> Ints:
    """int64[A], the place in `among` of each account's group; -1 for others."""
    number = np.full(len(assessed.features.size) + 1, -1)
    number[among] = np.arange(len(among))
    # Accounts of no group have the label -1, which is the last entry.
    return number[assessed.candidates.labels]


def without(
    weighed: Weighed,
    assessed: Assessed,
    people: Profiles,
    left_out: NDArray[np.bool_],
    among: Ints,
    mute: NDArray[np.bool_],
) -> Poorer:
    """Judge some groups again without some sightings.

    Args:
        weighed, assessed, people: as `assess` had them.
        left_out: bool[S], sightings that count for nothing.
        among: the groups, which the results are for.
        mute: bool[among], those of whose prompts nothing is to be known.
    """
    labels = _numbered(assessed, among)
    poorer = weighed.without(left_out)
    evidence = group_evidence(poorer, labels)
    evidence = replace(evidence, holders=np.where(left_out, np.int32(0), evidence.holders))
    known = replace(people, prompts=np.where(np.append(mute, False)[labels], 0, people.prompts))
    candidates = replace(assessed.candidates, labels=labels, evidence=evidence)
    features = measure(poorer, candidates, known, assessed.features.of(among))
    tied = np.bincount(labels[(labels >= 0) & (evidence.net > 0)], minlength=len(among)).astype(np.int64)
    return Poorer(score(features, assessed.line).score, tied)


def _kinds(weighed: Weighed, assessed: Assessed, people: Profiles, evidence: Columns) -> Columns:
    """Each kind left out of each group that has it, two passes side by side."""
    s, labels, groups = weighed.sightings, assessed.candidates.labels, len(assessed.features.size)
    names = sorted({public_kind(name) for name in s.kinds})
    width = max(len(names), 1)
    code = np.array([names.index(public_kind(name)) for name in s.kinds], dtype=np.int64)
    kind = code[s.kind[s.identifier]] if len(code) else np.zeros(0, np.int64)
    label = labels[s.account]
    shared = np.flatnonzero((label >= 0) & (assessed.candidates.evidence.holders > 1))
    cells, inverse = np.unique(label[shared] * width + kind[shared], return_inverse=True)
    group, own = cells // width, cells % width
    credit = assessed.candidates.evidence.credit[shared]
    bits = np.bincount(inverse, credit, minlength=len(cells)) / np.maximum(assessed.features.size[group], 1)
    bringing = np.unique(inverse[credit > 0] * np.int64(max(s.accounts, 1)) + s.account[shared][credit > 0])
    members = np.bincount(bringing // max(s.accounts, 1), minlength=len(cells))
    listed = evidence["group"] * width + code[s.kind[evidence["identifier"]]] if len(code) else cells
    values = np.bincount(np.searchsorted(cells, listed), minlength=len(cells))
    order = np.lexsort((own, -bits, group))
    place = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    score_without, tied = np.zeros(len(cells)), np.zeros(len(cells), np.int64)
    prompt = names.index("prompt") if "prompt" in names else -1

    def judged(turn: int) -> None:
        now = order[place == turn]
        left = np.full(groups, -1, np.int64)
        left[group[now]] = own[now]
        out = (label >= 0) & (left[label] == kind)
        poorer = without(weighed, assessed, people, out, group[now], own[now] == prompt)
        score_without[now], tied[now] = poorer.score, poorer.tied

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(judged, range(int(place.max(initial=-1)) + 1)))
    before = np.bincount(labels[(labels >= 0) & (assessed.candidates.evidence.net > 0)], minlength=groups)
    matters = (bits > 0) | (score_without != assessed.scores.score[group]) | (tied != before[group])
    kept = order[matters[order]]
    return {
        "group": group[kept],
        "kind": np.array([names[at] for at in own[kept]], dtype=object),
        "values": values[kept].astype(np.int64),
        "bits": np.round(bits[kept], 6),
        "members": members[kept].astype(np.int64),
        "score_without": score_without[kept],
        "members_without": tied[kept],
    }


def _likeness(weighed: Weighed, assessed: Assessed, people: Profiles, among: Ints) -> Columns:
    """The same of behaving alike, which is no kind but brings bits as one."""
    groups = len(among)
    labels = _numbered(assessed, among)
    likeness, inside = assessed.candidates.evidence.likeness, labels >= 0
    unlike = replace(weighed, likeness=unlearnt(weighed.likeness.rank))
    vars(unlike).update({name: value for name, value in vars(weighed).items() if name not in vars(unlike)})
    evidence = group_evidence(unlike, labels)
    features = measure(unlike, replace(assessed.candidates, labels=labels, evidence=evidence), people)
    size = np.maximum(assessed.features.size[among], 1)
    found = {
        "group": among,
        "kind": np.full(groups, LIKENESS, dtype=object),
        "values": np.zeros(groups, np.int64),
        "bits": np.round(np.bincount(labels[inside], likeness[inside], minlength=groups) / size, 6),
        "members": np.bincount(labels[inside & (likeness > 0)], minlength=groups).astype(np.int64),
        "score_without": score(features, assessed.line).score,
        "members_without": np.bincount(labels[inside & (evidence.net > 0)], minlength=groups).astype(np.int64),
    }
    matters = (found["bits"] != 0) | (found["score_without"] != assessed.scores.score[among])
    return {name: column[matters] for name, column in found.items()}


def _strongest(weighed: Weighed, assessed: Assessed, people: Profiles, evidence: Columns) -> Columns:
    """The value that brings most left out of each group that has evidence."""
    s, groups = weighed.sightings, len(assessed.features.size)
    order = np.lexsort((evidence["identifier"], -evidence["bits"], evidence["group"]))
    group, first = np.unique(evidence["group"][order], return_index=True)
    best = order[first]
    left = np.full(groups + 1, -1, np.int64)
    left[group] = evidence["identifier"][best]
    # Accounts of no group have the label -1, which is the last entry.
    out = left[assessed.candidates.labels[s.account]] == s.identifier
    poorer = without(weighed, assessed, people, out, group, np.zeros(len(group), np.bool_))
    return {
        "group": group,
        "identifier": evidence["identifier"][best].astype(np.int32),
        "bits": evidence["bits"][best],
        "members": evidence["accounts"][best],
        "score_without": poorer.score,
        "members_without": poorer.tied,
    }
