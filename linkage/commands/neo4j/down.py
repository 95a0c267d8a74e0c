"""`linkage neo4j down`."""

import click

from linkage.commands.common import output_options, print_json, tell


@click.command(name="down")
@output_options()
def command(as_json: bool) -> None:
    """Stop the local server; its data stay.

    Only a server that linkage neo4j up started is ever stopped.
    """
    from linkage import server

    stopped = server.down()
    if as_json:
        print_json("neo4j-down", {"stopped": stopped, "home": server.home()})
    else:
        tell("Neo4j is stopped; its data stay." if stopped else "There was no local server to stop.")
