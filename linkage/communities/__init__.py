"""Communities of a weighted graph: groups of nodes that are tied more among themselves than to others.

`leiden` under the constant Potts model is the default and `ladder` its nested form; `louvain`, `label-propagation` and
`wcc` (weakly connected components) are choices. All take the same `Graph` and are deterministic for a seed, on any
number of threads.
"""

from typing import Final, Protocol

from linkage.communities.components import components
from linkage.communities.graph import Graph, Labels
from linkage.communities.label_propagation import label_propagation
from linkage.communities.leiden import cpm_quality, ladder, leiden
from linkage.communities.louvain import louvain
from linkage.errors import UsageError

ALGORITHMS: Final = ("leiden", "louvain", "label-propagation", "wcc")

OBJECTIVES: Final = {"leiden": "cpm", "louvain": "modularity"}
"""What an algorithm of this package maximises; those that maximise nothing are not named."""

__all__ = [
    "ALGORITHMS",
    "OBJECTIVES",
    "Engine",
    "Graph",
    "Labels",
    "communities",
    "components",
    "cpm_quality",
    "label_propagation",
    "ladder",
    "leiden",
    "louvain",
]


class Engine(Protocol):
    """Somebody else who finds communities, by the same names of algorithms."""

    @property
    def name(self) -> str:
        """As `linkage runs` shows it."""

    def objective(self, algorithm: str) -> str | None:
        """What the algorithm maximises, or None if it maximises nothing."""

    def prepare(self, algorithm: str, resolution: float) -> dict[str, str]:
        """Refuse early what cannot be done, and give the versions of what will do the rest.

        Raises:
            LinkageError: it cannot be done; the message says why.
        """

    def partition(self, graph: Graph, algorithm: str, seed: int) -> Labels:
        """int64[n], the community of each node, numbered by smallest member."""


def communities(graph: Graph, algorithm: str, *, gamma: float, shift: float = 0.0, seed: int = 1) -> Labels:
    """One partition of the graph by the algorithm called `algorithm`.

    Args:
        graph: the weighted graph.
        algorithm: one of `ALGORITHMS`.
        gamma: density, in weight a pair, that a community must have; for `leiden`.
        shift: bits by which the resolution is raised: gamma by `shift`, louvain's resolution by 2 ** shift.
        seed: of the order in which nodes are visited.

    Returns:
        int64[n], the community of each node, numbered by smallest member.

    Raises:
        UsageError: an unknown algorithm, or a shift that it cannot take.
    """
    if algorithm == "leiden":
        return leiden(graph, gamma + shift, seed=seed)
    if algorithm == "louvain":
        return louvain(graph, resolution=2.0**shift, seed=seed)
    if algorithm not in ALGORITHMS:
        raise UsageError(f"There is no algorithm {algorithm!r}.", f"Choose one of: {', '.join(ALGORITHMS)}.")
    if shift:
        raise UsageError(f"{algorithm} has no resolution.", "Leave --resolution out, or use --algorithm leiden.")
    return label_propagation(graph, seed=seed) if algorithm == "label-propagation" else components(graph)
