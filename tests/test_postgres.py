"""LiteLLM's tables straight from its PostgreSQL: read like a file, in one snapshot, with no word of a password."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from linkage import store
from linkage.errors import ExitCode, InputError, LinkageError, MachineError, NotFoundError, UsageError
from linkage.ingest import explain, ingest, rejects
from linkage.ingest.address import Address, read
from linkage.ingest.find import Told, find
from linkage.ingest.postgres import Database
from linkage.ingest.relation import relations
from tests.cases import Output
from tests.postgres_server import PASSWORD, USER, Postgres, postgres
from tests.preset_samples import FOLDER

__all__ = ["postgres"]

pytestmark = pytest.mark.xdist_group("postgres")

SPEND = "LiteLLM_SpendLogs"

# As LiteLLM's schema.prisma has them made.
TABLES = f"""
CREATE TABLE "{SPEND}" (
    request_id text PRIMARY KEY, call_type text NOT NULL, api_key text NOT NULL DEFAULT '', spend float8 DEFAULT 0,
    total_tokens int DEFAULT 0, prompt_tokens int DEFAULT 0, completion_tokens int DEFAULT 0,
    "startTime" timestamp(3) NOT NULL, "endTime" timestamp(3), request_duration_ms int,
    "completionStartTime" timestamp(3), model text DEFAULT '', model_id text DEFAULT '', model_group text DEFAULT '',
    custom_llm_provider text, api_base text, "user" text DEFAULT '', metadata jsonb DEFAULT '{{}}', cache_hit text,
    cache_key text, request_tags jsonb DEFAULT '[]', team_id text, organization_id text, end_user text,
    requester_ip_address text, messages jsonb DEFAULT '{{}}', response jsonb DEFAULT '{{}}', session_id text,
    status text, mcp_namespaced_tool_name text, agent_id text, proxy_server_request jsonb DEFAULT '{{}}');
CREATE TABLE "LiteLLM_DailyUserSpend" (
    id text, user_id text, date text, api_key text, model text, custom_llm_provider text,
    mcp_namespaced_tool_name text, endpoint text, prompt_tokens bigint, spend float8, created_at timestamp(3));
CREATE TABLE "LiteLLM_UserTable" (
    user_id text PRIMARY KEY, user_alias text, team_id text, sso_user_id text, organization_id text, password text,
    teams text[], user_role text, spend float8, user_email text, models text[], metadata jsonb,
    created_at timestamp(3));
INSERT INTO "LiteLLM_UserTable"
    SELECT 'user_' || n, 'u' || n, '', NULL, NULL, 'a password''s hash', '{{}}', 'internal_user', 0,
    'someone' || n || '@mail.example', '{{}}', '{{}}', '2026-01-02' FROM generate_series(0, 45) n;
CREATE TABLE "LiteLLM_CredentialsTable" (credential_id text, credential_values jsonb);
GRANT SELECT ON "{SPEND}", "LiteLLM_DailyUserSpend" TO {USER};
GRANT SELECT (user_id, user_email, created_at, organization_id, team_id) ON "LiteLLM_UserTable" TO {USER};
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


@pytest.fixture(scope="module")
def litellm(postgres: Postgres) -> str:
    """The address of a LiteLLM database that holds the rows of the sample; for reading only."""
    return fresh(postgres, "litellm")


def fresh(server: Postgres, name: str) -> str:
    """A LiteLLM database of a test's own, and its address."""
    server.run(f"CREATE DATABASE {name}")
    server.run(TABLES, name)
    quoted = (FOLDER / "litellm.json").read_text().replace("'", "''")
    server.run(f"""INSERT INTO "{SPEND}" SELECT * FROM json_populate_recordset(NULL::"{SPEND}", '{quoted}')""", name)
    return f"{server.address}/{name}"


def rows(case: Path, sql: str) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql).fetchall()


