"""Make a world and write it as an export."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from linkage.errors import MachineError, UsageError, translate
from linkage.model import TABLES
from linkage.simulate.people import live, pay, person, society
from linkage.simulate.recipes import RECIPES
from linkage.simulate.world import World

STANDARD: Final = 3_000
"""Recipes state their sizes for a world of so many accounts."""

LEAST: Final = 1_000
_MARKER: Final = "world.json"


@dataclass(frozen=True)
class SimulationReport:
    """What was written: the files, rows of each table, and how many rings and look-alike groups were planted."""

    folder: Path
    files: tuple[Path, ...]
    rows: dict[str, int]
    rings: int
    look_alikes: int


def simulate(
    folder: Path, *, accounts: int = STANDARD, seed: int = 1, days: int = 45, compress: bool = True
) -> SimulationReport:
    """Write an export of an invented world into `folder`, the same bytes for the same arguments.

    Writes the contract tables, `truth.csv` (account_id, ring) and `world.json` (what was planted, with its members).

    Args:
        folder: new, empty, or holding an earlier simulation, which is replaced.
        accounts: about so many, at least 1,000; rings and look-alikes grow with it.
        seed: of everything.
        days: length of the traffic, at least 10.
        compress: write `.csv.gz` instead of `.csv`.

    Raises:
        UsageError: an argument out of its range, or a folder that holds something else.
        MachineError: the folder cannot be written.
    """
    if accounts < LEAST or days < 10 or seed < 0:
        raise UsageError(f"A world has at least {LEAST:,} accounts, 10 days and a seed of 0 or more.")
    world = build(accounts, seed, days)
    try:
        return _write(world, folder, compress=compress)
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


def _write(world: World, folder: Path, *, compress: bool) -> SimulationReport:
    if folder.exists():
        if not folder.is_dir():
            raise MachineError(f"{folder} is a file, not a folder.", "Name a folder.")
        if any(folder.iterdir()) and not (folder / _MARKER).exists():
            raise UsageError(f"{folder} holds something else than a simulation.", "Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    files, rows = [], {}
    for table, found in world.tables.items():
        for stale in folder.glob(f"{table}.csv*"):
            stale.unlink()
        # Shuffled, so that nothing can be read from the order; sorted first, so that the order is the seed's alone.
        ordered = sorted(found, key=lambda row: json.dumps(row, default=str))
        shuffled = [ordered[int(at)] for at in world.rng.permutation(len(ordered))]
        columns = [column.name for column in TABLES[table] if any(column.name in row for row in shuffled[:50])]
        path = folder / (f"{table}.csv.gz" if compress else f"{table}.csv")
        _write_csv(path, columns, [[_cell(row.get(name)) for name in columns] for row in shuffled])
        files.append(path)
        rows[table] = len(shuffled)
    _write_csv(folder / "truth.csv", ("account_id", "ring"), sorted(world.truth.items()))
    (folder / _MARKER).write_text(json.dumps({"groups": world.groups}, indent=1) + "\n")
    rings = sum(group["ring"] for group in world.groups)
    return SimulationReport(
        folder, (*files, folder / "truth.csv", folder / _MARKER), rows, rings, len(world.groups) - rings
    )


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + "Z"
    if isinstance(value, bool):
        return str(value).lower()
    return value


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    content = out.getvalue().encode()
    # No name and no time in the gzip header: the same rows give the same bytes.
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
