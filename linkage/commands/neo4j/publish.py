"""`linkage neo4j publish`."""

from dataclasses import asdict
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
@click.option(
    "--how",
    type=click.Choice(["auto", "bolt", "offline"]),
    default="auto",
    show_default=True,
    help="offline: by an import while the local server is down, into an empty database alone. auto: that for first "
    "loads where it is quicker, else bolt.",
)
@click.option("--replace", is_flag=True, help="Take the graph over from another case.")
@click.option("--dry-run", is_flag=True, help="Say what would travel, write nothing.")
@click.option("--offline", "folder", metavar="DIR", type=PATH, help="Write files for neo4j-admin into DIR instead.")
@output_options()
def command(
    case: Path, scope: str, database: str | None, how: str, replace: bool, dry_run: bool, folder: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Mirror the case into Neo4j.

    Only what changed travels. What you added in Neo4j yourself is never touched. Where Neo4j is: the local server, or
    LINKAGE_NEO4J_URI. Nothing that a graph holds is ever replaced without being asked.

    \b
      linkage neo4j publish --dry-run         what would travel, and how
      linkage neo4j publish
    """
    if folder is not None:
        if how == "bolt" or dry_run or replace:
            raise click.UsageError("--offline DIR only writes files: leave out --how bolt, --dry-run and --replace.")
        _offline(case, folder, "all" if scope == "auto" else scope, database, as_json=as_json)
        return
    from linkage.commands.neo4j.progress import server_progress
    from linkage.graph import publish, required, route

    where = required(database)
    chosen = route.choose(case, where, scope=scope, how=how)  # type: ignore[arg-type]
    if chosen.why:
        note(f"{'Would go' if dry_run else 'Goes'} {_WAYS[chosen.how]}: {chosen.why}.")
    imported = chosen.how == "offline" and not dry_run
    if imported:
        with server_progress() as told:
            route.load(case, where, chosen, scope=scope, progress=told)  # type: ignore[arg-type]
    with progress("publish") as step:
        report = publish(case, where, scope=scope, replace=replace, dry_run=dry_run, imported=imported, progress=step)  # type: ignore[arg-type]
    for name, counts in report.by_layer.items():
        detail(f"{name}: " + ", ".join(f"{count:,} {verb}" for verb, count in counts.items() if count))
    if as_json:
        print_json("publish", {"how": chosen.how, **asdict(report)})
    elif imported:
        tell(
            f"{report.uri}: {report.nodes:,} nodes and {report.relationships:,} relationships (scope {report.scope}); "
            "imported, and found to be what the case says"
        )
    else:
        tell(("would be " if dry_run else "") + describe(report))


_WAYS = {"bolt": "over Bolt", "offline": "by an offline import"}


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
