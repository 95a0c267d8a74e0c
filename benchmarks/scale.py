"""The whole road at the published scale, step by step, beside what the machine allows and what others take.

    python -m benchmarks.scale [--scales 0.1 1 4] [--nulls 0.1 1] [--naive 0.1] [--cap 50 400] [--raw 60000]
        [--memory 4GB] [--work FOLDER] [--out FOLDER] [--most 40]

Scale 1 is the world `campaigns` of `linkage simulate`: a million accounts, 24,000 of them in three campaigns, with
fingerprints of prompts. `--raw` adds the world `mix` of so many accounts with raw prompts. Each step is a process of
its own: wall seconds, processor seconds, peak memory. Beside them

- the limit: DuckDB reads the same files and groups them to distinct (account, identifier) pairs, and nothing else;
- the naive stack, where a scale is in `--naive`: pandas reads, networkx projects accounts over shared values that at
  most so many accounts have as `--cap` says, python-louvain takes communities;
- one pass over the weighed edges at the bandwidth that this machine's memory has.

`detect` runs without null models, and once more with them where a scale is in `--nulls`. With `--memory` the road is
bounded by it; what it exports is compared with what the same case gives without a bound.
Worlds are made in FOLDER and kept there, so that a second run spares the making. Prints Markdown; with `--out` it goes
into FOLDER/performance-figures.md, with a plot beside it. With `--most` the exit code is 1 where ingest, detect and
export take more than so many times the limit.
"""

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from benchmarks import naive
from linkage.simulate import simulate

SEED: Final = 101
COLUMNS: Final = {
    "exchanges": ("ip", "device_id", "user_agent", "prompt_fingerprint", "prompt"),
    "logins": ("ip", "device_id", "user_agent"),
    "payments": ("payment_id",),
    "identifiers": ("value",),
}
"""What of each table is an identifier."""

LIMIT: Final = "limit: scan and group"
ROAD: Final = ("ingest", "detect", "export")
NULLS: Final = "detect with null models"
NAIVE: Final = "naive stack, cap {}"


@dataclass(frozen=True)
class Step:
    """What one process took."""

    name: str
    wall: float
    cpu: float
    mib: float
    told: dict[str, Any]


