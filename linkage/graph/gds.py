"""Graph Data Science (GDS) on a Neo4j server, as an engine that finds the communities of `detect`.

1. The pair graph, the very one that our own algorithms get, goes to the server as a projection: it lives in the memory
   of GDS, and nothing is written into the database.
2. An algorithm runs over it, weighted by `bits` (for components weights mean nothing), on one thread: with more, GDS
   is not deterministic.
3. The communities come back as lists of members.
4. The projection is dropped, whatever happened.

GDS has no constant Potts model: its Leiden maximises modularity, like Louvain (Traag, Waltman and van Eck 2019,
doi:10.1038/s41598-019-41695-z, give both objectives). So there is no gamma in bits, and no ladder of them.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from linkage.communities import ALGORITHMS, Graph, Labels
from linkage.errors import LinkageError, Neo4jError, UsageError
from linkage.graph.driver import Graph as Server
from linkage.graph.driver import connect, required
from linkage.graph.refusals import NO_ANSWER

PREFIX: Final = "linkage_"
"""Projections are called so, and then by what no other run has: several may use one server at a time."""

# The procedure of each algorithm, and what it calls a community.
_PROCEDURES: Final = {
    "leiden": ("gds.leiden.stream", "communityId"),
    "louvain": ("gds.louvain.stream", "communityId"),
    "label-propagation": ("gds.labelPropagation.stream", "communityId"),
    "wcc": ("gds.wcc.stream", "componentId"),
}

# One query must send all edges: a projection is made by one aggregation. Integers need no nodes in the database.
_PROJECT: Final = """
UNWIND range(0, size($u) - 1) AS e
RETURN gds.graph.project($name, $u[e], $v[e], {relationshipProperties: {bits: $bits[e]}},
    {undirectedRelationshipTypes: ['*']}).relationshipCount
"""


@dataclass(frozen=True)
class Gds:
    """GDS where `driver.target` finds a server; see `communities.Engine`.

    Attributes:
        database: in whose name GDS works; None for the user's home database.
    """

    database: str | None = None
    name: str = field(default="gds", init=False)

    def objective(self, algorithm: str) -> str | None:
        """What `algorithm` maximises here: "modularity", or None if it maximises nothing."""
        return "modularity" if algorithm in ("leiden", "louvain") else None

    def prepare(self, algorithm: str, resolution: float) -> dict[str, str]:
        """Refuse what cannot be done here, and say what would do the rest.

        Returns:
            versions of the server (`neo4j-server`) and of GDS (`gds`).

        Raises:
            UsageError: an unknown algorithm, or a resolution other than 0.
            Neo4jError: no server is known, it cannot be used, or it lacks GDS.
        """
        if algorithm not in ALGORITHMS:
            raise UsageError(f"There is no algorithm {algorithm!r}.", f"Choose one of: {', '.join(ALGORITHMS)}.")
        if resolution:
            raise UsageError(
                f"GDS cannot take a resolution of {resolution:g} bits: it has no constant Potts model (CPM), and "
                "modularity, which it maximises, is no density in bits a pair.",
                "Leave --resolution out, or use --engine linkage.",
            )
        with connect(required(self.database)) as server:
            return {"neo4j-server": server.version, "gds": _version(server)}

    def partition(self, graph: Graph, algorithm: str, seed: int) -> Labels:
        """The communities of `graph`.

        Args:
            graph: weights in bits.
            algorithm: one of `communities.ALGORITHMS`.
            seed: only Leiden draws at random in GDS. The others depend on the order of the edges, so that is what the
                seed shuffles for all of them.

        Returns:
            int64[n], numbered from 0 by smallest member; a node without edges is alone.

        Raises:
            Neo4jError: the server cannot be reached, refuses, or has too little memory.
        """
        labels = np.arange(graph.nodes, dtype=np.int64)
        if not len(graph.other):
            return labels
        rng = np.random.default_rng(seed)
        procedure, community = _PROCEDURES[algorithm]
        settings: dict[str, Any] = {"concurrency": 1}
        if algorithm != "wcc":
            settings["relationshipWeightProperty"] = "bits"
        if algorithm == "leiden":
            settings["randomSeed"] = int(rng.integers(2**31))
        cypher = (
            f"CALL {procedure}($name, $settings) YIELD nodeId, {community} AS community "
            "WITH community, collect(nodeId) AS members RETURN members"
        )
        with connect(required(self.database)) as server, _projected(server, graph, rng) as name:
            for (members,) in server.rows(cypher, writer=True, name=name, settings=settings):
                # A community bears its smallest member's number, so no second one can have the same.
                labels[members] = min(members)
        found: Labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        return found


def _version(server: Server) -> str:
    """The version of GDS. Asking for it outright would fail as a fault of the query where there is none."""
    if server.one("SHOW FUNCTIONS YIELD name WHERE name = 'gds.version' RETURN count(*)") != (1,):
        raise Neo4jError(
            f"Neo4j at {server.target.uri} has no Graph Data Science.",
            "The local server has it: linkage neo4j up. Or use --engine linkage.",
        )
    return str(server.one("RETURN gds.version()")[0])


@contextmanager
def _projected(server: Server, graph: Graph, rng: np.random.Generator) -> Iterator[str]:
    """The graph in the memory of GDS during the block, which gets its name. Nodes without edges are left out."""
    name = PREFIX + uuid.uuid4().hex
    try:
        _send(server, name, graph, rng)
        yield name
    except BaseException:
        # What went wrong says more than that the projection cannot be dropped either, as when the server is gone.
        with suppress(LinkageError):
            _drop(server, name)
        raise
    _drop(server, name)


def _send(server: Server, name: str, graph: Graph, rng: np.random.Generator) -> None:
    source = np.repeat(np.arange(graph.nodes), np.diff(graph.start))
    edges = rng.permutation(np.flatnonzero(source < graph.other))
    try:
        server.one(
            _PROJECT,
            writer=True,
            name=name,
            u=source[edges].tolist(),
            v=graph.other[edges].tolist(),
            bits=graph.weight[edges].tolist(),
        )
    except Neo4jError as exc:
        if NO_ANSWER not in exc.message:
            raise
        # A server whose heap is too small for what arrives just hangs up.
        raise Neo4jError(
            f"Neo4j at {server.target.uri} broke off while {len(edges):,} pairs travelled to it: it may have too "
            "little memory.",
            "Give it more: linkage neo4j up --heap 2g. Or use --engine linkage.",
        ) from None


def _drop(server: Server, name: str) -> None:
    server.one("CALL gds.graph.drop($name, false) YIELD graphName RETURN graphName", writer=True, name=name)
