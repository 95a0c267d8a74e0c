"""`linkage neo4j publish`."""

from pathlib import Path

import click

from linkage.commands.common import PATH, case_option, detail, note, output_options, print_json, tell
from linkage.commands.graph import database_option, describe, progress


@click.command(name="publish")
@case_option
@click.option(
    "--scope",
    type=click.Choice(["auto", "rings", "all"]),
    default="auto",
    show_default=True,
    help="all: everything that is shared. rings: the listed rings, what ties them and who else has it. "
    "auto: all up to a million relationships, else rings.",
)
@database_option
@click.option("--replace", is_flag=True, help="Take the graph over from another case.")
@click.option("--dry-run", is_flag=True, help="Say what would travel, write nothing.")
@click.option("--offline", "folder", metavar="DIR", type=PATH, help="Write files for neo4j-admin into DIR instead.")
@output_options()
def command(
    case: Path, scope: str, database: str | None, replace: bool, dry_run: bool, folder: Path | None, as_json: bool
) -> None:
    """Mirror the case into Neo4j.

    Only what changed travels. What you added in Neo4j yourself is never touched. Where Neo4j is: the local server, or
    LINKAGE_NEO4J_URI.
    """
    if folder is not None:
        _offline(case, folder, "all" if scope == "auto" else scope, database, as_json=as_json)
        return
    from linkage.graph import publish, required

    where = required(database)
    with progress("publish") as step:
        report = publish(case, where, scope=scope, replace=replace, dry_run=dry_run, progress=step)  # type: ignore[arg-type]
    for name, counts in report.by_layer.items():
        detail(f"{name}: " + ", ".join(f"{count:,} {verb}" for verb, count in counts.items() if count))
    if as_json:
        print_json("publish", report)
        return
    tell(("would be " if dry_run else "") + describe(report))


def _offline(case: Path, folder: Path, scope: str, database: str | None, *, as_json: bool) -> None:
    from linkage.graph.offline import write

    report = write(case, folder, scope=scope, database=database or "neo4j")  # type: ignore[arg-type]
    if as_json:
        print_json("offline", report)
        return
    tell(f"{folder}: {report.nodes:,} nodes and {report.relationships:,} relationships in {len(report.files)} files")
    tell("With the server stopped, on its machine (the local server: linkage neo4j load DIR):")
    tell(report.command)
    note("Then start it and run: linkage neo4j publish")
