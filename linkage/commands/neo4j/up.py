"""`linkage neo4j up`."""

import os

import click

from linkage.commands.common import detail, note, output_options, print_json, tell


@click.command(name="up")
@click.option("--bolt-port", type=int, metavar="N", help="The port of Bolt; else 7687, or a free one.")
@click.option("--http-port", type=int, metavar="N", help="The port of Browser; else 7474, or a free one.")
@click.option("--heap", default="1g", show_default=True, metavar="SIZE", help="The memory of its Java: 512m, 4g.")
@output_options()
def command(bolt_port: int | None, http_port: int | None, heap: str, as_json: bool) -> None:
    """Start the local server; the first time it is downloaded.

    Neo4j Community with Browser, Graph Data Science and APOC, for people who have no Neo4j. It needs
    pip install 'account-linkage[neo4j-server]' and nothing else: no Docker, and no Java on the machine. It listens
    on this machine only, keeps its data between starts, and goes on when this command has ended.

    Its data lie in LINKAGE_NEO4J_HOME (default: the user's data folder), its jars, 152 MB, in LINKAGE_NEO4J_CACHE
    (default: the user's cache folder).
    """
    from linkage import server
    from linkage.commands.neo4j.progress import server_progress
    from linkage.commands.neo4j.status import document

    before = server.running()
    if before is None and (size := server.download_size()):
        note(f"Neo4j {server.VERSION} is downloaded first: {size / 1e6:,.0f} MB")
    with server_progress() as progress:
        found = server.up(bolt_port=bolt_port, http_port=http_port, heap=heap, progress=progress)
    if as_json:
        print_json("neo4j-server", document(server.status()))
        return
    was_up = before is not None and before.pid == found.pid
    tell(f"Neo4j {found.version} {'was up already' if was_up else 'is up'}: {found.bolt_url} and {found.http_url}")
    detail(f"Process {found.pid}, Java {found.java}, folder {found.home}")
    note(f"Its user is {found.user}; its password: linkage neo4j password")
    if os.environ.get("LINKAGE_NEO4J_URI"):
        note("LINKAGE_NEO4J_URI is set and goes before it: unset it to use this one.")
