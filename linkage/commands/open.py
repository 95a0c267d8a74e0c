"""`linkage open`."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import case_option, note, output_options, print_json, tell
from linkage.commands.graph import database_option, describe, progress
from linkage.errors import Neo4jError, UsageError

if TYPE_CHECKING:
    from linkage.graph import Target


@click.command(name="open")
@click.argument("ring_id", metavar="[RING]", default="1")
@case_option
@database_option
@click.option("--print", "only_print", is_flag=True, help="Print the address, open nothing.")
@click.option("--yes", is_flag=True, help="Download the local server without asking, if it is needed.")
@output_options()
def command(ring_id: str, case: Path, database: str | None, only_print: bool, yes: bool, as_json: bool) -> None:
    """Open Neo4j Browser on a ring.

    RING is an id, the start of one, or a rank; without it the first to look at. The local server is started if no Neo4j
    is known, and the case is mirrored if the graph is behind.
    """
    from linkage import results
    from linkage.graph import publish
    from linkage.graph.browser import behind, ring_page, write_guide

    ring = results.ring(case, ring_id).ring
    where = _where(database, yes=yes)
    page = ring_page(where, ring)
    if behind(case, where):
        with progress("publish") as step:
            note(f"Neo4j at {describe(publish(case, where, progress=step))}")
    write_guide(where, ring, page)
    if as_json:
        print_json("open", page)
    else:
        tell(page.url)
    if not only_print and not as_json:
        _show(page.url)
    local = where.web is not None
    note(f"Log in as {where.user}" + ("; the password: linkage neo4j password --copy" if local else ""))
    note("Then press Run (the triangle beside the editor).")


def _where(database: str | None, *, yes: bool) -> "Target":
    """The Neo4j that is known, else the local server, started now."""
    from linkage import server
    from linkage.commands.neo4j.progress import server_progress
    from linkage.graph import required, target

    found = target(database)
    if found is not None:
        return found
    if not server.installed() and not yes:
        size = f"{server.download_size() / 1e6:,.0f} MB"
        if not sys.stdin.isatty():
            raise UsageError(
                f"No Neo4j is known, and the local server would have to be downloaded ({size}).",
                "Agree to that: linkage open --yes. Or set LINKAGE_NEO4J_URI.",
            )
        if not click.confirm(f"No Neo4j is known. Download a local server ({size})?", err=True):
            raise Neo4jError(
                "No Neo4j is known, and none was downloaded.",
                "Set LINKAGE_NEO4J_URI, or look at the ring here: linkage ring RING",
            )
    with server_progress() as step:
        server.up(progress=step)
    return required(database)


def _show(url: str) -> None:
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        note("There is no display here: open the address where there is one.")
        return
    if not webbrowser.open(url):
        note("No web browser could be started: open the address yourself.")
