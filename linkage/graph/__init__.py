"""The mirror of a case in Neo4j: made from the case, and can be made again."""

from linkage.graph.driver import Graph, Target, connect, required, target
from linkage.graph.publish import PublishReport, publish

__all__ = ["Graph", "PublishReport", "Target", "connect", "publish", "required", "target"]
