"""`linkage neo4j status`."""

from typing import TYPE_CHECKING, Any

import click

from linkage.commands.common import note, output_options, print_json, tell

if TYPE_CHECKING:
    from linkage.server import Status


@click.command(name="status")
@output_options()
def command(as_json: bool) -> None:
    """Show where Neo4j is and whose graph it holds."""
    from linkage.server import status

    found = status()
    if as_json:
        print_json("neo4j-server", document(found))
        return
    if found.server is None:
        tell("starting" if found.state == "starting" else "not running")
    else:
        tell(f"running    Neo4j {found.server.version}, process {found.server.pid}")
        tell(f"bolt       {found.server.bolt_url}")
        tell(f"browser    {found.server.http_url}")
        tell(f"java       {found.server.java}")
    tell(f"home       {found.home}{'' if found.has_data else ' (no data yet)'}")
    tell(f"cache      {found.cache}{_to_download(found.to_download)}")
    tell(f"log        {found.log}")
    if found.state == "stopped":
        note("Start it: linkage neo4j up")


def document(found: "Status") -> dict[str, Any]:
    """What `--json` shows; never the password."""
    server = found.server
    return {
        "state": found.state,
        "bolt_url": server and server.bolt_url,
        "http_url": server and server.http_url,
        "user": server and server.user,
        "pid": server and server.pid,
        "version": server and server.version,
        "java": server and server.java,
        "home": found.home,
        "cache": found.cache,
        "log": found.log,
        "has_data": found.has_data,
        "bytes_to_download": found.to_download,
    }


def _to_download(size: int) -> str:
    return f" ({size / 1e6:,.0f} MB to download)" if size else ""
