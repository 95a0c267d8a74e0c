"""Write rings, members, evidence and former names of templates as files, as `docs/data-contract.md` says."""

import csv
import io
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from linkage import results, store
from linkage.errors import MachineError, translate
from linkage.files import replace

Format = Literal["csv", "parquet"]

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "rings": (
        "ring_id", "rank", "score", "q_value", "status", "accounts", "exchanges", "first_seen", "last_seen", "why",
    ),
    "members": ("ring_id", "account_id", "tier", "confidence"),
    "evidence": ("ring_id", "kind", "value", "accounts", "outsiders", "bits"),
    "template_aliases": ("part", "alias", "template"),
}  # fmt: skip

_PARQUET_TYPES: Final = {
    "rank": "BIGINT", "score": "DOUBLE", "q_value": "DOUBLE", "accounts": "BIGINT", "exchanges": "BIGINT",
    "first_seen": "TIMESTAMP", "last_seen": "TIMESTAMP", "confidence": "DOUBLE", "outsiders": "BIGINT",
    "bits": "DOUBLE",
}  # fmt: skip


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote: files, rows of each table, and whether anything differed from what was there."""

    files: tuple[Path, ...]
    rows: dict[str, int]
    changed: bool


def export(case: Path, folder: Path, *, format: Format = "csv") -> ExportReport:
    """Write the listed rings of the newest run into `folder`, the same bytes for the same run.

    Each file is written beside its place and renamed, so that nobody reads half a file. In CSV, text that a
    spreadsheet would run as a formula gets an apostrophe in front. `template_aliases` is written where there are any.

    Raises:
        NotFoundError: no case, or no run yet.
        MachineError: the folder cannot be written.
    """
    listed = results.listed(case)
    aliases = results.template_aliases(case)
    tables: dict[str, list[Mapping[str, Any]]] = {
        "rings": [vars(row) for row in listed.rings],
        "members": [vars(row) for row in listed.members],
        "evidence": [vars(row) for row in listed.evidence],
    }
    if aliases:
        tables["template_aliases"] = [vars(row) for row in aliases]
    changed = False
    files = []
    try:
        if folder.exists() and not folder.is_dir():
            raise MachineError(f"{folder} is a file, not a folder.", "Name a folder.")
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in tables.items():
            path = folder / f"{name}.{format}"
            content = _csv(COLUMNS[name], rows) if format == "csv" else _parquet(folder, COLUMNS[name], rows)
            changed |= replace(path, content)
            files.append(path)
        if not aliases:
            # One of an earlier export would speak of names that this case never had.
            (folder / f"template_aliases.{format}").unlink(missing_ok=True)
    except OSError as exc:
        raise translate(exc, f"writing {folder}") from None
    return ExportReport(tuple(files), {name: len(rows) for name, rows in tables.items()}, changed)


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows to `path`, whole or not at all: JSON Lines if it ends in `.jsonl`, else CSV.

    Raises:
        MachineError: the file cannot be written.
    """
    if path.suffix == ".jsonl":
        lines = (json.dumps({name: _plain(row[name]) for name in columns}, ensure_ascii=False) for row in rows)
        content = "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")
    else:
        content = _csv(columns, rows)
    try:
        replace(path, content)
    except OSError as exc:
        raise translate(exc, f"writing {path}") from None


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    return out.getvalue().encode(errors="surrogatepass")


def _cell(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, str) and plain[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + plain
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + "Z"
    return value


def _parquet(folder: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    path = folder / f".{secrets.token_hex(4)}.parquet"
    types = [_PARQUET_TYPES.get(name, "VARCHAR") for name in columns]
    selected = ", ".join(f'unnest(?::{kind}[]) AS "{name}"' for name, kind in zip(columns, types, strict=True))
    con = store.connect(":memory:")
    try:
        con.execute("SET threads = 1")
        con.execute(f"CREATE TABLE out AS SELECT {selected}", [[row[name] for row in rows] for name in columns])
        quoted = str(path).replace("'", "''")
        con.execute(f"COPY out TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")
        return path.read_bytes()
    except Exception as exc:
        raise translate(exc, f"writing {folder}") from None
    finally:
        con.close()
        path.unlink(missing_ok=True)
