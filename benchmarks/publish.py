"""How fast `publish --scope all` is beside a bare loop of UNWIND … CREATE with the official driver.

Both write the same rows into the same empty database of the same server, one after the other. The bare loop has its
rows in memory, the constraints are there, and it checks nothing.

    python benchmarks/publish.py [--relationships 1000000]
    python benchmarks/publish.py --cross 20000 100000 300000

With --cross it is the first load of an empty local server instead, over Bolt and by an import, for cases of so many
relationships: where the second becomes the quicker one (`linkage.graph.route.ROWS`).

A local server is started for it. With --wipe it is the server that LINKAGE_NEO4J_URI names instead, and whatever is in
there is deleted.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import neo4j

from linkage import server, store
from linkage.graph import Target, offline, publish, required
from linkage.graph.layers import LAYERS, Nodes
from linkage.graph.wanted import build

MADE = """
INSERT INTO runs VALUES (1, TIMESTAMP '2026-01-01', 1, '{{}}', '{{}}', '{{}}', '{{}}');
INSERT INTO account_rows (command, account_id, created_at, status, country, plan)
    SELECT 1, 'acct_' || lpad(to_hex(i), 8, '0'), TIMESTAMP '2025-01-01' + to_seconds(i), 'active', 'DE', 'pro'
    FROM range({accounts}) t(i);
INSERT INTO shared (kind, value, label, accounts, bits)
    SELECT ['payment', 'ip', 'device', 'prompt'][i % 4 + 1], sha256(i::VARCHAR)[:24], NULL, 5, 5 + i % 100 / 10
    FROM range({identifiers}) t(i);
INSERT INTO sightings SELECT DISTINCT ON (account_id, kind, value)
    'acct_' || lpad(to_hex(hash(i) % {accounts}), 8, '0') AS account_id,
    ['payment', 'ip', 'device', 'prompt'][i % {identifiers} % 4 + 1] AS kind,
    sha256((i % {identifiers})::VARCHAR)[:24] AS value, 1 + i % 50, TIMESTAMP '2026-01-01' + to_seconds(i % 900000),
    TIMESTAMP '2026-02-01' + to_seconds(i % 900000), 5 + i % 100 / 10 FROM range({relationships}) t(i);
"""


def made_case(folder: Path, relationships: int) -> Path:
    """A case with so many sightings, five accounts for each identifier."""
    case = folder / "case.duckdb"
    store.create(case)
    with store.writing(case) as con:
        con.execute(
            MADE.format(accounts=relationships // 4, identifiers=relationships // 5, relationships=relationships)
        )
    return case


def clear(driver: neo4j.Driver) -> None:
    """Delete everything."""
    with driver.session() as session:
        session.run("MATCH ()-[x]->() CALL (x) { DELETE x } IN TRANSACTIONS OF 20000 ROWS").consume()
        session.run("MATCH (n) CALL (n) { DELETE n } IN TRANSACTIONS OF 20000 ROWS").consume()


def _map(pairs: list[tuple[str, str, str]]) -> str:
    cells = [
        f"{name}: CASE WHEN {source} IS NULL THEN NULL ELSE datetime({{epochMillis: {source}}}) END"
        if type == "time"
        else f"{name}: {source}"
        for name, source, type in pairs
    ]
    return "{" + ", ".join(cells) + "}"


def bare_statements() -> list[tuple[str, str]]:
    """Table and statement of each layer, as anybody would write them."""
    found = []
    for layer in LAYERS:
        if isinstance(layer, Nodes):
            columns = _map([(p.name, f"row.{p.name}", p.type) for p in layer.columns])
            found.append((layer.name, f"UNWIND $rows AS row CREATE (:{layer.label} {columns})"))
        else:
            start = _map([(p.name, f"row.start_{p.name}", p.type) for p in layer.start.key])
            end = _map([(p.name, f"row.end_{p.name}", p.type) for p in layer.end.key])
            own = _map([(p.name, f"row.{p.name}", p.type) for p in layer.key + layer.properties])
            found.append(
                (
                    layer.name,
                    f"UNWIND $rows AS row MATCH (s:{layer.start.label} {start}) MATCH (e:{layer.end.label} {end}) "
                    f"CREATE (s)-[:{layer.type} {own}]->(e)",
                )
            )
    return found


def bare(driver: neo4j.Driver, tables: dict[str, list[dict[str, Any]]], batch: int = 10_000) -> float:
    """Seconds of the bare loop."""
    started = time.monotonic()
    with driver.session() as session:
        for name, statement in bare_statements():
            rows = tables[name]
            for at in range(0, len(rows), batch):
                session.execute_write(_create, statement, rows[at : at + batch])
    return time.monotonic() - started


def _create(transaction: neo4j.ManagedTransaction, statement: str, rows: list[dict[str, Any]]) -> None:
    transaction.run(statement, rows=rows).consume()


def wanted_rows(case: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of every layer, without what is empty."""
    with store.scratch(case) as con:
        build(con, case, "all")
        tables = {}
        for layer in LAYERS:
            found = con.execute(f"SELECT * FROM want_{layer.name}")
            names = [column[0] for column in found.description or []]
            tables[layer.name] = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        return tables


