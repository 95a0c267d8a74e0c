"""The investigator's queue: which ring is next and why, what was decided, and where decisions disagree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from linkage import decisions, results, store
from linkage.decisions import Decision
from linkage.results import RingRow

SOURCE: Final = "linkage"

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


def queue(case: Path) -> list[Due]:
    """The listed rings that wait for a decision, the next first.

    First confirmed rings that accounts joined since, then rings that nobody decided on by rank, then watched rings that
    changed, then dismissed ones of whose accounts `RETURNS` or more joined since. Explained rings wait for nobody.

    Raises:
        NotFoundError: no run yet.
    """
    rings = [ring for ring in results.rings(case) if ring.status != "explained"]
    latest = {one.ring_id: one for one in decisions.history(case)}
    known = [ring.ring_id for ring in rings if ring.ring_id in latest]
    with store.reading(case) as con:
        rows = con.execute(_SINCE, {"ids": known, "runs": [latest[ring_id].run for ring_id in known]}).fetchall()
    since = {str(row[0]): (int(row[1]), int(row[2]), int(row[3])) for row in rows}
    undecided = sum(ring.status == "open" for ring in rings)
    due = []
    for ring in rings:
        decision = latest.get(ring.ring_id)
        joined, left, banned = since.get(ring.ring_id, (0, 0, 0))
        if decision is None or decision.verdict == "open":
            several = f"the surest of {undecided:,} rings that nobody decided on"
            due.append((1, Due(ring, several if undecided > 1 else "the last that nobody decided on", decision)))
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
    case: Path, ring: str, verdict: str, *, note: str = "", tags: Sequence[str] = (), by: str = ""
) -> Decision | None:
    """Append a decision on a ring of the newest run and give the ring its status.

    Args:
        case: the case file.
        ring: as in `results.ring`.
        verdict: one of `decisions.VERDICTS`.
        note, tags, by: why, labels, and who.

    Returns:
        the decision, or None where the last one from here says the same.

    Raises:
        NotFoundError: no such ring, several, or no run yet.
        InputError: an unknown verdict.
        LinkageError: as `store.writing`.
    """
    ring_id = results.ring(case, ring).ring.ring_id
    now = datetime.now(UTC).replace(tzinfo=None)
    added = decisions.record(case, [Decision(ring_id, verdict, note, tuple(tags), by, now, SOURCE)])
    return added[0] if added else None


def conflicts(case: Path) -> list[Conflict]:
    """Rings on which somebody decided otherwise elsewhere: the latest of each source, where they disagree."""
    latest: dict[str, dict[str, Decision]] = {}
    for one in decisions.history(case):
        of_ring = latest.setdefault(one.ring_id, {})
        of_ring.pop(one.source, None)
        of_ring[one.source] = one
    found = []
    for ring_id, of_ring in sorted(latest.items()):
        *others, counts = of_ring.values()
        found += [Conflict(ring_id, counts, other) for other in others if other.verdict != counts.verdict]
    return found
