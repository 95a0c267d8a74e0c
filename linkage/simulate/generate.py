"""Make a world and write it as an export."""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from linkage.errors import MachineError, UsageError, translate
from linkage.model import TABLES
from linkage.simulate import incident, sample
from linkage.simulate.campaigns import campaigns
from linkage.simulate.mix import mix
from linkage.simulate.noise import noise
from linkage.simulate.parts import Parts
from linkage.simulate.world import WORLDS_VERSION, World

WorldName = Literal["sample", "mix", "campaigns", "noise", "incident"]
Prompts = Literal["raw", "fingerprint", "none"]
Format = Literal["csv", "parquet"]


@dataclass(frozen=True)
class WorldKind:
    """A world that can be made: how, its usual and least number of accounts, and its usual prompts."""

    build: Callable[[World], None] | None
    accounts: int
    least: int = 1_000
    prompts: Prompts = "raw"


WORLDS: Final[dict[str, WorldKind]] = {
    "sample": WorldKind(None, 3_000),
    "mix": WorldKind(mix, 60_000, 3_000),
    "campaigns": WorldKind(campaigns, 1_000_000, 10_000, "fingerprint"),
    "noise": WorldKind(noise, 5_000),
    "incident": WorldKind(None, incident.ACCOUNTS, incident.ACCOUNTS),
}
_MARKER: Final = "world.json"
_SUFFIXES: Final = (".csv", ".csv.gz", ".parquet", ".csv.part")
_TRUTHS: Final = ("truth", "structures")


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
    world: WorldName = "sample",
    accounts: int | None = None,
    seed: int = 1,
    days: int = 45,
    evasion: float = 0.0,
    prompts: Prompts | None = None,
    compress: bool = True,
    format: Format = "csv",
) -> SimulationReport:
    """Write an export of an invented world into `folder`, the same bytes for the same arguments.

    Writes the contract tables, `truth.csv` (account_id, ring), `structures.csv` (account_id, structure, instance,
    ring) and `world.json` (what was planted). The worlds `sample` and `incident` have their members in `world.json`
    instead of structures; `incident` has files of Stripe and LiteLLM instead of tables.

    Args:
        folder: new, empty, or holding an earlier simulation, which is replaced.
        world: which one; see docs/simulate.md.
        accounts: about so many for `sample`, exactly so many for others, 150 for `incident`; by default what is usual.
        seed: of everything.
        days: length of the traffic, at least 10; 28 for `incident`.
        evasion: from 0 to 1, how much rings hide; see docs/simulate.md. For `mix` and `campaigns`.
        prompts: as raw text, as the provider's fingerprints, or none; by default what is usual for the world.
        compress: write `.csv.gz` instead of `.csv`; Parquet is always compressed.
        format: of the contract tables; `truth.csv` and `structures.csv` are always CSV.

    Raises:
        UsageError: an argument out of its range, or a folder that holds something else.
        MachineError: the folder cannot be written.
    """
    suffix = ".parquet" if format == "parquet" else ".csv.gz" if compress else ".csv"
    kind = WORLDS.get(world)
    if kind is None:
        raise UsageError(f"There is no world {world!r}.", f"Choose one: {', '.join(WORLDS)}.")
    accounts, prompts = accounts or kind.accounts, prompts or kind.prompts
    if accounts < kind.least or days < 10 or seed < 0:
        raise UsageError(f"The world {world} has at least {kind.least:,} accounts, 10 days and a seed of 0 or more.")
    for name, value, known in (("format", format, Format), ("prompts", prompts, Prompts)):
        if value not in get_args(known):
            raise UsageError(f"There is no {name} {value!r}.", f"Choose one: {', '.join(get_args(known))}.")
    if not 0 <= evasion <= 1:
        raise UsageError(f"Evasion is {evasion}, which is not from 0 to 1.")
    if world == "noise" and evasion:
        raise UsageError("In the world noise nobody evades.", "Leave --evasion out.")
    if kind.build is None and (evasion or prompts != "raw"):
        raise UsageError(f"The world {world} has raw prompts and no evasion.", "Choose --world mix.")
    if world == "incident" and (accounts != incident.ACCOUNTS or format != "csv"):
        raise UsageError("The world incident is files of Stripe and LiteLLM, of one size.", "Choose --world sample.")
    try:
        _check(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if world == "incident":
            return _incident(folder, seed)
        if kind.build is None:
            return _sample(folder, suffix, accounts, seed, days)
        facts = {"accounts": accounts, "seed": seed, "days": days, "evasion": evasion, "prompts": prompts}
        return _stream(folder, suffix, world, facts)
    except UsageError:
        raise
    except Exception as exc:
        raise translate(exc, f"writing {folder}") from None


def _sample(folder: Path, suffix: str, accounts: int, seed: int, days: int) -> SimulationReport:
    made = sample.build(accounts, seed, days)
    # The marker comes first: a simulation that was interrupted can be made again in the same folder.
    _mark(folder, {"groups": made.groups})
    _clear(folder)
    files, rows = sample.write(made, folder, suffix)
    rings = sum(group["ring"] for group in made.groups)
    return SimulationReport(folder, (*files, folder / _MARKER), rows, rings, len(made.groups) - rings)


def _incident(folder: Path, seed: int) -> SimulationReport:
    _mark(folder, {"groups": incident.groups()})
    _clear(folder)
    files, rows = incident.write(folder, seed)
    rings = sum(group["ring"] for group in incident.groups())
    return SimulationReport(folder, (*files, folder / _MARKER), rows, rings, len(incident.groups()) - rings)


def _stream(folder: Path, suffix: str, name: str, facts: dict[str, Any]) -> SimulationReport:
    build = WORLDS[name].build
    assert build is not None
    about = {"worlds_version": WORLDS_VERSION, "world": name, **facts}
    _mark(folder, about)
    _clear(folder)
    with tempfile.TemporaryDirectory(prefix=".parts.", dir=folder) as private:
        parts = Parts(Path(private))
        try:
            world = World(parts, **facts)
            build(world)
        finally:
            parts.close()
        files = []
        for table in parts.rows:
            path = folder / f"{table}{'.csv' if table in _TRUTHS else suffix}"
            if parts.rows[table]:
                parts.write(table, path, facts["prompts"])
                files.append(path)
    _mark(folder, {**about, "structures": world.counts, "rows": parts.rows})
    rows = {table: count for table, count in parts.rows.items() if count and table not in _TRUTHS}
    rings = sum(tally["instances"] for tally in world.counts.values() if tally["ring"])
    planted = sum(tally["instances"] for tally in world.counts.values())
    return SimulationReport(folder, (*files, folder / _MARKER), rows, rings, planted - rings)


def _mark(folder: Path, about: dict[str, Any]) -> None:
    (folder / _MARKER).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _clear(folder: Path) -> None:
    """Remove what an earlier simulation left, so that no two worlds lie in one folder."""
    tables = (f"{table}{suffix}" for table in TABLES for suffix in _SUFFIXES)
    for stale in (*tables, *incident.FILES, "truth.csv", "structures.csv"):
        (folder / stale).unlink(missing_ok=True)
    for parts in folder.glob(".parts.*"):
        shutil.rmtree(parts, ignore_errors=True)


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
        found = json.loads(marker.read_text(encoding="utf-8"))
        if "worlds_version" in found:
            return found["world"] in WORLDS and {"accounts", "seed", "days", "evasion", "prompts"} <= found.keys()
        return all({"name", "recipe", "ring", "accounts"} <= group.keys() for group in found["groups"])
    except (FileNotFoundError, IsADirectoryError, ValueError, LookupError, TypeError, AttributeError):
        return False
