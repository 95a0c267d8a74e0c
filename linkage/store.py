"""The case file: one DuckDB file that holds everything, opened here and nowhere else.

DuckDB lets one writer or many readers in. Readers open read-only and briefly; whoever finds the file held retries
for `WAIT_SECONDS` and then names the holder.
"""

import glob
import os
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb

from linkage import __version__
from linkage.errors import CaseBusyError, InputError, MachineError, NotFoundError, UsageError, translate

SCHEMA_VERSION: Final = 4
WAIT_SECONDS: Final = 10.0

_OPENED: Final[weakref.WeakSet[duckdb.DuckDBPyConnection]] = weakref.WeakSet()

_DECISIONS: Final = """
-- What people decided, append-only; the latest on a ring counts.
CREATE TABLE decisions (decision BIGINT PRIMARY KEY, ring_id VARCHAR NOT NULL, verdict VARCHAR NOT NULL,
    note VARCHAR NOT NULL, tags VARCHAR[] NOT NULL, "by" VARCHAR NOT NULL, "at" TIMESTAMP NOT NULL,
    source VARCHAR NOT NULL, run BIGINT NOT NULL, recorded_at TIMESTAMP NOT NULL);
"""

_PROMPTS: Final = """
-- What is kept of raw prompts: a sketch of each (linkage/prompts/sketch.py).
CREATE TABLE prompts (prompt UBIGINT NOT NULL, tokens USMALLINT NOT NULL, sketch BLOB NOT NULL);
-- The template of each prompt's body, opening and ending, named by the smallest id of the prompts that follow it.
CREATE TABLE templates (prompt UBIGINT NOT NULL, body UBIGINT NOT NULL, opening UBIGINT, ending UBIGINT);
-- Names that templates had before later prompts joined them to others. They stay valid: see `template_aliases`.
CREATE TABLE former_templates (part VARCHAR NOT NULL, alias UBIGINT NOT NULL);
CREATE VIEW template_aliases AS
SELECT f.part, f.alias,
    CASE f.part WHEN 'opening' THEN t.opening WHEN 'ending' THEN t.ending ELSE t.body END AS template
FROM former_templates f JOIN templates t ON t.prompt = f.alias;
-- Where the newest run found, from all that an account sends, that a prompt follows another template than its
-- near-duplicates do.
CREATE TABLE followed (account_id VARCHAR NOT NULL, prompt UBIGINT NOT NULL, template UBIGINT NOT NULL);
-- The template of each exchange whose prompt was given as text.
CREATE VIEW exchange_templates AS
SELECT e.account_id, e."at", e.model, e.prompt, coalesce(f.template, t.body) AS template, t.opening, t.ending
FROM exchanges e JOIN templates t USING (prompt) LEFT JOIN followed f USING (account_id, prompt);
-- Filled by `--keep-skeletons` only (linkage/prompts/words.py): the words of some prompts of each template that enough
-- accounts send, as keyed hashes, the text of words that enough accounts use, and a hash of each account that used
-- another word so far.
CREATE TABLE prompt_words (prompt UBIGINT NOT NULL, words UBIGINT[] NOT NULL);
CREATE TABLE words (word UBIGINT NOT NULL, "text" VARCHAR NOT NULL);
CREATE TABLE word_accounts (word UBIGINT NOT NULL, account UINTEGER NOT NULL);
"""

_PROMPT_COLUMN: Final = """
ALTER TABLE exchanges ADD COLUMN prompt UBIGINT;
ALTER TABLE shared ADD COLUMN trust VARCHAR;
INSERT INTO meta SELECT 'former_prompts', '1' FROM exchanges WHERE starts_with(prompt_fingerprint, 'exact:') LIMIT 1;
"""

