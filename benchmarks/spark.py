"""Spark against the local engine, step by step, on the same world in the same run, at two sizes.

    python -m benchmarks.spark [--accounts 5000,40000] [--prompts fingerprint|raw] [--master local[2]] [--seed 1]

Each size is a simulated `mix` world as CSV. The local engine runs as `linkage ingest` and `linkage detect`, Spark as
`linkage detect --engine spark`, each as a process of its own; processor seconds are those of the process and of its
children (Java, Python workers), wall seconds of each step those that the commands tell. The last columns are what a
further million exchanges cost: the difference of the largest and the smallest size, which leaves out what every run
costs. Beside it: whether the rings are the same, and how large the parts of the pair graph are that no edge ties.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.increments import rings
from linkage import store
from linkage.communities import Graph, components
from linkage.evidence import HUB_DEGREE, learn_likeness, pair_edges, weigh
from linkage.identify import identify
from linkage.simulate import simulate


@dataclass(frozen=True)
class Command:
    """What a command told (`--json`), and its wall and processor seconds."""

    said: Mapping[str, Any]
    wall: float
    cpu: float


def main() -> None:
    """Make the worlds, run both engines on each, print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", default="5000,40000", help="sizes, from small to large")
    parser.add_argument("--prompts", choices=["raw", "fingerprint"], default="fingerprint")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sizes = [int(size) for size in given.accounts.split(",")]
    steps: list[dict[str, float]] = []
    exchanges = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            world = folder / "world"
            # Not compressed: Spark cannot share one packed file out among executors.
            simulate(world, world="mix", accounts=size, seed=given.seed, prompts=given.prompts, compress=False)
            exchanges.append(_rows(world))
            steps.append(_both(folder, given.master))
    print(f"| step | {' | '.join(f'{rows:,} exchanges, s' for rows in exchanges)} | s a further million |")
    print(f"|---|{'--:|' * len(sizes)}--:|")
    for step in steps[-1]:
        cells = [f"{found.get(step, 0.0):.2f}" for found in steps]
        further = (steps[-1][step] - steps[0].get(step, 0.0)) / max(exchanges[-1] - exchanges[0], 1) * 1e6
        print(f"| {step} | {' | '.join(cells)} | {further:.2f} |")


def _both(folder: Path, master: str) -> dict[str, float]:
    local, spark = folder / "local.duckdb", folder / "spark.duckdb"
    ingested = _run("ingest", folder / "world", "--case", local)
    shutil.copy(f"{local}.key", f"{spark}.key")
    found = _run("detect", "--no-publish", "--case", local)
    whole = _run(
        "detect", "--no-publish", "--engine", "spark", "--spark-master", master, "--case", spark, folder / "world"
    )
    print(f"{'The same rings' if rings(local) == rings(spark) else 'OTHER RINGS'}; {_graph(local)}")
    ours, theirs = found.said["timings"], whole.said["timings"]
    steps = {"local: ingest": ingested.wall, "local: sightings": ours["sightings"]}
    steps["local: the rest"] = found.wall - ours["sightings"]
    steps["local: wall"] = ingested.wall + found.wall
    steps["local: CPU"] = ingested.cpu + found.cpu
    steps["Spark: reading"] = whole.said["reading"]
    steps["Spark: sightings"] = theirs["sightings"]
    rest = sum(seconds for step, seconds in theirs.items() if step != "sightings")
    steps["Spark: the rest"] = rest
    steps["Spark: start and end"] = whole.wall - whole.said["reading"] - theirs["sightings"] - rest
    return {**steps, "Spark: wall": whole.wall, "Spark: CPU": whole.cpu}


def _run(*words: object) -> Command:
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "linkage", *map(str, words), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Command(json.loads(done.stdout), wall, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)


def _rows(world: Path) -> int:
    with duckdb.connect() as con:
        ((rows,),) = con.execute("SELECT count(*) FROM read_csv(?)", [str(world / "exchanges.csv")]).fetchall()
    return int(rows)


def _graph(case: Path) -> str:
    with store.scratch(case) as con:
        sightings = identify(con, case)
    u, v, bits = pair_edges(learn_likeness(weigh(sightings), HUB_DEGREE), HUB_DEGREE)
    label = components(Graph.from_edges(sightings.accounts, u, v, bits))
    edges = np.bincount(label[u])
    return (
        f"{len(sightings.account):,} sightings shared, {len(u):,} pairs in {np.count_nonzero(edges):,} components, "
        f"{edges.max(initial=0) / max(len(u), 1):.0%} of them in the largest"
    )


if __name__ == "__main__":
    main()
