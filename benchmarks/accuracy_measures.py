"""The measures of every method, and the gate that says whether a world is hard."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from linkage.evaluate import evaluate

RECALL = 0.5
"""A feature is judged by its precision once it finds this share of the fraud accounts."""

GATE = {"naive Louvain": 0.25, "capped components": 0.30}
"""The greatest account F1 of each in a hard world."""

FEATURE_GATE = 0.8
"""In a hard world every single feature stays below this precision."""

MEASURES: tuple[tuple[str, str], ...] = (
    ("precision", "account precision"),
    ("recall", "account recall"),
    ("f1", "account F1"),
    ("pair_precision", "pair precision"),
    ("b_cubed", "B-cubed F1"),
    ("b_cubed_fraud", "B-cubed F1 of fraud accounts"),
    ("ring_recall", "rings found"),
    ("false_first", "false in first 20"),
)
"""Keys of `measured`, and how tables name them."""


@dataclass(frozen=True)
class Feature:
    """The best threshold of one feature of an account.

    Attributes:
        name: of the feature.
        above: whether the accounts from the threshold upwards are flagged; else those up to it.
        threshold: the value.
        precision, recall: of the accounts flagged; the recall is at least `RECALL`.
    """

    name: str
    above: bool
    threshold: float
    precision: float
    recall: float


def measured(truth: Mapping[str, str], rings: Sequence[Iterable[str]]) -> dict[str, Any]:
    """The measures of one method: those of `MEASURES`, `flagged` accounts and `rings`; None where undefined."""
    found = evaluate(truth, rings)
    return {
        "precision": found.account.precision,
        "recall": found.account.recall,
        "f1": found.account.f1,
        "pair_precision": found.pairwise.precision,
        "b_cubed": found.b_cubed.f1,
        "b_cubed_fraud": b_cubed_of_fraud(truth, rings),
        "ring_recall": found.ring_recall_50,
        "false_first": found.innocent_first,
        "flagged": found.flagged,
        "rings": found.rings,
    }


def b_cubed_of_fraud(truth: Mapping[str, str], rings: Sequence[Iterable[str]]) -> float | None:
    """B-cubed F1 with its means over the accounts of true rings alone; None where there are none.

    `linkage evaluate` takes the mean over flagged accounts too, where each innocent one has a recall of 1: many small
    false groups lift it. Here they change nothing, as long as they keep away from true rings.
    """
    size = Counter(ring for ring in truth.values() if ring)
    alone = {account for account, ring in truth.items() if ring}
    precision = recall = 0.0
    for members in map(list, rings):
        for ring, common in Counter(truth.get(account, "") for account in members).items():
            if ring:
                precision += common * common / len(members)
                recall += common * common / size[ring]
        alone.difference_update(members)
    precision += len(alone)
    recall += sum(1 / size[truth[account]] for account in sorted(alone))
    total = sum(size.values())
    if not total:
        return None
    p, r = precision / total, recall / total
    return 2 * p * r / (p + r)


def best_features(features: pd.DataFrame, fraud: NDArray[np.bool_]) -> list[Feature]:
    """Of each feature the threshold of the greatest precision among those whose recall is at least `RECALL`.

    The threshold is chosen by the truth, so it is better than any that a person would set. Features whose unknown
    values leave fewer than that share of the fraud accounts are left out.

    Args:
        features: one row an account; NaN is unknown, and never flagged.
        fraud: bool[n], whether the account is in a true ring.

    Returns:
        The best of all features first.
    """
    found = []
    total = int(fraud.sum())
    for name in features.columns if total else ():
        values = features[name].to_numpy(dtype=float)
        known = ~np.isnan(values)
        for above in (True, False):
            # Of the most suspicious value first; equal values go in together.
            sign = -1.0 if above else 1.0
            order = np.argsort(sign * values[known], kind="stable")
            ranked, hits = values[known][order], np.cumsum(fraud[known][order])
            ends = np.flatnonzero(np.append(np.diff(ranked) != 0, len(ranked) > 0))
            recall, precision = hits[ends] / total, hits[ends] / (ends + 1)
            enough = np.flatnonzero(recall >= RECALL)
            if len(enough):
                at = enough[np.argmax(precision[enough])]
                found.append(
                    Feature(str(name), above, float(ranked[ends[at]]), float(precision[at]), float(recall[at]))
                )
    return sorted(found, key=lambda feature: (-feature.precision, feature.name, feature.above))


def hard(methods: Mapping[str, Mapping[str, Any]], feature: Mapping[str, Any] | None) -> bool:
    """Whether the world passes the gate: no simple way finds its rings.

    Args:
        methods: measures by method; an F1 that is undefined passes, since nothing was to be found.
        feature: the best one, with its `precision`.
    """
    simple = all((methods[name]["f1"] or 0) <= most for name, most in GATE.items())
    return simple and (feature is None or feature["precision"] < FEATURE_GATE)
