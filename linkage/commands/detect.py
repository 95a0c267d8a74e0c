"""`linkage detect`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from linkage.commands.common import (
    PATH,
    case_option,
    decided,
    detail,
    memory_option,
    note,
    output_options,
    print_json,
    recalibration,
    significance,
    spinner,
    tell,
)
from linkage.commands.graph import database_option, no_publish_option, publish_after
from linkage.errors import UsageError
from linkage.text import safe

if TYPE_CHECKING:
    from linkage.communities import Engine
    from linkage.detect import DetectReport


def _nulls(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """A number of null models; `auto` is None."""
    if value == "auto":
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 7):
        raise click.BadParameter(f"{value!r} is neither auto nor a number from 0 on.", ctx, param)
    return int(value)


def _settings(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Settings of Spark, by name."""
    for value in values:
        if not (value.startswith("spark.") and "=" in value):
            raise click.BadParameter(f"{value!r} is no setting such as spark.driver.memory=8g.", ctx, param)
    return {value.split("=", 1)[0]: value.split("=", 1)[1] for value in values}


@click.command(name="detect")
@click.argument("paths", nargs=-1, type=click.UNPROCESSED)
@case_option
@click.option(
    "--algorithm",
    type=click.Choice(["leiden", "louvain", "label-propagation", "wcc"]),
    default="leiden",
    show_default=True,
    help="How communities are found. leiden (under CPM) finds rings of all sizes; louvain merges small ones.",
)
@click.option(
    "--engine",
    type=click.Choice(["linkage", "gds", "spark"]),
    default="linkage",
    show_default=True,
    help="Who finds them. gds is Graph Data Science on the Neo4j server: its leiden has no CPM and merges small rings. "
    "spark reads the exports PATHS by Spark, in the place of the case.",
)
@click.option(
    "--spark-master",
    metavar="MASTER",
    default="local[*]",
    show_default=True,
    help="Where Spark runs: local[*], yarn, spark://HOST:7077 or k8s://URL.",
)
@click.option(
    "--spark-conf",
    multiple=True,
    callback=_settings,
    metavar="KEY=VALUE",
    help="A setting of Spark, e.g. spark.driver.memory=8g.",
)
@click.option(
    "--out",
    type=PATH,
    metavar="DIR",
    help="With --engine spark: write rings, members, evidence and rejects as Parquet there, and touch no case.",
)
@database_option
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=1,
    show_default=True,
    help="Same input and seed, same bytes.",
)
@click.option(
    "--resolution",
    type=float,
    default=0.0,
    show_default=True,
    help="Bits that a pair must share beyond the prior. More gives smaller, tighter groups.",
)
@click.option(
    "--min-accounts", type=click.IntRange(min=2), metavar="N", default=3, show_default=True, help="The smallest ring."
)
@click.option(
    "--hub-degree",
    type=click.IntRange(min=2),
    metavar="N",
    default=100,
    show_default=True,
    help="Identifiers shared by more accounts are damped: linkage hubs.",
)
@click.option(
    "--nulls",
    callback=_nulls,
    default="auto",
    metavar="N|auto",
    show_default=True,
    help="Null models that the rings are compared with: 3 to 39, as many as are needed and can be afforded, "
    "those of the last run among them while the case is within 5 % of then. N: so many new ones. 0: none.",
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Recalibrate the scores of this run by the rings that people confirmed and dismissed, if there are 5 of each.",
)
@memory_option
@no_publish_option
@output_options()
def command(
    paths: tuple[str, ...],
    case: Path,
    algorithm: str,
    engine: str,
    spark_master: str,
    spark_conf: dict[str, str],
    out: Path | None,
    database: str | None,
    seed: int,
    resolution: float,
    min_accounts: int,
    hub_degree: int,
    nulls: int | None,
    calibrate: bool,
    no_publish: bool,
    as_json: bool,
) -> None:
    """Find rings of accounts by what they share.

    Every value that accounts share is weighed in bits, communities are found, and those that look like one hand
    behind many accounts are scored, explained and ranked.

    Chance makes groups, too. So the same search goes through null models, in which the same accounts are tied to the
    same values at random, and a ring's q-value says which part of the rings as strong as it chance would make. It
    answers "could chance link them?", never "are they guilty?". A ring is listed from a score of 0.5 on, if its
    q-value is at most 0.05. With --engine gds the null models go through GDS as well.

    With --calibrate the score learns from what people confirmed and dismissed: one straight line in bits, the same for
    all rings, so that none overtakes another. It is shown in each ring as the factor `decisions`, and the next run
    without --calibrate takes it back.

    With --engine spark the exports PATHS need no ingest: Spark reads them from wherever it can, as one full export, and
    makes of them what accounts share. The rings are the same. They go into the case, or to --out.
    """
    from linkage.detect import detect

    if (engine == "spark") != bool(paths):
        raise UsageError(
            "--engine spark needs the exports, and nothing else takes them.",
            "linkage detect --engine spark PATH…, or without Spark: linkage ingest PATH…, then linkage detect",
        )
    if out and engine != "spark":
        raise UsageError(
            "--out is for --engine spark.", "Write the rings of a case: linkage export DIR --format parquet"
        )
    options: dict[str, Any] = {
        "algorithm": algorithm,
        "seed": seed,
        "resolution": resolution,
        "min_accounts": min_accounts,
        "hub_degree": hub_degree,
        "nulls": nulls,
        "calibrate": calibrate,
    }
    extra: dict[str, Any] = {}
    with spinner("detect") as step:
        if engine == "spark":
            from linkage.spark.detect import detect_exports

            done = detect_exports(
                paths, case, out=out, master=spark_master, settings=spark_conf, progress=step, **options
            )
            report = done.report
            extra = {
                "reading": done.reading,
                "rejected": done.rejected,
                "rejects": done.rejects and str(done.rejects),
                "passed_over": done.passed_over,
                "files": [str(path) for path in done.files],
            }
        else:
            report = detect(case, engine=_engine(engine, algorithm, database), progress=step, **options)
    detail("Seconds: " + ", ".join(f"{step} {seconds:.2f}" for step, seconds in report.timings.items()))
    if as_json:
        names = ("nulls", "nulls_kept", "q_floor", "by_chance", "unsure", "recalibration", "bound", "allowed")
        print_json(
            "detect",
            {
                **report.counts,
                **{name: getattr(report, name) for name in names},
                "run": report.run,
                "seconds": report.seconds,
                "timings": report.timings,
                **extra,
            },
        )
    else:
        _print(report, out)
    _tell_read(extra)
    if not out:
        publish_after(case, unless=no_publish, database=database)