_RING_KINDS: Final = """
-- What each kind of evidence brings to a ring, and what the ring would be without it (linkage/rings/without.py). Over a
-- ring's kinds the bits add up to its own plus the prior.
CREATE TABLE ring_kinds (ring_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, "values" BIGINT NOT NULL,
    bits DOUBLE NOT NULL, members BIGINT NOT NULL, score_without DOUBLE NOT NULL, members_without BIGINT NOT NULL);
-- The same of the value that brings a ring most.
CREATE TABLE ring_strongest (ring_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR,
    bits DOUBLE NOT NULL, members BIGINT NOT NULL, score_without DOUBLE NOT NULL, members_without BIGINT NOT NULL);
"""

# Rows that are there already get no place; `placed_from` is the first command whose rows have one.
_PLACE_COLUMNS: Final = """
ALTER TABLE account_rows ADD COLUMN file BIGINT;
ALTER TABLE account_rows ADD COLUMN line BIGINT;
ALTER TABLE payments ADD COLUMN file BIGINT;
ALTER TABLE payments ADD COLUMN line BIGINT;
ALTER TABLE logins ADD COLUMN file BIGINT;
ALTER TABLE logins ADD COLUMN line BIGINT;
ALTER TABLE exchanges ADD COLUMN file BIGINT;
ALTER TABLE exchanges ADD COLUMN line BIGINT;
ALTER TABLE identifiers ADD COLUMN file BIGINT;
ALTER TABLE identifiers ADD COLUMN line BIGINT;
ALTER TABLE links ADD COLUMN file BIGINT;
ALTER TABLE links ADD COLUMN line BIGINT;
INSERT INTO meta SELECT 'placed_from', (coalesce(max(command), 0) + 1)::VARCHAR FROM commands;
"""

