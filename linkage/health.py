"""Is everything there that linkage needs on this machine? Each check looks and never changes anything."""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final, Literal

import duckdb

from linkage import __version__, posix, store
from linkage.case_schema import SCHEMA_VERSION
from linkage.errors import CaseBusyError, LinkageError, translate
from linkage.forget import PENDING
from linkage.secret import ENVIRONMENT, Key, given, key_file

State = Literal["ok", "warn", "fail"]

OLDEST_PYTHON: Final = (3, 11)
LITTLE_MEMORY: Final = 2 << 30
"""Bytes; below it a case of some hundred thousand exchanges may not fit."""
LITTLE_SPACE: Final = 1 << 30
"""Bytes; long work needs about as much as the case itself beside it, and at least this."""


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes:
        name: what was looked at.
        state: `ok`; `warn`: something is missing that not everybody needs; `fail`: commands will fail.
        said: what is there, in a line.
        advice: what to do; "" where there is nothing.
    """

    name: str
    state: State
    said: str
    advice: str = ""


def python() -> Check:
    """The version of Python, and whether all packages are there that linkage names."""
    missing = [name for name in map(_name, requires("account-linkage") or []) if name and not _is_installed(name)]
    here = f"Python {platform.python_version()}, linkage {__version__}"
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", "fail", here, "Install Python 3.11 or newer, and linkage into it.")
    if missing:
        reinstall = "pip install --force-reinstall account-linkage"
        return Check("python", "fail", f"{here}; not installed: {', '.join(missing)}", f"Install it again: {reinstall}")
    return Check("python", "ok", here)


def _name(requirement: str) -> str:
    """The package that is required; "" for one of an extra."""
    if ";" in requirement:
        return ""
    return "".join(char if char.isalnum() or char in "-_." else " " for char in requirement).split()[0]


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def memory() -> Check:
    """The memory that this process may have: the machine's, or less where a container says so."""
    size = posix.memory()
    limit = _container_limit()
    whose = "in this container" if limit and limit < size else "on this machine"
    size = min(size, limit or size)
    said = f"{size / 2**30:.1f} GiB {whose}, {os.cpu_count()} cores"
    if size < LITTLE_MEMORY:
        return Check("memory", "warn", said, "Millions of exchanges need 8 GiB or more: docs/figures.md says how much.")
    return Check("memory", "ok", said)


def _container_limit() -> int:
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if text.isdigit():
            return int(text)
    return 0


def settings(unknown: Mapping[str, str]) -> Check:
    """Whether the environment's variables mean something.

    Args:
        unknown: variables that nobody reads, each with the near name, or "".
    """
    try:
        store.threads()
        store.memory()
    except LinkageError as exc:
        return Check("environment", "fail", exc.message, exc.hint)
    for name, near in unknown.items():
        advice = f"Did you mean {near}?" if near else f"Take it away: unset {name}"
        return Check("environment", "warn", f"{name} is set, and no variable that linkage reads", advice)
    return Check("environment", "ok", "no variable is wrong")


def disk(case: Path) -> Check:
    """Room and permission beside the case."""
    folder = case.absolute().parent
    if not folder.is_dir():
        return Check("disk", "fail", f"{folder} does not exist", f"Make it: mkdir -p {folder}")
    free = shutil.disk_usage(folder).free
    wanted = max(LITTLE_SPACE, case.stat().st_size if case.is_file() else 0)
    if not os.access(folder, os.W_OK):
        return Check("disk", "warn", f"{folder} may not be written", "ingest and detect need that; reading does not.")
    said = f"{free / 2**30:,.1f} GiB free in {folder}"
    if free < wanted:
        return Check("disk", "warn", said, f"ingest and detect may need {wanted / 2**30:,.1f} GiB: free some.")
    return Check("disk", "ok", said)


