"""Neo4j Browser on a ring: its address with the ring's query filled in, and a guide with what to ask next."""

import html
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from linkage import decisions, results, store
from linkage.errors import NotFoundError, translate
from linkage.files import replace
from linkage.graph.driver import Graph, Target, connect
from linkage.graph.layers import CASE
from linkage.graph.questions import Question, questions
from linkage.graph.scripts import filled

PICTURE: Final = "ring"
"""The question that draws a ring."""

NEXT: Final = ("ring-members", "ring-timeline", "outsiders", "worth-blocking", "bridges", "rings-sharing")
"""The questions that a ring's guide offers, in this order."""


@dataclass(frozen=True)
class Page:
    """Where to look.

    Attributes:
        url: opens Neo4j Browser with the query in its editor; it runs when the person says so.
        ring_id: the ring.
        query: the Cypher in the editor.
        user: whom to log in as.
    """

    url: str
    ring_id: str
    query: str
    user: str


def ring_page(where: Target, ring: results.RingRow) -> Page:
    """The page for a ring.

    Raises:
        NotFoundError: the ring is below the line, so it is not in the graph.
    """
    if not ring.listed:
        raise NotFoundError(
            f"Ring {ring.ring_id} is below the line, and only listed rings are mirrored.",
            f"Look at it here: linkage ring {ring.ring_id}",
        )
    asked = {question.id: question for question in questions()}
    query = f"// Ring {ring.ring_id}: press Run.\n" + _bare(filled(asked[PICTURE], {"ring": ring.ring_id}))
    return Page(address(where, query), ring.ring_id, query, where.user)


def _bare(cypher: str) -> str:
    """Without comment lines: the editor has little room."""
    return "\n".join(line for line in cypher.splitlines() if not line.lstrip().startswith("//"))


def address(where: Target, query: str) -> str:
    """Neo4j Browser's address that fills in all but the password, and the query.

    A query in an address never runs by itself. `&` and `#` would cut it, even encoded: the queries have none.
    """
    scheme, _, host = where.uri.partition("://")
    dbms = f"{scheme}://{quote(where.user, safe='')}@{host}"
    # Servers of 2026 take no `db`; without it both kinds show the user's home database.
    named = {"db": where.database} if where.database else {}
    parts = {"dbms": dbms, **named, "preselectAuthMethod": "NATIVE"}
    settings = "&".join(f"{name}={quote(value, safe=':/@')}" for name, value in parts.items())
    return f"{base(where)}/browser/?{settings}&cmd=edit&arg={quote(query, safe='')}"


def base(where: Target) -> str:
    """The server's web address: `LINKAGE_NEO4J_BROWSER`, else what is usual for its Bolt address."""
    given = os.environ.get("LINKAGE_NEO4J_BROWSER", "")
    if where.browser or given:
        return (where.browser or given).rstrip("/").removesuffix("/browser")
    host = urlsplit(where.uri).hostname or "localhost"
    shown = f"[{host}]" if ":" in host else host
    secure = "+s" in where.uri.partition("://")[0]
    return f"https://{shown}:7473" if secure else f"http://{shown}:7474"


def behind(case: Path, where: Target) -> bool:
    """Whether the graph lacks what the case holds: another run, another ingest, a newer decision, or a publish cut off.

    Raises:
        Neo4jError: the server cannot be reached.
    """
    with connect(where) as graph:
        return state(graph) != expected(case)


State = tuple[str, int, int, int, bool]


def state(graph: Graph) -> State | None:
    """Of which case, run, ingest and decision the graph is, and whether it is complete."""
    row = graph.one(f"MATCH (c:{CASE}) RETURN c.id, c.run, c.command, c.decisions, c.complete")
    return (row[0], row[1], row[2], row[3], row[4]) if row else None


def expected(case: Path) -> State:
    """What `state` is after a publish of the case as it is now."""
    with store.reading(case) as con:
        run, command = con.execute(
            "SELECT (SELECT coalesce(max(run), 0) FROM runs), (SELECT coalesce(max(command), 0) FROM commands)"
        ).fetchall()[0]
        return store.meta(con, "case_id"), int(run), int(command), decisions.newest(con), True


def write_guide(where: Target, ring: results.RingRow, page: Page) -> bool:
    """Put the ring's guide where the local server shows it after the log-in; False for other servers.

    Raises:
        MachineError: the server's folder cannot be written.
    """
    if where.web is None:
        return False
    target = where.web / "browser" / "linkage" / "ring.html"
    try:
        replace(target, guide(ring, page.query).encode())
    except OSError as exc:
        raise translate(exc, f"writing {target}") from None
    return True


def guide(ring: results.RingRow, query: str) -> str:
    """The guide's HTML: what the ring is, its picture, and questions; a click puts one into the editor."""
    asked = {question.id: question for question in questions()}
    why = html.escape(ring.why)
    doubts = html.escape(ring.doubts or "nothing in the exports speaks for an innocent explanation.")
    score = "over 0.99" if ring.score > 0.99 else f"{ring.score:.2f}"
    slides = [
        f"<h3>Ring {html.escape(ring.ring_id)}</h3>"
        f"<p>Rank {ring.rank}, score {score}, {ring.status}, {ring.accounts:,} accounts. A lead, no verdict.</p>"
        f"<p><b>Why:</b> {why}</p><p><b>Doubts:</b> {doubts}</p>"
        f"<p>Click the query, then run it:</p>{_runnable(query)}",
        *(_slide(asked[name], ring) for name in NEXT if name in asked),
        "<h3>Decide</h3><p>Click, put your name and words in, run. <code>review</code> is confirm, dismiss, watch or "
        "open. Then, in a terminal: <code>linkage neo4j pull</code></p>"
        + _runnable(
            f"MATCH (r:Ring {{ring_id: '{ring.ring_id}'}})\n"
            "SET r.review = 'watch', r.review_by = 'your name', r.review_note = '', r.review_at = datetime()"
        ),
    ]
    body = "".join(f'<slide class="row-fluid"><div class="col-sm-12">{slide}</div></slide>' for slide in slides)
    return (
        f'<!doctype html><meta charset="utf-8"><article class="guide"><title>Ring {html.escape(ring.ring_id)}</title>'
        f'<carousel class="deck container-fluid">{body}</carousel></article>\n'
    )


def _slide(asked: Question, ring: results.RingRow) -> str:
    values: dict[str, object] = {param.name: _default(param.default) for param in asked.params}
    for param in asked.params:
        if param.need == "optional":
            values[param.name] = None
    values["ring"] = ring.ring_id
    return (
        f"<h3>{html.escape(asked.title)}</h3><p>{html.escape(asked.answers)}</p>"
        f"<p><i>{html.escape(asked.false_positives)}</i></p>{_runnable(_bare(filled(asked, values)))}"
    )


def _default(text: str) -> object:
    return int(text) if text.lstrip("-").isdigit() else text


def _runnable(query: str) -> str:
    return f'<pre mode="cypher" class="pre-scrollable code runnable">{html.escape(query)}</pre>'
