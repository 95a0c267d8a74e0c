"""The Spark engine: one session for all of these tests, and the other engine as the oracle."""

import gzip
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from linkage import store
from linkage.communities import Graph, communities
from linkage.errors import InputError, MachineError, Neo4jError, NotFoundError, UsageError
from linkage.export import COLUMNS, export
from linkage.ingest import ingest, normalise
from linkage.ingest.normalise import Rules
from linkage.ingest.projection import STORED, projection
from linkage.model import TABLES
from linkage.sample import FOLDER
from linkage.secret import Key, key_file
from linkage.server import java
from linkage.spark import dialect, exports, functions, tables
from linkage.spark.communities import APART, Communities
from linkage.spark.components import components
from linkage.spark.detect import detect_with
from linkage.spark.read import Contract
from linkage.spark.session import session
from linkage.spark.tables import Tables
from tests.cases import Output
from tests.spark_session import MARKS, spark

__all__ = ["spark"]

pytestmark = MARKS

SECRET = b"a secret that no plan may show"


TIMES = [
    "2026-02-18T10:00:00Z", "2026-02-18 10:00:00", "2026-02-18", "2026-02", "2026", "2026-02-18T10", "2026-2-8",
    "2026-02-18T10:00", "2026-02-18T10:00Z", "2026-02-18T10:00:00.123456Z", "2026-02-18T10:00:00.1234567Z",
    "2026-02-18T10:00:00+02:00", "2026-02-18 10:00:00 +02", "2026-02-18T10:00:00-0230", "2026-02-30", "2026-13-01",
    "2026-02-18T25:00:00", "20260218T100000Z", "20260218T100000", "20260230T100000", "1771408800", "1771408800.5",
    "1771408800123", "1771408800123456", "1e9", "-1", "99999999999999999999", "1d", "NaN", "inf", "1989-12-31",
    "2100-01-01", "yesterday", "2026-02-18T10:00:00 Europe/Paris", "18.02.2026", " 2026-02-18 ", "+1771408800",
    "2026-02-18T10:00:00ZZ", "2026-02-18\n", "0x10", "1_000",
]  # fmt: skip
NUMBERS = [
    "0",
    "7",
    " 8 ",
    "1.0",
    "1.5",
    "-1",
    "1e3",
    "9e15",
    "9e14",
    "abc",
    "1d",
    "1f",
    "NaN",
    "Infinity",
    "",
    "+5",
    ".5",
]
IPS = [
    "8.8.8.8", "8.8.8.08", "256.1.1.1", "2001:DB8:0::1", "::ffff:8.8.4.4", "fe80::1%eth0", "::", "0.0.0.0", "10.1.2.3",
    "n/a", "::0", "8.8.8.8\n", " 8.8.8.8",
]  # fmt: skip
EMAILS = [
    "Ann@Example.com", "a.n.n+tag@gmail.com", "ann@googlemail.com", "+x@example.com", "ann@example.com.", "a@b@c", "@",
    "none@none.com", "N/A", "no mail", "ann@é.example", "ann@é.example", "...@x.org",
]  # fmt: skip
PHONES = ["+49 170 1234567", "0049-170-1234567", "(030) 123", "12", "phone", "+1 (555) 123-4567", "1" * 16]
VALUES = [
    ("ip", "8.8.8.8"), ("IP", "2001:db8::1"), ("email", "Ann@Example.com"), ("recovery_email", "A.n@gmail.com"),
    ("tax_id", "DE 123"), ("tax_id", "4111 1111 1111 1111"), ("device", "4111111111111111"), ("ip_net", "8.8.8.0/24"),
    ("bad kind", "x"), ("phone", "+49 170 1234567"), ("phone", "x"), ("prompt", "fp_1"), ("prompt", "two words"),
    ("device", "00000000-0000-0000-0000-000000000000"), ("address", "n/a"), ("address", "Höhe 1"),
]  # fmt: skip
RAW: dict[str, Sequence[Mapping[str, str | None]]] = {
    "accounts": [
        *({"account_id": f"t{at}", "created_at": time} for at, time in enumerate(TIMES)),
        *({"account_id": f"e{at}", "email": mail, "org_verified": "yes"} for at, mail in enumerate(EMAILS)),
        *({"account_id": f"p{at}", "phone": phone, "org_verified": "maybe"} for at, phone in enumerate(PHONES)),
        *({"account_id": account, "status": "Banned"} for account in (" x\t", None, "unknown", "x")),
    ],
    "payments": [{"account_id": "a", "payment_id": p} for p in ("card_1", "4111111111111111", "-", None)],
    "logins": [{"account_id": "a", "ip": ip, "device_id": "d", "at": "1771408800"} for ip in IPS],
    "exchanges": [
        *({"account_id": "a", "at": "2026-02-18", "input_tokens": n, "ip": "8.8.8.8"} for n in NUMBERS),
        *({"account_id": "a", "at": "2026-02-18", "prompt": p} for p in ("Say hi", "n/a", "", "a\x00b", "ü\n\n42")),
        *({"account_id": "a", "at": "2026-02-18", "prompt_fingerprint": p} for p in ("fp", "a text", "x" * 300)),
    ],
    "identifiers": [{"account_id": "a", "kind": kind, "value": value} for kind, value in VALUES],
    "links": [{"account_id": "a", "other_account_id": "b", "kind": k} for k in ("Referral", None, "")],
}  # fmt: skip


