"""What became of the rings from run to run: the story that `linkage changes` tells, and what wakes somebody."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from linkage import store
from linkage.decisions import rings_sql
from linkage.errors import NotFoundError
from linkage.results import newest_run
from linkage.until import utc_now

_CHANGES: Final = """
SELECT l.run, l.ring_id, l.event, l.other, l.accounts, l.joined, l."left", l.banned, l.score, l.listed,
    coalesce(b.listed, false) AS listed_before
FROM lineage l LEFT JOIN lineage b ON b.ring_id = l.ring_id AND b.run = l.run - 1
WHERE l.run > $since AND (l.event <> 'same' OR l.listed <> coalesce(b.listed, false))
    AND ($unlisted OR l.listed OR coalesce(b.listed, false))
ORDER BY l.run, l.listed DESC, l.score DESC NULLS LAST, l.accounts DESC, l.ring_id
"""

_NEW: Final = """
SELECT r.ring_id FROM {rings} r LEFT JOIN lineage b ON b.ring_id = r.ring_id AND b.run = $since
WHERE r.listed AND r.status NOT IN ('explained', 'dismissed') AND r.score >= $score AND b.listed IS NOT TRUE
ORDER BY r.rank
"""


@dataclass(frozen=True)
class Change:
    """What a run found to have become of a ring.

    Attributes:
        run: the run that found it.
        ring_id: the ring.
        event: one of `model.EVENTS`; `same` only where it entered or left the list.
        other: the ring that it split from or merged into, or None.
        accounts: members now; 0 where it ended.
        joined, left, banned: members that came, went and were banned since it was last seen.
        score: 0 to 1; None where it ended.
        listed, listed_before: whether it is in the list, and was in the run before.
    """

    run: int
    ring_id: str
    event: str
    other: str | None
    accounts: int
    joined: int
    left: int
    banned: int
    score: float | None
    listed: bool
    listed_before: bool


@dataclass(frozen=True)
class Changes:
    """The answer.

    Attributes:
        since, run: everything after run `since`, to the newest run.
        changes: by run, the listed ones first, by score.
    """

    since: int
    run: int
    changes: tuple[Change, ...]


def changes(case: Path, *, since: int | None = None, unlisted: bool = False) -> Changes:
    """What became of the rings that are listed, or were in the run before.

    Args:
        case: the case file.
        since: the run after which to begin; None is the one before the newest, 0 tells everything.
        unlisted: also of groups below the line.

    Raises:
        NotFoundError: no run yet, or no such run.
    """
    with store.reading(case) as con:
        since, newest = _since(con, case, since)
        rows = con.execute(_CHANGES, {"since": since, "unlisted": unlisted}).fetchall()
    return Changes(since, newest, tuple(Change(*row) for row in rows))


def new_rings(case: Path, score: float, *, since: int | None = None) -> list[str]:
    """Ids of the rings that reach a score and were not in the list of run `since`, by rank; none that is explained or
    dismissed.

    Raises:
        NotFoundError: no run yet, or no such run.
    """
    with store.reading(case) as con:
        since, _ = _since(con, case, since)
        sql = _NEW.format(rings=rings_sql(utc_now()))
        return [str(row[0]) for row in con.execute(sql, {"since": since, "score": score}).fetchall()]


def _since(con: duckdb.DuckDBPyConnection, case: Path, since: int | None) -> tuple[int, int]:
    newest = newest_run(con, case).run
    if since is not None and not 0 <= since <= newest:
        raise NotFoundError(f"There is no run {since}: the newest is {newest}.", "See them: linkage runs")
    return newest - 1 if since is None else since, newest
