"""Communities on Spark, of algorithms whose components have nothing to do with each other: the same as on one machine.

1. Connected components of the pair graph, by stars (`components`).
2. Components are packed into parts of about the same number of edges. In each part, on some executor, the kernel of
   `linkage.communities` visits the nodes in the very order in which it would have visited them in the whole graph.
3. A component that is too large for one executor goes its own way: the driver, which holds the graph, does it.

Leiden and Louvain are not here. Whether they go on depends on the whole graph: Leiden ends a pass when no node of any
component merges, and takes another road where no part of any does; Louvain weighs every move by the sum of all edges.
Done component by component they would give other communities, if no worse ones; `detect` runs them on the driver.
"""

from typing import Final

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from linkage.communities import OBJECTIVES, Graph, Labels, communities, label_propagation
from linkage.errors import UsageError
from linkage.spark.components import components

APART: Final = ("wcc", "label-propagation")
"""The algorithms of `linkage.communities` whose components are independent."""

FEWEST_EDGES: Final = 20_000_000
"""Pairs below which the driver does it all: it needs seconds for them, less than Spark to begin."""

MOST_EDGES: Final = 50_000_000
"""Pairs in a component that an executor is given: about 3 GB in its Python."""

_PARTS: Final = 4
"""For each core, so that none waits long for the others."""


class Communities:
    """An `Engine` of `linkage.communities`, for `APART`.

    Args:
        spark: the session.
        fewest: pairs below which the driver does it all.
        most: pairs in a component, beyond which it is the driver's.
    """

    name = "spark"

    def __init__(self, spark: SparkSession, *, fewest: int = FEWEST_EDGES, most: int = MOST_EDGES) -> None:
        self._spark, self._fewest, self._most = spark, fewest, most

    def objective(self, algorithm: str) -> str | None:
        """What the algorithm maximises, or None if it maximises nothing."""
        return OBJECTIVES.get(algorithm)

    def prepare(self, algorithm: str, resolution: float) -> dict[str, str]:
        """Refuses a resolution, which none of `APART` has.

        Raises:
            UsageError: a resolution was given.
        """
        if resolution:
            raise UsageError(f"{algorithm} has no resolution.", "Leave --resolution out, or use --algorithm leiden.")
        return {}

    def partition(self, graph: Graph, algorithm: str, seed: int) -> Labels:
        """int64[n], the community of each node, numbered by smallest member."""
        if len(graph.other) < 2 * max(self._fewest, 1):
            return communities(graph, algorithm, gamma=1.0, seed=seed)
        component = self._components(graph)
        if algorithm == "wcc":
            return _numbered(component)
        return self._propagated(graph, component, seed)

    def _components(self, graph: Graph) -> Labels:
        source = np.repeat(np.arange(graph.nodes, dtype=np.int32), np.diff(graph.start))
        once = source < graph.other
        edges = self._spark.createDataFrame(pa.table({"u": source[once], "v": graph.other[once]}))
        found = components(edges).toArrow()
        component: Labels = np.arange(graph.nodes, dtype=np.int64)
        component[found["node"].to_numpy()] = found["component"].to_numpy()
        return component

    def _propagated(self, graph: Graph, component: Labels, seed: int) -> Labels:
        most = min(2 * self._most, len(graph.other) // (_PARTS * self._spark.sparkContext.defaultParallelism))
        edges = np.bincount(component, np.diff(graph.start), graph.nodes)
        part = np.where(edges > 2 * self._most, -1, np.cumsum(edges) // max(most, 1)).astype(np.int64)[component]
        labels: Labels = np.arange(graph.nodes, dtype=np.int64)
        source = np.repeat(np.arange(graph.nodes, dtype=np.int32), np.diff(graph.start))
        away = part[source] >= 0
        rows = pa.table(
            {
                "part": part[source[away]], "row": np.flatnonzero(away), "source": source[away],
                "other": graph.other[away], "weight": graph.weight[away],
            }
        )  # fmt: skip
        nodes = graph.nodes

        def propagate(rows: pa.Table) -> pa.Table:
            return _part(rows.sort_by("row"), nodes, seed)

        grouped = self._spark.createDataFrame(rows).groupBy("part")
        found = grouped.applyInArrow(propagate, "node int, label int").toArrow()
        labels[found["node"].to_numpy()] = found["label"].to_numpy()
        giant = np.flatnonzero(~away)
        if len(giant):
            here = pa.table({"source": source[giant], "other": graph.other[giant], "weight": graph.weight[giant]})
            found = _part(here, nodes, seed)
            labels[found["node"].to_numpy()] = found["label"].to_numpy()
        return _numbered(labels)


def _part(rows: pa.Table, nodes: int, seed: int) -> pa.Table:
    """Label propagation in some components of a graph of `nodes` nodes; `rows` are the rows of its `Graph`."""
    here, start = np.unique(rows["source"].to_numpy(), return_index=True)
    other = np.searchsorted(here, rows["other"].to_numpy()).astype(np.int32)
    graph = Graph(np.append(start, len(other)).astype(np.int64), other, rows["weight"].to_numpy(), np.ones(len(here)))
    labels = label_propagation(graph, seed=seed, within=(here.astype(np.int64), nodes))
    least = here[np.unique(labels, return_index=True)[1]]
    return pa.table({"node": here.astype(np.int32), "label": least[labels].astype(np.int32)})


def _numbered(labels: Labels) -> Labels:
    """Numbered by smallest member, which is what each label says."""
    found: Labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return found