# The contract tables hold what ingest has canonicalised and, where private, hashed: no raw prompt, e-mail or phone.
# `file` (files.file) and `line` (from 1, the record's first; in Parquet the row) say where a row stands. Both are NULL
# in rows from before version 4, and where several rows made one of an account; the line where it cannot be told.
SCHEMA: Final = """
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

-- One row a call of `linkage ingest`; finished_at is NULL while it runs or after it was interrupted.
CREATE TABLE commands (command BIGINT PRIMARY KEY, started_at TIMESTAMP NOT NULL, finished_at TIMESTAMP,
    files VARCHAR[] NOT NULL);
-- One row a file that went in; (sha256, "table") is its identity.
CREATE TABLE files (file BIGINT PRIMARY KEY, command BIGINT NOT NULL, name VARCHAR NOT NULL, "table" VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL, bytes BIGINT NOT NULL, rows BIGINT NOT NULL, added BIGINT NOT NULL,
    rejected BIGINT NOT NULL, ingested_at TIMESTAMP NOT NULL);
CREATE TABLE rejects (file BIGINT NOT NULL, line BIGINT, "column" VARCHAR, reason VARCHAR NOT NULL, excerpt VARCHAR);

-- At most two rows an account: what older commands settled, and what the newest command said.
CREATE TABLE account_rows (command BIGINT NOT NULL, account_id VARCHAR NOT NULL, created_at TIMESTAMP,
    banned_at TIMESTAMP, email VARCHAR, email_label VARCHAR, email_domain VARCHAR, phone VARCHAR, phone_label VARCHAR,
    org_id VARCHAR, org_verified BOOLEAN, status VARCHAR, country VARCHAR, plan VARCHAR,
    file BIGINT, line BIGINT);
CREATE TABLE payments (account_id VARCHAR NOT NULL, payment_id VARCHAR NOT NULL, method VARCHAR, added_at TIMESTAMP,
    file BIGINT, line BIGINT);
CREATE TABLE logins (account_id VARCHAR NOT NULL, ip VARCHAR, ip_net VARCHAR, device_id VARCHAR, user_agent VARCHAR,
    "at" TIMESTAMP, file BIGINT, line BIGINT);
CREATE TABLE exchanges (command BIGINT NOT NULL, account_id VARCHAR NOT NULL, "at" TIMESTAMP NOT NULL,
    exchange_id VARCHAR, ip VARCHAR, ip_net VARCHAR, device_id VARCHAR, user_agent VARCHAR, model VARCHAR,
    prompt_fingerprint VARCHAR, input_tokens BIGINT, output_tokens BIGINT, prompt UBIGINT,
    file BIGINT, line BIGINT);
CREATE TABLE identifiers (account_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR,
    ip_net VARCHAR, "at" TIMESTAMP, file BIGINT, line BIGINT);
CREATE TABLE links (account_id VARCHAR NOT NULL, other_account_id VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    "at" TIMESTAMP, file BIGINT, line BIGINT);

-- What the newest run saw: identifiers that two accounts or more share, and who was seen with them. `trust` is the kind
-- that an identifier is weighed as, where that is another than its own (`model.WORKED_PROMPT`).
CREATE TABLE shared (kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR, accounts BIGINT NOT NULL,
    bits DOUBLE NOT NULL, trust VARCHAR);
CREATE TABLE sightings (account_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL,
    count BIGINT NOT NULL, first_seen TIMESTAMP, last_seen TIMESTAMP, bits DOUBLE NOT NULL);

-- One row a `linkage detect`. The tables below hold the newest run, but for memberships, which lineage needs.
CREATE TABLE runs (run BIGINT PRIMARY KEY, started_at TIMESTAMP NOT NULL, seconds DOUBLE NOT NULL,
    parameters JSON NOT NULL, versions JSON NOT NULL, counts JSON NOT NULL, timings JSON NOT NULL);
CREATE TABLE rings (ring_id VARCHAR PRIMARY KEY, rank BIGINT NOT NULL, score DOUBLE NOT NULL, q_value DOUBLE,
    status VARCHAR NOT NULL, listed BOOLEAN NOT NULL, accounts BIGINT NOT NULL, exchanges BIGINT NOT NULL,
    first_seen TIMESTAMP, last_seen TIMESTAMP, why VARCHAR NOT NULL, doubts VARCHAR NOT NULL, bits DOUBLE NOT NULL,
    factors JSON NOT NULL);
CREATE TABLE members (ring_id VARCHAR NOT NULL, account_id VARCHAR NOT NULL, tier VARCHAR NOT NULL,
    confidence DOUBLE NOT NULL, bits DOUBLE NOT NULL, exchanges BIGINT NOT NULL, first_seen TIMESTAMP,
    last_seen TIMESTAMP);
CREATE TABLE evidence (ring_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR,
    accounts BIGINT NOT NULL, outsiders BIGINT NOT NULL, bits DOUBLE NOT NULL, first_seen TIMESTAMP,
    last_seen TIMESTAMP);
-- Accounts that touch a ring without being members: bystanders, victims.
CREATE TABLE bystanders (ring_id VARCHAR NOT NULL, account_id VARCHAR NOT NULL, bits DOUBLE NOT NULL,
    reason VARCHAR NOT NULL);
CREATE TABLE hubs (kind VARCHAR NOT NULL, value VARCHAR NOT NULL, label VARCHAR, accounts BIGINT NOT NULL,
    bits_alone DOUBLE NOT NULL, pairs_spared BIGINT NOT NULL, reason VARCHAR NOT NULL);
-- Ring ids live on from run to run by overlap of their members.
CREATE TABLE memberships (run BIGINT NOT NULL, ring_id VARCHAR NOT NULL, account_id VARCHAR NOT NULL);

-- A later command's non-empty value wins; within one command the greatest value does, whatever the file order.
CREATE VIEW accounts AS
WITH said AS (SELECT account_id,
    arg_max(created_at, (command, created_at)) FILTER (created_at IS NOT NULL) AS created_at,
    arg_max(banned_at, (command, banned_at)) FILTER (banned_at IS NOT NULL) AS banned_at,
    arg_max({e: email, l: email_label, d: email_domain}, (command, email)) FILTER (email IS NOT NULL) AS email,
    arg_max({p: phone, l: phone_label}, (command, phone)) FILTER (phone IS NOT NULL) AS phone,
    arg_max(org_id, (command, org_id)) FILTER (org_id IS NOT NULL) AS org_id,
    arg_max(org_verified, (command, org_verified)) FILTER (org_verified IS NOT NULL) AS org_verified,
    arg_max(status, (command, status)) FILTER (status IS NOT NULL) AS status,
    arg_max(country, (command, country)) FILTER (country IS NOT NULL) AS country,
    arg_max(plan, (command, plan)) FILTER (plan IS NOT NULL) AS plan
    FROM account_rows GROUP BY account_id)
SELECT account_id, created_at, banned_at, email.e AS email, email.l AS email_label, email.d AS email_domain,
    phone.p AS phone, phone.l AS phone_label, org_id, org_verified, status, country, plan FROM said;
"""

