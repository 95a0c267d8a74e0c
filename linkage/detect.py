"""The main road: sightings, bits, communities, rings. It reads like the story in `docs/detection.md`."""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from linkage import __version__, audit, candidates, record, store
from linkage.communities import ALGORITHMS, OBJECTIVES, Engine, Graph, Labels
from linkage.context.chances import used
from linkage.errors import InputError, UsageError
from linkage.evidence import HUB_DEGREE, Weighed, hubs, learn_likeness, weigh
from linkage.identify import Reader, Sightings, identify
from linkage.model import LISTED_SCORE
from linkage.rings import (
    Bond,
    Judged,
    Line,
    Profiles,
    Recalibration,
    assess,
    evidence_of,
    judge,
    lineage,
    profiles,
    recalibrate,
)
from linkage.significance import Found, NullModel, how_many, how_many_more, search_nulls, significance, standing

VERSIONED: Final = ("duckdb", "numba", "numpy", "scipy", "networkx", "python-louvain")


@dataclass(frozen=True)
class DetectReport:
    """What a run found.

    Attributes:
        run: its number, from 1.
        accounts, identifiers, sightings: how many went in; identifiers and sightings are shared ones.
        pairs: tied pairs of accounts.
        rings: all candidate groups that were judged.
        listed: those with a score of at least 0.5 that chance does not make as strong (`significance.LISTED_Q`).
        explained: those that would be listed but for an innocent explanation.
        members: accounts in listed rings.
        hubs: damped identifiers.
        seconds: wall time.
        timings: seconds of each step.
        nulls, q_floor, by_chance: see `significance.Significance`.
        nulls_kept: how many of the null models an earlier run had searched.
        unsure: rings that are not listed only because chance could make them.
        recalibration: what people's decisions make of the score; None where that was not asked for.
        bound: how many decisions bind members (`decisions`), and how many accounts they brought into a ring (`joined`)
            or took out of one (`left`); None where there are none.
        allowed: identifiers that link nobody because they are allowed.
    """

    run: int
    accounts: int
    identifiers: int
    sightings: int
    pairs: int
    rings: int
    listed: int
    explained: int
    members: int
    hubs: int
    seconds: float
    timings: dict[str, float]
    nulls: int
    nulls_kept: int
    q_floor: float
    by_chance: float
    unsure: int
    recalibration: Recalibration | None
    bound: dict[str, int] | None
    allowed: int

    @property
    def counts(self) -> dict[str, int]:
        """The counts alone, as `linkage runs` shows them."""
        names = ("accounts", "identifiers", "sightings", "pairs", "rings", "listed", "explained", "members", "hubs")
        return {name: getattr(self, name) for name in names}


@dataclass
class _Clock:
    tell: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.tell(name)
        before = time.monotonic()
        yield
        self.timings[name] = round(time.monotonic() - before, 3)


