"""Make a world and write it as an export."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np

from linkage.errors import MachineError, UsageError, translate
from linkage.model import TABLES
from linkage.simulate.files import write_csv, write_parquet
from linkage.simulate.people import live, pay, person, society
from linkage.simulate.recipes import RECIPES
from linkage.simulate.world import World

STANDARD: Final = 3_000
"""Recipes state their sizes for a world of so many accounts."""

LEAST: Final = 1_000
_MARKER: Final = "world.json"

Format = Literal["csv", "parquet"]
_SUFFIXES: Final = (".csv", ".csv.gz", ".parquet", ".csv.part")


@dataclass(frozen=True)
class SimulationReport:
    """What was written: the files, rows of each table, and how many rings and look-alike groups were planted."""

    folder: Path
    files: tuple[Path, ...]
    rows: dict[str, int]
    rings: int
    look_alikes: int


def simulate(
    folder: Path,
    *,
    accounts: int = STANDARD,
    seed: int = 1,
    days: int = 45,
    compress: bool = True,
    format: Format = "csv",
) -> SimulationReport:
    """Write an export of an invented world into `folder`, the same bytes for the same arguments.

    Writes the contract tables, `truth.csv` (account_id, ring) and `world.json` (what was planted, with its members).

    Args:
        folder: new, empty, or holding an earlier simulation, which is replaced.
        accounts: about so many, at least 1,000; rings and look-alikes grow with it.
        seed: of everything.
        days: length of the traffic, at least 10.
        compress: write `.csv.gz` instead of `.csv`; Parquet is always compressed.
        format: of the contract tables; `truth.csv` is always CSV.

    Raises:
        UsageError: an argument out of its range, or a folder that holds something else.
        MachineError: the folder cannot be written.
    """
    if accounts < LEAST or days < 10 or seed < 0:
        raise UsageError(f"A world has at least {LEAST:,} accounts, 10 days and a seed of 0 or more.")
    if format not in get_args(Format):
        raise UsageError(f"There is no format {format!r}.", f"Choose one: {', '.join(get_args(Format))}.")
    try:
        _check(folder)
        world = build(accounts, seed, days)
        return _write(world, folder, ".parquet" if format == "parquet" else ".csv.gz" if compress else ".csv")
    except OSError as exc:
        raise translate(exc, f"writing {folder}") from None


def build(accounts: int, seed: int, days: int = 45) -> World:
    """The world itself, unwritten."""
    world = World(np.random.default_rng(seed), days)
    around = society(world, accounts)
    scale = accounts / STANDARD
    for planted in RECIPES:
        planted.build(world, around, max(5, round(planted.size * scale)) if planted.grows else planted.size)
    while len(world.truth) < accounts:
        who = person(world, around)
        pay(world, who)
        live(world, who)
    return world


def _check(folder: Path) -> None:
    """Refuse a folder in which anything but a simulation would be overwritten."""
    if folder.exists():
        if not folder.is_dir():
            raise MachineError(f"{folder} is a file, not a folder.", "Name a folder.")
        if any(folder.iterdir()) and not _is_ours(folder / _MARKER):
            raise UsageError(f"{folder} holds something else than a simulation.", "Name a new folder.")


def _is_ours(marker: Path) -> bool:
    # Any program may call a file world.json: only one that holds what we write says that the tables are ours too.
    try:
        groups = json.loads(marker.read_text(encoding="utf-8"))["groups"]
        return all({"name", "recipe", "ring", "accounts"} <= group.keys() for group in groups)
    except (FileNotFoundError, IsADirectoryError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _write(world: World, folder: Path, suffix: str) -> SimulationReport:
    folder.mkdir(parents=True, exist_ok=True)
    # The marker comes first: a simulation that was interrupted can be made again in the same folder.
    (folder / _MARKER).write_text(json.dumps({"groups": world.groups}, indent=1) + "\n", encoding="utf-8")
    files, rows = [], {}
    for table, found in world.tables.items():
        for stale in _SUFFIXES:
            (folder / f"{table}{stale}").unlink(missing_ok=True)
        # Shuffled, so that nothing can be read from the order; sorted first, so that the order is the seed's alone.
        ordered = sorted(found, key=lambda row: json.dumps(row, default=str))
        shuffled = (ordered[int(at)] for at in world.rng.permutation(len(ordered)))
        columns = [column.name for column in TABLES[table] if any(column.name in row for row in ordered)]
        path = folder / f"{table}{suffix}"
        if suffix == ".parquet":
            write_parquet(path, table, columns, shuffled)
        else:
            write_csv(path, columns, shuffled)
        files.append(path)
        rows[table] = len(ordered)
    truth = ({"account_id": account, "ring": ring} for account, ring in sorted(world.truth.items()))
    write_csv(folder / "truth.csv", ("account_id", "ring"), truth)
    rings = sum(group["ring"] for group in world.groups)
    return SimulationReport(
        folder, (*files, folder / "truth.csv", folder / _MARKER), rows, rings, len(world.groups) - rings
    )
