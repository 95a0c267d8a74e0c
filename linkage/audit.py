"""The audit: what was done to a case, by whom and when; append-only, each entry chained to the one before.

An entry's code is an HMAC, under a key derived from the pepper, of the code before it and of what the entry says;
before the first stands the case's id. So nobody without the key can change, remove, insert or reorder entries, nor take
them over from another case, and have `audit_check` not find it. What a chain cannot show is that its end is missing:
note the head elsewhere. (Schneier and Kelsey 1999, doi:10.1145/317087.317089, without their forward security: who has
the key can write a chain of their own.)

Entries stand in the case, written in the transaction of the deed itself, and in a JSON Lines file beside it. They hold
numbers, hashes and names of rings, but no value of an account.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from linkage import journal, store
from linkage.errors import CaseBusyError, InputError, MachineError, NotFoundError, UsageError
from linkage.posix import user_name
from linkage.secret import Key, load_or_make_key
from linkage.until import utc_now

LOCAL: Final = "the local server"
FILES: Final = "files"
"""Where a case was published to, beside the address of a server."""

_COLUMNS: Final = 'entry, "at", "by", deed, facts, code'


@dataclass(frozen=True)
class Entry:
    """One deed.

    Attributes:
        number: its place, from 1.
        at: when, UTC, by the clock of the machine.
        by: the user of the system who ran the command.
        deed: `ingest`, `detect`, `review`, `allow`, `context`, `publish`, `pull`, `export`, `forget`, ….
        facts: what of, as JSON: numbers, hashes, ring ids.
        code: the HMAC that chains it, 64 hexadecimal digits.
    """

    number: int
    at: datetime
    by: str
    deed: str
    facts: str
    code: str

    @property
    def head(self) -> str:
        """What to note elsewhere: where the chain holds this, nothing up to here was removed.

        >>> Entry(3, datetime(2026, 1, 1), "eve", "detect", "{}", "ab12").head
        '3:ab12'
        """
        return f"{self.number}:{self.code}"


def beside(case: Path) -> Path:
    """The JSON Lines file with the audit of the case at `case`."""
    return case.with_name(f"{case.name}.audit.jsonl")


def key_of(case: Path) -> Key:
    """The key of a case that is there, which must be loaded before the case is held.

    Raises:
        LinkageError: as `store.reading` and `secret.load_or_make_key`.
    """
    with store.reading(case):
        pass
    return load_or_make_key(case)


def extend(con: duckdb.DuckDBPyConnection, key: Key, deed: str, facts: Mapping[str, Any], *, schema: str = "") -> None:
    """Append an entry in the transaction that `con` is in, which is that of the deed.

    Args:
        con: a connection that may write to the case.
        key: the case's, as `key_of` gives it.
        deed, facts: as in `Entry`.
        schema: of the case, with a point behind it.
    """
    last = con.execute(f"SELECT entry, code FROM {schema}audit ORDER BY entry DESC LIMIT 1").fetchall()  # noqa: S608
    number, before = last[0] if last else (0, beginning(con, schema))
    # What the case says of its key, it must say from the first entry on: another would break the chain.
    con.execute(f"INSERT INTO {schema}meta VALUES ('key_id', ?) ON CONFLICT DO NOTHING", [key.id])  # noqa: S608
    entry = Entry(int(number) + 1, utc_now(), user_name(), deed, json.dumps(facts, ensure_ascii=False), "")
    con.execute(
        f"INSERT INTO {schema}audit VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 (our own names)
        [entry.number, entry.at, entry.by, deed, entry.facts, code(key, str(before), entry)],
    )


def note(case: Path, deed: str, facts: Mapping[str, Any]) -> bool:
    """Append an entry on a deed outside the case, such as an export, before it is done.

    Returns:
        whether it was: who may only read the case, or has not its key, leaves no trace in it.

    Raises:
        LinkageError: as `store.writing`.
    """
    if not os.access(case, os.W_OK) or not os.access(case.parent, os.W_OK):
        return False
    try:
        key = key_of(case)
    except CaseBusyError:
        raise
    except (InputError, NotFoundError, MachineError, UsageError):
        return False
    with store.writing(case) as con:
        extend(con, key, deed, facts)
    copy(case)
    return True


def copy(case: Path) -> None:
    """Append what the file beside the case lacks.

    Raises:
        LinkageError: as `store.reading`; the file cannot be written.
    """
    with store.reading(case) as con:
        lines = [line(entry) for entry in of_case(con)]
    journal.append(beside(case), lines)


def of_case(con: duckdb.DuckDBPyConnection) -> list[Entry]:
    """All entries of an open case, the oldest first."""
    return [Entry(*row) for row in con.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY entry").fetchall()]  # noqa: S608


def entries(case: Path) -> list[Entry]:
    """All entries, the oldest first."""
    with store.reading(case) as con:
        return of_case(con)


def code(key: Key, before: str, entry: Entry) -> str:
    """The HMAC that chains an entry to the code `before` it."""
    said = [before, entry.number, entry.at.isoformat(), entry.by, entry.deed, entry.facts]
    return hmac.new(_chain_key(key), json.dumps(said).encode(), hashlib.sha256).hexdigest()


def digest(key: Key, content: bytes) -> str:
    """What an entry says of a record that stands elsewhere in the case: 32 hexadecimal digits of an HMAC."""
    return hmac.new(_chain_key(key), b"record " + content, hashlib.sha256).hexdigest()[:32]


def line(entry: Entry) -> bytes:
    """An entry as it stands in the file beside the case."""
    body = {
        "entry": entry.number,
        "at": entry.at.isoformat() + "Z",
        "by": entry.by,
        "deed": entry.deed,
        "facts": json.loads(entry.facts),
        "code": entry.code,
    }
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


def beginning(con: duckdb.DuckDBPyConnection, schema: str = "") -> str:
    """What stands in the place of a code before the first entry: the case's id."""
    ((found,),) = con.execute(f"SELECT value FROM {schema}meta WHERE key = 'case_id'").fetchall()  # noqa: S608
    return str(found)


def _chain_key(key: Key) -> bytes:
    return hmac.new(key.secret, b"linkage audit", hashlib.sha256).digest()