def measure(where: Target, relationships: int, rounds: int) -> None:
    """Bare loop, publish and publish again, so many rounds."""
    driver = neo4j.GraphDatabase.driver(where.uri, auth=(where.user, where.password), notifications_min_severity="OFF")
    with tempfile.TemporaryDirectory() as folder, driver:
        case = made_case(Path(folder), relationships)
        tables = wanted_rows(case)
        total = sum(map(len, tables.values()))
        clear(driver)
        # Once with little: constraints are made, and the server has met the statements.
        publish(made_case(Path(tempfile.mkdtemp(dir=folder)), 5_000), where, scope="all", replace=True)
        for _ in range(rounds):
            clear(driver)
            seconds = bare(driver, tables)
            print(f"bare UNWIND CREATE  {total:,} rows  {seconds:6.1f} s  {total / seconds:8,.0f} rows/s", flush=True)
            clear(driver)
            started = time.monotonic()
            publish(case, where, scope="all", replace=True)
            ours = time.monotonic() - started
            print(f"publish --scope all {total:,} rows  {ours:6.1f} s  {total / ours:8,.0f} rows/s")
            print(f"ratio {seconds / ours:.2f} (required 0.70)", flush=True)
            started = time.monotonic()
            publish(case, where, scope="all")
            again = time.monotonic() - started
            print(f"publish again, nothing changed  {again:6.1f} s  {total / again:8,.0f} rows/s", flush=True)


def cross(folder: Path, relationships: int) -> None:
    """Seconds of a first load both ways, each into a server of its own that was just started."""
    case = made_case(folder, relationships)
    seconds = {}
    for how in ("bolt", "offline"):
        up = server.up(folder / how)
        try:
            where = Target(up.bolt_url, up.user, up.password)
            started = time.monotonic()
            if how == "offline":
                files = offline.write(case, folder / "files")
                with server.paused(up.home, progress=lambda _: None):
                    server.admin(files.arguments, up.home, progress=lambda _: None)
            report = publish(case, where, scope="all", imported=how == "offline")
            seconds[how] = time.monotonic() - started
        finally:
            server.down(up.home)
    print(
        f"{report.nodes + report.relationships:,} nodes and relationships: Bolt {seconds['bolt']:.1f} s, "
        f"import {seconds['offline']:.1f} s, ratio {seconds['bolt'] / seconds['offline']:.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--relationships", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--wipe", action="store_true", help="use the known server, and delete what is in it")
    parser.add_argument(
        "--cross", type=int, nargs="+", metavar="N", help="Bolt beside an import, for so many relationships."
    )
    given = parser.parse_args()
    for relationships in given.cross or ():
        with tempfile.TemporaryDirectory() as folder:
            cross(Path(folder), relationships)
    if given.cross:
        return
    if given.wipe:
        measure(required(), given.relationships, given.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        up = server.up(Path(folder) / "neo4j", heap="2g")
        try:
            measure(Target(up.bolt_url, up.user, up.password), given.relationships, given.rounds)
        finally:
            server.down(up.home)


if __name__ == "__main__":
    main()
