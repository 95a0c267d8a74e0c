"""What most would write first: pandas, networkx and python-louvain, from the files to communities.

    python -m benchmarks.naive FOLDER [CAP]

Accounts are tied by values that they share, of those that at most `CAP` accounts have (50); the weight is the number
of values. Prints how many communities it finds, as JSON.
"""

import json
import sys
from itertools import combinations
from pathlib import Path
from typing import Final

import networkx as nx
import pandas as pd

CAP: Final = 50
COLUMNS: Final = {
    "exchanges": ("ip", "device_id", "prompt_fingerprint"),
    "logins": ("ip", "device_id"),
    "payments": ("payment_id",),
}


def main() -> None:
    """Read, project, find communities."""
    import community  # python-louvain

    world, cap = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else CAP
    parts = []
    for table, columns in COLUMNS.items():
        frame = pd.read_parquet(world / f"{table}.parquet")
        for column in columns:
            if column in frame:
                part = frame[["account_id", column]].dropna().drop_duplicates()
                parts.append(part.rename(columns={column: "value"}).assign(kind=column))
    seen = pd.concat(parts).drop_duplicates()
    graph: nx.Graph[str] = nx.Graph()
    for _, accounts in seen.groupby(["kind", "value"])["account_id"]:
        if 2 <= len(accounts) <= cap:
            for a, b in combinations(sorted(accounts), 2):
                weight = graph[a][b]["weight"] + 1 if graph.has_edge(a, b) else 1
                graph.add_edge(a, b, weight=weight)
    partition = community.best_partition(graph, weight="weight", random_state=1)
    print(json.dumps({"communities": len(set(partition.values())), "accounts": len(partition)}))


if __name__ == "__main__":
    main()
