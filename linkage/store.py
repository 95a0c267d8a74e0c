"""The case file: one DuckDB file that holds everything, opened here and nowhere else.

DuckDB lets one writer or many readers in. Readers open read-only and briefly; whoever finds the file held retries
for `WAIT_SECONDS` and then names the holder.
"""

import glob
import os
import re
import secrets
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb

from linkage import __version__
from linkage.case_schema import MIGRATIONS, SCHEMA, SCHEMA_VERSION
from linkage.errors import CaseBusyError, InputError, MachineError, NotFoundError, UsageError, translate
from linkage.files import private_folder
from linkage.until import utc_now

WAIT_SECONDS: Final = 10.0

_SCRATCH: Final = ".scratch"


class Stoppable(Protocol):
    """What `interrupt` stops: a connection."""

    def interrupt(self) -> None:
        """Let what it does now fail, from another thread."""


_OPENED: Final[weakref.WeakSet[Stoppable]] = weakref.WeakSet()


def connect(path: Path | str, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB database with the settings that every connection of ours has.

    Nothing is fetched from the network, times are UTC, and temporary files stay beside the database.
    """
    config: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    if wanted := threads():
        config["threads"] = wanted
    if memory():
        config["memory_limit"] = share()
    con = duckdb.connect(str(path), read_only=read_only, config=config)
    con.execute("SET TimeZone = 'UTC'")
    # What a checkpoint adds to a table takes a block of 256 kB at least: so it joins the last of them, or a thousand
    # decisions would take a thousand blocks. To join all at once would write the case a second time after an ingest.
    con.execute("SET max_vacuum_tasks = 1")
    # Progress bars of DuckDB's own would write to stdout in the middle of a result.
    con.execute("SET enable_progress_bar = false")
    _OPENED.add(con)
    return con


def threads() -> int | None:
    """How many threads the user wants, by `LINKAGE_THREADS`; None if it is not set.

    Raises:
        UsageError: it is no number from 1 to 1024.
    """
    if not (wanted := os.environ.get("LINKAGE_THREADS")):
        return None
    if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= 1024):
        raise UsageError(f"LINKAGE_THREADS is {wanted!r}, which is no number of threads.", "Set it to 1 or more.")
    return int(wanted)


_UNITS: Final = {"MB": 10**6, "GB": 10**9, "M": 10**6, "G": 10**9, "MIB": 2**20, "GIB": 2**30}
LEAST_MEMORY: Final = 10**9
SHARE: Final = 16  # per cent of the machine's memory, where nobody said how much
LITTLE: Final = "256MB"  # while other columns need the room


def memory() -> int | None:
    """How many bytes a command may take, by `LINKAGE_MEMORY` (`4GB`, `800MB`); None if it is not set.

    Raises:
        UsageError: it is no amount of memory, or less than a command needs.
    """
    if not (wanted := os.environ.get("LINKAGE_MEMORY")):
        return None
    parts = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?([GM]i?B?)", wanted.strip(), re.IGNORECASE | re.ASCII)
    if not parts:
        raise UsageError(f"{wanted!r} is no amount of memory.", "Say --memory 4GB, or LINKAGE_MEMORY=4GB.")
    found = int(float(parts[1]) * _UNITS[parts[2].upper()])
    if found < LEAST_MEMORY:
        raise UsageError(f"{wanted} of memory is too little.", "Give it 1GB or more.")
    return found


def share(part: float = 1.0) -> str:
    """What a database may take of that, or a part of it: half, since the rest is for columns outside of it."""
    most = memory()
    return f"{max(int(most * part) // 2_000_000, 1)}MB" if most else f"{SHARE * part:g}%"


def stoppable(connection: Stoppable) -> None:
    """Let `interrupt` stop a connection that was not opened here, too."""
    _OPENED.add(connection)


def interrupt() -> None:
    """Stop the queries that run now, from another thread. The engine looks for signals only when a query has ended."""
    for con in list(_OPENED):
        _quietly(con.interrupt)


def create(path: Path) -> bool:
    """Make an empty case file at `path`: whole or not at all.

    Returns:
        Whether it was made: a file that is there already, or that another process was quicker to make, stays.

    Raises:
        MachineError: the folder cannot be written.
    """
    try:
        with private_folder(path, _SCRATCH) as folder:
            fresh = folder / "case.duckdb"
            con = connect(fresh)
            try:
                con.execute(SCHEMA)
                facts = {
                    "schema_version": str(SCHEMA_VERSION),
                    "case_id": secrets.token_hex(8),
                    "made_by": __version__,
                }
                con.executemany("INSERT INTO meta VALUES (?, ?)", list(facts.items()))
            finally:
                con.close()
            # Not renamed: that would replace the case of a process that was quicker, with all that it holds.
            with suppress(FileExistsError):
                os.link(fresh, path)
                return True
            return False
    except Exception as exc:
        raise translate(exc, f"making the case file {path}") from None


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


def settle(path: Path) -> None:
    """Take into the case what a killed process had committed to the log beside it, so that the one file has all.

    Raises: as `writing`.
    """
    if path.with_name(path.name + ".wal").exists():
        with writing(path):
            pass


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
def scratch(path: Path, *, in_memory: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty database in a private folder beside the case at `path`; both vanish at the end.

    Long work happens here, so that the case is held only while it is read (`attached`) and for the final commit.

    Args:
        path: the case.
        in_memory: keep tables in memory, and put into the folder only what finds no room there: for tables that are
            read soon, since to compress them for the disk takes longer than to make them.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(private_folder(path, _SCRATCH))
        except OSError as exc:
            raise translate(exc, f"making a scratch folder beside {path}") from None
        con = connect(":memory:" if in_memory else folder / "scratch.duckdb")
        try:
            con.execute("SET temp_directory = ?", [str(folder / "spilled")])
            if in_memory:
                con.execute(f"SET memory_limit = '{share()}'")
            yield con
        finally:
            con.close()


@contextmanager
def at_most(con: duckdb.DuckDBPyConnection, limit: str) -> Iterator[None]:
    """Let `con` take no more memory than `limit` during the block; what it has beyond goes to disk, if it may."""
    ((before,),) = con.execute("SELECT current_setting('memory_limit')").fetchall()
    con.execute(f"SET memory_limit = '{limit}'")
    try:
        yield
    finally:
        con.execute(f"SET memory_limit = '{before}'")


@contextmanager
def held(con: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    """Attach the case at `path` to `con` as the schema `kase`, so that no other process opens it meanwhile.

    What its log holds is in the file by then, and there is no log.

    Raises: as `writing`.
    """
    with reading(path):
        pass
    quoted = str(path).replace("'", "''")
    _when_free(lambda: con.execute(f"ATTACH '{quoted}' AS kase"), path)
    try:
        con.execute("CHECKPOINT kase")
        yield
    finally:
        _quietly(lambda: con.execute("DETACH kase"))


@contextmanager
def attached(con: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool = True) -> Iterator[None]:
    """Attach the case at `path` to `con` as the schema `kase` (`case` is a keyword).

    With `read_only=False` the block is one transaction: committed when it ends, rolled back when it raises.

    Raises: as `reading`, and as `writing` where it writes.
    """
    # The checks of `reading` come first: existence, permission, version.
    with reading(path):
        pass
    quoted = _quoted(str(path), "'")
    mode = "READ_ONLY" if read_only else "READ_WRITE"
    _when_free(lambda: con.execute(f"ATTACH {quoted} AS kase ({mode})"), path)
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
    # All are fetched: no function can be made on a connection while a result is open.
    rows = con.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchall()
    return str(rows[0][0]) if rows else default


def set_meta(con: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    """Set `key` in the case's `meta` table."""
    con.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, value])


