"""Which files go in, as which tables."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from linkage.errors import InputError, NotFoundError, UsageError, translate
from linkage.ingest import address, cards
from linkage.ingest.address import Address
from linkage.ingest.locate import has
from linkage.ingest.mapped import needed, start
from linkage.ingest.mapping import (
    Override,
    Preset,
    Reading,
    Row,
    Value,
    contract_reading,
    overridden,
    overrides,
)
from linkage.ingest.mapping import (
    preset as named_preset,
)
from linkage.ingest.postgres import Database
from linkage.ingest.recognise import candidates, is_sure, may_be_known
from linkage.ingest.relation import relations
from linkage.ingest.shape import Shape, look
from linkage.ingest.sources import Compression, Format, Source
from linkage.ingest.unreadable import reading_errors
from linkage.model import DATABASES, TABLES

_FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".log": "log",
}
_COMPRESSIONS: Final[dict[str, Compression]] = {".gz": "gzip", ".zst": "zstd"}

_HINTS: Final = 4
"""Columns of a preset, one of them a sign, that make a file worth a question."""

_ROW_BY_ROW: Final = frozenset({"payment_id", "value", "prompt"})

_CONTRACT: Final = frozenset({"csv", "tsv", "jsonl", "parquet"})


@dataclass(frozen=True)
class Refused:
    """A file of which nothing goes in, and why."""

    path: Path
    error: InputError


@dataclass(frozen=True)
class Found:
    """What `find` found.

    Attributes:
        sources: what goes in, a file once for each of its tables.
        refused: files that cannot go in.
        passed_over: files in folders that are named after no table and that nothing shows the source of.
        databases: connections that the tables among the sources are read by; `close` hangs up.
    """

    sources: tuple[Source, ...]
    refused: tuple[Refused, ...]
    passed_over: tuple[Path, ...]
    databases: tuple[Database, ...] = ()

    def close(self) -> None:
        """Hang up."""
        for database in self.databases:
            database.close()


@dataclass(frozen=True)
class Told:
    """What the command says of all files: a contract table, a preset, columns; each may be left out."""

    table: str | None = None
    preset: str | None = None
    maps: Sequence[str] = ()


def find(paths: Sequence[Path | str], told: Told) -> Found:
    """The files and tables that `paths` name, folders searched to their bottom, in a fixed order, each once.

    Args:
        paths: files, folders, and addresses of databases.
        told: what is said of all of them.

    Raises:
        NotFoundError: a path that does not exist.
        InputError: a file of unknown table or format that was named itself, or nothing at all to ingest.
        UsageError: what is told is no table, preset or mapping.
    """
    if told.table is not None and told.table not in TABLES:
        raise UsageError(f"There is no table {told.table!r}.", f"Choose one of: {', '.join(TABLES)}.")
    if told.table is not None and told.preset is not None:
        raise UsageError("--preset says the tables itself.", "Leave out --table or --preset.")
    looking = _Looking(told, overrides(told.maps), named_preset(told.preset) if told.preset else None)
    try:
        for path in paths:
            if isinstance(path, str) and path.startswith(DATABASES):
                looking.take_database(address.read(path))
                continue
            path = Path(path)
            if not path.exists():
                raise NotFoundError(f"No such file or folder: {path}.")
            if path.is_dir():
                for file in _files_below(path):
                    looking.take(file, named=False)
            else:
                looking.take(path, named=True)
    except BaseException:
        looking.found.close()
        raise
    found = looking.found
    if not found.sources and not found.refused:
        where = ", ".join(str(path) for path in paths) or "no path"
        raise InputError(
            f"No export in {where}: no file is named after a table ({', '.join(TABLES)}) or of a known source, and "
            f"ends in {', '.join(_FORMATS)}.",
            "Rename the files, or name them one by one with --table, or --preset (linkage ingest --list-presets).",
        )
    return found


class _Looking:
    """The files so far."""

    def __init__(self, told: Told, changes: Sequence[Override], preset: Preset | None) -> None:
        self._told, self._changes, self._preset = told, changes, preset
        self._seen: set[Path] = set()
        self._sources: list[Source] = []
        self._refused: list[Refused] = []
        self._passed_over: list[Path] = []
        self._databases: list[Database] = []

    @property
    def found(self) -> Found:
        ordered = sorted(self._sources, key=lambda source: (source.table, str(source.path)))
        return Found(tuple(ordered), tuple(self._refused), tuple(self._passed_over), tuple(self._databases))

    def take(self, path: Path, *, named: bool) -> None:
        """Look at one file; `named` if the user named it, not a folder above it."""
        if path.resolve() in self._seen:
            return
        self._seen.add(path.resolve())
        source = _file(path)
        if source is None:
            if named:
                raise InputError(
                    f"{path} is in no format that linkage reads.",
                    f"Use {', '.join(_FORMATS)}; all but Parquet may also end in .gz or .zst.",
                )
            self._passed_over.append(path)
            return
        if named and not path.is_file():
            # It is read more than once: for its digest, its rows, and the lines of its rejects.
            raise InputError(f"{path} is a pipe or device, not a file.", "Write it to a file first.")
        if not self._add(source, table_of(path.name), named=named):
            self._passed_over.append(path)

    def _add(self, source: Source, table: str, *, named: bool) -> bool:
        """Add what `source` gives, or why it is refused; False if nothing tells what it is."""
        path, table = source.path, self._told.table or table
        try:
            with reading_errors(source):
                sources = self._sources_of(source, table)
        except InputError as exc:
            if table or named or self._preset:
                self._refused.append(Refused(path, exc))
                return True
            sources = []
        if not sources and named:
            raise InputError(
                f"{path} is named after no table ({', '.join(TABLES)}), and its columns are no known source's.",
                "Say which with --table, e.g. --table logins, or --preset (linkage ingest --list-presets).",
            )
        self._sources += sources
        for found in sources:
            if found.relation:
                found.relation.needed.update(needed(found))
        return bool(sources)

    def take_database(self, place: Address) -> None:
        """Look at the tables of a database: at what their columns are called, and at rows of those that fit."""
        if (self._told.table or self._preset) and not place.table:
            raise UsageError(
                f"--{'table' if self._told.table else 'preset'} is said of one table, and {place} has many.",
                "Name it behind the address: postgresql://…/database#TABLE.",
            )
        database = Database(place)
        self._databases.append(database)
        any_known = False
        for relation in relations(database):
            source = Source(Path(f"{place}/{relation.label}"), "", "relation", "none", relation=relation)
            table = table_of(relation.name)
            # A database is full of what is none of our business: where names of columns say nothing, no row is read.
            told = fits(table, relation.columns) or may_be_known(relation.columns)
            if source.path in self._seen:
                any_known = True
            elif place.table or told:
                self._seen.add(source.path)
                any_known |= self._add(source, table if told else "", named=bool(place.table))
        if not any_known:
            raise NotFoundError(
                f"{place} has no table {place.table or 'of a known source'} that {place.user} may look at.",
                "Name one: postgresql://…/database#TABLE, with --preset or --table (linkage ingest --list-presets).",
            )

    def _sources_of(self, source: Source, table: str) -> list[Source]:
        """What `source` gives; nothing if it cannot be told. `table` is the one that it is named after, or ""."""
        if not source.relation and source.size == 0:
            raise InputError(f"{source.path} is empty.", "Export it again.")
        if self._preset:
            return self._mapped(source, self._preset, "you said so")
        if table and (self._changes or self._told.table):
            return self._contract(source, table)
        shape = look(source)
        # Rows of a contract table are set aside one by one for a card number where payments and identifiers stand.
        told = _ROW_BY_ROW if table else frozenset()
        records = [
            {name: v for name, v in record.items() if name.strip().lower() not in told} for record in shape.records
        ]
        cards.check_start(str(source.path), shape.names, records)
        if fits(table, shape.names):
            return self._contract(source, table)
        known = candidates(source)
        if is_sure(known):
            return self._mapped(source, known[0].preset, known[0].why)
        if table:
            return self._contract(source, table)
        if known and len(known[0].signs) + known[0].columns >= _HINTS:
            names = " or ".join(one.preset.name for one in known[:3])
            raise InputError(
                f"{source.path} could be of {names}: too few of its columns tell.",
                f"Say which: linkage ingest --preset {known[0].preset.name} FILE; or look first: --explain.",
            )
        return []

    def _contract(self, source: Source, table: str) -> list[Source]:
        """A file of the contract's columns, or of those that `--map` says."""
        if source.format == "log":
            raise InputError(
                f"{source.path} is a text log, and its lines are of no known source.",
                "Say which with --preset (linkage ingest --list-presets), or export it as CSV.",
            )
        source = replace(source, table=table)
        if self._changes or source.format not in _CONTRACT:
            return [replace(source, reading=overridden(contract_reading(table), self._changes))]
        if table == "accounts" and has(look(source), "aliases"):
            return [source, replace(source, table="aliases", reading=ACCOUNT_ALIASES)]
        return [source]

    def _mapped(self, source: Source, preset: Preset, why: str) -> list[Source]:
        """What a file of `preset` gives to each contract table that it has the columns of."""
        shape = start(source, preset)
        cards.check_start(str(source.path), shape.names, shape.records)
        found: list[Source] = []
        for reading in preset.readings:
            changed = overridden(reading, self._changes)
            if any(_fills(shape, preset, changed.table, row) for row in changed.rows):
                changed = replace(changed, first=not found)
                found.append(replace(source, table=reading.table, reading=changed, preset=preset, why=why))
        # The lines of a log all have the same groups, which may be empty.
        account = found[0].reading.rows[0].columns["account_id"] if found and found[0].reading else Value()
        named = any(record.get(path) not in (None, "", "-") for record in shape.records for path in account.paths)
        if not found or (preset.line and not named):
            raise InputError(
                f"{source.path}, read as {preset.title}, has no column that names the account and what it had or did.",
                preset.lacking or "Say which column names the account: --map account_id=COLUMN.",
            )
        return found


