"""Hand-offs: a series that stops on one account and goes on on another within minutes, again and again.

A series is a run of a work's exchanges on one account without a pause of `PAUSE`. Its start and its end are
units: the start hits if a series of another account of the group ended within the window before, the end if one starts
within the window after. The account was silent in the work before, and the other is after. The null model moves starts
to other minutes at which the account is used to start, and ends likewise; shifts that change at 8:00 stay where they
are, and what the clock explains is no evidence.
"""

from typing import Final

import numpy as np

from linkage.timing.channels import Rows, coinciding
from linkage.timing.work import MINUTE, Finding, Ints, Traffic, runs

WINDOWS: Final = (2 * MINUTE, 10 * MINUTE)
PAUSE: Final = 20 * MINUTE
LENGTH: Final = 3
"""Exchanges of a series at least."""

LEAST: Final = 2
"""Accounts of a hand-off."""


def handoffs(traffic: Traffic) -> list[Finding]:
    """All groups that hand off."""
    found = []
    for group in coinciding(_rows(traffic), WINDOWS, LEAST, 0):
        single = traffic.single[group.actor]
        if single.sum() < LEAST:
            continue
        result = group.tested
        sentence = (
            f"a job stopped on one of {single.sum():,} accounts and went on on another within "
            f"{group.window // MINUTE} minutes {result.hits.sum() / 2:,.0f} times; "
            f"chance gives {result.expected.sum() / 2:,.0f}"
        )
        found.append(
            traffic.finding(
                "handoff",
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
    second = traffic.second
    paused = np.zeros(len(second), np.int64)
    paused[1:] = np.cumsum(np.diff(second) > PAUSE)
    series = runs(traffic.work, traffic.actor, paused)
    long = np.diff(series) >= LENGTH
    begin, end = series[:-1][long], series[1:][long] - 1
    # On a second axis, beyond all works, ends look for starts.
    beyond = len(traffic.events.works) * traffic.span
    start, stop = traffic.position[begin], traffic.position[end]
    starts = np.tile(np.array([1, 0], np.int8), len(begin))

    def both(of_starts: Ints, of_ends: Ints) -> Ints:
        return np.stack((of_starts, of_ends), axis=1).ravel()

    return Rows(
        work=np.repeat(traffic.work[begin], 2),
        actor=np.repeat(traffic.actor[begin], 2),
        unit=both(2 * second[begin], 2 * second[end] + 1),
        probe=both(start, stop + beyond),
        anchor=both(second[begin], second[end]),
        back=starts,
        ahead=1 - starts,
        target=both(start + beyond, stop),
    )
