"""How well rings are found on simulated worlds, beside what others would do with the same tables.

    python -m benchmarks.accuracy --worlds mix,mix:evasion=0.6 --seeds 1,2 --accounts 60000 --out docs/accuracy.md

A world is named as `linkage simulate` names it, with its options behind colons: mix:evasion=0.9:prompts=fingerprint.
Each world and seed is made, ingested, detected and measured in a process of its own, so that memory is bounded; what
was measured is kept as JSON in the folder --work and measured again only when the code that it came from has changed.
Seeds 1 to 20 are for development; the published figures are of seeds that nothing was developed on.
"""

import argparse
import hashlib
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.accuracy_baselines import baselines
from benchmarks.accuracy_measures import best_features, hard, measured
from benchmarks.accuracy_oracle import oracle
from benchmarks.accuracy_report import filled, report
from benchmarks.accuracy_tables import read
from benchmarks.accuracy_worlds import World, make, parse, same_exchanges, true_templates
from linkage import results
from linkage.detect import detect
from linkage.evaluate import evaluate_case, read_truth
from linkage.ingest import ingest
from linkage.model import FLAGGED

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
SHOWN_FEATURES = 5

# A part is measured again when one of these files has changed.
_TOOL = (
    "linkage/**/*.py",
    "benchmarks/accuracy.py",
    "benchmarks/accuracy_measures.py",
    "benchmarks/accuracy_worlds.py",
)
_OTHERS = (
    "linkage/simulate/**/*.py", "linkage/ingest/**/*.py", "linkage/evaluate.py", "linkage/store.py",
    "linkage/networks.py", "benchmarks/accuracy*.py",
)  # fmt: skip


