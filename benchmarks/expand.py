"""How well `linkage expand` finds the rest of a ring from a fifth of it, beside three simple rankings.

    python benchmarks/expand.py [--seeds 101 102 103] [--world mix] [--accounts 60000] [--evasion 0 0.6] [--share 0.2]

Each world is simulated, ingested and detected. From every true ring of 10 accounts or more a random share is given, and
all other accounts are ranked. Shown is the average precision of the ring's other members, as a mean over rings. The
other rankings get the same sightings:

    count        identifiers shared with seeds, each as often as seeds have it
    1/log        the same, each divided by the logarithm of how many accounts have it (Adamic and Adar 2003)
    PageRank     a random walk that returns to the seeds with probability 0.15, over edges weighted in bits

`wave` gives a share of all rings at once, as a list of yesterday's bans would; relevant is any other member of a ring.
With --folder a world that lies there is used. `structures.csv`, where a world has one, tells the tactics apart.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from linkage import store
from linkage.detect import detect
from linkage.evaluate import read_truth
from linkage.evidence import Weighed
from linkage.ingest import ingest
from linkage.spread import spread
from linkage.ties import Ties, read_ties

Floats = NDArray[np.float64]
SMALLEST: Final = 10
RETURN: Final = 0.15


def main() -> None:
    """Simulate, measure, print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--world", default="mix")
    parser.add_argument("--accounts", type=int, default=60_000)
    parser.add_argument("--evasion", type=float, nargs="+", default=[0.0, 0.6])
    parser.add_argument("--share", type=float, default=0.2, help="of a ring's accounts that is known")
    parser.add_argument("--folder", type=Path, help="a world that exists, in the place of a simulated one")
    parser.add_argument("--case", type=Path, help="its case, where it was detected already")
    options = parser.parse_args()
    if options.folder:
        with tempfile.TemporaryDirectory() as room:
            print(f"{options.folder}:")
            measure(options.folder, options.case or made(options.folder, Path(room)), options.share)
        return
    for evasion in options.evasion:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as room:
                world = Path(room) / "world"
                words = ["--world", options.world, "--accounts", options.accounts, "--seed", seed, "--evasion", evasion]
                command = [sys.executable, "-m", "linkage", "simulate", world, *words, "-q"]
                subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
                print(f"{options.world}, {options.accounts:,} accounts, seed {seed}, evasion {evasion:g}:")
                measure(world, made(world, Path(room)), options.share)


def made(world: Path, room: Path) -> Path:
    """The case of a world."""
    case = room / "case.duckdb"
    ingest([world], case)
    detect(case)
    return case


def measure(world: Path, case: Path, share: float) -> None:
    """Print the average precision of each ranking, over rings, by tactic, and of a wave of bans."""
    truth = read_truth(world / "truth.csv")
    rings: dict[str, list[str]] = defaultdict(list)
    for account, ring in sorted(truth.items()):
        if ring:
            rings[ring].append(account)
    tactics = read_tactics(world)
    started = time.monotonic()
    with store.reading(case) as con:
        ties = read_ties(con, case, ())
    print(f"  {len(ties.weighed.sightings.account):,} sightings read in {time.monotonic() - started:.1f} s")
    found: dict[str, list[list[float]]] = defaultdict(list)
    sizes: dict[str, list[int]] = defaultdict(list)
    wave: list[str] = []
    seconds = []
    for name, members in rings.items():
        rng = np.random.default_rng([len(members), *name.encode()])
        chosen = set(rng.choice(members, max(1, round(share * len(members))), replace=False).tolist())
        wave += sorted(chosen)
        if len(members) < SMALLEST:
            continue
        started = time.monotonic()
        by_evidence(ties, ties.index(sorted(chosen)))
        seconds.append(time.monotonic() - started)
        scores = rank(ties, sorted(chosen), sorted(set(members) - chosen))
        for tactic in ("all", tactics.get(name, "?")):
            found[tactic].append(scores)
            sizes[tactic].append(len(members))
    print(f"  {'':<26} {'rings':>6} {'accounts':>9}  " + "  ".join(f"{name:>8}" for name in RANKINGS))
    for tactic in ["all", *sorted(found.keys() - {"all"})]:
        line(tactic, len(found[tactic]), sum(sizes[tactic]), np.mean(found[tactic], axis=0).tolist())
    others = sorted({account for account, ring in truth.items() if ring} - set(wave))
    line("wave", len(rings), len(others), rank(ties, wave, others))
    print(f"  one ring takes {np.median(seconds):.2f} s", flush=True)


