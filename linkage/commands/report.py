"""`linkage report`."""

from pathlib import Path

import click

from linkage.commands.common import PATH, case_option, note, output_options, print_json, tell


@click.command(name="report")
@click.argument("rings", metavar="[RING]...", nargs=-1)
@click.option("-o", "--output", metavar="FILE", type=PATH, required=True, help="The page to write, e.g. report.html.")
@click.option("--force", is_flag=True, help="Replace FILE where it says something else.")
@case_option
@output_options()
def command(rings: tuple[str, ...], output: Path, force: bool, case: Path, as_json: bool) -> None:
    """Write the rings as one HTML page that works offline.

    All listed rings, or each RING: an id, the start of one, or a rank from `linkage rings`. The page has the list with
    filters, and of each ring the graph, the waterfalls, who shares what, when they acted, doubts and decisions. It
    loads nothing and sends nothing. It names accounts: only you may read the file (mode 0600).

    \b
      linkage report -o report.html           all listed rings
      linkage report 1 3 -o two.html          the first and the third
    """
    from linkage.report import report

    written = report(case, output, rings, force=force)
    if as_json:
        print_json("report", written)
        return
    tell(f"{written.path}: {written.rings:,} ring{'' if written.rings == 1 else 's'}, {written.bytes / 1e6:.1f} MB")
    if not written.changed:
        tell("Nothing changed since it was written.")
    note("Open it in a browser. It names accounts: hand it on with care.")
