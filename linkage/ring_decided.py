"""What people's decisions changed about a ring, in sentences: who is in or out by them, and what is allowed."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from linkage.results import BoundRow, Ring

NAMED: Final = 5
"""At most so many accounts, or values, are named in a sentence."""


def decided(found: "Ring") -> list[str]:
    """A sentence for each decision that brought somebody in or took somebody out, and one for each allowed value."""
    members = {member.account_id for member in found.members}

    def how(row: "BoundRow") -> tuple[int, str]:
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


def _sentence(number: int, way: str, rows: Sequence["BoundRow"]) -> str:
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
