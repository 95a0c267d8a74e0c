"""Identify on Spark: the scripts of `linkage.identify`, and what comes of them in the driver's scratch database.

1. Number the accounts.
2. Bring the distinct prompts and who sent them to the driver: there they are placed and followed by the kernels that
   the other engine has, and the works go back.
3. Gather what each account was seen with, derive networks, set aside what is allowed, and say how far prompts count.
4. Bring the events of works that several accounts share to the driver, where their timing is tested.
5. What is shared goes to the driver: a hundredth of what was read, or less.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from linkage import identify, store
from linkage.allowed_sightings import read_allowed, set_aside
from linkage.context.chances import add_chances, read_context
from linkage.errors import MachineError
from linkage.gather import add_networks, gather
from linkage.identify import Sightings
from linkage.ingest.merge import merge
from linkage.ingest.place import place
from linkage.ingest.projection import STORED
from linkage.prompt_sightings import SENT, trust_prompts, works_of_sent
from linkage.spark.read import Contract
from linkage.spark.tables import Tables
from linkage.timing import find as find_timing
from linkage.timing_sightings import EVENTS, WORKS, ceilings_of, events_of, seen_of

MOST_EVENTS: Final = 1_000_000_000
"""Exchanges of shared works whose times are tested: 16 bytes each come to the driver, which sorts them."""

MOST_PROMPTS: Final = 100_000_000
"""Raw prompts that the driver places, each with a sketch of a few hundred bytes."""

_SEEN = """
INSERT INTO seen SELECT account, kind, value, label, NULL, n, 0, make_timestamp(first), make_timestamp(last)
FROM found_accounts
"""


def identified(
    tables: Tables, contract: Contract, con: duckdb.DuckDBPyConnection, case: Path, now: datetime
) -> Sightings:
    """As `identify.identify`, with the contract tables of `contract` in the place of the case's.

    Args:
        tables: of the session that has read the exports.
        contract: what was read.
        con: a scratch database, which gets the tables that `identify.identify` leaves.
        case: keeps the sketches of raw prompts, and says what is allowed and whether private addresses are evidence.
        now: when what is allowed must hold, UTC without a zone.

    Raises:
        LinkageError: as `store.attached`.
    """
    identify.number_accounts(tables)
    _take(tables, con, "ids")
    if contract.prompts:
        _keep_prompts(tables, con, case)
    _take(tables, con, "people")
    _keep_accounts(con, case, now)
    tables.execute(SENT)
    with store.attached(con, case):
        keep_private = identify.keeps_private_ips(con)
        _register(con, "sent", _unsigned(tables.arrow("SELECT account, prompt, n, first, last FROM sent")))
        works_of_sent(con)
        read_allowed(con, now)
        read_context(con)
    works = con.sql("SELECT * FROM work_of").to_arrow_table()
    tables.put("work_of", works)
    tables.put("allowed", con.sql("SELECT * FROM allowed").to_arrow_table())
    tables.put("followed", con.sql("SELECT account, prompt, template FROM followed").to_arrow_table())
    tables.put("others", con.sql("SELECT * FROM others").to_arrow_table())
    gather(tables)
    add_networks(tables, keep_private=keep_private)
    set_aside(tables)
    trust_prompts(tables)
    _add_chances(tables, con)
    _add_timing(tables, con)
    identify.find_shared(tables)
    for name in ("activity", "shared", "sightings", "alone", "set_aside"):
        _take(tables, con, name)
    return identify.arrays(con)


def _keep_prompts(tables: Tables, con: duckdb.DuckDBPyConnection, case: Path) -> None:
    """Put the sketches that the case lacks into it, and place them."""
    _check(
        tables, "raw_prompts", MOST_PROMPTS, "different raw prompts",
        "Export prompt_fingerprint in the place of prompt, or fewer weeks.",
    )  # fmt: skip
    con.register("sketched", _unsigned(tables.arrow("SELECT prompt, tokens, sketch FROM raw_prompts")))
    with store.attached(con, case, read_only=False):
        con.execute(
            """INSERT INTO kase.prompts SELECT prompt, tokens, sketch FROM sketched ANTI JOIN kase.prompts
            USING (prompt) ORDER BY prompt"""
        )
    con.unregister("sketched")
    place(con, case)


def _keep_accounts(con: duckdb.DuckDBPyConnection, case: Path, now: datetime) -> None:
    """Merge what is new of the accounts into the case, as a call of ingest would: reports speak of them."""
    columns = ", ".join(STORED["accounts"])
    with store.attached(con, case):
        con.execute(
            f"""CREATE TABLE stage AS SELECT *, NULL::UTINYINT AS broken
            FROM (SELECT {columns} FROM people EXCEPT SELECT {columns} FROM kase.accounts)"""
        )
    if con.execute("SELECT 1 FROM stage LIMIT 1").fetchall():
        with store.attached(con, case, read_only=False):
            ((command,),) = con.execute("SELECT coalesce(max(command), 0) + 1 FROM kase.commands").fetchall()
            con.execute("INSERT INTO kase.commands VALUES (?, ?, ?, [])", [command, now, now])
            merge(con, "accounts", command, None, "NULL")
    con.execute("DROP VIEW IF EXISTS placed")
    con.execute("DROP TABLE stage")


def _add_chances(tables: Tables, con: duckdb.DuckDBPyConnection) -> None:
    """Addresses and mail domains go to the driver where there is context for them."""
    known = con.execute("SELECT 1 FROM context_tables LIMIT 1").fetchall()
    kinds = "'ip', 'ip_net', 'email_domain'" if known else "'email_domain'"
    _register(con, "seen", tables.arrow(f"SELECT DISTINCT account, kind, value FROM seen WHERE kind IN ({kinds})"))
    _register(con, "nets", tables.arrow(f"SELECT value, net FROM nets WHERE {str(bool(known)).lower()}"))
    add_chances(con)
    con.execute("DROP TABLE seen; DROP TABLE nets")


def _add_timing(tables: Tables, con: duckdb.DuckDBPyConnection) -> None:
    tables.execute(WORKS)
    _take(tables, con, "works")
    _check(
        tables, f"({EVENTS})", MOST_EVENTS, "exchanges of prompts that several accounts send",
        "Their times are tested in one place: export fewer weeks.",
    )  # fmt: skip
    events = tables.arrow(EVENTS)
    found = find_timing(events_of(con, {name: events[name].to_numpy() for name in events.column_names}))
    con.execute("DROP TABLE works")
    ceilings = ceilings_of(found)
    tables.put("found_accounts", _arrow(seen_of(found)))
    tables.put("ceilings", _arrow({**{n: ceilings[n] for n in ("kind", "value")}, "ceiling": ceilings["bits"]}))
    tables.execute(_SEEN)


def _check(tables: Tables, source: str, most: int, words: str, hint: str) -> None:
    """Refuse what would only run for hours before the driver is out of memory."""
    rows = tables.arrow(f"SELECT count(*) AS n FROM {source}")["n"][0].as_py()
    if rows > most:
        raise MachineError(f"The exports hold {rows:,} {words}, and the driver takes {most:,} at most.", hint)


def _arrow(columns: dict[str, np.ndarray]) -> pa.Table:
    return pa.table(
        {n: pa.array(c.tolist(), pa.string()) if c.dtype == object else pa.array(c) for n, c in columns.items()}
    )


def _take(tables: Tables, con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Bring a table to the driver's scratch database."""
    _register(con, name, tables.arrow(f"SELECT * FROM {name}"))


def _register(con: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    con.register("brought", rows)
    con.execute(f"CREATE TABLE {name} AS SELECT * FROM brought")
    con.unregister("brought")


def _unsigned(rows: pa.Table) -> pa.Table:
    """Ids of prompts as DuckDB has them: 64 bits without a sign, which Spark has not."""
    chunks = [chunk.view(pa.uint64()) for chunk in rows["prompt"].chunks]
    return rows.set_column(rows.column_names.index("prompt"), "prompt", pa.chunked_array(chunks, pa.uint64()))
