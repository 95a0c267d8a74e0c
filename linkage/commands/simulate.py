"""`linkage simulate`."""

import shlex
from pathlib import Path

import click

from linkage.commands.common import PATH, note, output_options, print_json, tell


@click.command(name="simulate")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--accounts", type=click.IntRange(min=1000), default=3000, show_default=True, help="About so many.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--days", type=click.IntRange(min=10), default=45, show_default=True, help="Length of the traffic.")
@click.option("--plain", is_flag=True, help="Write .csv, not .csv.gz.")
@output_options()
def command(folder: Path, accounts: int, seed: int, days: int, plain: bool, as_json: bool) -> None:
    """Make an export with planted rings and look-alikes.

    Writes all tables of the data contract, truth.csv and world.json into DIR. All of it is invented.
    """
    from linkage.simulate import simulate

    report = simulate(folder, accounts=accounts, seed=seed, days=days, compress=not plain)
    if as_json:
        print_json("simulation", report)
        return
    for table, count in report.rows.items():
        tell(f"{table}: {count:,} rows")
    tell(f"{report.rings} rings and {report.look_alikes} groups of innocent look-alikes are planted in {folder}")
    here, truth = shlex.quote(str(folder)), shlex.quote(str(folder / "truth.csv"))
    note(f"Try: linkage ingest {here} && linkage detect && linkage evaluate {truth}")
