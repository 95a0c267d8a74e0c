"""Which column of a source is which column of the contract: presets, and what `--map` says.

A preset is data, `presets/NAME.toml`. Its grammar:

    title, export, source        what it is, where it is exported, where its columns are confirmed
    account                      how the source names an account, in words
    signs, columns               columns that no other source has; others that it has
    records                      the path to the records in a JSON document, e.g. `Records[*]`
    line                         a regular expression with named groups, for a text log
    under                        what may wrap the columns: `attributes`
    lacking                      what to do where no column names the account
    [[read]]                     one row of a contract table from each record
      table                      the contract table
      only                       paths, and the values of which one must stand there
      [read.columns]             contract column = value

A value is a path, a list of them (the first that is not empty counts), `{ from = …, as = … }` with one of `READERS`, or
`{ text = … }`. A path is a column, and what lies in it where it holds JSON: `client.ipAddress`; a name with dots of its
own needs no quotes, since the longest column that fits is taken.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from linkage.errors import LinkageError, UsageError
from linkage.model import TABLES

READERS: Final = ("address", "e-mail", "log time", "nanoseconds", "prompt")
"""How a value may be read beyond what the contract's column does: see `mapped`."""

_FOLDER: Final = Path(__file__).parent / "presets"
_PART: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^."]+)')


@dataclass(frozen=True)
class Value:
    """Where a contract column comes from.

    Attributes:
        paths: the first of them that is not empty counts.
        reader: one of `READERS`, or "".
        text: the same in every row, where there are no paths.
    """

    paths: tuple[str, ...] = ()
    reader: str = ""
    text: str = ""

    def __str__(self) -> str:
        """For people: `Created (UTC) or Created date (UTC), as nanoseconds`."""
        if not self.paths:
            return f"always {self.text}"
        return " or ".join(self.paths) + (f", as {self.reader}" if self.reader else "")


@dataclass(frozen=True)
class Row:
    """One row of a contract table for each record.

    Attributes:
        columns: contract column to its value.
        only: of each path, the values of which one must stand there.
    """

    columns: Mapping[str, Value]
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a file gives to one contract table: `rows` rows for each record, where they say anything.

    Attributes:
        table: the contract table.
        rows: what each record gives.
        first: of the readings of a file, the one that tells of its broken records.
        listed: a column that holds several values, each of which makes a row.
    """

    table: str
    rows: tuple[Row, ...]
    first: bool = True
    listed: str = ""


@dataclass(frozen=True)
class Preset:
    """A source whose exports are known; the fields are those of the TOML file."""

    name: str
    title: str
    export: str
    source: str
    account: str
    signs: tuple[str, ...]
    columns: tuple[str, ...]
    readings: tuple[Reading, ...]
    records: str = ""
    line: str = ""
    under: str = ""
    lacking: str = ""

    def places(self, path: str) -> tuple[str, ...]:
        """Where a path may lie: on top, or `under` what wraps it."""
        return (path, f"{self.under}.{path}") if self.under else (path,)


def split(path: str) -> tuple[str, ...]:
    r"""The parts of a path.

    >>> split('client.ipAddress'), split('attributes."gen_ai.request.model"')
    (('client', 'ipAddress'), ('attributes', 'gen_ai.request.model'))
    """
    return tuple(quoted.replace('\\"', '"') if quoted else plain for quoted, plain in _PART.findall(path))


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name.

    Raises:
        LinkageError: a preset is broken.
    """
    found = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        try:
            found[path.stem] = _preset(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as exc:
            raise LinkageError(f"The preset {path} is broken: {exc}.", "Install again.") from None
    return found


def preset(name: str) -> Preset:
    """The preset called `name`.

    Raises:
        UsageError: there is none.
    """
    if name not in presets():
        raise UsageError(f"There is no preset {name!r}.", f"Choose one of: {', '.join(presets())}.")
    return presets()[name]


def _preset(name: str, told: dict[str, Any]) -> Preset:
    rows: dict[str, list[Row]] = {}
    for part in told.pop("read"):
        rows.setdefault(part["table"], []).append(_row(part["table"], part))
    readings = tuple(Reading(table, tuple(given), not at) for at, (table, given) in enumerate(rows.items()))
    signs, columns = (tuple(told.pop(key)) for key in ("signs", "columns"))
    return Preset(name=name, signs=signs, columns=columns, readings=readings, **told)


def _row(table: str, part: dict[str, Any]) -> Row:
    contract = {column.name for column in TABLES[table]}
    unknown = sorted(part["columns"].keys() - contract)
    if unknown:
        raise ValueError(f"{table} has no column {unknown[0]}")
    only = tuple((path, tuple(values)) for path, values in part.get("only", {}).items())
    return Row({name: _value(given) for name, given in part["columns"].items()}, only)


def _value(given: str | list[str] | dict[str, Any]) -> Value:
    if isinstance(given, str):
        return Value((given,))
    if isinstance(given, list):
        return Value(tuple(given))
    if "text" in given:
        return Value(text=given["text"])
    reader = given.get("as", "")
    if reader and reader not in READERS:
        raise ValueError(f"there is no reader {reader!r}")
    return replace(_value(given["from"]), reader=reader)


def contract_reading(table: str) -> Reading:
    """A file whose columns have the contract's own names."""
    return Reading(table, (Row({column.name: Value((column.name,)) for column in TABLES[table]}),))


@dataclass(frozen=True)
class Override:
    """What `--map` says of one column.

    Attributes:
        table: the contract table, or "" for every one that has the column.
        column: the contract column.
        path: the file's column.
    """

    table: str
    column: str
    path: str


def overrides(given: Iterable[str]) -> tuple[Override, ...]:
    """Read `--map`: `account_id=user_id`, `logins.at=Signed in`.

    Raises:
        UsageError: that is no mapping, or the contract has no such column.
    """
    found = []
    for text in given:
        target, equals, path = (part.strip() for part in text.partition("="))
        table, dot, column = target.rpartition(".")
        known = {c.name for name, columns in TABLES.items() for c in columns if table in ("", name)}
        if not equals or not path or (dot and table not in TABLES):
            raise UsageError(f"--map {text} is no mapping.", "Write --map account_id=user_id or --map logins.ip=addr.")
        if column not in known:
            raise UsageError(
                f"--map {text}: {table or 'the contract'} has no column {column!r}.",
                f"It has: {', '.join(sorted(known))}.",
            )
        found.append(Override(table, column, path))
    return tuple(found)


def overridden(reading: Reading, changes: Sequence[Override]) -> Reading:
    """The reading with what `--map` says of its table; a reader of the preset stays."""
    contract = {column.name for column in TABLES[reading.table]}
    changed = [c for c in changes if c.table in ("", reading.table) and c.column in contract]
    rows = []
    for row in reading.rows:
        columns = dict(row.columns)
        for change in changed:
            before = columns.get(change.column, Value())
            columns[change.column] = Value((change.path,), before.reader)
        rows.append(replace(row, columns=columns))
    return replace(reading, rows=tuple(rows))
