"""Pull: what people decided on `(:Ring)` in Neo4j becomes decisions of the case. `graph_schema/README.md` says how."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from linkage import decisions, store
from linkage.decisions import VERDICTS, Decision
from linkage.errors import Neo4jError
from linkage.graph.driver import Target, connect, plain
from linkage.graph.layers import CASE
from linkage.until import utc_now

# Statuses are what people see on a ring, so they are taken for the verdicts that lead there.
_SPELLINGS: Final[dict[str, str]] = {
    **{verdict: verdict for verdict in VERDICTS},
    **{status: v for v, status in VERDICTS.items()},
}

LONGEST: Final = 10_000
"""Characters of a note, a tag or a name; longer ones are refused."""


@dataclass(frozen=True)
class Refused:
    """A decision that cannot be taken in, and why."""

    ring_id: str
    reason: str


@dataclass(frozen=True)
class PullReport:
    """What a pull brought.

    Attributes:
        uri: from where.
        found: decisions in the graph.
        added: those that were new.
        refused: those that cannot be taken in; they stay in the graph as they are.
    """

    uri: str
    found: int
    added: tuple[Decision, ...]
    refused: tuple[Refused, ...]


def pull(case: Path, where: Target) -> PullReport:
    """Bring decisions from the graph at `where` into the case at `case`; a second pull adds nothing.

    Raises:
        Neo4jError: the server cannot be reached, or holds another case's graph or none.
        LinkageError: as `store.writing`.
    """
    with store.reading(case) as con:
        case_id = store.meta(con, "case_id")
        known = {str(row[0]) for row in con.execute("SELECT DISTINCT ring_id FROM memberships").fetchall()}
        known |= {str(row[0]) for row in con.execute("SELECT ring_id FROM rings").fetchall()}
    with connect(where) as graph:
        ids = [row[0] for row in graph.rows(f"MATCH (c:{CASE}) RETURN c.id")]
        if ids != [case_id]:
            holds = f"belongs to another case ({ids[0]})" if ids else "holds no case"
            raise Neo4jError(
                f"The graph at {where.uri} {holds}; this one is {case_id}.", "Mirror it first: linkage neo4j publish"
            )
        rows = list(
            graph.rows(
                "MATCH (r:Ring) WHERE r.mirrored AND r.review IS NOT NULL RETURN r.ring_id, r.review, r.review_note, "
                "r.review_tags, r.review_by, r.review_at ORDER BY r.ring_id"
            )
        )
    taken: list[Decision] = []
    refused: list[Refused] = []
    for row in rows:
        read = _decision(row, where.user, known)
        if isinstance(read, Decision):
            taken.append(read)
        else:
            refused.append(read)
    # Of several decisions the latest counts: so they enter the history in the order in which they were made.
    taken.sort(key=lambda decision: (decision.at, decision.ring_id))
    added = decisions.record(case, taken) if taken else []
    return PullReport(where.uri, len(rows), tuple(added), tuple(refused))


def _decision(row: tuple[Any, ...], user: str, known: set[str]) -> Decision | Refused:
    ring_id, verdict, note, tags, by, at = (plain(value) for value in row)
    if ring_id not in known:
        return Refused(str(ring_id), "the case has no such ring")
    spelling = _SPELLINGS.get(verdict.strip().lower()) if isinstance(verdict, str) else None
    if spelling is None:
        return Refused(ring_id, f"review is none of {', '.join(VERDICTS)}")
    words = tags if isinstance(tags, list) else [tags] if tags else []
    texts = [text for text in (note or "", by or user, *words) if isinstance(text, str) and len(text) <= LONGEST]
    if len(texts) != 2 + len(words):
        return Refused(
            ring_id, f"review_note, review_by and review_tags must be texts of at most {LONGEST:,} characters"
        )
    when = _time(at)
    if when is None:
        return Refused(ring_id, "review_at is no datetime")
    return Decision(ring_id, spelling, texts[0], tuple(texts[2:]), texts[1], when, "neo4j")


def _time(value: object) -> datetime | None:
    if value is None:
        return utc_now().replace(microsecond=0)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except OverflowError:
        # In the first or last hours of all years another zone has no such time.
        return None