def main() -> None:
    """Measure what is not measured yet, then print the tables or put them into a page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", default="mix", help="names with options, e.g. mix,mix:evasion=0.6")
    parser.add_argument("--seeds", default="1", help="e.g. 1,2,3")
    parser.add_argument("--accounts", type=int, default=60_000)
    parser.add_argument("--work", type=Path, default=Path("accuracy"), help="the folder where results are kept")
    parser.add_argument("--out", type=Path, help="a page whose figures are made anew; else they are printed")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    worlds = [parse(text) for text in options.worlds.split(",")]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    if options.one:
        _measure_into(options.one, worlds[0], seeds[0], options.accounts)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    results = [_kept(options.work, world, seed, options.accounts) for world in worlds for seed in seeds]
    if not options.out:
        print(report(results))
        return
    options.out.write_text(filled(options.out.read_text(encoding="utf-8"), results), encoding="utf-8")
    print(f"{options.out} holds {len(worlds)} worlds of {len(seeds)} seeds")


def measure(world: World, seed: int, accounts: int, folder: Path, former: dict[str, Any]) -> dict[str, Any]:
    """Measure one world and seed.

    Args:
        world: its name and options.
        seed: of the world.
        accounts: about so many.
        folder: an empty one with room for the export and the case.
        former: what was measured before, or empty; parts whose code is the same are taken from it.

    Returns:
        world, seed, accounts; truth (counts), hard (None where there is nothing to find), feature (the best one, or
        None), features (the best few), calibration, structures (or None), methods (name to measures), oracle,
        seconds (by step), megabytes (at most), and `parts`.
    """
    clock = _Clock()
    export, case = folder / "export", folder / "case.duckdb"
    clock.run("simulate", lambda: make(export, world, accounts, seed))
    clock.run("ingest", lambda: ingest([export], case))
    parts = dict(former.get("parts", {}))
    if parts.get("others", {}).get("code") != digest(_OTHERS):
        parts["others"] = {"code": digest(_OTHERS), **_others(clock, world, seed, accounts, export, case)}
    if parts.get("tool", {}).get("code") != digest(_TOOL):
        parts["tool"] = {"code": digest(_TOOL), **_tool(clock, export, case)}
    others, tool = parts["others"], parts["tool"]
    methods = {"linkage": tool["measures"], **others["methods"]}
    best = others["features"][0] if others["features"] else None
    if best:
        methods["best single feature"] = {"precision": best["precision"], "recall": best["recall"]}
    if others["oracle"]:
        methods |= {f"oracle, {name}": others["oracle"][name] for name in ("linked", "judged")}
    return {
        "world": str(world),
        "seed": seed,
        "accounts": accounts,
        "truth": tool["truth"],
        "hard": hard(methods, best) if tool["truth"]["true_rings"] else None,
        "feature": best,
        "features": others["features"],
        "calibration": tool["calibration"],
        "structures": tool["structures"],
        "methods": methods,
        "oracle": others["oracle"],
        "seconds": {**former.get("seconds", {}), **clock.seconds},
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "parts": parts,
    }


def digest(patterns: Iterable[str]) -> str:
    """Of the code that a part came from, and of whether igraph was there."""
    made = hashlib.sha256(str(importlib.util.find_spec("igraph") is not None).encode())
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)}):
        made.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return made.hexdigest()[:16]


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, step: Callable[[], T]) -> T:
        started = time.monotonic()
        done = step()
        self.seconds[name] = round(time.monotonic() - started, 1)
        print(f"  {name}: {self.seconds[name]} s", file=sys.stderr, flush=True)
        return done


def _tool(clock: _Clock, export: Path, case: Path) -> dict[str, Any]:
    clock.run("detect", lambda: detect(case))
    structures = export / "structures.csv"
    found = evaluate_case(case, export / "truth.csv", structures if structures.exists() else None)
    rings = [accounts for row, accounts in results.judged(case) if row.listed and row.status in FLAGGED]
    return {
        "measures": measured(read_truth(export / "truth.csv"), rings),
        "truth": {"accounts": found.accounts, "fraudulent": found.fraudulent, "true_rings": found.true_rings},
        "calibration": found.calibration.error if found.calibration else None,
        "structures": asdict(found.structures) if found.structures else None,
    }


def _others(clock: _Clock, world: World, seed: int, accounts: int, export: Path, case: Path) -> dict[str, Any]:
    truth = read_truth(export / "truth.csv")
    shared, features = clock.run("tables", lambda: read(case))
    methods = {}
    for name, method in baselines():
        methods[name] = measured(truth, clock.run(name, partial(method, shared)))
    fraud = np.array([bool(truth.get(name)) for name in shared.names])
    best = best_features(features, fraud)[:SHOWN_FEATURES]
    if not fraud.any():
        return {"methods": methods, "features": [], "oracle": None}
    templates = clock.run("true templates", lambda: true_templates(export.parent / "templates", world, accounts, seed))
    if templates and not same_exchanges(export / "exchanges.parquet", templates):
        raise SystemExit(f"{world}, seed {seed}: the world that tells the true templates holds other exchanges.")
    ceiling = clock.run("oracle", lambda: oracle(case, truth, templates))
    return {"methods": methods, "features": [asdict(feature) for feature in best], "oracle": ceiling}


def _kept(work: Path, world: World, seed: int, accounts: int) -> dict[str, Any]:
    """The result of one world and seed, measured where there is none or its code has changed."""
    path = work / f"{str(world).replace(':', '_')}-{accounts}-{seed}.json"
    former = json.loads(path.read_text()) if path.exists() else {}
    codes = {name: part["code"] for name, part in former.get("parts", {}).items()}
    if codes != {"tool": digest(_TOOL), "others": digest(_OTHERS)}:
        print(f"{world}, seed {seed}:", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "benchmarks.accuracy", "--one", str(path.resolve())]
        command += ["--worlds", str(world), "--seeds", str(seed), "--accounts", str(accounts)]
        subprocess.run(command, cwd=ROOT, check=True)
    kept: dict[str, Any] = json.loads(path.read_text())
    return kept


def _measure_into(path: Path, world: World, seed: int, accounts: int) -> None:
    former = json.loads(path.read_text()) if path.exists() else {}
    with tempfile.TemporaryDirectory(prefix=".world-", dir=path.parent) as folder:
        result = measure(world, seed, accounts, Path(folder), former)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


if __name__ == "__main__":
    main()
