"""A ring as a graph file for Gephi and its like: its accounts, the identifiers that tie them, and who has which.

GraphML (Brandes et al. 2002, doi:10.1007/3-540-45848-4_59) and GEXF 1.2, by networkx. Both are XML, which can hold no
control characters: they are shown as escapes. An attribute that is not known is left out, since neither format has a
null, and each attribute has one type throughout.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal
from xml.etree.ElementTree import Element, SubElement

import duckdb
import networkx as nx
from networkx.readwrite.gexf import GEXFWriter

from linkage.model import public_kind
from linkage.results import Ring
from linkage.text import safe

GraphFormat = Literal["graphml", "gexf"]

LIGHTEST: Final = 0.01
"""The least weight of an edge: Gephi refuses 0 and less."""

_OTHER: Final = "C9CED6"
# As in Neo4j Browser (graph_schema/style.grass).
_COLOURS: Final = {
    "account": "4C8EDA", "payment": "F5B843", "ip": "57B894", "ip_net": "BFE3D4", "device": "8F6BC9",
    "user_agent": "D9CCEF", "prompt": "E2719C", "burst": "F6CBDB", "email": "6CC3D5", "email_domain": "C4E7EE",
    "phone": "A0C25A", "org": "B08968",
}  # fmt: skip

_TIES: Final = """
SELECT s.account_id, s.kind, s.value, s.count, s.first_seen, s.last_seen, s.bits
FROM members m JOIN sightings s USING (account_id) JOIN evidence e USING (ring_id, kind, value)
WHERE m.ring_id = ? ORDER BY s.kind, s.value, s.account_id
"""


@dataclass(frozen=True)
class Tied:
    """A member and an identifier of its ring's evidence that it was seen with; bits of this sighting."""

    account_id: str
    kind: str
    value: str
    count: int
    first_seen: datetime | None
    last_seen: datetime | None
    bits: float


def ties(con: duckdb.DuckDBPyConnection, ring_id: str) -> list[Tied]:
    """Who of a ring was seen with what ties it, by kind, value and account."""
    return [Tied(*row) for row in con.execute(_TIES, [ring_id]).fetchall()]


def ring_graph(ring: Ring, tied: Sequence[Tied]) -> "nx.Graph[str]":
    """The ring as a graph.

    Nodes are `accounts` (`type` "account": account_id, tier, confidence 0 to 1, bits beyond the prior, exchanges) and
    `identifiers` (`type` "identifier": kind, value, accounts, outsiders, bits of a mean member), with first_seen and
    last_seen (ISO 8601, UTC) and a label. Edges say who has which: count, first_seen, last_seen, bits, and weight,
    which is the bits, but positive. A node's id depends on what it stands for alone, so that files can be joined.
    """
    graph: nx.Graph[str] = nx.Graph(name=ring.ring.ring_id)
    for member in ring.members:
        graph.add_node(
            _id("account", member.account_id),
            **_attributes(
                label=member.account_id, type="account", kind="account", account_id=member.account_id,
                tier=member.tier, confidence=member.confidence, bits=member.bits, exchanges=member.exchanges,
                first_seen=member.first_seen, last_seen=member.last_seen,
            ),
        )  # fmt: skip
    for row in ring.evidence:
        graph.add_node(
            _id("identifier", row.kind, row.value),
            **_attributes(
                label=row.label or row.value, type="identifier", kind=public_kind(row.kind), value=row.value,
                accounts=row.accounts, outsiders=row.outsiders, bits=row.bits, first_seen=row.first_seen,
                last_seen=row.last_seen,
            ),
        )  # fmt: skip
    for tie in tied:
        graph.add_edge(
            _id("account", tie.account_id),
            _id("identifier", tie.kind, tie.value),
            **_attributes(
                weight=max(tie.bits, LIGHTEST), bits=tie.bits, count=tie.count, first_seen=tie.first_seen,
                last_seen=tie.last_seen,
            ),
        )  # fmt: skip
    return graph


def graph_file(graph: "nx.Graph[str]", format: GraphFormat, day: datetime) -> bytes:
    """The graph as a file, the same bytes for the same graph.

    Args:
        graph: as `ring_graph` makes it.
        format: "graphml" or "gexf".
        day: when it was found; GEXF has a place for it.
    """
    out = io.BytesIO()
    if format == "graphml":
        # Not `write_graphml`: where lxml happens to be installed that writes other bytes.
        nx.write_graphml_xml(graph, out)
        return out.getvalue()
    for _, node in graph.nodes(data=True):
        colour = bytes.fromhex(_COLOURS.get(node["kind"], _OTHER))
        node["viz"] = {"color": dict(zip("rgba", (*colour, 1.0), strict=True))}
    writer = GEXFWriter(encoding="utf-8", prettyprint=True, version="1.2draft")
    writer.add_graph(graph)
    # networkx writes today's date and its own version, and it would be another file tomorrow.
    meta = writer.xml.find("meta")
    if meta is not None:
        _describe(meta, day)
    writer.write(out)
    return out.getvalue()


def _describe(meta: Element, day: datetime) -> None:
    meta.set("lastmodifieddate", f"{day:%Y-%m-%d}")
    for child in list(meta):
        meta.remove(child)
    SubElement(meta, "creator").text = "linkage"
    SubElement(meta, "description").text = "A ring is a lead for a person; it is no verdict."


def _id(*parts: str) -> str:
    """What stands for an account or an identifier: text from exports may be anything, also what XML cannot hold."""
    return sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:20]


def _attributes(**given: Any) -> Mapping[str, Any]:
    return {name: _plain(value) for name, value in given.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + "Z"
    return safe(value) if isinstance(value, str) else value
