"""`linkage simulate`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from linkage.commands.common import PATH, note, output_options, print_json, tell

if TYPE_CHECKING:
    from linkage.simulate.generate import Format, Prompts, WorldName

WORLDS: Final = ("sample", "mix", "campaigns", "noise", "incident")
"""Those of `linkage.simulate`, written down here because help must not load it."""


@click.command(name="simulate")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--world", type=click.Choice(WORLDS), default="sample", show_default=True, help="What is planted.")
@click.option(
    "--accounts",
    type=click.IntRange(min=1000),
    show_default="what is usual for the world",
    help="How many; rings and look-alikes grow with them.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", default=1, show_default=True, help="Same seed, same bytes."
)
@click.option(
    "--days", type=click.IntRange(min=10), metavar="N", default=45, show_default=True, help="Length of the traffic."
)
@click.option(
    "--evasion", type=click.FloatRange(0, 1), metavar="X", default=0.0, show_default=True, help="How much rings hide."
)
@click.option(
    "--prompts",
    type=click.Choice(["raw", "fingerprint", "none"]),
    show_default="what is usual for the world",
    help="Prompts as text, as the provider's fingerprints, or left out.",
)
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True, help="Of the tables."
)
@click.option("--plain", is_flag=True, help="Write .csv, not .csv.gz.")
@output_options()
def command(
    folder: Path,
    world: "WorldName",
    accounts: int | None,
    seed: int,
    days: int,
    evasion: float,
    prompts: "Prompts | None",
    form: "Format",
    plain: bool,
    as_json: bool,
) -> None:
    """Make an export with planted rings and look-alikes.

    Writes the tables of the data contract, truth.csv, structures.csv and world.json into DIR. All of it is invented.
    The world incident is the tutorial's: files of Stripe and LiteLLM instead of tables.
    """
    from linkage.simulate import simulate

    report = simulate(
        folder,
        world=world,
        accounts=accounts,
        seed=seed,
        days=days,
        evasion=evasion,
        prompts=prompts,
        compress=not plain,
        format=form,
    )
    if as_json:
        print_json("simulation", report)
        return
    for table, count in report.rows.items():
        tell(f"{table}: {count:,} rows")
    rings = "1 ring" if report.rings == 1 else f"{report.rings} rings"
    tell(f"{rings} and {report.look_alikes} groups of innocent look-alikes are planted in {folder}")
    here, truth = shlex.quote(str(folder)), shlex.quote(str(folder / "truth.csv"))
    note(f"Try: linkage ingest {here} && linkage detect && linkage evaluate {truth}")
