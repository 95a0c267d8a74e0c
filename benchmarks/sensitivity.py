"""How results move when one constant of the program is halved or doubled, all others as they are.

    python -m benchmarks.sensitivity --worlds mix,mix:evasion=0.6 --seeds 201,202 --out docs/constants.md

Each world has its own seed. It is made and ingested once, its sightings are read once, and for each setting the steps
that the constant acts in are done again, without null models: a ring is listed by its score alone. Beside them stand
other seeds of the order in which accounts are visited: what moves less is no effect. What was measured is
kept as JSON in the folder --work, after each setting, and measured again when the code of the program has changed.
Nothing was developed on the worlds of seeds 201 and 202.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import digest
from benchmarks.accuracy_measures import measured
from benchmarks.accuracy_report import placed
from benchmarks.accuracy_worlds import World, make, parse
from benchmarks.sensitivity_constants import STEPS, VARIED, Constant
from benchmarks.sensitivity_report import FACTORS, SEEDS, report, seeded, setting
from benchmarks.sensitivity_vary import varied
from linkage import candidates, evidence, model, record, rings, store
from linkage.evaluate import read_truth
from linkage.evidence import Weighed
from linkage.identify import Sightings, identify
from linkage.ingest import ingest
from linkage.rings import Profiles

MIN_ACCOUNTS = 3

_CODE = ("linkage/**/*.py", "benchmarks/accuracy_measures.py")


@dataclass(frozen=True)
class Read:
    """What is read of a world once.

    Attributes:
        sightings, people: of all accounts.
        names: the account ids, by index.
        truth: the true ring of each account, "" for an innocent one.
    """

    sightings: Sightings
    people: Profiles
    names: list[str]
    truth: dict[str, str]

    @cached_property
    def default(self) -> tuple[Weighed, candidates.Candidates]:
        """Sightings weighed, and what is found, with all constants as they are."""
        weighed = _weighed(self.sightings)
        return weighed, _found(weighed)


def main() -> None:
    """Measure what is not measured yet, then print the tables or put them into a page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", default="mix,mix:evasion=0.6", help="names with options")
    parser.add_argument("--seeds", default="201,202", help="one for each world")
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--work", type=Path, default=Path("sensitivity"), help="the folder of worlds and results")
    parser.add_argument("--only", default="", help="measure constants alone whose name has this in it")
    parser.add_argument("--out", type=Path, help="a page whose figures are made anew; else they are printed")
    options = parser.parse_args()
    worlds = [parse(text) for text in options.worlds.split(",")]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    if len(worlds) != len(seeds):
        parser.error(f"{len(worlds)} worlds need as many seeds, not {len(seeds)}")
    constants = [constant for constant in VARIED if options.only in constant.key]
    results = [
        kept(options.work, world, seed, options.accounts, constants) for world, seed in zip(worlds, seeds, strict=True)
    ]
    text = report(results)
    if not options.out:
        print(text)
        return
    options.out.write_text(placed(options.out.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(f"{options.out} holds {len(constants)} constants on {len(worlds)} worlds")


def kept(work: Path, world: World, seed: int, accounts: int, constants: list[Constant]) -> dict[str, Any]:
    """The results of one world, those that are missing measured and kept.

    Returns:
        world, seed, accounts, code, and measures by `setting`; the default's by "".
    """
    place = work / f"{str(world).replace(':', '_')}-{accounts}-{seed}"
    path = place.parent / f"{place.name}.json"
    result: dict[str, Any] = {"world": str(world), "seed": seed, "accounts": accounts, "code": digest(_CODE)}
    former = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    result["measures"] = former["measures"] if former.get("code") == result["code"] else {}
    # What takes least first.
    quick = sorted(constants, key=lambda constant: STEPS.index(constant.step))
    wanted: dict[str, dict[str, Any]] = {"": {}, **{seeded(seed): {"seed": seed} for seed in SEEDS}}
    wanted |= {setting(constant, by): {"constant": constant, "by": by} for constant in quick for by in FACTORS}
    missing = {name: chosen for name, chosen in wanted.items() if name not in result["measures"]}
    if not missing:
        return result
    seen = read(*_case(place, world, seed, accounts))
    for name, chosen in missing.items():
        started = time.monotonic()
        result["measures"][name] = measure(seen, **chosen)
        print(f"{world}, {name or 'default'}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
        fresh = place.parent / f"{place.name}.new"
        fresh.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)
    return result


def read(case: Path, truth: Path) -> Read:
    """Read the sightings of the case at `case`, and the truth beside it."""
    with store.scratch(case) as con:
        sightings = identify(con, case)
        return Read(sightings, rings.profiles(con), record.account_ids(con), read_truth(truth))


def measure(seen: Read, constant: Constant | None = None, by: float = 1.0, seed: int = 1) -> dict[str, Any]:
    """Measures of the listed rings with a constant `by` times as large, or with all as they are and another seed."""
    default = seen.default
    with varied(constant.at(by)[1] if constant else {}):
        step = constant.step if constant else "rings" if seed == 1 else "communities"
        return measured(seen.truth, list(_listed(seen, step, default, seed)))


def _listed(seen: Read, step: str, default: tuple[Weighed, candidates.Candidates], seed: int) -> Iterator[list[str]]:
    weighed, found = default
    if step in ("evidence", "weights"):
        weighed = _weighed(seen.sightings)
        # What weighs the same is found the same, if nothing else reads the constant on the way.
        found = found if step == "weights" and _same(weighed, default[0]) else _found(weighed, seed)
    elif step == "communities":
        found = _found(weighed, seed)
    assessed = rings.assess(weighed, found, seen.people, min_accounts=MIN_ACCOUNTS)
    labels, scores = assessed.candidates.labels, assessed.scores
    for ring in np.flatnonzero((scores.score >= model.LISTED_SCORE) & ~scores.explained).tolist():
        yield [seen.names[account] for account in np.flatnonzero(labels == ring).tolist()]


def _weighed(sightings: Sightings) -> Weighed:
    return evidence.learn_likeness(evidence.weigh(sightings), evidence.HUB_DEGREE)


def _found(weighed: Weighed, seed: int = 1) -> candidates.Candidates:
    return candidates.find(weighed, seed=seed, min_accounts=MIN_ACCOUNTS, hub_degree=evidence.HUB_DEGREE)


def _same(one: Weighed, other: Weighed) -> bool:
    return all(
        np.array_equal(a, b)
        for a, b in (
            (one.population, other.population),
            (one.bits, other.bits),
            (one.habit, other.habit),
            (one.reliability, other.reliability),
            (one.likeness.ratio, other.likeness.ratio),
            (one.likeness.damp, other.likeness.damp),
        )
    )


def _case(place: Path, world: World, seed: int, accounts: int) -> tuple[Path, Path]:
    """The case of the world and its truth, made where there is none."""
    case, export = place / "case.duckdb", place / "export"
    if not case.exists():
        place.mkdir(parents=True, exist_ok=True)
        if not (export / "truth.csv").exists():
            make(export, world, accounts, seed)
        ingest([export], case)
    return case, export / "truth.csv"


if __name__ == "__main__":
    main()
