"""`linkage neo4j load`."""

from pathlib import Path

import click

from linkage.commands.common import PATH, note, output_options, print_json, tell
from linkage.errors import UsageError


@click.command(name="load")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--replace", is_flag=True, help="Replace what the server holds, also what you added there yourself.")
@output_options()
def command(folder: Path, replace: bool, as_json: bool) -> None:
    """Load the local server from files of publish --offline.

    For first loads too big for Bolt. The server must be down; its database is made anew from the files in DIR.
    """
    from linkage import server
    from linkage.commands.neo4j.progress import server_progress
    from linkage.graph.offline import arguments

    words = arguments(folder)
    if server.status().has_data and not replace:
        raise UsageError(
            "The local server holds a graph already, which a load replaces, also what people added there.",
            "Mean it: linkage neo4j load DIR --replace. Else mirror the difference: linkage neo4j publish",
        )
    with server_progress() as progress:
        server.admin(words, progress=progress)
    if as_json:
        print_json("load", {"folder": folder, "home": server.home()})
    else:
        tell(f"{server.home()}: loaded from {folder}")
    note("Start it, and let the rest be checked and made: linkage neo4j up, then linkage neo4j publish")
