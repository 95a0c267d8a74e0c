"""`linkage neo4j status`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from linkage.commands.common import case_option, note, output_options, print_json, tell
from linkage.commands.graph import database_option

if TYPE_CHECKING:
    from linkage.graph.held import Beside, Held
    from linkage.server import Status


@click.command(name="status")
@case_option
@database_option
@output_options()
def command(case: Path, database: str | None, as_json: bool) -> None:
    """Show where Neo4j is and whose graph it holds.

    That is the server of LINKAGE_NEO4J_URI where this is set, else the local one. If there is a case file, it says
    whether the graph is of this case, and whether it is behind. A server that does not answer is no error here.
    """
    from linkage.server import status

    found = status()
    held = None
    if found.server is not None or os.environ.get("LINKAGE_NEO4J_URI"):
        held = _held(case, database)
    if as_json:
        print_json("neo4j-server", {**document(found), "graph": held})
        return
    _tell_server(found)
    if held is not None:
        _tell_graph(held)
    elif found.state == "stopped":
        note("Start it: linkage neo4j up")


def document(found: "Status") -> dict[str, Any]:
    """What `--json` shows of the local server; never the password."""
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


def _held(case: Path, database: str | None) -> "Held | None":
    from linkage.graph import target
    from linkage.graph.held import look

    where = target(database)
    return look(where, case if case.exists() else None) if where else None


def _tell_server(found: "Status") -> None:
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


def _tell_graph(held: "Held") -> None:
    if not held.reachable:
        tell(f"graph      unknown: {held.problem}")
        return
    tell(f"graph      at {held.uri} ({held.source}), Neo4j {held.version}")
    if held.case_id is None:
        tell("holds      no case")
    elif held.nodes is None:
        tell(f"holds      case {held.case_id}, never completely published")
    else:
        tell(
            f"holds      case {held.case_id}, run {held.run}, scope {held.scope}: "
            f"{held.nodes:,} nodes and {held.relationships:,} relationships"
        )
        left = "" if held.complete else "; a publish since then is under way or broke off"
        tell(f"published  {held.published_at:%Y-%m-%d %H:%M:%S} UTC{left}")
    if held.case is not None:
        _tell_case(held.case, held.case_id)


def _tell_case(beside: "Beside", case_id: str | None) -> None:
    if beside.problem:
        tell(f"case       {beside.path} cannot be compared: {beside.problem}")
    elif case_id is None:
        tell(f"case       {beside.path} was not published")
    elif not beside.same:
        tell(f"case       {beside.path} is another one: {beside.case_id}")
    elif beside.behind:
        tell(f"case       {beside.path} is that case, and the graph is behind it")
        note("Bring it up to date: linkage neo4j publish")
    else:
        tell(f"case       {beside.path} is that case, and the graph is up to date")


def _to_download(size: int) -> str:
    return f" ({size / 1e6:,.0f} MB to download)" if size else ""
