"""`detect` over exports that Spark reads: into a case, or into a folder of Parquet files."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet
from pyspark.sql import SparkSession

from linkage import store
from linkage.detect import DetectReport, detect
from linkage.errors import translate
from linkage.export import export
from linkage.files import replace
from linkage.identify import Sightings
from linkage.ingest.normalise import Rules
from linkage.secret import Key, load_or_make_key
from linkage.spark import exports, functions
from linkage.spark.read import Contract
from linkage.spark.session import VERSION, session
from linkage.spark.sightings import identified
from linkage.spark.tables import Tables
from linkage.until import utc_now

REJECTS: Final = 1_000_000
"""So many rejects are written at most; all are counted."""

SCHEMA: Final = "linkage/spark-run/1"


@dataclass(frozen=True)
class SparkReport:
    """What a run over exports found.

    Attributes:
        report: as for every run.
        rejected: by reason, how many rows broke the contract.
        passed_over: files that no table's name fits.
        files: what was written into the folder; empty where the rings went into a case.
    """

    report: DetectReport
    rejected: dict[str, int]
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
        out: a folder that the rings, members, evidence, rejects and `run.json` go to; then no case is touched.
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
    with _target(case, out) as target:
        key = load_or_make_key(out.absolute() if out else target)
        rules = _prepared(target, key)
        functions.register(spark, key)
        (progress or (lambda _: None))("reading")
        found, passed_over = exports.find(spark, paths)
        contract = Contract(spark, found, rules)
        rejected = contract.rejected()
        report = detect(target, reader=_Spark(spark, contract), progress=progress, **options)
        files: tuple[Path, ...] = ()
        if out:
            rejects = contract.rejects.limit(REJECTS).toArrow() if rejected else None
            files = _written(target, out, report, rejected, rejects)
    return SparkReport(report, rejected, tuple(passed_over), files)


@contextmanager
def _target(case: Path, out: Path | None) -> Iterator[Path]:
    """The case that the rings go to; with `out` one that is gone in the end."""
    if out is None:
        fresh = not case.exists()
        if fresh:
            store.create(case)
        try:
            yield case
        except BaseException:
            if fresh and _has_no_run(case):
                case.unlink(missing_ok=True)
            raise
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".spark", dir=out.absolute().parent)
    except OSError as exc:
        raise translate(exc, f"making the folder {out}") from None
    with folder as name:
        made = Path(name) / "case.duckdb"
        store.create(made)
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


def _written(
    case: Path, out: Path, report: DetectReport, rejected: Mapping[str, int], rejects: pyarrow.Table | None
) -> tuple[Path, ...]:
    files = list(export(case, out, format="parquet").files)
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
        kept = out / "rejects.parquet"
        if rejects is None:
            kept.unlink(missing_ok=True)
        else:
            sink = pyarrow.BufferOutputStream()
            pyarrow.parquet.write_table(rejects, sink)
            replace(kept, sink.getvalue().to_pybytes())
            files.append(kept)
        replace(out / "run.json", (json.dumps(facts, indent=1) + "\n").encode())
    except OSError as exc:
        raise translate(exc, f"writing {out}") from None
    return (*files, out / "run.json")
