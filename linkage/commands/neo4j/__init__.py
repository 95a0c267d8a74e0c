"""`linkage neo4j`: a local server, and the mirror of the case in Neo4j. One file a command, as in `linkage.commands`."""

from typing import Final

import click

from linkage.commands.lazy import LazyGroup

COMMANDS: Final[dict[str, str]] = {}


@click.group(name="neo4j", cls=LazyGroup, lines=COMMANDS, package=__name__)
def command() -> None:
    """Mirror the case into Neo4j, and look after a local server."""
