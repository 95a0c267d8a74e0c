"""The investigator's queue: which ring is next and why, what was decided, and where decisions disagree."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from linkage import decisions, results, store
from linkage.decisions import VERDICTS, Decision
from linkage.errors import NotFoundError, UsageError
from linkage.results import RingRow
from linkage.until import until as end_of
from linkage.until import utc_now

RETURNS: Final = 0.25
"""A dismissed ring comes back when so many of its accounts joined since."""

_SINCE: Final = """
SELECT l.ring_id, sum(l.joined)::BIGINT, sum(l."left")::BIGINT, sum(l.banned)::BIGINT
FROM lineage l JOIN (SELECT unnest($ids::VARCHAR[]) AS ring_id, unnest($runs::BIGINT[]) AS run) d
    ON d.ring_id = l.ring_id AND l.run > d.run
GROUP BY l.ring_id
"""


@dataclass(frozen=True)
class Due:
    """A ring that waits for a person.

    Attributes:
        ring: the ring.
        reason: why it is its turn.
        decision: the one that it has, or None.
    """

    ring: RingRow
    reason: str
    decision: Decision | None


@dataclass(frozen=True)
class Conflict:
    """A ring about which the latest decisions of two sources disagree; `counts` is the later one."""

    ring_id: str
    counts: Decision
    other: Decision


def queue(case: Path, now: datetime | None = None) -> list[Due]:
    """The listed rings that wait for a decision, the next first.

    First confirmed rings that accounts joined since, then rings that nobody decided on by rank, then watched rings that
    changed, then dismissed ones of whose accounts `RETURNS` or more joined since. Explained rings wait for nobody.

    Args:
        case: the case file.
        now: decisions that are over by then count no more; UTC without a zone, by default the time now.

    Raises:
        NotFoundError: no run yet.
    """
    now = now or utc_now()
    with store.reading(case) as con:
        rings = [ring for ring in results.rings_in(con, case, now) if ring.status != "explained"]
        latest = {ring_id: one for (ring_id, account), one in decisions.standing(con, now).items() if account is None}
        over = {one.ring_id: one for one in decisions.of_ring(con) if not one.members and one.verdict != "open"}
        known = [ring.ring_id for ring in rings if ring.ring_id in latest]
        rows = con.execute(_SINCE, {"ids": known, "runs": [latest[ring_id].run for ring_id in known]}).fetchall()
    since = {str(row[0]): (int(row[1]), int(row[2]), int(row[3])) for row in rows}
    undecided = sum(ring.status == "open" for ring in rings)
    due = []
    for ring in rings:
        decision = latest.get(ring.ring_id)
        joined, left, banned = since.get(ring.ring_id, (0, 0, 0))
        if decision is None or decision.verdict == "open":
            reason = "the last that nobody decided on"
            if undecided > 1:
                reason = f"the surest of {undecided:,} rings that nobody decided on"
            last = over.get(ring.ring_id)
            if last and last.until and last.until <= now and last.number > (decision.number if decision else 0):
                reason = f"{VERDICTS[last.verdict]} until {last.until:%Y-%m-%d}, which is over"
            due.append((1, Due(ring, reason, decision)))
            undecided -= 1
        elif decision.verdict == "confirm" and joined:
            due.append((0, Due(ring, f"{joined:,} accounts joined since it was confirmed", decision)))
        elif decision.verdict == "watch" and joined + left + banned:
            changed = f"{joined:,} joined, {left:,} left, {banned:,} banned"
            due.append((2, Due(ring, f"watched, and changed since: {changed}", decision)))
        elif decision.verdict == "dismiss" and joined >= RETURNS * ring.accounts:
            due.append((3, Due(ring, f"dismissed, but {joined:,} of its accounts joined since", decision)))
    return [one for _, one in sorted(due, key=lambda pair: (pair[0], pair[1].ring.rank))]


def decide(
    case: Path, ring: str, verdict: str, *, note: str = "", tags: Sequence[str] = (), by: str = "",
    members: Collection[str] = (), until: str | datetime | None = None, now: datetime | None = None,
) -> Decision | None:  # fmt: skip
    """Append a decision on a ring of the newest run, or on some of its members.

    A decision on the ring gives it its status. One on members binds later runs: see `rings.bind`.

    Args:
        case: the case file.
        ring: as in `results.ring`; `open` also finds a ring that is gone and was decided on.
        verdict: one of `decisions.VERDICTS`, or of `decisions.MEMBER_VERDICTS` where members are named.
        note, tags, by: why, labels, and who.
        members: account ids, members of the ring; with `open` also those that were decided on as such.
        until: when that is over, as in `until.until`; None has no end.
        now: UTC without a zone; by default the time now.

    Returns:
        the decision, or None where the last one from here says the same.

    Raises:
        NotFoundError: no such ring, several, no run yet, or accounts that are no members of it.
        UsageError: `split` without members or with all of them, or an end that is none.
        InputError: an unknown verdict.
        LinkageError: as `store.writing`.
    """
    now = now or utc_now()
    ends, named = end_of(until, now), tuple(sorted(set(members)))
    ring_id, there = find(case, ring) if verdict == "open" else _members(case, ring)
    unknown = [account for account in named if account not in there]
    if unknown:
        more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        raise NotFoundError(
            f"No members of ring {ring_id} in the newest run: {', '.join(unknown[:5])}{more}.",
            f"See who is: linkage ring {ring_id} --all",
        )
    if verdict == "split" and not 0 < len(named) < len(there):
        raise UsageError("A split names some members of the ring, and not all.", "Name them: --member ACCOUNT")
    one = Decision(ring_id, verdict, note, tuple(tags), by, now, decisions.HERE, members=named, until=ends)
    added = decisions.record(case, [one])
    return added[0] if added else None


def find(case: Path, ring: str) -> tuple[str, set[str]]:
    """The id of a ring of the newest run, or of one that was decided on, and its members and those decided on as such.

    Raises:
        NotFoundError: no such ring, several, or no run yet.
    """
    made = decisions.history(case)
    try:
        ring_id, there = _members(case, ring)
    except NotFoundError:
        ids = {one.ring_id for one in made if ring and one.ring_id.startswith(ring)}
        if len(ids) != 1:
            raise
        ring_id, there = ids.pop(), set()
    return ring_id, there.union(*(one.members for one in made if one.ring_id == ring_id))


def _members(case: Path, ring: str) -> tuple[str, set[str]]:
    found = results.ring(case, ring)
    return found.ring.ring_id, {member.account_id for member in found.members}


def conflicts(case: Path, now: datetime | None = None) -> list[Conflict]:
    """Rings on which somebody decided otherwise elsewhere: the latest of each source that counts, where they disagree.

    Members are decided on here alone, so that nobody can disagree.
    """
    now = now or utc_now()
    latest: dict[str, dict[str, Decision]] = {}
    for one in decisions.history(case):
        if one.members or (one.until and one.until <= now):
            continue
        of_ring = latest.setdefault(one.ring_id, {})
        of_ring.pop(one.source, None)
        of_ring[one.source] = one
    found = []
    for ring_id, of_ring in sorted(latest.items()):
        *others, counts = of_ring.values()
        found += [Conflict(ring_id, counts, other) for other in others if other.verdict != counts.verdict]
    return found