def main() -> None:
    """Make the worlds, run the steps, print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scales", type=float, nargs="+", default=[0.1, 1.0])
    parser.add_argument("--nulls", type=float, nargs="*", default=[0.1, 1.0])
    parser.add_argument("--naive", type=float, nargs="*", default=[0.1])
    parser.add_argument("--cap", type=int, nargs="+", default=[naive.CAP])
    parser.add_argument("--raw", type=int, default=0)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--memory", help="the bound of linkage's steps, as --memory takes it")
    parser.add_argument("--most", type=float, default=np.inf, help="fail if the road takes more times the limit")
    parser.add_argument("--limit", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.limit:
        limit(given.limit)
        return
    lines: list[str] = []
    with tempfile.TemporaryDirectory(dir=given.work) as name:
        folder = Path(name)
        runs: dict[float, list[Step]] = {}
        for scale in given.scales:
            world = made(given.work or folder, "campaigns", round(1_000_000 * scale), "fingerprint")
            runs[scale] = road(world, folder, given.memory, scale in given.nulls)
            for cap in given.cap if scale in given.naive else ():
                runs[scale].append(process(NAIVE.format(cap), "-m", "benchmarks.naive", str(world), str(cap)))
            lines += table(f"{scale:g} times the published scale", world, runs[scale])
            print("\n".join(lines[-30:]), flush=True)
        if given.raw:
            world = made(given.work or folder, "mix", given.raw, "raw")
            lines += table(f"{given.raw:,} accounts with raw prompts", world, road(world, folder, given.memory))
            print("\n".join(lines[-30:]), flush=True)
    lines += growth(runs)
    text = "\n".join(lines) + "\n"
    print(text)
    if given.out:
        (given.out / "performance-figures.md").write_text(text)
        plot(runs, given.out / "performance.svg")
    slow = [scale for scale, steps in runs.items() if of_the_limit(steps) > given.most]
    if slow:
        sys.exit(f"More than {given.most:g} times the limit, at scale: {', '.join(f'{scale:g}' for scale in slow)}.")


def made(folder: Path, kind: str, accounts: int, prompts: str) -> Path:
    """The export of a world, made unless it is there."""
    world = folder / f"{kind}-{accounts}-{prompts}"
    told = world / "world.json"
    # It says at first what is being made, and at the end how many rows that gave.
    if not told.exists() or "rows" not in json.loads(told.read_text()):
        simulate(world, world=kind, accounts=accounts, seed=SEED, prompts=prompts, format="parquet")  # type: ignore[arg-type]
    return world


def road(world: Path, folder: Path, memory: str | None = None, nulls: bool = True) -> list[Step]:
    """The limit, and the steps of the road."""
    case = folder / f"{world.name}.duckdb"
    bound = ["--memory", memory] if memory else []
    steps = [
        process(LIMIT, "-m", "benchmarks.scale", "--limit", str(world)),
        linkage("ingest", str(world), "--case", str(case), *bound),
        linkage("detect", "--no-publish", "--nulls", "0", "--case", str(case), *bound),
        linkage("export", str(folder / f"{world.name}-out"), "--case", str(case)),
    ]
    detect = steps[2]
    detect.told.update(timings=newest(case)["timings"], pairs=newest(case)["counts"]["pairs"])
    if nulls:
        detect = linkage("detect", "--no-publish", "--case", str(case), *bound, name=NULLS)
        detect.told.update(timings=newest(case)["timings"], nulls=newest(case)["parameters"]["nulls"])
        steps.append(detect)
    detect.told.update(linkage("evaluate", str(world / "truth.csv"), "--case", str(case), "--json").told)
    if memory:
        steps.append(linkage("detect", "--no-publish", "--nulls", "0", "--case", str(case), name="detect unbounded"))
        linkage("export", str(folder / f"{world.name}-unbounded"), "--case", str(case))
        steps[-1].told["same"] = same(folder / f"{world.name}-out", folder / f"{world.name}-unbounded")
    case.unlink()
    return steps


def same(one: Path, other: Path) -> bool:
    """Whether both folders hold the same files, byte by byte."""
    names = [sorted(path.name for path in folder.iterdir()) for folder in (one, other)]
    return names[0] == names[1] and not any(filecmp.cmpfiles(one, other, names[0], shallow=False)[1:])


def of_the_limit(steps: list[Step]) -> float:
    """Wall seconds of ingest, detect and export together, as a multiple of the limit's."""
    wall = {step.name: step.wall for step in steps}
    return sum(wall[name] for name in ROAD) / wall[LIMIT]


def newest(case: Path) -> dict[str, Any]:
    """The newest run, as `linkage runs --json` has it."""
    done = subprocess.run(
        [sys.executable, "-m", "linkage", "runs", "--json", "--case", str(case)], check=True, capture_output=True
    )
    run: dict[str, Any] = json.loads(done.stdout)["rows"][0]
    return run


def linkage(command: str, *arguments: str, name: str = "") -> Step:
    """One command of linkage."""
    return process(name or command, "-m", "linkage", command, *arguments)


