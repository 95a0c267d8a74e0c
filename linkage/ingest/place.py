"""Place prompts: give each distinct prompt of the case the template that it follows.

A template is a cluster of near-duplicates (`near`), for the body, the opening and the ending of prompts apart. It is
named by the smallest id among its prompts. Prompts that come later can join two templates: then the smaller name stays,
and the other is kept as an alias (`former_templates`), so that what people wrote down stays findable.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linkage import store
from linkage.prompts.near import near_duplicates
from linkage.prompts.sketch import values

PARTS: Final = ("body", "opening", "ending")

_BATCH: Final = 100_000

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
            files: dict[str, IO[bytes]] = {
                part: spilled.enter_context(tempfile.TemporaryFile(dir=case.parent)) for part in PARTS
            }
            ids, known, starts = _read(con, files)
            state = _state(con)
        return _placed(con, case, state, ids, known, starts, files)


def _placed(
    con: duckdb.DuckDBPyConnection,
    case: Path,
    state: tuple[object, ...],
    ids: Ids,
    known: dict[str, Ids],
    starts: dict[str, NDArray[np.int64]],
    files: dict[str, IO[bytes]],
) -> int | None:
    columns: dict[str, Ids] = {}
    joined: list[tuple[str, Ids]] = []
    for part in PARTS:
        start = starts[part]
        flat = np.memmap(files[part], np.uint32, "r") if start[-1] else np.zeros(0, np.uint32)
        before = known[part]
        after = near_duplicates(ids, flat, start, before)
        # A prompt without such a part follows no template of it.
        columns[part] = after if part == "body" else np.where(np.diff(start) > 0, after, np.uint64(0))
        old = np.unique(before[(before != 0) & (before != columns[part]) & (columns[part] != 0)])
        joined.append((part, old))
    changed = np.zeros(len(ids), np.bool_)
    for part in PARTS:
        changed |= columns[part] != known[part]
    moved = {part: column[changed] for part, column in columns.items()}
    return int((known["body"] == 0).sum()) if _write(con, case, state, ids[changed], moved, joined) else None


def _state(con: duckdb.DuckDBPyConnection) -> tuple[object, ...]:
    """What tells whether somebody placed prompts."""
    row = con.execute("SELECT count(*), bit_xor(hash(prompt, body, opening, ending)) FROM kase.templates").fetchone()
    return row or ()


def _read(
    con: duckdb.DuckDBPyConnection, files: dict[str, IO[bytes]]
) -> tuple[Ids, dict[str, Ids], dict[str, NDArray[np.int64]]]:
    """Ids, and by part known templates (0 for none) and where each sketch's values begin in the part's file."""
    reader = con.sql(
        """SELECT prompt, sketch, coalesce(body, 0::UBIGINT) AS body, coalesce(opening, 0::UBIGINT) AS opening,
        coalesce(ending, 0::UBIGINT) AS ending
        FROM kase.prompts LEFT JOIN kase.templates USING (prompt)"""
    ).to_arrow_reader(_BATCH)
    ids: list[Ids] = []
    known: dict[str, list[Ids]] = {part: [] for part in PARTS}
    counts: dict[str, list[NDArray[np.int64]]] = {part: [np.zeros(1, np.int64)] for part in PARTS}
    for batch in reader:
        ids.append(_numbers(batch["prompt"]))
        for part in PARTS:
            known[part].append(_numbers(batch[part]))
            here, start = values(batch["sketch"], part)
            files[part].write(here.tobytes())
            counts[part].append(np.diff(start))
    for file in files.values():
        file.flush()
    starts = {part: np.cumsum(np.concatenate(counts[part])) for part in PARTS}
    return np.concatenate(ids), {part: np.concatenate(known[part]) for part in PARTS}, starts


def _numbers(column: pa.Array) -> Ids:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.uint64)


def _write(
    con: duckdb.DuckDBPyConnection,
    case: Path,
    state: tuple[object, ...],
    ids: Ids,
    columns: dict[str, Ids],
    joined: list[tuple[str, Ids]],
) -> bool:
    """Write what was found if the case still has the `state` that it was found from."""
    placed = pa.table({"prompt": ids, **columns})
    former = pa.table(
        {
            "part": pa.array([part for part, names in joined for _ in names], pa.string()),
            "alias": np.concatenate([names for _, names in joined]),
        }
    )
    con.register("placed", placed)
    con.register("former", former)
    with store.attached(con, case, read_only=False):
        fresh = _state(con) == state
        if fresh:
            con.execute("DELETE FROM kase.templates WHERE prompt IN (SELECT prompt FROM placed)")
            con.execute(
                """INSERT INTO kase.templates
                SELECT prompt, body, nullif(opening, 0), nullif(ending, 0) FROM placed ORDER BY prompt"""
            )
            con.execute(
                "INSERT INTO kase.former_templates SELECT * FROM former EXCEPT SELECT * FROM kase.former_templates"
            )
    con.unregister("placed")
    con.unregister("former")
    return fresh
