"""`linkage neo4j logs`."""

import click

from linkage.commands.common import output_options, print_json, tell
from linkage.errors import NotFoundError, UsageError


@click.command(name="logs")
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), metavar="N", default=50, show_default=True, help="The last N lines."
)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is added, until Ctrl-C.")
@output_options()
def command(lines: int, follow: bool, as_json: bool) -> None:
    """Show the local server's log."""
    from linkage import server

    if follow and as_json:
        raise UsageError("--follow has no end, and --json is one document.", "Leave out one of them.")
    found = server.log_tail(lines=lines)
    log = server.status().log
    if not found and not log.exists():
        raise NotFoundError(f"There is no log at {log}: the server was never started.", "Start it: linkage neo4j up")
    if as_json:
        print_json("neo4j-logs", {"file": log, "lines": found})
        return
    for line in found:
        tell(line)
    if follow:
        for line in server.follow_log():
            tell(line)