_NOTED: Final = """
SELECT max(noted) FROM (
    SELECT max(greatest(started_at, finished_at)) AS noted FROM {0}commands
    UNION ALL SELECT max(started_at) FROM {0}runs
    UNION ALL SELECT max(recorded_at) FROM {0}decisions)
"""


def now(con: duckdb.DuckDBPyConnection, schema: str = "") -> datetime:
    """The time for what is noted next in an open case, UTC without a zone.

    It is later than all that was noted before, also where the machine's clock went back: what is newer than what, and
    which decision is the last, is told by these times.

    Args:
        con: the connection.
        schema: of the case, with a point behind it.
    """
    ((noted,),) = con.execute(_NOTED.format(schema)).fetchall()
    return max(utc_now(), noted + timedelta(microseconds=1)) if noted else utc_now()


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
    """Bring a case of an older version up to date: whole or not at all. Nothing that it holds is changed.

    What it was is kept beside it (`backup`).
    """
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise MachineError(
            f"{path} is of an older version and must be brought up to date, but may not be written.",
            "Let its owner run: linkage runs",
        )
    con = _when_free(lambda: connect(path), path)
    try:
        version = int(meta(con, "schema_version"))
        # Another process may have been quicker.
        if version < SCHEMA_VERSION:
            _back_up(con, path, version)
        with _transaction(con):
            for step in range(version, SCHEMA_VERSION):
                con.execute(MIGRATIONS[step])
            set_meta(con, "schema_version", str(SCHEMA_VERSION))
    except Exception as exc:
        raise translate(exc, f"bringing {path} up to date") from None
    finally:
        _quietly(con.close)


def backup(path: Path, version: int) -> Path:
    """Where the case at `path` is kept as it was when it was of that version, before it was brought up to date."""
    return path.with_name(f"{path.name}.v{version}")


def backups(path: Path) -> list[Path]:
    """The cases of older versions that lie beside the one at `path`."""
    return sorted(kept for kept in path.parent.glob(f"{glob.escape(path.name)}.v*") if kept.suffix[2:].isdecimal())


def _back_up(con: duckdb.DuckDBPyConnection, path: Path, version: int) -> None:
    """Copy what an open case holds, whole or not at all.

    Not file by file: to close a file that this process has open would let go of its lock.
    """
    with private_folder(path, _SCRATCH) as folder:
        fresh = folder / "case.duckdb"
        ((name,),) = con.execute("SELECT current_database()").fetchall()
        kept, here = _quoted(str(fresh), "'"), _quoted(str(name), '"')
        con.execute(f"ATTACH {kept} AS kept")
        con.execute(f"COPY FROM DATABASE {here} TO kept")
        con.execute("DETACH kept")
        fresh.chmod(path.stat().st_mode & 0o777)
        fresh.replace(backup(path, version))


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, 2 * mark) + mark


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
