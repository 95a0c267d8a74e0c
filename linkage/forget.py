"""Erase accounts from a case.

1. The case is held, so that nobody else reads or writes it, and its log is folded in.
2. A new file is written without them (`rewrite`). It also gets the keyed hashes of what they are called, by which
   `ingest` leaves out their rows from then on, and an entry of the audit. All of it is one transaction.
3. The new file takes the place of the old one, which is overwritten and removed (`erasing.swap`): at every instant
   there is the old case or the new one, whole.
4. The files beside the case are brought to what the case says. What was cut off before, the same call again finishes.

The graph in Neo4j, which is made from the case, is left to `linkage.graph.erase`.
"""

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from linkage import allowances, audit, decisions, erasing, files, posix, rewrite, store
from linkage.errors import NotFoundError, UsageError, translate
from linkage.journal import must_be_text
from linkage.secret import Key

KIND: Final = "account"
"""What an erased account is hashed as."""

PENDING: Final = "erase_graph"
"""In `meta` while a graph of the case may still hold what was erased."""


@dataclass(frozen=True)
class Forgetting:
    """What would be erased, or was.

    Attributes:
        accounts: of those that were named, those that the case knows, sorted.
        unknown: those that it does not know.
        before: those that were erased before.
        names: the accounts, and their other names by aliases.
        rows: how many rows of each table belong to them; once it is done, how many each table lost.
        rings: rings of the newest run that lose a member.
        others: files beside the case that linkage does not rewrite, and that may speak of them.
        published: where the case was or may have been published to, as far as the audit knows.
    """

    accounts: tuple[str, ...]
    unknown: tuple[str, ...]
    before: tuple[str, ...]
    names: tuple[str, ...]
    rows: dict[str, int]
    rings: tuple[str, ...]
    others: tuple[Path, ...]
    published: tuple[str, ...]


def look(case: Path, accounts: Sequence[str]) -> Forgetting:
    """What `forget` would erase; nothing is written.

    Raises:
        UsageError: no account is named.
        InputError: one is no text.
        NotFoundError: no such case, or it knows none of the accounts and never did.
        LinkageError: as `audit.key_of`.
    """
    named = sorted({account.strip() for account in accounts if account.strip()})
    if not named:
        raise UsageError("Which account is to be erased?", "Name it: linkage forget ACCOUNT…")
    must_be_text(*named)
    key = audit.key_of(case)
    with _opened(case, alone=False) as con:
        found = _look(con, case, named, key)
    if not found.accounts and not found.before:
        raise NotFoundError(
            f"The case knows none of the {len(named):,} accounts." if len(named) > 1 else f"No account {named[0]}.",
            "Name them as the exports do. Other names of accounts: linkage aliases",
        )
    return found


def forget(case: Path, accounts: Sequence[str]) -> Forgetting:
    """Erase accounts from the case at `case` and from the files that it keeps beside itself.

    Args:
        case: the case file, which nobody else can open meanwhile; it takes as much room again while it is rewritten.
        accounts: account ids; those that the case does not know are told, and nothing is kept of them.

    Raises: as `look`.
        MachineError: the folder cannot be written, or is full; the case is as it was.
    """
    plan = look(case, accounts)
    key = audit.key_of(case)
    log = case.with_name(f"{case.name}.wal")
    try:
        # The engine folds the log in and removes it.
        if plan.accounts and log.exists():
            erasing.second_name(log)
        with _opened(case, alone=True) as con:
            if plan.accounts:
                plan = _rewritten(con, case, plan, key)
            # Nobody else is here: whatever lies about was left behind.
            for path in (case, log):
                erasing.clear(path)
            files.clear(case, ".scratch")
            for kept in store.backups(case):
                erasing.erase(kept)
        _finish(case)
    except (OSError, duckdb.Error) as exc:
        raise translate(exc, f"rewriting {case}") from None
    return plan


def pending(case: Path) -> bool:
    """Whether a graph of the case may still hold what was erased."""
    with store.reading(case) as con:
        return store.meta(con, PENDING) == "1"


def settle(case: Path) -> None:
    """Note that no graph that we look after holds it any more."""
    with store.writing(case) as con:
        con.execute("DELETE FROM meta WHERE key = ?", [PENDING])


def _rewritten(con: duckdb.DuckDBPyConnection, case: Path, plan: Forgetting, key: Key) -> Forgetting:
    fresh = case.with_name(f".{case.name}.{secrets.token_hex(4)}{erasing.FRESH}")
    try:
        store.create(fresh)
        lost = _fill(con, fresh, plan, key)
        mode = case.stat()
        fresh.chmod(mode.st_mode & 0o7777)
        with suppress(PermissionError):
            posix.give(fresh, mode.st_uid, mode.st_gid)
        erasing.swap(fresh, case)
    finally:
        for left in (fresh, fresh.with_name(f"{fresh.name}.wal")):
            left.unlink(missing_ok=True)
    return Forgetting(**{**vars(plan), "rows": lost})


