"""`linkage export`."""

from pathlib import Path
from typing import Literal

import click

from linkage.commands.common import PATH, case_option, output_options, print_json, tell


@click.command(name="export")
@click.argument("folder", metavar="DIR", type=PATH)
@case_option
@click.option("--format", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True, help="File format.")
@output_options()
def command(folder: Path, case: Path, format: Literal["csv", "parquet"], as_json: bool) -> None:
    """Write rings, members and evidence as files.

    They go into DIR. Listed and explained rings only, and the former names of prompt templates, where there are any.
    The same run gives the same bytes. In CSV, text that a spreadsheet would run as a formula gets an apostrophe in
    front.
    """
    from linkage.export import export

    report = export(case, folder, format=format)
    if as_json:
        print_json("export", report)
        return
    for path in report.files:
        tell(f"{path}: {report.rows[path.stem]:,} rows")
    if not report.changed:
        tell("Nothing changed since the last export.")
