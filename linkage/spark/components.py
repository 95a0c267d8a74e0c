"""Connected components by alternating stars.

R. Kiveris, S. Lattanzi, V. Mirrokni, V. Rastogi, S. Vassilvitskii, "Connected Components in MapReduce and Beyond",
Proceedings of the ACM Symposium on Cloud Computing (2014), doi:10.1145/2670979.2670997.

1. Large star: every node ties its greater neighbours to the least of its neighbours and itself.
2. Small star: every node ties its smaller neighbours and itself to the least of them.
3. Repeat until no edge changes. Then each component is a star around its least node.

Neither step ever joins or parts components, and a node's edges are only halved or moved: no step makes a clique, and a
hub's edges spread over all executors. O(log² n) rounds are proven, O(log n) are usual. Left out: the paper splits the
nodes of greatest degree, for a system that holds all edges of a node in one place; Spark's joins divide them anyway.
"""

from typing import Final

from pyspark.sql import DataFrame

from linkage.spark.tables import settled

_LARGE: Final = """
WITH ends AS (SELECT u, v FROM {edges} UNION ALL SELECT v, u FROM {edges}),
least AS (SELECT u, least(u, min(v)) AS m FROM ends GROUP BY u)
SELECT DISTINCT v AS u, m AS v FROM ends JOIN least USING (u) WHERE v > u
"""

# After a large star u > v in every edge.
_SMALL: Final = """
WITH least AS (SELECT u, min(v) AS m FROM {edges} GROUP BY u)
SELECT v AS u, m AS v FROM {edges} JOIN least USING (u) WHERE v > m UNION SELECT u, m FROM least
"""

_EQUAL: Final = "SELECT count(*), bit_xor(xxhash64(u, v)) FROM {edges}"


def components(edges: DataFrame) -> DataFrame:
    """The component of every node that has an edge: columns `node` and `component`, which is its least node.

    Args:
        edges: whole numbers u and v; in any direction, any number of times, and u = v says nothing.
    """
    spark = edges.sparkSession
    current = settled(edges.where("u <> v").select("u", "v"))
    before = None
    while True:
        for star in (_LARGE, _SMALL):
            current = settled(spark.sql(star, edges=current))
        (now,) = spark.sql(_EQUAL, edges=current).collect()
        if now == before:
            break
        before = now
    return spark.sql("SELECT u AS node, v AS component FROM {stars} UNION SELECT v, v FROM {stars}", stars=current)