def case(path: Path) -> Check:
    """Whether the case can be read, and what is to be done with it next. An older version is not brought up to date."""
    if not path.exists():
        return Check("case", "warn", f"there is no case file {path}", "Make one: linkage ingest PATH…")
    if path.is_dir():
        return Check("case", "fail", f"{path} is a folder", "Name a file with --case.")
    if not os.access(path, os.R_OK):
        return Check("case", "fail", f"{path} may not be read", "Ask its owner, or name another with --case.")
    try:
        con = store.connect(path, read_only=True)
    except duckdb.Error as exc:
        error = translate(exc)
        if isinstance(error, CaseBusyError):
            return Check("case", "warn", f"{path}: {error.message[:-1]}", error.hint)
        return Check("case", "fail", f"{path} is no case file that can be read", "Name another with --case.")
    try:
        return _case(con, path)
    except duckdb.Error:
        return Check("case", "fail", f"{path} is a DuckDB file, but not a linkage case", "Name another with --case.")
    finally:
        con.close()


def _case(con: duckdb.DuckDBPyConnection, path: Path) -> Check:
    kept = store.meta(con, "schema_version")
    if not kept.isdigit() or int(kept) > SCHEMA_VERSION:
        return Check("case", "fail", f"{path} was made by a newer linkage", "pip install --upgrade account-linkage")
    if int(kept) < SCHEMA_VERSION:
        said = f"{path} is of version {kept}; the next command brings it to {SCHEMA_VERSION}, and keeps what it was"
        return Check("case", "ok", said)
    ((accounts, run, started, ingested, unfinished),) = con.execute(
        """SELECT (SELECT count(DISTINCT account_id) FROM account_rows), (SELECT max(run) FROM runs),
            (SELECT max(started_at) FROM runs), (SELECT max(coalesce(finished_at, started_at)) FROM commands),
            (SELECT arg_max(finished_at IS NULL, command) FROM commands)"""
    ).fetchall()
    said = f"{path}: {accounts:,} accounts, {f'run {run}' if run else 'no run yet'}"
    if unfinished:
        return Check(
            "case", "warn", f"{said}; an ingest was interrupted or is running", "Repeat it: linkage ingest PATH…"
        )
    if store.meta(con, PENDING) == "1":
        return Check(
            "case",
            "warn",
            f"{said}; a graph may still hold accounts that were erased",
            "Finish it: linkage forget ACCOUNT…",
        )
    if run is None or (ingested is not None and ingested > started):
        behind = "" if run is None else "; exports came in since"
        return Check("case", "warn", said + behind, "Look for rings: linkage detect")
    return Check("case", "ok", said)


def key(path: Path) -> Check:
    """Whether the case's key is there, is the right one, and can be read by its owner alone. It is never shown."""
    known, file = _meta(path, "key_id"), key_file(path)
    try:
        named = given()
    except LinkageError as exc:
        return Check("key", "fail", exc.message[:-1], exc.hint)
    if named is not None:
        found, source = named
    elif not file.exists():
        if known:
            return Check("key", "fail", f"the key file {file} is missing", f"Put it back, or set {ENVIRONMENT}.")
        return Check("key", "ok", "none yet; the first ingest makes one beside the case")
    else:
        try:
            found, source = Key(file.read_bytes().strip()), str(file)
        except OSError as exc:
            return Check("key", "fail", translate(exc, f"reading {file}").message[:-1], "Ask its owner.")
        if file.stat().st_mode & 0o077:
            return Check("key", "warn", f"others may read {file}", f"Keep them out: chmod 600 {file}")
    if known and found.id != known:
        return Check("key", "fail", f"the one in {source} is not the case's", "Put the case's own key there.")
    return Check("key", "ok", f"in {source}")


def is_current(path: Path) -> bool:
    """Whether the file at `path` is a case of this version, which reading leaves as it is."""
    return _meta(path, "schema_version") == str(SCHEMA_VERSION)


def _meta(path: Path, name: str) -> str:
    if not path.is_file():
        return ""
    try:
        con = store.connect(path, read_only=True)
    except (duckdb.Error, LinkageError):
        return ""
    try:
        return store.meta(con, name)
    except duckdb.Error:
        return ""
    finally:
        con.close()