def detect(
    case: Path,
    *,
    algorithm: str = "leiden",
    engine: Engine | None = None,
    reader: Reader | None = None,
    seed: int = 1,
    resolution: float = 0.0,
    min_accounts: int = 3,
    hub_degree: int = HUB_DEGREE,
    nulls: int | None = None,
    calibrate: bool = False,
    progress: Callable[[str], None] | None = None,
) -> DetectReport:
    """Find rings in the case at `case` and keep them there, in the place of the last run's.

    The case is held while it is read and for the final commit, not in between; a crash leaves it as it was.

    Args:
        case: the case file.
        algorithm: one of `communities.ALGORITHMS`.
        engine: who finds the communities, in the place of `linkage.communities`.
        reader: who makes the sightings, in the place of `identify`: of exports that are in no case, for one.
        seed: of the algorithm's order of visits; the same input and seed give the same bytes.
        resolution: bits added to the prior of a pair. Higher gives tighter and smaller groups.
        min_accounts: the smallest ring, at least 2.
        hub_degree: identifiers shared by more accounts are hubs.
        nulls: null models that the rings are compared with (`significance`); 0 leaves q-values empty and lists by score
            alone, None takes as many as are needed and can be afforded (`significance.how_many`), those of the last run
            among them where they still stand (`significance.standing`). An engine finds the communities of null
            models, too.
        calibrate: recalibrate the scores by the rings that people confirmed and dismissed (`rings.recalibrate`), where
            they decided on enough. It holds for this run alone.
        progress: called with the name of each step as it starts.

    Raises:
        UsageError: an argument out of its range.
        InputError: the case holds no accounts.
        Neo4jError: the engine is a server that cannot be used.
        NotFoundError, CaseBusyError, MachineError: see `store`.
    """
    _check(algorithm, min_accounts, hub_degree, nulls)
    clock = _Clock(progress or (lambda _: None))
    versions = engine.prepare(algorithm, resolution) if engine else {}
    versions |= reader.versions if reader else {}
    find = partial(
        candidates.find,
        algorithm=algorithm,
        seed=seed,
        resolution=resolution,
        min_accounts=min_accounts,
        hub_degree=hub_degree,
        partition=_partition(engine, algorithm, seed),
    )
    with store.scratch(case, in_memory=True) as con:
        # Before hours of work, at the end of which there would be none.
        key = audit.key_of(case)
        with store.reading(case) as kept_there:
            started_at = store.now(kept_there)
        with clock.step("sightings"):
            if reader:
                sightings = reader.identify(con, case, started_at)
            else:
                sightings = identify(con, case, started_at, alone=nulls != 0)
            if not sightings.accounts:
                raise InputError(f"{case} holds no accounts yet.", "Put some in: linkage ingest PATH…")
        with clock.step("evidence"), store.at_most(con, store.LITTLE):
            weighed = learn_likeness(weigh(sightings), hub_degree)
            ledger = hubs(weighed, hub_degree)
        with clock.step("communities"), store.at_most(con, store.LITTLE):
            found = find(weighed)
        with clock.step("rings"):
            people = profiles(con)
            past = record.history(con, case, started_at)
            assessed = assess(weighed, found, people, min_accounts=min_accounts, bonds=past.bonds)
            pairs = found.edges
            del found  # Its columns are replaced, and the next steps need the room.
            evidence = evidence_of(weighed, assessed)
            known = lineage(
                assessed.candidates.labels, record.account_ids(con), people.banned, evidence, past.rings, past.run + 1
            )
            learnt = None
            if calibrate:
                learnt = recalibrate(dict(zip(known.ids, assessed.foreseen.tolist(), strict=True)), past.decided)
                assessed = assessed.under(learnt.line)
        with clock.step("nulls"):
            search = partial(
                search_nulls,
                sightings,
                partial(
                    _search,
                    find=find,
                    people=people,
                    min_accounts=min_accounts,
                    hub_degree=hub_degree,
                    line=assessed.line,
                ),
                seed=seed,
                # One graph at a time on somebody else's server.
                threads=1 if engine else store.threads() or os.cpu_count() or 1,
            )
            options = {
                "engine": engine.name if engine else reader.name if reader else "linkage",
                "algorithm": algorithm,
                "objective": engine.objective(algorithm) if engine else OBJECTIVES.get(algorithm),
                "seed": seed,
                "resolution": resolution,
                "min_accounts": min_accounts,
                "hub_degree": hub_degree,
            }
            context = used(con)
            # Chances move a little with every increment, as accounts do, which is no other question.
            lists = [context.tables, context.stated] if context else []
            question = json.dumps([__version__, options, versions, asdict(assessed.line), *lists])
            strength, score = assessed.strength, assessed.scores.score
            kept = standing(past.nulls, question, sightings) if nulls is None else []
            first = how_many(int((score >= LISTED_SCORE).sum()), sightings.ties) if nulls is None else nulls
            by_chance = [null.found for null in kept]
            with store.at_most(con, store.LITTLE):
                by_chance += search(nulls=max(0, first - len(kept)), after=len(kept))
                if nulls is None:
                    by_chance += search(nulls=how_many_more(strength, score, by_chance), after=len(by_chance))
            fresh = [
                NullModel(question, sightings.accounts, sightings.ties, found_there)
                for found_there in by_chance[len(kept) :]
            ]
            measured = significance(strength, score, by_chance)
        with clock.step("commit"), store.at_most(con, store.share(0.5)):
            judged = judge(weighed, assessed, people, measured, evidence, known)
            record.stage(con, weighed, judged, ledger, kept + fresh or past.nulls)
            explained = judged.rings["status"] == "explained"
            listed = judged.rings["listed"] & ~explained
            report = DetectReport(
                run=past.run + 1,
                accounts=sightings.accounts,
                identifiers=len(sightings.kind),
                sightings=len(sightings.account),
                pairs=pairs,
                rings=len(listed),
                listed=int(listed.sum()),
                explained=int(explained.sum()),
                members=int(judged.rings["accounts"][listed].sum()),
                hubs=len(ledger),
                seconds=round(time.monotonic() - clock.started, 3),
                timings=clock.timings,
                nulls=measured.nulls,
                nulls_kept=len(kept),
                q_floor=measured.floor,
                by_chance=measured.by_chance,
                unsure=int(((score >= LISTED_SCORE) & ~measured.passes).sum()),
                recalibration=learnt,
                bound=_bound(past.bonds, judged),
                allowed=record.allowed(con),
            )
            parameters = {
                **options,
                "population": weighed.population,
                "nulls": report.nulls,
                "nulls_kept": report.nulls_kept,
                "q_floor": report.q_floor,
                "by_chance": report.by_chance,
                "recalibration": asdict(learnt) if learnt else None,
                "bound": report.bound,
                "allowed": report.allowed or None,
            }
            if context:
                parameters["context"] = asdict(context)
            record.commit(con, case, key, _run_row(report, started_at, parameters, versions))
    return report


