"""Place prompts: give each distinct prompt of the case the template that it follows.

A template is a cluster of near-duplicates (`near`), for the body, the opening and the ending of prompts apart. It is
named by the smallest id among its prompts. Prompts that come later can join two templates: then the smaller name stays,
and the other is kept as an alias (`former_templates`), so that what people wrote down stays findable. What is placed is
read again only to see which of it can resemble a new prompt, so an increment costs little more than its own prompts.
"""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linkage import store
from linkage.prompts.near import Seen, near_duplicates
from linkage.prompts.sketch import values

PARTS: Final = ("body", "opening", "ending")

_BATCH: Final = 100_000
_RENAMED: Final = pa.schema({"part": pa.string(), "old": pa.uint64(), "new": pa.uint64()})

Ids = NDArray[np.uint64]


def place(con: duckdb.DuckDBPyConnection, case: Path) -> int:
    """Place the prompts of the case at `case` that have no template yet.

    Args:
        con: a scratch connection.
        case: the case, which is held while it is read and for the final commit.

    Returns:
        how many prompts were placed.

    Raises:
        LinkageError: as `store.attached`.
    """
    # Clustering takes its time, and the case is free for others meanwhile: what they placed must be known.
    while (placed := _place_once(con, case)) is None:
        pass
    return placed


def _place_once(con: duckdb.DuckDBPyConnection, case: Path) -> int | None:
    """How many prompts were placed; None if another process placed some meanwhile."""
    with ExitStack() as spilled:
        with store.attached(con, case):
            if not con.execute("SELECT 1 FROM kase.prompts ANTI JOIN kase.templates USING (prompt) LIMIT 1").fetchall():
                return 0
            # The values of sketches wait on disk, in files without names: memory holds some 100 bytes a prompt.
            parts = {part: _Part(spilled.enter_context(tempfile.TemporaryFile(dir=case.parent))) for part in PARTS}
            new = _read(con, parts)
            state = _state(con)
        columns: dict[str, Ids] = {}
        renamed: list[pa.Table] = []
        for name, part in parts.items():
            ids, known, start = part.columns()
            flat = np.memmap(part.file, np.uint32, "r") if start[-1] else np.zeros(0, np.uint32)
            after = near_duplicates(ids, flat, start, known)
            # A prompt without such a part follows no template of it.
            fresh = after[: len(new)]
            columns[name] = fresh if name == "body" else np.where(np.diff(start)[: len(new)] > 0, fresh, np.uint64(0))
            moved = (known != 0) & (known != after)
            old, at = np.unique(known[moved], return_index=True)
            renamed.append(pa.table({"part": [name] * len(old), "old": old, "new": after[moved][at]}, _RENAMED))
        placed = pa.table({"prompt": new, **columns})
        return len(new) if _write(con, case, state, placed, pa.concat_tables(renamed)) else None


@dataclass
class _Part:
    """What is compared of one part of prompts: new prompts first, then known ones that can resemble a new one."""

    file: IO[bytes]
    ids: list[Ids] = field(default_factory=list)
    known: list[Ids] = field(default_factory=list)  # the template, 0 for none
    sizes: list[NDArray[np.int64]] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)

    def add_new(self, ids: Ids, flat: NDArray[np.uint32], start: NDArray[np.int64]) -> None:
        self.seen.add(flat)
        self._add(ids, np.zeros(len(ids), np.uint64), flat, np.diff(start))

    def add_known(self, ids: Ids, known: Ids, flat: NDArray[np.uint32], start: NDArray[np.int64]) -> None:
        """Add those prompts that can resemble a new one."""
        here = self.seen.resembled(flat, start) & (known != 0)
        sizes = np.diff(start)
        self._add(ids[here], known[here], flat[np.repeat(here, sizes)], sizes[here])

    def columns(self) -> tuple[Ids, Ids, NDArray[np.int64]]:
        """Ids, templates, and where each sketch's values begin in the file."""
        start = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(self.sizes))])
        return np.concatenate(self.ids), np.concatenate(self.known), start

    def _add(self, ids: Ids, known: Ids, flat: NDArray[np.uint32], sizes: NDArray[np.int64]) -> None:
        self.file.write(flat.tobytes())
        self.ids.append(ids)
        self.known.append(known)
        self.sizes.append(sizes)


def _read(con: duckdb.DuckDBPyConnection, parts: dict[str, _Part]) -> Ids:
    """Read what is to be compared into the parts, and return the ids of the new prompts."""
    new: list[Ids] = []
    for batch in _batches(con, "SELECT prompt, sketch FROM kase.prompts ANTI JOIN kase.templates USING (prompt)"):
        new.append(_numbers(batch["prompt"]))
        for name, part in parts.items():
            part.add_new(new[-1], *values(batch["sketch"], name))
    columns = ", ".join(f"coalesce({name}, 0::UBIGINT) AS {name}" for name in parts)
    query = f"SELECT prompt, sketch, {columns} FROM kase.prompts JOIN kase.templates USING (prompt)"
    for batch in _batches(con, query):
        ids = _numbers(batch["prompt"])
        for name, part in parts.items():
            part.add_known(ids, _numbers(batch[name]), *values(batch["sketch"], name))
    for part in parts.values():
        part.file.flush()
    return np.concatenate(new)


def _batches(con: duckdb.DuckDBPyConnection, query: str) -> pa.RecordBatchReader:
    return con.sql(query).to_arrow_reader(_BATCH)


def _numbers(column: pa.Array) -> Ids:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.uint64)


def _state(con: duckdb.DuckDBPyConnection) -> tuple[object, ...]:
    """What tells whether somebody placed prompts."""
    row = con.execute("SELECT count(*), bit_xor(hash(prompt, body, opening, ending)) FROM kase.templates").fetchone()
    return row or ()


def _write(
    con: duckdb.DuckDBPyConnection,
    case: Path,
    state: tuple[object, ...],
    placed: pa.Table,
    renamed: pa.Table,
) -> bool:
    """Write what was found if the case still has the `state` that it was found from."""
    con.register("placed", placed)
    con.register("renamed", renamed)
    with store.attached(con, case, read_only=False):
        fresh = _state(con) == state
        if fresh:
            for part in PARTS:
                con.execute(
                    f"UPDATE kase.templates t SET {part} = new FROM renamed r WHERE r.part = ? AND t.{part} = old",
                    [part],
                )
            con.execute(
                """INSERT INTO kase.former_templates
                SELECT part, old FROM renamed EXCEPT SELECT * FROM kase.former_templates"""
            )
            con.execute(
                """INSERT INTO kase.templates
                SELECT prompt, body, nullif(opening, 0), nullif(ending, 0) FROM placed ORDER BY prompt"""
            )
    con.unregister("placed")
    con.unregister("renamed")
    return fresh
