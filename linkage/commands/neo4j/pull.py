"""`linkage neo4j pull`."""

from pathlib import Path

import click

from linkage.commands.common import case_option, note, output_options, print_json, tell
from linkage.commands.graph import database_option
from linkage.errors import ExitCode


@click.command(name="pull")
@case_option
@database_option
@output_options()
def command(case: Path, database: str | None, as_json: bool) -> int:
    """Bring decisions made in Neo4j back into the case.

    On a Ring in Neo4j set review to confirm, dismiss, watch or open, and if you like review_note, review_tags,
    review_by and review_at. Later runs remember it.
    """
    from linkage.graph import required
    from linkage.graph.pull import pull

    report = pull(case, required(database))
    if as_json:
        print_json("pull", report)
    else:
        for decision in report.added:
            why = f": {decision.note}" if decision.note else ""
            tell(f"{decision.ring_id}: {decision.verdict} by {decision.by}{why}")
        tell(f"{report.found:,} decisions in the graph, {len(report.added):,} of them new")
    for refused in report.refused:
        note(f"Not taken in, ring {refused.ring_id}: {refused.reason}")
    if report.added:
        note("Show their status in Neo4j as well: linkage neo4j publish")
    return ExitCode.INPUT if report.refused else ExitCode.DONE