def _tell_read(extra: dict[str, Any]) -> None:
    """What of the exports was left out, on stderr."""
    for reason, rows in extra.get("rejected", {}).items():
        note(f"Set aside: {rows:,} row{'' if rows == 1 else 's'}, {safe(reason)}")
    if extra.get("rejects"):
        note(f"They are in {safe(extra['rejects'])}.")
    for path in extra.get("passed_over", ()):
        detail(f"Passed over, named after no table: {safe(path)}")


def _engine(name: str, algorithm: str, database: str | None) -> "Engine | None":
    if name == "linkage":
        return None
    from linkage.graph.gds import Gds

    engine = Gds(database)
    if engine.objective(algorithm) == "modularity":
        note(
            f"Warning: {algorithm} by GDS maximises modularity, whose resolution limit merges small rings with others. "
            "--engine linkage --algorithm leiden has no such limit."
        )
    return engine


def _print(report: "DetectReport", out: Path | None) -> None:
    tell(
        f"{report.listed:,} ring{'' if report.listed == 1 else 's'} with {report.members:,} of {report.accounts:,} "
        "accounts; "
        f"{report.explained:,} linked {'group is' if report.explained == 1 else 'groups are'} explained as innocent, "
        f"{report.rings - report.listed - report.explained:,} are below the line"
    )
    significance(report.nulls, report.q_floor, report.by_chance, report.nulls_kept)
    if report.recalibration:
        recalibration(asdict(report.recalibration))
    decided(report.bound, report.allowed)
    if out:
        note(f"They are in {safe(str(out))}: rings, members, evidence, run.json")
        return
    if report.unsure:
        note(f"Chance could make {report.unsure:,} more of a score of 0.5 or more: linkage rings --all")
    if report.listed:
        note("Look at them: linkage rings")
    elif report.rings:
        note("Look at the groups below the line: linkage rings --all")
    else:
        note("Nothing that accounts share ties them. What was damped: linkage hubs")
