"""What people's decisions changed about a ring, in sentences: who is in or out by them, and what is allowed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from linkage.results import Ring

NAMED: Final = 5
"""At most so many accounts, or values, are named in a sentence."""


BOUND: Final = """
SELECT b.ring_id, b.account_id, b.joined, b.decision, d.verdict, d."by", d.note
FROM (SELECT * FROM bound UNION ALL SELECT m.ring_id, b.account_id, false, b.decision
    FROM bound b JOIN members m USING (account_id) WHERE NOT b.joined) b JOIN decisions d USING (decision)
WHERE b.ring_id IN (SELECT unnest($1::VARCHAR[])) ORDER BY ALL
"""
"""What `BoundRow` takes, of the rings whose ids are the parameter."""

ALLOWED: Final = """
SELECT m.ring_id, s.kind, s.value, max(s.label), count(*), max(a."by"), max(a.reason)
FROM members m JOIN allowed_sightings s USING (account_id) JOIN allowances a USING (allowance)
WHERE m.ring_id IN (SELECT unnest($1::VARCHAR[])) GROUP BY m.ring_id, s.kind, s.value HAVING count(*) > 1
ORDER BY m.ring_id, count(*) DESC, s.kind, s.value
"""
"""What `AllowedRow` takes, of the rings whose ids are the parameter."""


@dataclass(frozen=True)
class BoundRow:
    """An account that a decision brought into a ring (`joined`) or took out of one, against the evidence.

    A member that did not join was taken out of another ring. `decision` is the number, `verdict`, `by` and `note` what
    it says.
    """

    ring_id: str
    account_id: str
    joined: bool
    decision: int
    verdict: str
    by: str
    note: str


@dataclass(frozen=True)
class AllowedRow:
    """An identifier that several members share and that counts for nothing, since somebody allowed it."""

    ring_id: str
    kind: str
    value: str
    label: str | None
    accounts: int
    by: str
    reason: str


def decided(found: "Ring") -> list[str]:
    """A sentence for each decision that brought somebody in or took somebody out, and one for each allowed value."""
    members = {member.account_id for member in found.members}

    def how(row: BoundRow) -> tuple[int, str]:
        return row.decision, "in" if row.joined else "apart" if row.account_id in members else "out"

    said = []
    for (number, way), rows in groupby(sorted(found.bound, key=lambda row: (*how(row), row.account_id)), key=how):
        said.append(_sentence(number, way, list(rows)))
    for row in found.allowed[:NAMED]:
        said.append(
            f"Not counted, since {row.by or 'somebody'} allowed it ({row.reason}): {row.kind} "
            f"{row.label or row.value}, which {row.accounts:,} of its members share."
        )
    if len(found.allowed) > NAMED:
        said.append(f"{len(found.allowed) - NAMED:,} more values that members share are allowed.")
    return said


def _sentence(number: int, way: str, rows: Sequence[BoundRow]) -> str:
    names = ", ".join(row.account_id for row in rows[:NAMED])
    names += f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    is_are = "is" if len(rows) == 1 else "are"
    what = {
        "in": f"{is_are} in it",
        "out": f"{is_are} not in it",
        "apart": f"{is_are} apart from another ring",
    }[way]
    note = f": {rows[0].note}" if rows[0].note else ""
    return f"By decision {number} ({rows[0].verdict} by {rows[0].by or 'somebody'}{note}) {names} {what}."
