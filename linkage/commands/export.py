"""`linkage export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from linkage.commands.common import PATH, case_option, note, output_options, print_json, tell

if TYPE_CHECKING:
    from linkage.export import Format

_FORMATS: Final = {
    "csv": "rows", "parquet": "rows", "graphml": "accounts", "gexf": "accounts", "jsonl": "rings", "stix": "indicators",
}  # fmt: skip
"""Each format, and what is counted of its files."""


@click.command(name="export")
@click.argument("folder", metavar="DIR", type=PATH)
@case_option
@click.option("--format", type=click.Choice(list(_FORMATS)), default="csv", show_default=True, help="File format.")
@click.option(
    "--ring", "rings", metavar="RING", multiple=True, help="This ring only, listed or not: an id or rank; repeatable."
)
@click.option("--key", type=PATH, metavar="FILE", help="For stix: the key that you share with the partner.")
@output_options()
def command(
    folder: Path, case: Path, format: "Format", rings: tuple[str, ...], key: Path | None, as_json: bool
) -> None:
    """Write rings, members and evidence as files.

    They go into DIR. Listed and explained rings only, unless --ring names others. The same run gives the same bytes.

    \b
    csv      tables of rings, members, evidence and former names of prompt templates,
             where there are any; what a spreadsheet would run is made inert
    parquet  the same tables
    graphml  RING.graphml: each ring as a graph for Gephi and its like
    gexf     RING.gexf: the same
    jsonl    rings.jsonl: one object a ring, for a ticket system
    stix     indicators.json: a STIX 2.1 bundle of hashed identifiers for a partner,
             who asks it with: linkage indicators match; of open, watched and confirmed
             rings only

    \b
      linkage export out/                                  all rings for a spreadsheet
      linkage export out/ --format gexf --ring 1           the first one for Gephi
    """
    from linkage.export import export

    report = export(case, folder, format=format, rings=rings, key=key)
    for what, lines in report.withheld.items():
        note(f"Not shared: {lines:,} {what}")
    if as_json:
        print_json("export", report)
        return
    for path in report.files:
        tell(f"{path}: {report.rows[path.stem]:,} {_FORMATS[format]}")
    if not report.files:
        tell("No rings.")
    elif not report.changed:
        tell("Nothing changed since the last export.")
