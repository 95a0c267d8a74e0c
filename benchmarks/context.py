"""What lists of networks bring, and what looking addresses up in them takes.

    python -m benchmarks.context --work context-worlds [--seed 301] [--evasion 0.3] [--accounts 15000]

The world `mix` is searched twice: without lists, and with those of its own carriers, VPNs, shared platforms and
disposable mail domains, by score alone (no null models). Then three million random addresses are looked up in 412,000
ranges.
"""

import argparse
import ipaddress
import random
import time
from collections.abc import Iterable
from pathlib import Path

from linkage import store
from linkage.context.places import place
from linkage.context.shown import known
from linkage.context.tables import add, kept, remove
from linkage.detect import detect
from linkage.evaluate import evaluate_case
from linkage.ingest import ingest
from linkage.simulate.generate import simulate
from linkage.simulate.parts import Parts
from linkage.simulate.world import World

DAYS = 45
RANGES = 412_000
ADDRESSES = 3_000_000


def search(name: str, case: Path, truth: Path) -> None:
    """Detect, and say what was found."""
    began = time.perf_counter()
    report = detect(case, nulls=0)
    seconds = time.perf_counter() - began
    found = evaluate_case(case, truth)
    shares = [*vars(found.account).values(), found.b_cubed.f1, found.ring_recall_50, found.ring_recall_80]
    shown = " ".join(f"{share or 0:.3f}" for share in shares)
    print(f"{name}: P R F1 B3 half80: {shown}; {report.listed} rings, {seconds:.0f} s")


def lists(folder: Path, world: World) -> dict[str, Path]:
    """The lists of what everybody in the world may meet, by source."""
    pools = world.pools
    values = {
        source: {
            str(ipaddress.ip_address(int(value)))
            for pool in numbers
            for value in pools.pick(pool.repeat(5_000), world.chance("lists", source).random(5_000))
        }
        for source, numbers in (("mobile", world.carriers), ("vpn", world.vpns), ("hosting", world.platforms))
    }
    values["disposable"] = {world.domains.names[at] for at in world.domains.disposable}
    return {source: written(folder / f"{source}.txt", sorted(lines)) for source, lines in values.items()}


def written(path: Path, lines: Iterable[str]) -> Path:
    """Write a list."""
    path.write_text("\n".join(lines) + "\n")
    return path


def look_up(folder: Path) -> None:
    """Time the reading of a table and the join."""
    draw, at, lines = random.Random(1), int(ipaddress.ip_address("1.0.0.0")), []
    for number in range(RANGES):
        size = 256 * draw.randint(1, 30)
        first, last = ipaddress.ip_address(at), ipaddress.ip_address(at + size - 1)
        lines.append(f"{first},{last},{draw.randint(1, 65_000)},Organisation {number}")
        at += size
    case = folder / "lookup.duckdb"
    case.unlink(missing_ok=True)
    store.create(case)
    began = time.perf_counter()
    add(case, "asn", [written(folder / "asn.csv", lines)])
    print(f"{RANGES:,} ranges read and kept in {time.perf_counter() - began:.1f} s")
    with store.reading(case) as con:
        con.execute(
            """CREATE TEMP TABLE wanted AS SELECT DISTINCT 'ip' AS kind, NULL::VARCHAR AS net, concat_ws('.',
                1 + h // 16777216 % 140, h // 65536 % 256, h // 256 % 256, h % 256) AS value
            FROM (SELECT hash(i) % 4294967296 AS h FROM range(?) t(i))""",
            [ADDRESSES],
        )
        began = time.perf_counter()
        place(con, "wanted", "found")
        seconds = time.perf_counter() - began
        ((asked, found),) = con.execute("SELECT (SELECT count(*) FROM wanted), count(*) FROM found").fetchall()
    print(f"{asked:,} addresses looked up in {seconds:.1f} s, {found:,} found")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=301)
    parser.add_argument("--evasion", type=float, default=0.3)
    parser.add_argument("--accounts", type=int, default=15_000)
    given = parser.parse_args()
    folder = given.work / f"mix-{given.seed}-{given.evasion}-{given.accounts}"
    case = folder / "case.duckdb"
    if not case.exists():
        facts = {"accounts": given.accounts, "seed": given.seed, "evasion": given.evasion, "days": DAYS}
        simulate(folder / "export", world="mix", prompts="fingerprint", **facts)
        ingest([folder / "export"], case)
    for table in kept(case):
        remove(case, table.source)
    search("without lists", case, folder / "export" / "truth.csv")
    parts = Parts(folder)
    try:
        world = World(
            parts, accounts=given.accounts, seed=given.seed, days=DAYS, evasion=given.evasion, prompts="fingerprint"
        )
        for source, path in lists(folder, world).items():
            add(case, source, [path])
    finally:
        parts.close()
    search("with lists", case, folder / "export" / "truth.csv")
    for one in known(case)[1]:
        print(f"  {one.kind} {one.type}: {one.values:,} values, {one.accounts:,} accounts, chance {one.chance:.3g}")
    look_up(given.work)


if __name__ == "__main__":
    main()