# What brings a case of an older version to the next one.
MIGRATIONS: Final[dict[int, str]] = {
    1: _DECISIONS,
    # Fingerprints of raw prompts were of another kind then: they stay, and no new ones can stand beside them.
    2: _PROMPT_COLUMN + _PROMPTS,
    3: _RING_KINDS + _PLACE_COLUMNS,
}


def connect(path: Path | str, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB database with the settings that every connection of ours has.

    Nothing is fetched from the network, times are UTC, and temporary files stay beside the database.
    """
    config: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    wanted = threads()
    if wanted:
        config["threads"] = wanted
    con = duckdb.connect(str(path), read_only=read_only, config=config)
    con.execute("SET TimeZone = 'UTC'")
    # Ingest writes row groups of uneven length; a checkpoint would join them, and write the whole case a second time.
    con.execute("SET max_vacuum_tasks = 0")
    # Progress bars of DuckDB's own would write to stdout in the middle of a result.
    con.execute("SET enable_progress_bar = false")
    _OPENED.add(con)
    return con


def threads() -> int | None:
    """How many threads the user wants, by `LINKAGE_THREADS`; None if it is not set.

    Raises:
        UsageError: it is no number from 1 to 1024.
    """
    wanted = os.environ.get("LINKAGE_THREADS")
    if not wanted:
        return None
    if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= 1024):
        raise UsageError(f"LINKAGE_THREADS is {wanted!r}, which is no number of threads.", "Set it to 1 or more.")
    return int(wanted)


def interrupt() -> None:
    """Stop the queries that run now, from another thread. The engine looks for signals only when a query has ended."""
    for con in list(_OPENED):
        _quietly(con.interrupt)


def create(path: Path) -> None:
    """Make an empty case file at `path`: whole or not at all.

    Raises:
        MachineError: the folder cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        con = connect(fresh)
        try:
            con.execute(SCHEMA)
            con.execute(_DECISIONS + _PROMPTS + _RING_KINDS)
            facts = {
                "schema_version": str(SCHEMA_VERSION),
                "case_id": secrets.token_hex(8),
                "made_by": __version__,
            }
            con.executemany("INSERT INTO meta VALUES (?, ?)", list(facts.items()))
        finally:
            con.close()
        fresh.replace(path)
    except Exception as exc:
        raise translate(exc, f"making the case file {path}") from None
    finally:
        fresh.unlink(missing_ok=True)
        fresh.with_name(fresh.name + ".wal").unlink(missing_ok=True)


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the case at `path`; keep it briefly.

    Raises:
        NotFoundError: there is no such file.
        InputError: the file is not a case, or from a newer version.
        CaseBusyError: a writer holds it for longer than `WAIT_SECONDS`.
    """
    con = _open(path, read_only=True)
    try:
        yield con
    finally:
        con.close()


@contextmanager
def writing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection inside one transaction: committed when the block ends, rolled back when it raises.

    Raises: as `reading`, and MachineError when the file or disk cannot be written.
    """
    con = _open(path, read_only=False)
    try:
        with _transaction(con):
            yield con
    finally:
        _quietly(con.close)


@contextmanager
def _transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.execute("BEGIN")
    try:
        yield
        con.execute("COMMIT")
    except BaseException:
        _quietly(lambda: con.execute("ROLLBACK"))
        raise


@contextmanager
def scratch(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty database in a private folder beside the case at `path`; both vanish at the end.

    Long work happens here, so that the case is held only while it is read (`attached`) and for the final commit.
    """
    _sweep(path)
    try:
        folder = tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".scratch", dir=path.parent)
    except OSError as exc:
        raise translate(exc, f"making a scratch folder beside {path}") from None
    with folder as name:
        con = connect(Path(name) / "scratch.duckdb")
        try:
            yield con
        finally:
            con.close()


def _sweep(path: Path) -> None:
    """Remove scratch folders that a killed process left beside the case: those whose database nobody holds."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.*.scratch"):
        try:
            connect(folder / "scratch.duckdb").close()
        except duckdb.Error:
            continue
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def attached(con: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool = True) -> Iterator[None]:
    """Attach the case at `path` to `con` as the schema `kase` (`case` is a keyword).

    With `read_only=False` the block is one transaction: committed when it ends, rolled back when it raises.

    Raises: as `reading`, and as `writing` where it writes.
    """
    # The checks of `reading` come first: existence, permission, version.
    with reading(path):
        pass
    quoted = str(path).replace("'", "''")
    mode = "READ_ONLY" if read_only else "READ_WRITE"
    _when_free(lambda: con.execute(f"ATTACH '{quoted}' AS kase ({mode})"), path)
    try:
        if read_only:
            yield
        else:
            with _transaction(con):
                yield
    finally:
        _quietly(lambda: con.execute("DETACH kase"))


def meta(con: duckdb.DuckDBPyConnection, key: str, default: str = "") -> str:
    """The value of `key` in the case's `meta` table."""
    row = con.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
    return str(row[0]) if row else default


def set_meta(con: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    """Set `key` in the case's `meta` table."""
    con.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, value])


