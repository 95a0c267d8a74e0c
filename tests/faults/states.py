"""What a case holds, but for clocks and random names: to tell before from after, and one history from another."""

from pathlib import Path
from typing import Final

from linkage import allowances, audit, audit_check, decisions, store

State = dict[str, tuple[int, str]]
"""Rows, and a checksum of them, by table."""

# What tells when something happened, or was drawn at random.
_WHEN: Final = {
    "commands": ("started_at", "finished_at"),
    "files": ("ingested_at",),
    "runs": ("started_at", "seconds", "timings"),
    "decisions": ("at", "recorded_at"),
    "allowances": ("at",),
    "context_tables": ("added_at",),
}

INGESTED: Final = (
    "account_rows", "payments", "logins", "exchanges", "identifiers", "links", "prompts", "aliases", "rejects", "files",
)  # fmt: skip
"""What grows with each file of an ingest."""


def state(case: Path) -> State:
    """What the case at `case` holds, but for its audit: that grows with every deed, and is checked by its chain."""
    found = {}
    with store.reading(case) as con:
        tables = con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND table_name <> 'audit' ORDER BY ALL"
        ).fetchall()
        for (table,) in tables:
            left_out = ", ".join(f'"{name}"' for name in _WHEN.get(table, ()))
            columns = f"* EXCLUDE ({left_out})" if left_out else "*"
            rows = f"SELECT {columns} FROM {table}"
            if table == "meta":
                rows += " WHERE key <> 'case_id'"
            if table == "commands":
                rows = "SELECT command, files, finished_at IS NULL FROM commands"
            ((count, total),) = con.execute(
                f"SELECT count(*), sum(hash(t)::HUGEINT)::VARCHAR FROM ({rows}) t"
            ).fetchall()
            found[str(table)] = (int(count), str(total))
    return found


def ingested(whole: State) -> State:
    """The part of it that grows with each file of an ingest."""
    return {name: whole[name] for name in INGESTED}


def differing(one: State, other: State) -> list[str]:
    """Names of the tables in which two states differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def beside(case: Path) -> list[str]:
    """Names of what lies beside the case but does not belong to it: scratch, half-written files, logs of changes."""
    journals = (decisions, allowances, audit)
    own = {case.name, f"{case.name}.key", *(journal.beside(case).name for journal in journals)}
    return sorted(path.name for path in case.parent.iterdir() if path.name not in own)


def journals_agree(case: Path) -> bool:
    """Whether the JSON Lines beside the case say what it says, of decisions and of allowances."""
    with store.reading(case) as con:
        kept = [
            (decisions.beside(case), list(decisions.lines_of(con).values())),
            (allowances.beside(case), list(allowances.lines_of(con).values())),
        ]
    return all((path.read_bytes() if path.exists() else b"") == b"".join(lines) for path, lines in kept)


def audit_faults(case: Path) -> tuple[str, ...]:
    """What is wrong with the chain, with the copy beside it, or with what it says of decisions and allowances."""
    return audit_check.check(case).findings
