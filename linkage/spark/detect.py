"""`detect` over exports that Spark reads: into a case, or into a folder of Parquet files."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet
from pyspark.sql import SparkSession

from linkage import store
from linkage.detect import DetectReport, detect
from linkage.errors import InputError, translate
from linkage.export import export
from linkage.files import private_folder, replace
from linkage.identify import Sightings
from linkage.ingest.normalise import Rules
from linkage.ingest.projection import CARD_REASON
from linkage.secret import Key, key_file, load_or_make_key
from linkage.spark import exports, functions
from linkage.spark.communities import APART, Communities
from linkage.spark.read import Contract
from linkage.spark.session import VERSION, session
from linkage.spark.sightings import identified
from linkage.spark.tables import Tables
from linkage.until import utc_now

REJECTS: Final = 1_000_000
"""So many rows that broke the contract are kept at most; all are counted."""

SCHEMA: Final = "linkage/spark-run/1"


@dataclass(frozen=True)
class SparkReport:
    """What a run over exports found.

    Attributes:
        report: as for every run.
        reading: seconds that it took to read the exports, before the run.
        rejected: by reason, how many rows broke the contract.
        rejects: the file with those rows, at most `REJECTS` of them; None where there are none.
        passed_over: files that no table's name fits.
        files: what else was written into the folder; empty where the rings went into a case.
    """

    report: DetectReport
    reading: float
    rejected: dict[str, int]
    rejects: Path | None
    passed_over: tuple[str, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Spark:
    """Makes the sightings of exports; see `identify.Reader`."""

    spark: SparkSession
    contract: Contract
    name: str = "spark"

    @property
    def versions(self) -> dict[str, str]:
        return {"spark": VERSION}

    def identify(self, con: duckdb.DuckDBPyConnection, case: Path, now: datetime) -> Sightings:
        return identified(Tables(self.spark), self.contract, con, case, now)


def detect_exports(
    paths: Sequence[str],
    case: Path,
    *,
    out: Path | None = None,
    master: str = "local[*]",
    settings: Mapping[str, str] | None = None,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> SparkReport:
    """Find rings in exports by Spark, up to the sightings that accounts share; the rest runs on the driver.

    Args:
        paths: files and folders, local or anywhere that Spark reads.
        case: where the rings go, with the accounts and the sketches of raw prompts that the case lacks; made if it is
            not there. What is allowed, decided and remembered there holds.
        out: a folder that the rings, members, evidence, rejects and `run.json` go to; then no case is touched. Without
            it rejects go to CASE.rejects.parquet.
        master, settings: as `session.session`.
        progress: called with the name of each step as it starts.
        options: as for `detect.detect`.

    Raises:
        NotFoundError, InputError: the exports are missing, or break the contract as a whole.
        UsageError, MachineError: Spark cannot be started, or what `detect` raises.
    """
    with session(master, dict(settings or {})) as spark:
        return detect_with(spark, paths, case, out=out, progress=progress, **options)


def detect_with(
    spark: SparkSession,
    paths: Sequence[str],
    case: Path,
    *,
    out: Path | None = None,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> SparkReport:
    """`detect_exports` in a session that is there already, which must be one of `session`."""
    tell = progress or (lambda _: None)
    with _target(case, out) as target:
        key = load_or_make_key(target)
        rules = _prepared(target, key)
        functions.register(spark, key)
        tell("reading")
        began = time.monotonic()
        found, passed_over = exports.find(spark, paths)
        erased = _erased(target)
        contract = Contract(spark, found, rules, erased)
        _check_prompts(target, contract)
        rejected = contract.rejected()
        if any(CARD_REASON in reason for reason in rejected) and (chance := contract.by_chance()):
            contract = Contract(spark, found, rules, erased, chance)
            rejected = contract.rejected()
        reading = round(time.monotonic() - began, 3)
        report = detect(
            target,
            engine=Communities(spark) if options.get("algorithm") in APART else None,
            reader=_Spark(spark, contract),
            progress=progress,
            **options,
        )
        rejects = out / "rejects.parquet" if out else target.with_name(f"{target.name}.rejects.parquet")
        kept = _keep_rejects(contract, rejects, any_at_all=bool(rejected))
        files = _written(target, out, report, rejected) if out else ()
    return SparkReport(report, reading, rejected, kept, tuple(passed_over), files)


@contextmanager
def _target(case: Path, out: Path | None) -> Iterator[Path]:
    """The case that the rings go to; with `out` one that is gone in the end."""
    if out is None:
        fresh = not case.exists() and store.create(case)
        try:
            yield case
        except BaseException:
            if fresh and _has_no_run(case):
                case.unlink(missing_ok=True)
            raise
        return
    with ExitStack() as stack:
        try:
            out.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(private_folder(out.absolute(), ".spark"))
        except OSError as exc:
            raise translate(exc, f"making the folder {out}") from None
        made = folder / "case.duckdb"
        store.create(made)
        # The next run into this folder has the same key.
        load_or_make_key(out.absolute())
        key_file(made).symlink_to(key_file(out.absolute()))
        yield made


def _has_no_run(case: Path) -> bool:
    with store.reading(case) as con:
        return not con.execute("SELECT 1 FROM runs UNION ALL SELECT 1 FROM files LIMIT 1").fetchall()


def _prepared(case: Path, key: Key) -> Rules:
    """What is hashed in the case, which is told what key is used where it does not know."""
    with store.reading(case) as con:
        known = store.meta(con, "key_id")
        hashed = frozenset(filter(None, store.meta(con, "hashed_kinds").split(",")))
    if not known:
        with store.writing(case) as con:
            store.set_meta(con, "key_id", key.id)
    return Rules(hashed)


def _erased(case: Path) -> list[str]:
    """The keyed hashes of accounts that were erased from the case."""
    with store.reading(case) as con:
        return [str(row[0]) for row in con.execute("SELECT account FROM erased").fetchall()]


def _check_prompts(case: Path, contract: Contract) -> None:
    with store.reading(case) as con:
        former = store.meta(con, "former_prompts") == "1"
    if former and contract.prompts:
        raise InputError(
            f"The exports have raw prompts, and {case} has fingerprints of them from an older version.",
            "They cannot be compared: use a new case, or --out DIR.",
        )


def _keep_rejects(contract: Contract, path: Path, *, any_at_all: bool) -> Path | None:
    """Write them to `path`; those of an earlier run, which are none any more, are taken away."""
    try:
        if not any_at_all:
            path.unlink(missing_ok=True)
            return None
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(contract.rejects.limit(REJECTS).toArrow(), sink)
        replace(path, sink.getvalue().to_pybytes())
    except OSError as exc:
        raise translate(exc, f"writing {path}") from None
    return path


def _written(case: Path, out: Path, report: DetectReport, rejected: Mapping[str, int]) -> tuple[Path, ...]:
    files = export(case, out, format="parquet").files
    with store.reading(case) as con:
        ((parameters, versions),) = con.execute("SELECT parameters, versions FROM runs").fetchall()
    facts = {
        "schema": SCHEMA,
        "at": utc_now().isoformat(timespec="seconds") + "Z",
        **report.counts,
        "seconds": report.seconds,
        "timings": report.timings,
        "parameters": json.loads(parameters),
        "versions": json.loads(versions),
        "rejected": dict(rejected),
    }
    try:
        replace(out / "run.json", (json.dumps(facts, indent=1) + "\n").encode())
    except OSError as exc:
        raise translate(exc, f"writing {out}") from None
    return (*files, out / "run.json")
