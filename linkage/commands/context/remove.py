"""`linkage context remove`."""

from pathlib import Path

import click

from linkage.commands.common import case_option, note, output_options, print_json, tell
from linkage.context.model import SOURCES


@click.command(name="remove")
@click.argument("source", type=click.Choice(SOURCES))
@case_option
@output_options()
def command(source: str, case: Path, as_json: bool) -> None:
    """Take a list out of the case.

    Runs from then on are as if it had never been there.
    """
    from linkage.context.tables import remove

    gone = remove(case, source)
    if as_json:
        print_json("context-removed", gone)
        return
    tell(f"{case}: {gone.rows:,} rows for {source} from {', '.join(gone.files)} are gone")
    note("Later runs do without it: linkage detect")
