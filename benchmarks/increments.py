"""What the last hundredth of a world costs, and whether it gives what a run from scratch gives.

    python -m benchmarks.increments [--accounts 20000] [--prompts raw|fingerprint] [--seed 1]

A world is cut at the time of the last hundredth of its exchanges. `linkage ingest` and `linkage detect` run on what is
before, as commands of their own, then on the rest; wall and processor seconds of each, and the later ones as parts of
the first. Beside it, rings from scratch: members, scores and evidence must be the same.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from linkage import store
from linkage.simulate import simulate

TIMES = {
    "accounts": "created_at", "payments": "added_at", "logins": "at", "exchanges": "at", "identifiers": "at",
    "links": "at",
}  # fmt: skip
PART = 0.99


def main() -> None:
    """Make the world, run the days, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--prompts", choices=["raw", "fingerprint"], default="raw")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(
            folder / "world",
            world="mix",
            accounts=given.accounts,
            seed=given.seed,
            prompts=given.prompts,
            format="parquet",
        )
        days = cut(folder)
        case, scratch = folder / "case.duckdb", folder / "scratch.duckdb"
        took = {}
        for day, part in zip(("first", "after"), days, strict=True):
            took["ingest", day] = run("ingest", part, "--case", case)
            took["detect", day] = run("detect", "--no-publish", "--case", case)
        shutil.copy(f"{case}.key", f"{scratch}.key")
        run("ingest", *days, "--case", scratch)
        run("detect", "--no-publish", "--nulls", "0", "--case", scratch)
        print("| command | first, wall s | CPU s | after 1 %, wall s | CPU s | part of the first, wall | CPU |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for command in ("ingest", "detect"):
            first, after = took[command, "first"], took[command, "after"]
            numbers = (*first, *after, after[0] / first[0], after[1] / first[1])
            print(f"| `{command}` | " + " | ".join(f"{number:.2f}" for number in numbers) + " |")
        print(f"From scratch: {'the same rings' if rings(case) == rings(scratch) else 'OTHER RINGS'}.")


def cut(folder: Path) -> tuple[Path, Path]:
    """Two exports: all before the last hundredth of the exchanges, and the rest."""
    before, after = folder / "before", folder / "after"
    world = folder / "world"
    with duckdb.connect() as con:
        ((at,),) = con.execute(
            'SELECT quantile_disc("at", ?) FROM read_parquet(?)', [PART, str(world / "exchanges.parquet")]
        ).fetchall()
        for part, there in ((before, f"coalesce({{}} < '{at}', true)"), (after, f"{{}} >= '{at}'")):
            part.mkdir()
            for table, column in TIMES.items():
                if (world / f"{table}.parquet").exists():
                    condition = there.format(f'"{column}"')
                    con.execute(
                        f"COPY (FROM read_parquet('{world / table}.parquet') WHERE {condition}) "
                        f"TO '{part / table}.parquet' (FORMAT parquet)"
                    )
    return before, after


def run(*words: object) -> tuple[float, float]:
    """Wall and processor seconds of a command."""
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "linkage", *map(str, words)], check=True, stdout=subprocess.DEVNULL, env=os.environ
    )
    wall, done = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, done.ru_utime + done.ru_stime - used.ru_utime - used.ru_stime


def rings(case: Path) -> list[tuple[object, ...]]:
    """Members, score and evidence of each ring, whatever its id."""
    with store.reading(case) as con:
        return con.execute(
            """SELECT score, (SELECT list_sort(list(account_id || ' ' || tier)) FROM members m
                    WHERE m.ring_id = r.ring_id) AS members,
                (SELECT list_sort(list(concat_ws(' ', kind, value, accounts, outsiders, bits))) FROM evidence e
                    WHERE e.ring_id = r.ring_id) AS evidence
            FROM rings r ORDER BY ALL"""
        ).fetchall()


if __name__ == "__main__":
    main()
