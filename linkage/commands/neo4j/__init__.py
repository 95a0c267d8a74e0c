"""`linkage neo4j`: a local server, and the mirror of the case in Neo4j. One file a command."""

from typing import Final

import click

from linkage.commands.lazy import LazyGroup

COMMANDS: Final[dict[str, str]] = {
    "up": "Start the local server; the first time it is downloaded.",
    "down": "Stop the local server; its data stay.",
    "status": "Show where Neo4j is and whose graph it holds.",
    "logs": "Show the local server's log.",
    "password": "Show or copy the local server's password.",
    "schema": "Apply or validate constraints and indexes.",
    "publish": "Mirror the case into Neo4j.",
    "load": "Load the local server from files of publish --offline.",
    "pull": "Bring decisions made in Neo4j back into the case.",
}


@click.group(name="neo4j", cls=LazyGroup, lines=COMMANDS, package=__name__)
def command() -> None:
    """Mirror the case into Neo4j, and look after a local server."""