def plain(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows as both engines have them: times without a zone, ids of prompts without a sign."""
    made: list[dict[str, Any]] = rows.to_pylist()
    for row in made:
        for name, value in row.items():
            if hasattr(value, "tzinfo"):
                row[name] = value.replace(tzinfo=None)
        if isinstance(row.get("prompt"), int):
            row["prompt"] %= 2**64
    return made


@pytest.mark.parametrize("table", [table for table in TABLES if table != "aliases"])
def test_one_definition_of_every_value(spark: SparkSession, table: str) -> None:
    names = [column.name for column in TABLES[table]]
    raw = pa.table({name: pa.array([row.get(name) for row in RAW[table]], pa.string()) for name in names})
    sql = projection(
        table, {name: f'"{name}"' for name in names}, "given", Rules(frozenset({"ip", "payment", "tax_id"}))
    )
    with duckdb.connect() as con:
        normalise.prepare(con, Key(SECRET))
        con.execute("SET TimeZone = 'UTC'")
        con.register("given", raw)
        wanted = plain(con.sql(sql).to_arrow_table())
    functions.register(spark, Key(SECRET))
    spark.createDataFrame(raw).createOrReplaceTempView("given")
    assert plain(spark.sql(dialect.query(sql)).toArrow()) == wanted


def write(folder: Path) -> None:
    """Exports with all that can be wrong or twice in them."""
    folder.mkdir()
    head = "account_id,at,exchange_id,ip,user_agent,prompt_fingerprint\n"
    rows = [
        "a,2026-02-18T10:00:00Z,x1,8.8.8.8,ua,fp", "a,2026-02-18T10:00:00Z,x1,9.9.9.9,ua,fp",
        "a,2026-02-18T10:00:00Z,,8.8.8.8,ua,fp", "a,2026-02-18T10:00:00Z,,8.8.8.8,ua,fp",
        'b,2026-02-18,,8.8.8.8,"two\nlines, ""quoted""",fp', "b,never,,8.8.8.8,,", ",2026-02-18,,,,",
        "b,2026-02-18,,no.address,,", "c,2026-02-18", "c,2026-02-18,,8.8.8.8,ua,fp,more,and more",
    ]  # fmt: skip
    with gzip.open(folder / "exchanges-1.csv.gz", "wt") as file:
        file.write(head + "\n".join(rows) + "\n")
    # The same again but for one row, with columns in another order, in capitals, and one that nobody knows.
    (folder / "exchanges-2.csv").write_text(
        "AT;account_id;IP;Extra;user_agent;prompt_fingerprint\n" + 3 * "2026-02-18T10:00:00Z;a;8.8.8.8;q;ua;fp\n"
    )
    (folder / "logins[1].jsonl").write_text(
        '{"account_id": "a", "IP": "2001:DB8::1", "at": 1771408800}\n{"account_id": "d", "device_id": 12.50}\n'
        'nonsense\n[1]\n\n{"ip": "8.8.8.8"}\n{"account_id": "e", "ip": null, "user_agent": "zürich \\u00e9"}\n'
    )
    (folder / "payments=x").mkdir()
    pq.write_table(
        pa.table(
            {
                "account_id": ["a", "b", None],
                "payment_id": [1, 2, 3],
                "added_at": pa.array([0, None, 1], pa.timestamp("ms")),
            }
        ),
        folder / "payments=x" / "payments.parquet",
    )
    (folder / "accounts.tsv").write_text(
        "account_id\temail\tstatus\tcreated_at\na\tb@x.org\tactive\t\na\ta@x.org\t\t2026-01-01\nb\t\tbanned\t5\n"
    )
    (folder / "identifiers.csv").write_text("account_id,kind,value\na,tax_id,1\nb,tax_id,4111111111111111\n")
    (folder / "links.csv").write_text("account_id,other_account_id,kind\na,b,Invite\na,,\n")
    (folder / "readme.txt").write_text("no table")