def _open(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    if not path.exists():
        raise NotFoundError(f"There is no case file {path}.", "Make one: linkage ingest PATH…")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a case file.", "Name a file with --case.")
    if not os.access(path, os.R_OK if read_only else os.R_OK | os.W_OK):
        raise MachineError(f"Permission denied: {path}.", "Ask its owner, or name another file with --case.")
    con = _when_free(lambda: connect(path, read_only=read_only), path)
    try:
        version = meta(con, "schema_version")
    except duckdb.Error:
        con.close()
        raise InputError(f"{path} is a DuckDB file, but not a linkage case.", "Name another with --case.") from None
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        con.close()
        raise InputError(
            f"{path} was made by a newer linkage (case version {version}; this one knows {SCHEMA_VERSION}).",
            "Upgrade: pip install --upgrade account-linkage",
        )
    if int(version) < SCHEMA_VERSION:
        con.close()
        _migrate(path)
        con = _when_free(lambda: connect(path, read_only=read_only), path)
    return con


def _migrate(path: Path) -> None:
    """Bring a case of an older version up to date: whole or not at all. Nothing that it holds is changed."""
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise MachineError(
            f"{path} is of an older version and must be brought up to date, but may not be written.",
            "Let its owner run: linkage runs",
        )
    con = _when_free(lambda: connect(path), path)
    try:
        with _transaction(con):
            for version in range(int(meta(con, "schema_version")), SCHEMA_VERSION):
                con.execute(MIGRATIONS[version])
            set_meta(con, "schema_version", str(SCHEMA_VERSION))
    finally:
        _quietly(con.close)


def _when_free(
    attempt: Callable[[], duckdb.DuckDBPyConnection], path: Path, wait: float | None = None
) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + (WAIT_SECONDS if wait is None else wait)
    while True:
        try:
            return attempt()
        except duckdb.Error as exc:
            error = translate(exc, f"opening {path}")
            if not isinstance(error, CaseBusyError):
                if isinstance(error, MachineError):
                    raise error from None
                raise InputError(
                    f"{path} is not a case file that this version can read.", "Name another with --case."
                ) from None
            if time.monotonic() > deadline:
                raise CaseBusyError(f"{path}: {error.message}", error.hint) from None
            time.sleep(0.1)


def _quietly(action: Callable[[], object]) -> None:
    # A rollback or close after a full disk may fail again: the first error is the one to show.
    try:
        action()
    except duckdb.Error:
        return
