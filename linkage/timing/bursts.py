"""Bursts: the same work from several accounts within minutes, again and again.

A unit is what an account sent of a work in one hour; it hits if another account of the group sent the work within the
window of one of its exchanges. Crowds are no bursts: 300 students with one deadline share hours, not minutes, and the
null model keeps hours. A class that does an exercise together once is none either: each account must take part in three
different hours at least, not all in one working day, and whatever happens within one hour counts once.
"""

from typing import Final

import numpy as np

from linkage.timing.channels import Rows, coinciding
from linkage.timing.work import HOUR, MINUTE, Finding, Traffic, runs

WINDOWS: Final = (MINUTE, 5 * MINUTE)
LEAST: Final = 3
"""Accounts of a burst."""

APART: Final = 12 * HOUR
"""An account's first and last time lie so far apart at least: a day of exercises in class is none."""


def bursts(traffic: Traffic) -> list[Finding]:
    """All bursts."""
    found = []
    for group in coinciding(_rows(traffic), WINDOWS, LEAST, APART):
        single = traffic.single[group.actor]
        if single.sum() < LEAST:
            continue
        result = group.tested
        template = "template" if group.work >= 0 else "templates"
        sentence = (
            f"{single.sum():,} accounts sent the same {template} within {_minutes(group.window)} of each other "
            f"{result.hits.sum():,} times; chance gives {result.expected.sum():,.0f}"
        )
        found.append(
            traffic.finding(
                "burst",
                group.work,
                group.actor[single],
                result.hits[single],
                result.first[single],
                result.last[single],
                group.bits,
                sentence,
            )
        )
    return found


def _rows(traffic: Traffic) -> Rows:
    # Within a minute an account's exchanges are one.
    kept = runs(traffic.work, traffic.actor, traffic.second // MINUTE)[:-1]
    second, position = traffic.second[kept], traffic.position[kept]
    one = np.ones(len(kept), np.int8)
    return Rows(traffic.work[kept], traffic.actor[kept], second // HOUR, position, second, one, one, position)


def _minutes(seconds: int) -> str:
    return f"{seconds // MINUTE} minutes" if seconds > MINUTE else "a minute"
