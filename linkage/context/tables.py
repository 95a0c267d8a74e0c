"""The tables of context in the case: one of each source, put there whole and replaced whole."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from linkage import audit, store
from linkage.context.files import Content, read
from linkage.context.model import SOURCES
from linkage.errors import NotFoundError, UsageError, translate
from linkage.files import sha256
from linkage.until import utc_now

_LOW: Final = (1 << 64) - 1


@dataclass(frozen=True)
class Kept:
    """A table that the case holds.

    Attributes:
        source: one of `model.SOURCES`.
        files: names of the files that it came from.
        sha256: of their contents, in hexadecimal.
        rows: ranges, systems and domains.
        rejected: lines that could not be read.
        overlaps: ranges that began inside another one.
        added_at: UTC.
    """

    source: str
    files: tuple[str, ...]
    sha256: str
    rows: int
    rejected: int
    overlaps: int
    added_at: datetime


@dataclass(frozen=True)
class Added:
    """What `add` did.

    Attributes:
        table: what the case holds now.
        before: what it held of this source, or None.
        examples: file, line and reason of the first lines that could not be read.
        changed: False where the same files were there already.
    """

    table: Kept
    before: Kept | None
    examples: tuple[tuple[str, int, str], ...]
    changed: bool


def add(case: Path, source: str, paths: Sequence[Path]) -> Added:
    """Put the table of `source` into the case, in the place of the one that was there.

    Args:
        case: the case file; held while the rows go in.
        source: one of `model.SOURCES`.
        paths: its files, e.g. one for IPv4 and one for IPv6.

    Raises:
        UsageError: there is no such source, or no file.
        InputError: a file is no list of this kind.
        LinkageError: as `files.read` and `store.writing`.
    """
    _check(source)
    if not paths:
        raise UsageError(f"Which file holds the list for {source}?", f"linkage context add {source} FILE…")
    before = {table.source: table for table in kept(case)}.get(source)
    digest = _digest(paths)
    if before is not None and before.sha256 == digest:
        return Added(before, before, (), changed=False)
    content = read(source, list(paths))
    names = tuple(path.name for path in paths)
    table = Kept(source, names, digest, content.rows, content.rejected, content.overlaps, utc_now())
    key = audit.key_of(case)
    with store.writing(case) as con:
        _delete(con, source)
        _insert(con, source, content)
        con.execute(
            "INSERT INTO context_tables VALUES (?, ?, ?, ?, ?, ?, ?)",
            [source, list(names), digest, table.rows, table.rejected, table.overlaps, table.added_at],
        )
        audit.extend(con, key, "context", {"source": source, "sha256": digest, "rows": table.rows})
    audit.copy(case)
    return Added(table, before, tuple(content.examples), changed=True)


def remove(case: Path, source: str) -> Kept:
    """Take the table of `source` out of the case; returns what it was.

    Raises:
        UsageError: there is no such source.
        NotFoundError: the case holds no such table.
        LinkageError: as `store.writing`.
    """
    _check(source)
    key = audit.key_of(case)
    with store.writing(case) as con:
        found = {table.source: table for table in kept_in(con)}.get(source)
        if found is None:
            raise NotFoundError(f"{case} holds no table for {source}.", "See what it holds: linkage context show")
        _delete(con, source)
        audit.extend(con, key, "context", {"source": source, "removed": True})
    audit.copy(case)
    return found


def kept(case: Path) -> list[Kept]:
    """The tables that the case holds, in the order of `model.SOURCES`."""
    with store.reading(case) as con:
        return kept_in(con)


def kept_in(con: duckdb.DuckDBPyConnection, schema: str = "") -> list[Kept]:
    """`kept`, from a case that is open already; `schema` is `kase.` where it is attached."""
    rows = con.execute(
        f"SELECT source, files, sha256, rows, rejected, overlapping, added_at FROM {schema}context_tables"  # noqa: S608
    ).fetchall()
    found = [Kept(source, tuple(files), *rest) for source, files, *rest in rows]
    return sorted(found, key=lambda table: SOURCES.index(table.source))


def _check(source: str) -> None:
    if source not in SOURCES:
        raise UsageError(f"There is no source {source!r}.", f"Choose one of: {', '.join(SOURCES)}.")


def _digest(paths: Sequence[Path]) -> str:
    try:
        return hashlib.sha256("".join(sha256(path) for path in paths).encode()).hexdigest()
    except OSError as exc:
        raise translate(exc, "reading the list") from None


def _delete(con: duckdb.DuckDBPyConnection, source: str) -> None:
    for table in ("context_tables", "context_ranges", "context_systems", "context_domains"):
        con.execute(f"DELETE FROM {table} WHERE source = ?", [source])  # noqa: S608 (the names are ours)


def _insert(con: duckdb.DuckDBPyConnection, source: str, content: Content) -> None:
    ranges = content.ranges
    columns = {
        "first_high": np.array([first >> 64 for first, _, _, _ in ranges], dtype=np.uint64),
        "first_low": np.array([first & _LOW for first, _, _, _ in ranges], dtype=np.uint64),
        "last_high": np.array([last >> 64 for _, last, _, _ in ranges], dtype=np.uint64),
        "last_low": np.array([last & _LOW for _, last, _, _ in ranges], dtype=np.uint64),
        "asn": np.array([asn for _, _, asn, _ in ranges], dtype=np.uint32),
        "name": np.array([name for _, _, _, name in ranges], dtype=object),
    }
    con.register("new_ranges", columns)
    con.execute(
        """INSERT INTO context_ranges SELECT ?, first_high::UHUGEINT * 18446744073709551616::UHUGEINT + first_low,
            last_high::UHUGEINT * 18446744073709551616::UHUGEINT + last_low, nullif(asn, 0), nullif(name, '')
        FROM new_ranges ORDER BY ALL""",
        [source],
    )
    con.unregister("new_ranges")
    con.execute("INSERT INTO context_systems SELECT ?, unnest(?::UINTEGER[])", [source, sorted(content.systems)])
    con.execute("INSERT INTO context_domains SELECT ?, unnest(?::VARCHAR[])", [source, sorted(content.domains)])
