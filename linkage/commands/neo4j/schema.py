"""`linkage neo4j schema`."""

import click

from linkage.commands.common import note, output_options, print_json, tell
from linkage.commands.graph import database_option
from linkage.errors import CheckFailedError


@click.group(name="schema")
def command() -> None:
    """Apply or validate constraints and indexes.

    They stand in the numbered files of graph_schema/. publish applies them by itself.
    """


@command.command(name="apply")
@database_option
@output_options()
def apply(database: str | None, as_json: bool) -> None:
    """Make the constraints and indexes that are missing."""
    from linkage.graph import connect, required
    from linkage.graph import schema as graph_schema

    with connect(required(database)) as graph:
        applied = graph_schema.apply(graph)
    if as_json:
        print_json("schema", {"applied": applied})
        return
    for name in applied:
        tell(f"applied {name}")
    if not applied:
        tell("Nothing changed: all constraints and indexes are there.")


@command.command(name="validate")
@database_option
@output_options()
def validate(database: str | None, as_json: bool) -> None:
    """Say where graph and files differ; exits 6 if they do."""
    from linkage.graph import connect, required
    from linkage.graph import schema as graph_schema

    with connect(required(database)) as graph:
        findings = graph_schema.validate(graph)
    if as_json:
        print_json("schema", {"findings": findings})
    else:
        for finding in findings:
            tell(f"{finding.step}: {finding.problem}")
    if findings:
        raise CheckFailedError(f"The schema differs in {len(findings):,} places.", "linkage neo4j schema apply")
    note("The schema is as the files say.")