def process(name: str, *arguments: str) -> Step:
    """Run Python so, and measure it; what it prints is JSON, or nothing that counts."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        child = subprocess.Popen([sys.executable, *arguments], stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if status:
            err.seek(0)
            raise SystemExit(f"{name}: {' '.join(arguments)} failed\n{err.read()}")
        out.seek(0)
        text = out.read()
    told = json.loads(text) if text.startswith("{") else {}
    mib = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)
    return Step(name, wall, usage.ru_utime + usage.ru_stime, mib, told)


def limit(world: Path) -> None:
    """Read the files and group them to distinct (account, identifier) pairs."""
    with duckdb.connect() as con:
        parts = []
        for table, wanted in COLUMNS.items():
            path = world / f"{table}.parquet"
            if path.exists():
                there = {row[0] for row in con.execute("DESCRIBE FROM read_parquet(?)", [str(path)]).fetchall()}
                parts += [
                    f"SELECT account_id, '{column}' AS kind, {column}::VARCHAR AS value FROM '{path}'"
                    for column in wanted
                    if column in there
                ]
        con.execute(f"SELECT count(*) FROM (SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)}))").fetchall()


def table(title: str, world: Path, steps: list[Step]) -> list[str]:
    """A Markdown table of the steps, and the ratios that count."""
    facts = json.loads((world / "world.json").read_text())
    size = sum(path.stat().st_size for path in world.glob("*.parquet")) / 1e6
    rows = {name: facts.get("rows", {}).get(name, 0) for name in ("accounts", "exchanges")}
    by_name = {step.name: step for step in steps}
    bound, times = by_name[LIMIT], of_the_limit(steps)
    lines = [
        f"### {title}", "",
        f"{rows['accounts']:,} accounts, {rows['exchanges']:,} exchanges, {size:,.0f} MB of Parquet.", "",
        "| | wall s | processor s | peak MiB | of the limit |", "|---|--:|--:|--:|--:|",
    ]  # fmt: skip
    lines += [
        f"| {step.name} | {step.wall:,.1f} | {step.cpu:,.1f} | {step.mib:,.0f} | {step.wall / bound.wall:.1f} |"
        for step in steps
    ]
    lines += ["", f"ingest + detect + export: {times * bound.wall:,.1f} s, {times:.1f} times the limit."]
    lines += [
        f"{step.name}: {step.wall / (times * bound.wall):.1f} times as long."
        for step in steps
        if step.name.startswith("naive")
    ]
    if "detect unbounded" in by_name:
        lines.append(
            f"The same bytes without the bound: {'yes' if by_name['detect unbounded'].told['same'] else 'NO'}."
        )
    full = by_name.get(NULLS, by_name["detect"])
    if full.told.get("nulls"):
        a_null = full.told["timings"]["nulls"] / full.told["nulls"]
        rest = sum(seconds for name, seconds in full.told["timings"].items() if name != "nulls")
        lines.append(f"A null model: {a_null:.1f} s, {a_null / rest:.2f} of the detection itself ({rest:.1f} s).")
    told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in by_name["detect"].told["timings"].items())
    lines.append(f"Steps of `detect`, wall seconds: {told}.")
    pairs, speed = by_name["detect"].told["pairs"], bandwidth()
    lines.append(
        f"One pass over its {pairs:,} pairs, 16 bytes each, at {speed:.1f} GB/s: {pairs * 16e-9 / speed:.4f} s."
    )
    kept = {key: full.told[key] for key in ("flagged", "account", "b_cubed", "ring_recall_50", "innocent_first")}
    lines += [f"Accuracy: {json.dumps(kept)}", ""]
    return lines


def bandwidth() -> float:
    """GB/s of one pass over memory, on one thread."""
    values = np.ones(1 << 26)
    values.sum()
    started = time.perf_counter()
    values.sum()
    return values.nbytes / 1e9 / (time.perf_counter() - started)


def growth(runs: dict[float, list[Step]]) -> list[str]:
    """The exponent of each step's processor seconds, from the smallest to the greatest scale."""
    if len(runs) < 2:
        return []
    low, high = min(runs), max(runs)
    lines = [f"### Growth from {low:g} to {high:g} times", "", "| | exponent, processor | wall |", "|---|--:|--:|"]
    both = [(first, last) for first in runs[low] for last in runs[high] if first.name == last.name]
    whole = [pair for pair in both if pair[0].name in ROAD]
    for name, pairs in [*((first.name, [(first, last)]) for first, last in both), ("the road", whole)]:
        exponents = [
            np.log(sum(getattr(last, of) for _, last in pairs) / sum(getattr(first, of) for first, _ in pairs))
            / np.log(high / low)
            for of in ("cpu", "wall")
        ]
        lines.append(f"| {name} | {exponents[0]:.2f} | {exponents[1]:.2f} |")
    return lines


def plot(runs: dict[float, list[Step]], path: Path) -> None:
    """Wall seconds over scale, both by logarithm."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    names = list(dict.fromkeys(step.name for steps in runs.values() for step in steps))
    for name in names:
        points = [(scale, step.wall) for scale, steps in sorted(runs.items()) for step in steps if step.name == name]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="times the published scale", ylabel="wall seconds")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
