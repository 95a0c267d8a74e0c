"""Rings as JSON Lines for a ticket system: one object a ring, with all that its ticket needs."""

from typing import Any, Final

import duckdb

from linkage.model import BUILT_IN_KINDS
from linkage.results import EvidenceRow, Ring
from linkage.ring_why import people_of
from linkage.summary import paragraph, summary

SCHEMA: Final = "linkage.ticket/1"
STRONGEST: Final = 20
"""So many values of a ring are told, those that bring it most."""


def ticket(con: duckdb.DuckDBPyConnection, ring: Ring) -> dict[str, Any]:
    """One ring; keys are stable and described in `docs/export.md`."""
    row = ring.ring
    return {
        "schema": SCHEMA,
        "ring_id": row.ring_id,
        "rank": row.rank,
        "score": row.score,
        "q_value": row.q_value,
        "status": row.status,
        "accounts": row.accounts,
        "exchanges": row.exchanges,
        "first_seen": row.first_seen,
        "last_seen": row.last_seen,
        "why": row.why,
        "doubts": row.doubts,
        "summary": paragraph(summary(ring, people_of(con, row.ring_id))),
        "members": [
            {"account_id": member.account_id, "tier": member.tier, "confidence": member.confidence}
            for member in ring.members
        ],
        "values": [_value(line) for line in ring.evidence[:STRONGEST]],
    }


def _value(line: EvidenceRow) -> dict[str, Any]:
    # A value of a kind of the user's own may be a secret, such as an API key: a ticket goes to more people than the
    # case does.
    open_ = line.kind in BUILT_IN_KINDS or line.kind.startswith("link:")
    return {
        "kind": line.kind,
        "value": line.value if open_ else None,
        "label": line.label,
        "accounts": line.accounts,
        "outsiders": line.outsiders,
        "bits": line.bits,
    }