@pytest.fixture
def read(spark: SparkSession, tmp_path: Path) -> tuple[Contract, Path]:
    """Made for each test: the views of a contract give way to those of the next one in the session."""
    folder = tmp_path / "exports"
    write(folder)
    functions.register(spark, Key(SECRET))
    found, passed_over = exports.find(spark, [str(folder)])
    assert [path.rpartition("/")[2] for path in passed_over] == ["readme.txt"]
    return Contract(spark, found, Rules()), folder


def name_of(path: str) -> str:
    return unquote(path.rpartition("/")[2])


def test_contract_tables_and_rejects_are_those_of_ingest(
    spark: SparkSession, read: tuple[Contract, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract, folder = read
    monkeypatch.setenv("LINKAGE_PEPPER", SECRET.decode())
    case = tmp_path / "case.duckdb"
    ingest([folder], case)
    with store.reading(case) as con:
        for table, names in STORED.items():
            listed = ", ".join(f'"{name}"' for name in names)
            wanted = plain(con.sql(f"SELECT {listed} FROM {table}").to_arrow_table())
            got = plain(spark.table(f"kase_{table}").toArrow().select(list(names)))
            assert sorted(got, key=repr) == sorted(wanted, key=repr), table
        wanted_rejects = con.execute(
            'SELECT f.name, f."table", r."column", r.reason, r.excerpt FROM rejects r JOIN files f USING (file)'
        ).fetchall()
    # Spark tells too few columns from too many only where the last one is filled.
    words = {"the row has too few columns": "the row has too few or too many columns"}
    rejects = contract.rejects.collect()
    got_rejects = [(name_of(r["file"]), r["table"], r["column"], r["reason"], r["excerpt"]) for r in rejects]
    wanted_rejects = [(f, t, c, words.get(r, r), e) for f, t, c, r, e in wanted_rejects]
    assert sorted(got_rejects, key=repr) == sorted(wanted_rejects, key=repr)
    assert sum(contract.rejected().values()) == len(wanted_rejects)
    assert {r["line"] for r in rejects if r["file"].endswith("/payments.parquet")} == {1, 3}


def test_spark_scans_the_files_and_no_plan_shows_the_key(read: tuple[Contract, Path]) -> None:
    contract, _ = read
    for table, form in (("exchanges", "csv"), ("logins", "text"), ("payments", "parquet"), ("accounts", "csv")):
        plan = str(contract.read[table]._jdf.queryExecution().toString())
        assert f"FileScan {form}" in plan, table
        assert SECRET.decode() not in plan and SECRET.hex() not in plan
        assert "getvariable" not in plan.lower()


def test_erased_accounts_are_left_out_and_ids_that_look_like_cards_stay(spark: SparkSession, tmp_path: Path) -> None:
    ids = [str(4_000_000_000_000_000 + at * 7_919) for at in range(40)]
    (tmp_path / "logins.csv").write_text("account_id,ip\n" + "".join(f"{one},8.8.8.8\n" for one in [*ids, "gone"]))
    (tmp_path / "links.csv").write_text("account_id,other_account_id\na,gone\ngone,b\na,b\n")
    functions.register(spark, Key(SECRET))
    found, _ = exports.find(spark, [str(tmp_path)])
    erased = [Key(SECRET).hash("account", "gone")]
    strict = Contract(spark, found, Rules(), erased)
    assert strict.by_chance() == {"logins": ["account_id"]}
    assert 0 < sum(strict.rejected().values()) < 20
    contract = Contract(spark, found, Rules(), erased, strict.by_chance())
    assert contract.rejected() == {}
    assert sorted(row["account_id"] for row in spark.table("kase_logins").collect()) == sorted(ids)
    assert [(row["account_id"], row["other_account_id"]) for row in spark.table("kase_links").collect()] == [("a", "b")]


def test_a_table_is_numbered_in_parts(spark: SparkSession) -> None:
    tables = Tables(spark)
    names = [f"é{at % 7}-{at}" for at in range(997)]
    tables.put("given", pa.table({"name": names}))
    tables.execute(
        """CREATE TABLE counted AS SELECT name, (row_number() OVER (ORDER BY name) - 1)::INTEGER AS place FROM given;
        INSERT INTO counted SELECT 'z', 5000; DELETE FROM counted WHERE name IN (SELECT min(name) FROM given);
        CREATE TABLE nobody AS SELECT name, row_number() OVER (ORDER BY name) - 1 AS place FROM given WHERE false"""
    )
    got = tables.arrow("SELECT place, name FROM counted ORDER BY place")
    assert got.to_pydict() == {"place": [*range(1, 997), 5000], "name": [*sorted(names)[1:], "z"]}
    assert len(tables.arrow("SELECT * FROM nobody")) == 0


class _Told:
    """A connection to DuckDB that notes the statements that it gets."""

    def __init__(self, con: duckdb.DuckDBPyConnection, told: list[str]) -> None:
        self._con, self._told = con, told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def execute(self, query: str, *more: Any) -> Any:
        self._told.append(query)
        return self._con.execute(query, *more)

    def sql(self, query: str, **more: Any) -> Any:
        self._told.append(query)
        return self._con.sql(query, **more)


def test_the_sample_gives_the_same_bytes_and_no_step_of_sparks_runs_in_duckdb(
    spark: SparkSession, sample_case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    real = store.scratch

    @contextmanager
    def scratch(path: Path, *, in_memory: bool = False) -> Iterator[_Told]:
        with real(path, in_memory=in_memory) as con:
            yield _Told(con, told)

    monkeypatch.setattr(store, "scratch", scratch)
    plans: list[str] = []
    settle = tables.settled

    def settled(frame: DataFrame) -> DataFrame:
        plans.append(str(frame._jdf.queryExecution().executedPlan().toString()))
        return settle(frame)

    monkeypatch.setattr(tables, "settled", settled)
    out, wanted = tmp_path / "rings", tmp_path / "wanted"
    shutil.copy(key_file(sample_case), key_file(out))
    done = detect_with(spark, [str(FOLDER)], Path("no-case"), out=out)
    assert (done.rejected, done.rejects, {path.name for path in done.files}) == (
        {}, None, {"rings.parquet", "members.parquet", "evidence.parquet", "run.json"},
    )  # fmt: skip
    export(sample_case, wanted, format="parquet")
    for name in ("rings", "members", "evidence"):
        assert COLUMNS[name] == tuple(pq.read_table(out / f"{name}.parquet").column_names)
        assert (out / f"{name}.parquet").read_bytes() == (wanted / f"{name}.parquet").read_bytes(), name
    facts = json.loads((out / "run.json").read_text())
    assert (facts["schema"], facts["parameters"]["engine"]) == ("linkage/spark-run/1", "spark")
    assert not list(tmp_path.glob(".*")), "a temporary case was left"
    # Whether a row stands in a table is never found by looking at each row of it for each.
    assert sum("Join" in plan for plan in plans) > 10
    for plan in plans:
        assert not re.search(r"NestedLoopJoin \w+, (ExistenceJoin|LeftSemi|LeftAnti)", plan), plan
    # What Spark does itself stands in no statement that DuckDB got: it makes the works, and tables of what Spark found.
    assert any("FROM brought" in query for query in told)
    for query in told:
        assert not re.search(r"kase\.(exchanges|logins|payments|identifiers|links)\b", query), query
        made = re.search(r"TABLE (ids|sent|events|seen|nets|trusted|activity|shared|sightings|alone) AS (.*)", query)
        assert not made or made[2] == "SELECT * FROM brought", query


def test_components_are_those_of_union_find(spark: SparkSession) -> None:
    """Random graphs from sparse to dense, a path, a star and a clique, side by side in one."""
    rng = random.Random(1)
    graphs = [nx.gnm_random_graph(30, m, seed=m) for m in range(0, 60, 3)]
    graphs += [nx.path_graph(70), nx.star_graph(40), nx.complete_graph(9), nx.cycle_graph(33)]
    whole = nx.disjoint_union_all(graphs)
    names = list(whole)
    rng.shuffle(names)
    whole = nx.relabel_nodes(whole, dict(enumerate(names)))
    edges = [rng.sample(edge, 2) for edge in (*whole.edges, *list(whole.edges)[:50])] + [[7, 7]]
    given = spark.createDataFrame(pa.table({"u": [u for u, _ in edges], "v": [v for _, v in edges]}))
    found = {row["node"]: row["component"] for row in components(given).collect()}
    sets = nx.utils.UnionFind(whole)
    for u, v in edges:
        sets.union(u, v)
    wanted = {node: min(group) for group in sets.to_sets() if len(group) > 1 for node in group}
    assert found == wanted
    assert components(given.where("u < 0")).collect() == []


@pytest.mark.parametrize("algorithm", APART)
def test_communities_are_those_of_one_machine(spark: SparkSession, algorithm: str) -> None:
    """Components in parts on Spark, the largest on the driver; weights and parallel edges that make ties."""
    rng = np.random.default_rng(5)
    u, v = rng.integers(0, 900, 700), rng.integers(0, 900, 700)
    u, v = np.concatenate((u, 900 + rng.integers(0, 60, 300))), np.concatenate((v, 900 + rng.integers(0, 60, 300)))
    graph = Graph.from_edges(1000, u.astype(np.int32), v.astype(np.int32), rng.integers(1, 4, 1000) / 3)
    engine = Communities(spark, fewest=1, most=200)
    wanted = communities(graph, algorithm, gamma=1.0, seed=9)
    assert engine.partition(graph, algorithm, 9).tolist() == wanted.tolist()
    assert Communities(spark).partition(graph, algorithm, 9).tolist() == wanted.tolist()
    assert engine.prepare(algorithm, 0.0) == {}
    with pytest.raises(UsageError, match="has no resolution"):
        engine.prepare(algorithm, 1.0)


def test_into_a_case_again_and_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linkage: Callable[..., Output]
) -> None:
    """A small ring from JSON Lines; what reports need is in the case, and its ring stays the same ring."""
    monkeypatch.setenv("LINKAGE_PEPPER", "pepper")
    folder = tmp_path / "exports"
    # As Spark writes: the table's name is the folder's.
    for table in ("accounts", "payments", "logins"):
        (folder / table).mkdir(parents=True)
        (folder / table / "_SUCCESS").touch()
    accounts = [{"account_id": f"a{at:02}", "created_at": f"2026-01-{at % 9 + 1:02}"} for at in range(60)]
    (folder / "accounts" / "part-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in accounts))
    for table, column in (("payments", "payment_id"), ("logins", "device_id")):
        rows = [{"account_id": f"a{at:02}", column: "one" if at < 5 else f"own{at}"} for at in range(60)]
        (folder / table / "part-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    case = tmp_path / "case.duckdb"
    more = folder / "accounts" / "part-1.jsonl"
    more.write_text('{"account_id": ""}\n')
    first = detect_with(spark, [str(folder)], case, nulls=0)
    assert (first.report.accounts, first.report.rings, first.files) == (60, 1, ())
    assert (first.rejected, first.rejects) == ({"account_id is missing": 1}, tmp_path / "case.duckdb.rejects.parquet")
    assert [name_of(path) for path in pq.read_table(first.rejects)["file"].to_pylist()] == ["part-1.jsonl"]
    # A later export says more of an account, and what could not be read is mended.
    more.write_text('{"account_id": "a07", "status": "banned"}\n')
    again = detect_with(spark, [str(folder)], case, nulls=0, algorithm="label-propagation")
    assert (again.report.run, again.report.rings) == (2, 1)
    assert (again.rejects, (tmp_path / "case.duckdb.rejects.parquet").exists()) == (None, False)
    with store.reading(case) as con:
        assert con.execute("SELECT count(*), count(DISTINCT ring_id) FROM memberships").fetchall() == [(10, 1)]
        assert con.execute("SELECT count(*), count(created_at), max(status) FROM accounts").fetchall() == [
            (60, 60, "banned")
        ]
    code, text, _ = linkage("ring", 1, "--case", case)
    assert code == 0
    assert "a04" in text


def test_what_cannot_be_read_is_said(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No such file or folder"):
        exports.find(spark, [str(tmp_path / "nowhere")])
    (tmp_path / "notes.csv").write_text("x\n")
    with pytest.raises(InputError, match="No export in"):
        exports.find(spark, [str(tmp_path)])
    (tmp_path / "accounts.csv").write_text("name\nx\n")
    found, _ = exports.find(spark, [str(tmp_path / "accounts.csv")])
    with pytest.raises(InputError, match="lacks the column account_id"):
        Contract(spark, found, Rules())
    (tmp_path / "logins.csv").write_text("account_id,IP,ip\nx,1,2\n")
    found, _ = exports.find(spark, [str(tmp_path / "logins.csv")])
    with pytest.raises(InputError, match="has the column ip twice"):
        Contract(spark, found, Rules())
    (tmp_path / "accounts.csv").write_text("account_id,aliases\nx,y\n")
    found, _ = exports.find(spark, [str(tmp_path / "accounts.csv")])
    with pytest.raises(InputError, match="has aliases of accounts, and Spark joins none"):
        Contract(spark, found, Rules())
    (tmp_path / "aliases.csv").write_text("account_id,kind,value\nx,email,y\n")
    with pytest.raises(InputError, match="has aliases of accounts"):
        exports.find(spark, [str(tmp_path / "aliases.csv")])
    pq.write_table(pa.table({"account_id": [["x"]], "ip": ["8.8.8.8"]}), tmp_path / "logins.parquet")
    found, _ = exports.find(spark, [str(tmp_path / "logins.parquet")])
    with pytest.raises(InputError, match="holds array values"):
        Contract(spark, found, Rules())
    with pytest.raises(MachineError, match="has a Spark session already"), session("local[1]"):
        pass
    fresh = tmp_path / "fresh.duckdb"
    with pytest.raises(NotFoundError):
        detect_with(spark, [str(tmp_path / "nowhere")], fresh)
    assert not fresh.exists()


def test_usage(linkage: Callable[..., Output], tmp_path: Path) -> None:
    case = ("--case", tmp_path / "case.duckdb")
    assert linkage("detect", *case, "--engine", "spark")[0] == 2
    assert linkage("detect", *case, tmp_path)[0] == 2
    assert linkage("detect", *case, "--out", tmp_path)[0] == 2
    assert linkage("detect", *case, "--engine", "spark", "x", "--spark-conf", "memory=1")[0] == 2
    assert not (tmp_path / "case.duckdb").exists()


def test_no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> java.Java:
        raise Neo4jError("The server needs Java 17 to 25, and there is none.")

    monkeypatch.setattr(java, "find", none)
    monkeypatch.setattr("pyspark.SparkContext._active_spark_context", None)
    with pytest.raises(MachineError, match="Spark needs Java 17 to 25") as error, session():
        pass
    assert "account-linkage[spark]" in error.value.hint
    with pytest.raises(UsageError, match="is no Spark master"), session("nowhere"):
        pass


def test_no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    import linkage.spark

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MachineError, match="needs pyspark, which is not installed"):
        importlib.reload(linkage.spark)
