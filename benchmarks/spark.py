"""Spark against the local engine, step by step, on the same world in the same run, at two sizes.

    python -m benchmarks.spark [--world mix] [--accounts 3000,12000] [--prompts fingerprint|raw] [--nulls N]
        [--master local[2]] [--spark-conf KEY=VALUE] [--work FOLDER]

Each size is a simulated world as Parquet, kept in FOLDER. The local engine runs as `linkage ingest` and `linkage
detect`, Spark as `linkage detect --engine spark`, each as a process of its own; processor seconds are those of the
process and of its children (Java, Python workers), wall seconds of each step those that the commands tell. The last
column is what a further million exchanges cost: the difference of the largest and the smallest size, which leaves out
what every run costs. Beside it: whether the rings are the same, and how large the parts of the
pair graph are that no edge ties.
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

import numpy as np

from benchmarks.increments import rings
from benchmarks.scale import made
from linkage import store
from linkage.communities import Graph, components
from linkage.evidence import HUB_DEGREE, learn_likeness, pair_edges, weigh
from linkage.identify import identify


@dataclass(frozen=True)
class Command:
    """What a command told (`--json`), and its wall and processor seconds."""

    said: Mapping[str, Any]
    wall: float
    cpu: float


def main() -> None:
    """Make the worlds, run both engines on each, print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--world", choices=["mix", "campaigns"], default="mix")
    parser.add_argument("--accounts", default="3000,12000", help="sizes, from small to large")
    parser.add_argument("--prompts", choices=["raw", "fingerprint"], default="fingerprint")
    parser.add_argument("--nulls", help="null models of both, as --nulls takes it")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--spark-conf", action="append", default=[], help="settings of Spark, e.g. its memory")
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    always = ["--no-publish", *(["--nulls", given.nulls] if given.nulls else [])]
    spark = ["--engine", "spark", "--spark-master", given.master]
    spark += [word for setting in given.spark_conf for word in ("--spark-conf", setting)]
    sizes = [int(size) for size in given.accounts.split(",")]
    steps: list[dict[str, float]] = []
    exchanges = []
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=given.work) as name:
            folder = Path(name)
            world = made(given.work or folder, given.world, size, given.prompts)
            exchanges.append(json.loads((world / "world.json").read_text())["rows"]["exchanges"])
            steps.append(_both(world, folder, always, spark))
    print(f"| step | {' | '.join(f'{rows:,} exchanges, s' for rows in exchanges)} | s a further million |")
    print(f"|---|{'--:|' * len(sizes)}--:|")
    for step in steps[-1]:
        cells = [f"{found.get(step, 0.0):.2f}" for found in steps]
        further = (steps[-1][step] - steps[0].get(step, 0.0)) / max(exchanges[-1] - exchanges[0], 1) * 1e6
        print(f"| {step} | {' | '.join(cells)} | {further:.2f} |")


def _both(world: Path, folder: Path, always: list[str], engine: list[str]) -> dict[str, float]:
    local, spark = folder / "local.duckdb", folder / "spark.duckdb"
    ingested = _run("ingest", world, "--case", local)
    shutil.copy(f"{local}.key", f"{spark}.key")
    found = _run("detect", *always, "--case", local)
    whole = _run("detect", *always, *engine, "--case", spark, world)
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
