"""Columns to Parquet parts, and parts to ordered tables: no table is ever whole in Python's memory.

Structures write numbers (`World.add`); here they become the texts of the contract, in DuckDB, which sorts out of core.
One thread does it, since the order of row groups is that of the threads otherwise.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from linkage import store
from linkage.model import TABLES

LIMIT: Final = 100_000
"""Most rows of a chunk."""

_MEMORY: Final = "2GB"


def _token(prefix: str, column: str) -> str:
    return f"CASE WHEN {column} = 0 THEN NULL ELSE '{prefix}' || lpad(lower(hex({column})), 16, '0') END"


def _time(column: str) -> str:
    return f"make_timestamp(({column} + 1767571200) * 1000000)"


_AT: Final = _time('"at"') + ' AS "at"'
_ACCOUNT: Final = f"{_token('acct_', 'account')} AS account_id"
_OCTET: Final = "((ip >> {}) & 255)"
_IP: Final = (
    "CASE WHEN ip = 1 THEN NULL WHEN ip < 4294967296 THEN "
    + " || '.' || ".join(_OCTET.format(shift) for shift in (24, 16, 8, 0))
    + " ELSE printf('2a%02x:%x:%x:%x::%x', (ip >> 52) & 255, (ip >> 40) & 4095, (ip >> 28) & 4095, (ip >> 16) & 4095,"
    " ip & 65535) END AS ip"
)
_DEVICE: Final = f"CASE WHEN device = 1 THEN 'unknown' ELSE {_token('dev_', 'device')} END AS device_id"

# What each contract column is made of; a column of the same name where nothing is said.
_PROJECTIONS: Final[dict[str, str]] = {
    "accounts": f"{_ACCOUNT}, {_time('created')} AS created_at, {_time('banned')} AS banned_at, email, phone, "
    f"{_token('org_', 'org')} AS org_id, verified AS org_verified, status, country, plan",
    "payments": f"{_ACCOUNT}, method || '_' || lpad(lower(hex(payment)), 16, '0') AS payment_id, method, "
    f"{_time('added')} AS added_at",
    "logins": f"{_ACCOUNT}, {_IP}, {_DEVICE}, user_agent, {_AT}",
    "exchanges": f"{_ACCOUNT}, {_AT}, {_token('x_', 'exchange')} AS exchange_id, {_IP}, {_DEVICE}, user_agent, model",
    "identifiers": f"{_ACCOUNT}, kind, kind || '_' || lpad(lower(hex(value)), 16, '0') AS value, {_AT}",
    "links": f"{_ACCOUNT}, {_token('acct_', 'other')} AS other_account_id, kind, {_AT}",
    "truth": f"{_ACCOUNT}, ring",
    "structures": f"{_ACCOUNT}, structure, instance, ring",
}
_PROMPTS: Final = {
    "raw": ", prompt",
    "fingerprint": f", {_token('fp_', 'fingerprint')} AS prompt_fingerprint",
    "none": "",
}
_ORDERS: Final = {
    "accounts": "account_id", "truth": "account_id",
    "payments": "account_id, payment_id, added_at", "structures": "structure, instance, account_id",
    "logins": '"at", account_id, ip, device_id', "identifiers": 'account_id, kind, value, "at"',
    "links": 'account_id, other_account_id, kind, "at"',
}  # fmt: skip


class Parts:
    """Chunks of each table, appended to one Parquet file a table in a private folder.

    Args:
        folder: where the parts lie; made by the caller, who removes it too.
    """

    def __init__(self, folder: Path) -> None:
        self.rows = dict.fromkeys(_PROJECTIONS, 0)
        self._folder = folder
        self._open: dict[str, Any] = {}

    def add(self, table: str, columns: Mapping[str, Any]) -> None:
        """Append a chunk: columns of one length (NumPy or Arrow), always the same ones for a table."""
        chunk = pa.table({name: pa.array(values) for name, values in columns.items()})
        if chunk.num_rows == 0:
            return
        if table not in self._open:
            self._open[table] = pq.ParquetWriter(self._folder / f"{table}.parquet", chunk.schema, compression="zstd")
        self._open[table].write_table(chunk.cast(self._open[table].schema), row_group_size=LIMIT)
        self.rows[table] += chunk.num_rows

    def close(self) -> None:
        """Finish the parts; nothing can be added any more."""
        for writer in self._open.values():
            writer.close()
        self._open.clear()

    def write(self, table: str, path: Path, prompts: str) -> None:
        """Write a table in its order; the suffix of `path` says as what: .parquet, .csv or .csv.gz.

        Raises:
            duckdb.Error: the file cannot be written.
        """
        con = store.connect(":memory:")
        try:
            con.execute("SET threads = 1")
            con.execute("SET memory_limit = ?", [_MEMORY])
            con.execute("SET temp_directory = ?", [str(self._folder)])
            self._write(con, table, path, prompts)
        finally:
            con.close()

    def _write(self, con: duckdb.DuckDBPyConnection, table: str, path: Path, prompts: str) -> None:
        rows = con.read_parquet(str(self._folder / f"{table}.parquet"))
        projection = _PROJECTIONS[table]
        if table == "exchanges":
            projection += _PROMPTS[prompts] + ", input_tokens, output_tokens"
            # Sorted as numbers, before they are texts, which are four times as long; the order is the same.
            ordered = rows.order('"at", exchange').project(projection)
        else:
            ordered = rows.project(projection).order(_ORDERS[table])
        if path.suffix == ".parquet":
            ordered.write_parquet(str(path), compression="zstd", row_group_size=LIMIT)
            return
        times = {column.name for column in TABLES.get(table, ()) if column.type == "time"}
        shown = [
            f'strftime("{n}", \'%Y-%m-%dT%H:%M:%SZ\') AS "{n}"' if n in times else f'"{n}"' for n in ordered.columns
        ]
        packing = "gzip" if path.suffix == ".gz" else "none"
        ordered.project(", ".join(shown)).write_csv(str(path), header=True, compression=packing)
