"""What rings are worth on a labelled real export: fraud among their members over what chance and activity explain.

    python benchmarks/p2p.py FOLDER

FOLDER holds `exports/` (a contract export) and `labels.csv` (`account_id`, `fraud`: which accounts were found
fraudulent). The set labels accounts, not rings: this is a check of reality, not a target. The scoring was changed
between looks at it, so its figures are not those of data held out: `docs/figures.md` lists every look.

Prints, for the members of the first 50 and 200 rings and for connected components over rare identifiers in the same
run: the fraud rate over the base rate, and over the rate expected of accounts with as many identifiers of their own
(strata), with a 95 % interval from permuting the labels within the strata.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linkage import store

FIRST = (50, 200)
PERMUTATIONS = 20_000
COMPONENT_CAP = 10
"""Components are over cards and devices that at most so many accounts share."""


@dataclass(frozen=True)
class World:
    """Accounts in index order: who is fraudulent, in which stratum, and what they share."""

    accounts: list[str]
    fraud: NDArray[np.bool_]
    stratum: NDArray[np.int64]
    rings: list[list[int]]
    components: list[list[int]]


def main() -> None:
    """Run the three commands, then judge what they found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        case = Path(scratch) / "case.duckdb"
        _run_commands(folder / "exports", case)
        world = _read(case, folder / "labels.csv")
    base = world.fraud.mean()
    print(f"{len(world.accounts):,} accounts, {world.fraud.sum():,} fraudulent ({base:.2%})")
    print(f"{'':>22} {'members':>8} {'fraud':>6} {'over base':>10} {'within strata':>14} {'95 % interval':>16}")
    for name, groups in (("rings", world.rings), ("components", world.components)):
        for first in FIRST:
            _print_row(f"first {first} {name}", sorted({a for group in groups[:first] for a in group}), world)


def _run_commands(exports: Path, case: Path) -> None:
    environment = {**os.environ, "LINKAGE_CASE": str(case)}
    started = time.perf_counter()
    for command in (["ingest", str(exports)], ["detect"], ["rings"]):
        subprocess.run(
            [sys.executable, "-m", "linkage", *command], env=environment, check=True, stdout=subprocess.DEVNULL
        )
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"ingest, detect, rings: {seconds:.1f} s, {peak:,.0f} MiB at the peak")


def _read(case: Path, labels: Path) -> World:
    with store.reading(case) as con:
        accounts = [row[0] for row in con.execute("SELECT account_id FROM accounts ORDER BY 1").fetchall()]
        index = {account: at for at, account in enumerate(accounts)}
        rings: dict[str, list[int]] = {}
        for ring, account in con.execute(
            """SELECT ring_id, account_id FROM members JOIN rings USING (ring_id)
            WHERE listed AND status <> 'explained' ORDER BY rank, account_id"""
        ).fetchall():
            rings.setdefault(ring, []).append(index[account])
        own = con.execute(
            """SELECT account_id, 'payment ' || payment_id FROM payments GROUP BY ALL
            UNION SELECT account_id, 'device ' || device_id FROM logins WHERE device_id IS NOT NULL GROUP BY ALL"""
        ).fetchall()
    with labels.open(newline="") as file:
        frauds = {row["account_id"] for row in csv.DictReader(file) if row["fraud"] in ("1", "true", "True")}
    holders: dict[str, list[int]] = {}
    count = np.zeros(len(accounts), np.int64)
    for account, identifier in own:
        holders.setdefault(identifier, []).append(index[account])
        count[index[account]] += 1
    return World(
        accounts,
        np.array([account in frauds for account in accounts]),
        # Single counts up to 15, then bins that widen, so that no stratum is too small to permute.
        np.where(count <= 15, count, 15 + np.ceil(np.log2(np.maximum(count, 1) / 15) * 2)).astype(np.int64),
        list(rings.values()),
        _components(len(accounts), holders),
    )


def _components(accounts: int, holders: dict[str, list[int]]) -> list[list[int]]:
    parent = list(range(accounts))

    def root(x: int) -> int:
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for sharing in holders.values():
        if 2 <= len(sharing) <= COMPONENT_CAP:
            for other in sharing[1:]:
                parent[root(other)] = root(sharing[0])
    groups: dict[int, list[int]] = {}
    for account in range(accounts):
        groups.setdefault(root(account), []).append(account)
    return sorted((g for g in groups.values() if len(g) >= 3), key=lambda g: (-len(g), g))


def _print_row(name: str, members: Sequence[int], world: World) -> None:
    inside = np.zeros(len(world.accounts), np.bool_)
    inside[list(members)] = True
    found = int(world.fraud[inside].sum())
    rate = {s: world.fraud[world.stratum == s].mean() for s in np.unique(world.stratum)}
    expected = sum(rate[s] for s in world.stratum[inside])
    rng = np.random.default_rng(1)
    chance = np.zeros(PERMUTATIONS)
    for s in rate:
        here = world.stratum == s
        # How many of the stratum's frauds fall on members when labels are permuted within it: hypergeometric.
        frauds, total, drawn = int(world.fraud[here].sum()), int(here.sum()), int((here & inside).sum())
        chance += rng.hypergeometric(frauds, total - frauds, drawn, PERMUTATIONS) if drawn else 0
    low, high = np.quantile(chance, (0.025, 0.975))
    over_base = found / inside.sum() / world.fraud.mean()
    interval = f"{found / max(high, 1):.2f} to {found / max(low, 1):.2f}"
    print(f"{name:>22} {inside.sum():>8,} {found:>6} {over_base:>10.2f} {found / expected:>14.2f} {interval:>16}")


if __name__ == "__main__":
    main()
