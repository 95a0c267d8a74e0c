"""Write rings as files: tables, graphs, lines for tickets, bundles for a partner. See `docs/export.md`."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from linkage import audit, results, store
from linkage.errors import MachineError, UsageError, translate
from linkage.files import replace
from linkage.indicators import read_key
from linkage.text import inert, safe_json
from linkage.tickets import ticket

Format = Literal["csv", "parquet", "graphml", "gexf", "jsonl", "stix"]
FORMATS: Final[tuple[Format, ...]] = ("csv", "parquet", "graphml", "gexf", "jsonl", "stix")

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "rings": (
        "ring_id", "rank", "score", "q_value", "status", "accounts", "exchanges", "first_seen", "last_seen", "why",
    ),
    "members": ("ring_id", "account_id", "tier", "confidence"),
    "evidence": ("ring_id", "kind", "value", "accounts", "outsiders", "bits"),
    "template_aliases": ("part", "alias", "template"),
}  # fmt: skip

_TYPES: Final = {
    "rank": "integer", "score": "number", "q_value": "number", "accounts": "integer", "exchanges": "integer",
    "first_seen": "time", "last_seen": "time", "confidence": "number", "outsiders": "integer", "bits": "number",
}  # fmt: skip


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        files: their paths.
        rows: by the file's name without its ending, what stands in it: rows of a table, accounts of a graph, rings
            of `rings.jsonl`, indicators of a bundle.
        changed: whether anything differed from what was there.
        withheld: lines of evidence that were left out of a bundle, by kind and reason.
    """

    files: tuple[Path, ...]
    rows: dict[str, int]
    changed: bool
    withheld: dict[str, int] = field(default_factory=dict)


@dataclass
class _Made:
    """Files to write: name and content. `gone` are those of an earlier export that would speak of what is no more."""

    files: dict[str, bytes] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    withheld: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, content: bytes, rows: int) -> None:
        self.files[name] = content
        self.rows[Path(name).stem] = rows


def export(
    case: Path, folder: Path, *, format: Format = "csv", rings: Sequence[str] = (), key: Path | None = None
) -> ExportReport:
    """Write rings of the newest run into `folder`, the same bytes for the same run.

    Each file is written beside its place and renamed, so that nobody reads half a file. What each format holds is
    described in `docs/export.md`.

    Args:
        case: the case file.
        folder: made if it is not there; other files in it stay.
        format: "csv" or "parquet": tables; "graphml" or "gexf": a graph a ring; "jsonl": a line a ring, for tickets;
            "stix": a bundle of indicators for a partner.
        rings: these rings only, listed or not, each named by id, start of an id, or rank; by default all listed ones.
        key: for "stix" the file with the key that both partners share.

    Raises:
        NotFoundError: no case, no run yet, no such ring or key file.
        UsageError: a key without "stix", or "stix" without a key, or with a ring that must not be shared.
        InputError: the key is none.
        MachineError: the folder cannot be written, or stix2 is not installed.
    """
    if (format == "stix") != (key is not None):
        raise UsageError(
            "A STIX bundle needs the key that you share with a partner, and nothing else does.",
            "linkage export DIR --format stix --key FILE; make a key: linkage indicators key FILE",
        )
    if key:
        made = _bundle(case, rings, key)
    elif format == "graphml" or format == "gexf":
        made = _graphs(case, rings, format)
    elif format == "jsonl":
        made = _tickets(case, rings)
    else:
        made = _tables(case, rings, "parquet" if format == "parquet" else "csv")
    changed = False
    audit.note(case, "export", {"format": format, "rings": len(rings) or "all", **made.rows})
    try:
        if folder.exists() and not folder.is_dir():
            raise MachineError(f"{folder} is a file, not a folder.", "Name a folder.")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in made.files.items():
            changed |= replace(folder / name, content)
        for name in made.gone:
            (folder / name).unlink(missing_ok=True)
    except OSError as exc:
        raise translate(exc, f"writing {folder}") from None
    return ExportReport(tuple(folder / name for name in made.files), made.rows, changed, made.withheld)


def _tables(case: Path, names: Sequence[str], format: Literal["csv", "parquet"]) -> _Made:
    listed = results.listed(case, names)
    tables: dict[str, Sequence[Any]] = {"rings": listed.rings, "members": listed.members, "evidence": listed.evidence}
    aliases = results.template_aliases(case)
    if aliases:
        tables["template_aliases"] = aliases
    made = _Made(gone=() if aliases else (f"template_aliases.{format}",))
    for name, found in tables.items():
        rows = [vars(row) for row in found]
        content = _csv(COLUMNS[name], rows) if format == "csv" else _parquet(COLUMNS[name], rows)
        made.add(f"{name}.{format}", content, len(rows))
    return made


def _graphs(case: Path, names: Sequence[str], format: Literal["graphml", "gexf"]) -> _Made:
    from linkage.ring_graph import graph_file, ring_graph, ties  # noqa: PLC0415 (networkx takes a while to load)

    with store.reading(case) as con:
        chosen = results.listed_in(con, case, names).rings
        found = [(results.ring_in(con, case, row.ring_id), ties(con, row.ring_id)) for row in chosen]
        _, newest = results.started(con)
    # Writing XML takes seconds for a large ring, and nobody could write to the case meanwhile.
    made = _Made()
    for ring, tied in found:
        content = graph_file(ring_graph(ring, tied), format, newest)
        made.add(f"{ring.ring.ring_id}.{format}", content, ring.ring.accounts)
    return made


def _tickets(case: Path, names: Sequence[str]) -> _Made:
    with store.reading(case) as con:
        chosen = results.listed_in(con, case, names).rings
        lines = [_line(ticket(con, results.ring_in(con, case, row.ring_id))) for row in chosen]
    made = _Made()
    made.add("rings.jsonl", "".join(lines).encode(errors="surrogatepass"), len(lines))
    return made


def _bundle(case: Path, names: Sequence[str], key: Path) -> _Made:
    from linkage.stix import bundle, origin  # noqa: PLC0415

    secret = read_key(key)
    with store.reading(case) as con:
        listed = results.listed_in(con, case, names)
        made_by = origin(con)
    found = bundle(listed, made_by, secret, chosen=bool(names))
    made = _Made(withheld=found.withheld)
    made.add("indicators.json", found.content, found.indicators)
    return made


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows to `path`, whole or not at all: JSON Lines if it ends in `.jsonl`, else CSV.

    Raises:
        MachineError: the file cannot be written.
    """
    if path.suffix == ".jsonl":
        content = "".join(_line({name: row[name] for name in columns}) for row in rows).encode(errors="surrogatepass")
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
    return inert(plain) if isinstance(plain, str) else plain


def _line(row: Mapping[str, Any]) -> str:
    return safe_json(json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False)) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + "Z"
    return value


def _parquet(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 (takes a while to load)
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {"integer": pa.int64(), "number": pa.float64(), "time": pa.timestamp("us"), "text": pa.string()}
    schema = pa.schema([(name, types[_TYPES.get(name, "text")]) for name in columns])
    out = io.BytesIO()
    pq.write_table(pa.table({name: [row[name] for row in rows] for name in columns}, schema), out, compression="zstd")
    return out.getvalue()
