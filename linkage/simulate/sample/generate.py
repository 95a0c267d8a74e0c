"""Build the world `sample` and write its tables."""

import json
from pathlib import Path
from typing import Final

import numpy as np

from linkage.model import TABLES
from linkage.simulate.files import write_csv, write_parquet
from linkage.simulate.sample.people import live, pay, person, society
from linkage.simulate.sample.recipes import RECIPES
from linkage.simulate.sample.world import World

STANDARD: Final = 3_000
"""Recipes state their sizes for a world of so many accounts."""


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


def write(world: World, folder: Path, suffix: str) -> tuple[list[Path], dict[str, int]]:
    """Write the contract tables and `truth.csv` into a folder; returns the files, and the rows of each table.

    Raises:
        OSError: the folder cannot be written.
        LinkageError: a Parquet file cannot be written.
    """
    files, rows = [], {}
    for table, found in world.tables.items():
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
    return [*files, folder / "truth.csv"], rows