def _search(
    sightings: Sightings,
    lives: NDArray[np.int64],
    find: Callable[[Weighed], candidates.Candidates],
    people: Profiles,
    min_accounts: int,
    hub_degree: int,
    line: Line,
) -> Found:
    """What the very same search finds in a null model."""
    weighed = learn_likeness(weigh(sightings), hub_degree)
    assessed = assess(weighed, find(weighed), people.of(lives), min_accounts=min_accounts, line=line)
    return assessed.strength, assessed.scores.score


def _bound(bonds: Sequence[Bond], judged: Judged) -> dict[str, int] | None:
    if not bonds:
        return None
    joined = judged.bound["joined"]
    return {"decisions": len(bonds), "joined": int(joined.sum()), "left": int((~joined).sum())}


def _check(algorithm: str, min_accounts: int, hub_degree: int, nulls: int | None) -> None:
    if algorithm not in ALGORITHMS:
        raise UsageError(f"There is no algorithm {algorithm!r}.", f"Choose one of: {', '.join(ALGORITHMS)}.")
    if min_accounts < 2:
        raise UsageError(f"A ring has at least 2 accounts, not {min_accounts}.", "Use --min-accounts 2 or more.")
    if hub_degree < 2:
        raise UsageError(f"A hub is shared by at least 2 accounts, not {hub_degree}.", "Use 2 or more.")
    if nulls is not None and nulls < 0:
        raise UsageError(f"There cannot be {nulls} null models.", "Use --nulls auto, or 0 for none.")


def _partition(engine: Engine | None, algorithm: str, seed: int) -> Callable[[Graph], Labels] | None:
    return None if engine is None else lambda graph: engine.partition(graph, algorithm, seed)


def _run_row(
    report: DetectReport, started_at: datetime, parameters: dict[str, Any], engine_versions: dict[str, str]
) -> list[Any]:
    versions = {"linkage": __version__, "python": platform.python_version(), **engine_versions}
    for name in VERSIONED:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    texts = [json.dumps(part) for part in (parameters, versions, report.counts, report.timings)]
    return [report.run, started_at, report.seconds, *texts]
