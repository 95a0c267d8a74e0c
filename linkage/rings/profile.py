"""What is known of each account beside what it shares: age, organisation, activity, rhythm."""

from dataclasses import dataclass, fields
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage.gather import RHYTHM_BUCKETS
from linkage.identify import NEVER

_PROFILE = """
WITH seen AS (SELECT account, min(first_at) AS first_at, max(last_at) AS last_at FROM sightings GROUP BY account)
SELECT coalesce(epoch_us(coalesce(p.created_at, least(a.first_at, s.first_at))), {never}) AS created,
    (p.banned_at IS NOT NULL OR lower(p.status) IN ('banned', 'suspended')) IS TRUE AS banned,
    p.org_verified IS TRUE AS verified, coalesce(p.org_id, '') AS org,
    coalesce(a.exchanges, 0) AS exchanges, coalesce(a.prompts, 0) AS prompts,
    coalesce(a.distinct_prompts, 0) AS distinct_prompts,
    coalesce(epoch_us(least(a.first_at, s.first_at)), {never}) AS first,
    coalesce(epoch_us(greatest(a.last_at, s.last_at)), {never}) AS last, {buckets}
FROM ids LEFT JOIN people p USING (account_id) LEFT JOIN activity a USING (account_id) LEFT JOIN seen s USING (account)
ORDER BY ids.account
"""


@dataclass(frozen=True)
class Profiles:
    """One entry an account, in index order. Times are microseconds since 1970, `identify.NEVER` where unknown.

    Attributes:
        created, first, last: int64[A]; first and last are of any activity. Where the export does not say when an
            account signed up, the first time that it was seen stands for it.
        banned, verified: bool[A].
        org: int64[A], a number for each organisation; -1 for none.
        exchanges, prompts, distinct_prompts: int64[A].
        rhythm: float64[A], 0 (round the clock) to 1 (always the same hour); NaN with fewer than 20 exchanges.
    """

    created: NDArray[np.int64]
    banned: NDArray[np.bool_]
    verified: NDArray[np.bool_]
    org: NDArray[np.int64]
    exchanges: NDArray[np.int64]
    prompts: NDArray[np.int64]
    distinct_prompts: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    rhythm: NDArray[np.float64]

    def of(self, lives: NDArray[np.int64]) -> "Profiles":
        """The profiles of accounts each of which leads the life of account lives[a]."""
        return Profiles(**{field.name: getattr(self, field.name)[lives] for field in fields(self)})


def profiles(con: duckdb.DuckDBPyConnection) -> Profiles:
    """Read the profiles from the tables that `identify` left in `con`."""
    names = [f"rhythm_{part}" for part in range(RHYTHM_BUCKETS)]
    buckets = ", ".join(f"coalesce(a.{name}, 0) AS {name}" for name in names)
    rows = con.execute(_PROFILE.format(never=NEVER, buckets=buckets)).fetchnumpy()
    whole = {
        name: np.asarray(rows[name], dtype=np.int64)
        for name in ("created", "exchanges", "prompts", "distinct_prompts", "first", "last")
    }
    return Profiles(
        banned=np.asarray(rows["banned"], dtype=np.bool_),
        verified=np.asarray(rows["verified"], dtype=np.bool_),
        org=_codes(rows["org"]),
        rhythm=daily_rhythm(np.stack([np.asarray(rows[name], dtype=np.float64) for name in names], axis=1)),
        **whole,
    )


def daily_rhythm(counts: NDArray[np.float64], least: int = 20) -> NDArray[np.float64]:
    """Length of the mean direction of activity on the 24-hour clock: people sleep, scripts do not.

    The same whatever the time zone: turning the clock changes nothing (Mardia and Jupp, Directional Statistics, 2000).

    Args:
        counts: float64[A, buckets] of a day.
        least: accounts with fewer events get NaN.

    >>> daily_rhythm(np.array([[10.0, 10, 10, 10], [40, 0, 0, 0], [0, 40, 0, 0]])).round(2)
    array([0., 1., 1.])
    """
    angles = 2j * np.pi * np.arange(counts.shape[1]) / counts.shape[1]
    total = counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        length: NDArray[np.float64] = np.abs(counts @ np.exp(angles)) / total
    return np.where(total >= least, length, np.nan)


def _codes(values: Any) -> NDArray[np.int64]:
    names = np.asarray(values, dtype=str)
    unique, codes = np.unique(names, return_inverse=True)
    nothing = np.array([not name for name in unique], dtype=np.bool_)
    return np.where(nothing[codes], -1, codes).astype(np.int64)