def _fill(con: duckdb.DuckDBPyConnection, fresh: Path, plan: Forgetting, key: Key) -> dict[str, int]:
    """Write the new case, in one transaction, and let go of it."""
    quoted = str(fresh).replace("'", "''")
    con.execute(f"ATTACH '{quoted}' AS fresh")
    hashes = sorted(key.hash(KIND, name) for name in plan.names)
    con.execute("BEGIN")
    lost = rewrite.rewrite(con, plan.names, key)
    con.execute("INSERT INTO fresh.erased SELECT unnest(?::VARCHAR[]) ON CONFLICT DO NOTHING", [hashes])
    con.execute("INSERT OR REPLACE INTO fresh.meta VALUES (?, '1')", [PENDING])
    facts = {"accounts": [key.hash(KIND, name) for name in plan.accounts], "rows": lost, **_digests(con, key)}
    audit.extend(con, key, "forget", facts, schema="fresh.")
    con.execute("COMMIT")
    con.execute("CHECKPOINT fresh")
    con.execute("DETACH fresh")
    return lost


def _digests(con: duckdb.DuckDBPyConnection, key: Key) -> dict[str, dict[str, str]]:
    """What the audit says from now on of the decisions and allowances that changed."""
    found: dict[str, dict[str, str]] = {}
    con.execute("USE kase")
    before = [decisions.lines_of(con), allowances.lines_of(con)]
    con.execute("USE fresh")
    after = [decisions.lines_of(con), allowances.lines_of(con)]
    con.execute("USE memory")
    for name, old, new in zip(("decisions", "allowances"), before, after, strict=True):
        found[name] = {str(number): audit.digest(key, line) for number, line in new.items() if old[number] != line}
    return found


def _finish(case: Path) -> None:
    """Bring the files beside the case to what it says."""
    for path, lines in (
        (decisions.beside(case), decisions.lines(case)),
        (allowances.beside(case), allowances.lines(case)),
    ):
        erasing.clear(path)
        content = b"".join(lines)
        if path.exists() and path.read_bytes() != content:
            fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}{erasing.FRESH}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            erasing.swap(fresh, path)
    audit.copy(case)


def _look(con: duckdb.DuckDBPyConnection, case: Path, named: list[str], key: Key) -> Forgetting:
    erased = {str(row[0]) for row in con.execute("SELECT account FROM kase.erased").fetchall()}
    rewrite.prepare(con, named)
    known = _known(con)
    aliases = con.execute(
        "SELECT DISTINCT value FROM kase.aliases WHERE account_id IN (SELECT unnest(?::VARCHAR[]))", [sorted(known)]
    ).fetchall()
    names = known | {str(row[0]) for row in aliases}
    rewrite.prepare(con, names)
    rings = con.execute(
        "SELECT DISTINCT ring_id FROM kase.members WHERE account_id IN (FROM names) ORDER BY 1"
    ).fetchall()
    targets = con.execute("SELECT facts FROM kase.audit WHERE deed = 'publish' ORDER BY entry").fetchall()
    to = {str(json.loads(facts)["to"]) for (facts,) in targets}
    # What an older version published, the audit does not know.
    whole = con.execute("SELECT 1 FROM kase.audit WHERE entry = 1 AND deed = 'ingest'").fetchone()
    unknown = [name for name in named if name not in known]
    return Forgetting(
        accounts=tuple(sorted(known)),
        unknown=tuple(name for name in unknown if key.hash(KIND, name) not in erased),
        before=tuple(name for name in unknown if key.hash(KIND, name) in erased),
        names=tuple(sorted(names)),
        rows=rewrite.rows_of(con),
        rings=tuple(str(row[0]) for row in rings),
        others=_others(case),
        published=tuple(sorted(to if whole else to | {audit.LOCAL})),
    )


def _known(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Those of `names` that the case names anywhere."""
    columns = con.execute(
        """SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables()
            USING (database_name, schema_name, table_name)
        WHERE database_name = 'kase' AND column_name IN ('account_id', 'other_account_id')"""
    ).fetchall()
    parts = [f"SELECT {column} AS name FROM kase.{table}" for table, column in columns]  # noqa: S608 (our own names)
    parts += [
        "SELECT unnest(members) FROM kase.decisions",
        "SELECT value FROM kase.allowances WHERE starts_with(kind, 'link:')",
    ]
    found = con.execute(f"SELECT DISTINCT name FROM names SEMI JOIN ({' UNION ALL '.join(parts)}) USING (name)")  # noqa: S608
    return {str(row[0]) for row in found.fetchall()}


def _others(case: Path) -> tuple[Path, ...]:
    """Files beside the case, named after it, that are none of ours to rewrite."""
    ours = {case, case.with_name(f"{case.name}.wal"), case.with_name(f"{case.name}.key"), audit.beside(case)}
    ours |= {decisions.beside(case), allowances.beside(case), *store.backups(case)}
    there = set(case.parent.glob("*")) - ours
    return tuple(sorted(path for path in there if path.name.startswith(case.name)))


@contextmanager
def _opened(case: Path, *, alone: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection without a database or a temporary folder, with the case attached as `kase`, for us alone or not."""
    con = store.connect(":memory:")
    try:
        con.execute("SET temp_directory = ''")
        with store.held(con, case) if alone else store.attached(con, case):
            yield con
    finally:
        con.close()
