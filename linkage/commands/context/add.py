"""`linkage context add`."""

from pathlib import Path

import click

from linkage.commands.common import PATH, case_option, note, output_options, print_json, tell
from linkage.context.model import SOURCES


@click.command(name="add")
@click.argument("source", type=click.Choice(SOURCES))
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=PATH)
@case_option
@output_options()
def command(source: str, files: tuple[Path, ...], case: Path, as_json: bool) -> None:
    """Put a list of networks or mail domains into the case.

    The FILEs of one list, e.g. for IPv4 and for IPv6, take the place of those that were there. Text, plain or .gz:

    \b
      asn          start,end,asn,organisation (ip-location-db), or cidr,asn,organisation
      hosting vpn tor mobile education
                   one a line: 203.0.113.0/24, 203.0.113.7, first-last, AS64500
      disposable freemail
                   one domain a line

    Nothing is downloaded: docs/context.md says where free lists are. What addresses of a type are worth changes with
    the next run: linkage detect
    """
    from linkage.context.tables import add

    made = add(case, source, files)
    if as_json:
        print_json("context-added", made)
        return
    if not made.changed:
        note(f"The same files for {source} are there already; nothing changed.")
        return
    table = made.table
    tell(f"{case}: {table.rows:,} rows for {source} from {', '.join(table.files)}")
    if made.before is not None:
        note(f"They take the place of {made.before.rows:,} from {', '.join(made.before.files)}.")
    if table.overlaps:
        note(f"{table.overlaps:,} ranges overlap others: there the narrower counts.")
    if table.rejected:
        note(f"{table.rejected:,} lines could not be read:")
        for name, line, reason in made.examples:
            note(f"  {name}, line {line:,}: {reason}")
    note("Later runs use it: linkage detect")