ACCOUNT_ALIASES: Final = Reading(
    "aliases",
    (Row({"account_id": Value(("account_id",)), "kind": Value(text="alias"), "value": Value(("aliases",))}),),
    first=False,
    listed="value",
)
"""What the column `aliases` of `accounts` gives to the table of that name."""


def fits(table: str, columns: Iterable[str]) -> bool:
    """Whether what is named after a table, "" if after none, has its required columns."""
    names = {name.strip().lower() for name in columns}
    return bool(table) and all(column.name in names for column in TABLES[table] if column.required)


def _fills(shape: Shape, preset: Preset, table: str, row: Row) -> bool:
    """Whether a file has what a row needs, and anything beside the account and the time."""
    filled = {
        name
        for name, value in row.columns.items()
        if not value.paths or any(has(shape, place) for path in value.paths for place in preset.places(path))
    }
    return all(c.name in filled for c in TABLES[table] if c.required) and bool(filled - {"account_id", "at"})


def _files_below(folder: Path) -> list[Path]:
    def refuse(exc: OSError) -> None:
        # `rglob` would pass over a folder that it may not read, and its exports would be missed without a word.
        raise translate(exc, f"looking into {folder}") from None

    found = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if path.is_file())


def _file(path: Path) -> Source | None:
    """What linkage reads of a file; None if it reads no such thing."""
    form, compression = format_of(path.name)
    return Source(path, "", form, compression) if form else None


def format_of(name: str) -> tuple[Format | None, Compression]:
    """The format that a file's name says, None if linkage reads no such thing, and how it is packed."""
    name = name.lower()
    compression: Compression = "none"
    for suffix, kind in _COMPRESSIONS.items():
        if name.endswith(suffix):
            name, compression = name.removesuffix(suffix), kind
    # Logs are rotated to access.log.1 and so on.
    name = re.sub(r"\.log\.[0-9]+$", ".log", name)
    form = _FORMATS.get("".join(name.rpartition(".")[1:]))
    return (None if form == "parquet" and compression != "none" else form), compression


def table_of(name: str) -> str:
    """The table that a file or folder of this name is named after, or ""."""
    stem = name.lower().partition(".")[0]
    return max((table for table in TABLES if stem.startswith(table)), key=len, default="")