def contents(case: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What a case holds of each table, places apart."""
    return {
        table: rows(case, f"SELECT * EXCLUDE (file, line) FROM {table} ORDER BY ALL")
        for table in ("account_rows", "exchanges", "identifiers")
    }


def error_of(call: Callable[[], object]) -> LinkageError:
    with pytest.raises(LinkageError) as caught:
        call()
    assert PASSWORD not in str(vars(caught.value))
    return caught.value


# From a table to a case.


def test_a_table_is_read_as_its_export_and_a_second_run_adds_what_is_new(postgres: Postgres, tmp_path: Path) -> None:
    address, case = fresh(postgres, "growing"), tmp_path / "c.duckdb"
    report = ingest([address], case)
    assert {(file.table, file.rows, file.added) for file in report.files} == {
        ("accounts", 0, 0), ("accounts", 46, 46), ("exchanges", 264, 264), ("identifiers", 264, 264)
    }  # fmt: skip
    assert {file.preset for file in report.files} == {"LiteLLM spend logs", "LiteLLM users"}
    assert rows(case, "SELECT DISTINCT name, line FROM files JOIN exchanges USING (file)") == [(SPEND, None)]
    assert rows(
        case, "SELECT count(*), min(created_at)::VARCHAR FROM accounts WHERE email_label = 's***@mail.example'"
    ) == [(46, "2026-01-02 00:00:00")]
    before = contents(case)
    again = ingest([address, address], case)
    assert all(file.already for file in again.files)
    assert len(again.files) == 4
    assert rows(case, "SELECT count(*) FROM commands") == [(1,)]
    # The rows of its export are the same rows.
    assert ingest([FOLDER / "litellm.json"], case).added == 0
    one = "'new', 'acompletion', 'k', now(), '{}', 'u', '9.9.9.9'"
    postgres.run(
        f"""INSERT INTO "{SPEND}" (request_id, call_type, api_key, "startTime", metadata, "user", requester_ip_address)
        VALUES ({one}); UPDATE "{SPEND}" SET response = '{{"text": "no column that is read"}}'""", "growing"
    )  # fmt: skip
    grown = ingest([address], case)
    assert sum(file.already for file in grown.files) == 1
    assert {file.table: file.added for file in grown.files} == {"accounts": 0, "exchanges": 1, "identifiers": 1}
    after = contents(case)
    assert len(after["exchanges"]) == len(before["exchanges"]) + 1
    assert len(after["identifiers"]) == len(before["identifiers"]) + 1


def test_nothing_private_and_nothing_of_the_address_reaches_the_disk(postgres: Postgres, tmp_path: Path) -> None:
    address, case = fresh(postgres, "private"), tmp_path / "c.duckdb"
    postgres.run(
        f"""UPDATE "{SPEND}" SET metadata = metadata || '{{"user_api_key_user_email": "someone@mail.example"}}',
        response = '{{"said": "an answer that is never asked for"}}'""", "private"
    )  # fmt: skip
    report = ingest([address], case)
    assert ("accounts", 264) in {(file.table, file.rows) for file in report.files}
    assert rows(case, "SELECT DISTINCT email_label FROM accounts") == [("s***@mail.example",)]
    disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for word in (
        b"sound human",
        b"someone",
        b"password",
        b"never asked",
        PASSWORD.encode(),
        b"127.0.0.1",
        USER.encode(),
    ):
        assert word not in disk
    assert {path.name for path in tmp_path.iterdir()} == {"c.duckdb", "c.duckdb.key", "c.duckdb.audit.jsonl"}


def test_the_command_says_what_it_reads_and_explains(
    litellm: str, linkage: Callable[..., Output], tmp_path: Path
) -> None:
    case = tmp_path / "c.duckdb"
    code, out, err = linkage("ingest", litellm, "--explain", "--case", case)
    assert code == 0
    assert "*** · *** · ***" in out
    assert not case.exists()
    code, out, err = linkage("ingest", litellm, "--case", case)
    assert (code, f"/litellm/{SPEND}: 264 rows as exchanges, 264 new or changed" in out) == (0, True)
    assert "read as LiteLLM spend logs" in err
    assert PASSWORD not in out + err
    code, out, _ = linkage("ingest", f"{litellm}#{SPEND}", "--map", "account_id=api_key", "--case", case, "--dry-run")
    assert (code, "nothing written (dry run)" in out) == (0, True)
    secret = litellm.replace("@", ":hunter2@")
    code, out, err = linkage("ingest", secret, "--case", case)
    assert code == ExitCode.USAGE
    assert "PGPASSWORD" in err
    assert "hunter2" not in out + err


def test_a_database_is_full_of_other_things(postgres: Postgres, tmp_path: Path) -> None:
    address = fresh(postgres, "busy")
    postgres.run(
        f"""CREATE SCHEMA own; GRANT USAGE ON SCHEMA own TO {USER};
        CREATE VIEW own.payments AS SELECT "user" AS account_id, 'card-' || api_key AS payment_id FROM "{SPEND}";
        CREATE TABLE own.logins (account_id text, ip inet, "at" timestamptz) PARTITION BY HASH (account_id);
        CREATE TABLE own.logins_0 PARTITION OF own.logins FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE own.logins_1 PARTITION OF own.logins FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        INSERT INTO own.logins SELECT 'a' || n, ('8.8.8.' || n)::inet, '2026-02-01 12:00+02'
        FROM generate_series(1, 9) n;
        CREATE TABLE own.accounts_of_a_bank (id int, "quoted ""name" text);
        CREATE TABLE own."odd/../name" (account_id text, ip text);
        INSERT INTO own."odd/../name" VALUES ('a', '8.8.4.4');
        GRANT SELECT ON ALL TABLES IN SCHEMA own TO {USER};""", "busy"
    )  # fmt: skip
    with closing(find([address], Told())) as found:
        assert {(source.path.name, source.table) for source in found.sources} == {
            (SPEND, "accounts"), ("LiteLLM_UserTable", "accounts"), (SPEND, "exchanges"), (SPEND, "identifiers"),
            ("own.payments", "payments"), ("own.logins", "logins"),
        }  # fmt: skip
        assert not found.refused
    case = tmp_path / "c.duckdb"
    report = ingest([f"{address}?schema=own"], case)
    assert {(file.table, file.added) for file in report.files} == {("payments", 132), ("logins", 9)}
    assert rows(case, 'SELECT count(DISTINCT ip), min("at")::VARCHAR FROM logins') == [(9, "2026-02-01 10:00:00")]
    ingest([f"{address}#own.odd%2F..%2Fname"], case, table="logins")
    assert rows(case, "SELECT name FROM files ORDER BY file DESC LIMIT 1") == [("own.odd_.._name",)]
    assert isinstance(error_of(lambda: ingest([address], case, table="logins")), UsageError)
    assert isinstance(error_of(lambda: ingest([address], case, preset="litellm")), UsageError)
    assert "no table nothing" in error_of(lambda: ingest([f"{address}#nothing"], case)).message
    # One that was named is refused with what it lacks, and what is of no known source is not guessed at.
    assert (
        "no column for account_id"
        in error_of(lambda: ingest([f"{address}#accounts_of_a_bank"], case, table="accounts")).message
    )
    assert isinstance(error_of(lambda: ingest([f"{address}#accounts_of_a_bank"], case)), InputError)


# What is read, and in what pieces.


def test_rows_come_in_pieces_and_one_that_is_too_long_is_set_aside(postgres: Postgres, tmp_path: Path) -> None:
    address = fresh(postgres, "large")
    postgres.run(
        f"""DELETE FROM "{SPEND}";
        INSERT INTO "{SPEND}" (request_id, call_type, "startTime", "user", metadata)
        SELECT 'big' || n, 'x', '2026-02-03', 'u' || n, jsonb_build_object('pad', repeat(md5(n::text), 1000))
        FROM generate_series(1, 300) n;
        INSERT INTO "{SPEND}" (request_id, call_type, "startTime", "user", messages)
        VALUES ('huge', 'x', '2026-02-03', 'u', to_jsonb(repeat('x', 17 << 20)))""", "large"
    )  # fmt: skip
    with closing(Database(read(address))) as database:
        (relation,) = [one for one in relations(database) if one.name == SPEND]
        relation.needed = {"user", "messages", "metadata"}
        relation.digest()
        sizes = [batch.nbytes for batch in relation.parts(["user", "messages", "metadata"])]
        assert sum(sizes) > 9_000_000
        assert max(sizes) < 12 << 20
        assert len(sizes) > 2
        assert relation.long == 1
        assert relation.percent == 100
    case = tmp_path / "c.duckdb"
    report = ingest([address], case)
    assert {file.table: (file.rows, file.rejected) for file in report.files}["exchanges"] == (301, 1)
    assert [(r.file, r.line, r.reason) for r in rejects(case)] == [(SPEND, None, "the row is longer than 16 MiB")]


def test_the_transaction_reads_one_snapshot_and_cannot_write(postgres: Postgres) -> None:
    address = fresh(postgres, "snapshot")
    postgres.run(f'GRANT ALL ON "{SPEND}" TO {USER}', "snapshot")
    with closing(Database(read(address))) as database:
        (relation,) = [one for one in relations(database) if one.name == SPEND]
        relation.needed = {"request_id"}
        digest = relation.digest()
        postgres.run(f'DELETE FROM "{SPEND}"', "snapshot")
        assert sum(batch.num_rows for batch in relation.parts(["request_id"])) == 264
        assert relation.digest() == digest
        assert "25006" in error_of(lambda: database.rows(f'DELETE FROM public."{SPEND}" RETURNING 1')).message
        # What failed is forgotten.
        assert relation.digest() == digest


def test_rows_that_may_not_be_seen_are_not_passed_over_in_silence(postgres: Postgres, tmp_path: Path) -> None:
    address, case = fresh(postgres, "hidden"), tmp_path / "c.duckdb"
    postgres.run(
        f"""REVOKE ALL ON "{SPEND}" FROM {USER};
        GRANT SELECT (request_id, "startTime", "user") ON "{SPEND}" TO {USER}""",
        "hidden",
    )
    assert "may not read: " in error_of(lambda: ingest([address], case)).message
    assert "may not read: " in error_of(lambda: explain([address])).message
    postgres.run(
        f"""GRANT SELECT ON "{SPEND}" TO {USER}; ALTER TABLE "{SPEND}" ENABLE ROW LEVEL SECURITY;
        CREATE POLICY part ON "{SPEND}" USING (prompt_tokens > 10)""", "hidden"
    )  # fmt: skip
    assert "may not read all" in error_of(lambda: ingest([address], case)).message
    assert not case.exists()


# Connecting.


def test_a_connection_that_breaks_leaves_the_case_as_it_was(postgres: Postgres, tmp_path: Path) -> None:
    address, case = fresh(postgres, "breaking"), tmp_path / "c.duckdb"
    with closing(Database(read(address))) as database:
        (relation,) = [one for one in relations(database) if one.name == SPEND]
        parts = relation.parts(["request_id"])
        next(parts)
        postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'linkage'")
        broken = error_of(lambda: list(parts))
    assert isinstance(broken, MachineError)
    assert database.failed is broken
    # The same inside DuckDB, which would say no more than that Python raised something.
    postgres.run(
        f"""ALTER TABLE "{SPEND}" RENAME TO spend; CREATE FUNCTION stop() RETURNS text LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep(0); RAISE EXCEPTION ''secret row''; END';
        CREATE VIEW "{SPEND}" AS SELECT request_id, call_type, "startTime", api_base, spend, metadata, "user",
            CASE WHEN request_id LIKE '%2a' THEN public.stop() END AS requester_ip_address FROM spend;
        GRANT SELECT ON "{SPEND}" TO {USER}""", "breaking"
    )  # fmt: skip
    stopped = error_of(lambda: ingest([address], case))
    assert "P0001" in stopped.message
    assert "secret row" not in stopped.message + stopped.hint
    assert not case.exists()


def test_an_interrupt_does_not_wait_for_an_answer(postgres: Postgres, litellm: str) -> None:
    ended: list[LinkageError] = []
    with closing(Database(read(litellm))) as database:
        waiting = threading.Thread(
            target=lambda: ended.append(error_of(lambda: database.rows("SELECT pg_sleep(600)"))), daemon=True
        )
        waiting.start()
        for _ in range(400):
            if postgres.run("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
                break
            time.sleep(0.05)
        store.interrupt()
        waiting.join(60)
    assert [type(error) for error in ended] == [MachineError]
    postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")


def test_who_cannot_get_in_is_told_why(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusal(address: str) -> LinkageError:
        return error_of(lambda: find([address], Told()))

    assert isinstance(refusal(f"{postgres.address}/no_such_database"), NotFoundError)
    assert "no table of a known source" in refusal(f"{postgres.address}/postgres").message
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def answer() -> None:
            con, _ = other.accept()
            with con:
                con.recv(100)
                con.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                con.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        said = refusal(f"postgresql://u@127.0.0.1:{port}/d")
        thread.join()
    assert "it hung up" in said.message
    assert "cannot be reached" in refusal(f"postgresql://u@127.0.0.1:{port}/d").message
    monkeypatch.setenv("PGPASSWORD", "wrong")
    wrong = refusal(f"{postgres.address}/postgres")
    assert (wrong.exit_code, "PGPASSWORD" in wrong.hint) == (ExitCode.MACHINE, True)
    monkeypatch.delenv("PGPASSWORD")
    assert "refused the user" in refusal(f"{postgres.address}/postgres").message
    monkeypatch.setitem(__import__("sys").modules, "pg8000", None)
    assert "account-linkage[postgresql]" in refusal(f"{postgres.address}/postgres").hint


def test_tls_is_what_sslmode_says(postgres: Postgres, litellm: str) -> None:
    def encrypted(address: str) -> bool:
        with closing(Database(read(address))) as database:
            return bool(database.rows("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0][0])

    named = litellm.replace("127.0.0.1", "localhost")
    trusted = f"sslrootcert={postgres.folder / 'server.crt'}"
    assert encrypted(litellm)
    assert encrypted(f"{litellm}?sslmode=require")
    assert not encrypted(f"{litellm}?sslmode=disable")
    assert encrypted(f"{named}?sslmode=verify-full&{trusted}")
    assert encrypted(f"{litellm}?sslmode=verify-ca&{trusted}")
    for wanted, kind in (
        (f"{litellm}?sslmode=verify-full&{trusted}", MachineError),
        (f"{named}?sslrootcert=system", MachineError),
        (f"{named}?sslmode=verify-ca", UsageError),
        (f"{named}?sslmode=require&sslrootcert=/no/such/file", UsageError),
    ):
        assert type(error_of(partial(encrypted, wanted))) is kind
    postgres.run("ALTER SYSTEM SET ssl = off")
    postgres.run("SELECT pg_reload_conf()")
    try:
        for _ in range(600):
            if postgres.run("SHOW ssl") == [["off"]]:
                break
            time.sleep(0.05)
        assert not encrypted(litellm)
        assert "does not speak TLS" in error_of(lambda: encrypted(f"{litellm}?sslmode=require")).message
    finally:
        postgres.run("ALTER SYSTEM RESET ssl")
        postgres.run("SELECT pg_reload_conf()")
    local = f"postgresql:///litellm?host={postgres.folder}&port={postgres.port}&user={USER}"
    assert not encrypted(local)


# Addresses.


def given(text: str, **environment: str) -> Address:
    return read(text, {"HOME": "/no/such/home", **environment})


def test_an_address_is_read_as_libpq_does(tmp_path: Path) -> None:
    one = given("postgresql://u%40x:p%2Fw@[::1]:6543/d%20b?sslmode=require&connect_timeout=3#s.T%23")
    assert (one.user, one.password, one.host, one.port, one.database) == ("u@x", "p/w", "::1", 6543, "d b")
    assert (one.sslmode, one.timeout, one.table, str(one)) == ("require", 3, "s.T#", "[::1]:6543/d b")
    assert "p/w" not in repr(one)
    bare = given("postgres:", PGHOST="h", PGPORT="1", PGUSER="me", PGPASSWORD="pw", PGSSLMODE="verify-ca")
    assert (bare.host, bare.port, bare.user, bare.database, bare.password) == ("h", 1, "me", "me", "pw")
    pgpass = tmp_path / ".pgpass"
    pgpass.write_text(
        f"#h:1:*:*:no\nother:1:*:*:no\nh:1:d\\:b:*:{PASSWORD.replace(':', chr(92) + ':')}\n*:*:*:*:last\n"
    )
    pgpass.chmod(0o600)
    assert given("postgresql://u@h:1/d:b", HOME=str(tmp_path)).password == PASSWORD
    assert given("postgresql://u@h:1/x", PGPASSFILE=str(pgpass)).password == "last"
    pgpass.chmod(0o644)
    with pytest.raises(UsageError, match="read by others"):
        given("postgresql://u@h:1/x", PGPASSFILE=str(pgpass))
    # As Prisma writes them.
    prisma = given("postgresql://u:p@h/d?schema=llm&connection_limit=10&pool_timeout=60&pgbouncer=true")
    assert (prisma.schema, prisma.port) == ("llm", 5432)


@pytest.mark.parametrize(
    "wrong",
    ["@h:0x1/d", "@h:99999/d", "@a,b/d", "@[::1/d", "@h/d?sslmode=maybe", "@h/d?channel_binding=require",
     "@h/d?service=x", "@h/d%00", "@h/d?options", "@h/d?connect_timeout=-1"],
)  # fmt: skip
def test_an_address_that_cannot_be_granted_is_refused_without_being_repeated(wrong: str) -> None:
    with pytest.raises(UsageError) as caught:
        given(f"postgresql://u:hunter2{wrong}")
    assert "hunter2" not in str(vars(caught.value))
    assert json.dumps(caught.value.hint)