def line(name: str, rings: int, accounts: int, values: list[float]) -> None:
    """One line of the table."""
    print(f"  {name:<26} {rings:>6,} {accounts:>9,}  " + "  ".join(f"{value:>8.3f}" for value in values))


def read_tactics(world: Path) -> dict[str, str]:
    """The structure of each ring; empty where the world does not say."""
    path = world / "structures.csv"
    if not path.exists():
        return {}
    truth = read_truth(world / "truth.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["ring"].lower() == "true"]
    return {truth[row["account_id"]]: row["structure"] for row in rows if truth.get(row["account_id"])}


def rank(ties: Ties, seeds: list[str], wanted: list[str]) -> list[float]:
    """Average precision of each ranking."""
    start, relevant = ties.index(seeds), ties.index(wanted)
    return [average_precision(ranking(ties, start), start, relevant, len(wanted)) for ranking in RANKINGS.values()]


def average_precision(score: Floats, seeds: NDArray[np.int64], relevant: NDArray[np.int64], wanted: int) -> float:
    """Of all accounts but the seeds; members that are not ranked earn nothing, equals stand in the order of ids."""
    score = score.copy()
    score[seeds] = -np.inf
    order = np.lexsort((np.arange(len(score)), -score))
    order = order[score[order] > -np.inf]
    hit = np.zeros(len(score), np.bool_)
    hit[relevant] = True
    places = np.flatnonzero(hit[order]) + 1
    return float((np.arange(1, len(places) + 1) / places).sum() / wanted) if wanted else 1.0


def matrix(weighed: Weighed, values: Floats) -> sparse.csr_matrix:
    """Accounts by identifiers."""
    s = weighed.sightings
    return sparse.csr_matrix((values, (s.account, s.identifier)), shape=(s.accounts, len(s.kind)))


def by_count(ties: Ties, seeds: NDArray[np.int64]) -> Floats:
    """How many identifiers an account shares with the seeds."""
    return shared(ties.weighed, seeds, np.ones(len(ties.weighed.sightings.kind)))


def by_log(ties: Ties, seeds: NDArray[np.int64]) -> Floats:
    """The same, each divided by the logarithm of its degree."""
    return shared(ties.weighed, seeds, 1.0 / np.log(ties.weighed.sightings.degree))


def shared(weighed: Weighed, seeds: NDArray[np.int64], worth: Floats) -> Floats:
    """The sum over seeds and shared identifiers of their worth; -inf for none."""
    has = matrix(weighed, np.ones(len(weighed.sightings.account)))
    of_seeds = np.asarray(has[seeds].sum(axis=0)).ravel()
    score: Floats = np.asarray(has @ (of_seeds * worth)).ravel()
    return np.where(score > 0, score, -np.inf)


def by_walk(ties: Ties, seeds: NDArray[np.int64]) -> Floats:
    """Personalised PageRank by power iteration, over the accounts of the bipartite graph."""
    weighed = ties.weighed
    edges = matrix(weighed, weighed.bits[weighed.sightings.identifier] * weighed.habit)
    down = sparse.diags(1.0 / np.maximum(np.asarray(edges.sum(axis=1)).ravel(), 1e-12)) @ edges
    up = sparse.diags(1.0 / np.maximum(np.asarray(edges.sum(axis=0)).ravel(), 1e-12)) @ edges.T
    start = np.zeros(weighed.sightings.accounts)
    start[seeds] = 1.0 / len(seeds)
    score = start
    for _ in range(30):
        score = RETURN * start + (1 - RETURN) * np.asarray(up.T @ np.asarray(down.T @ score)).ravel()
    return np.where(score > 0, score, -np.inf)


def by_evidence(ties: Ties, seeds: NDArray[np.int64]) -> Floats:
    """What `linkage expand` ranks by."""
    return spread(ties.weighed, seeds, groups=ties.groups).net


RANKINGS: Final[dict[str, Callable[[Ties, NDArray[np.int64]], Floats]]] = {
    "expand": by_evidence,
    "count": by_count,
    "1/log": by_log,
    "PageRank": by_walk,
}


if __name__ == "__main__":
    main()
