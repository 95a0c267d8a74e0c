"""`ingest`: every file through discover, read, normalise and merge, one transaction a file."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from linkage import store
from linkage.errors import InputError, translate
from linkage.ingest import normalise
from linkage.ingest.merge import merge, merge_prompts
from linkage.ingest.normalise import DERIVED_KINDS, Rules
from linkage.ingest.place import place
from linkage.ingest.report import FileReport, IngestReport, Progress, by_frequency
from linkage.ingest.skeletons import Skeletons
from linkage.ingest.sources import Source, find_sources
from linkage.ingest.stage import Plan, Staged, append, plan, stage
from linkage.networks import private_sql
from linkage.secret import Key, key_file, load_or_make_key
from linkage.until import utc_now

Tell = Callable[[Progress], None]

_ALWAYS_HASHED = frozenset({"email", "phone", "prompt"})


@dataclass(frozen=True)
class _Command:
    """A call of ingest as the case knows it: its number, and the digests of the files that are in already."""

    number: int
    known: frozenset[tuple[str, str]]


def ingest(
    paths: Sequence[Path],
    case: Path,
    *,
    table: str | None = None,
    hash_kinds: Sequence[str] = (),
    keep_private_ips: bool = False,
    keep_skeletons: bool = False,
    dry_run: bool = False,
    progress: Tell | None = None,
) -> IngestReport:
    """Ingest exports into the case at `case`, which is made if it does not exist.

    Each file is one transaction: a crash leaves the case as after some whole number of files, and the same call again
    goes on from there. A file that cannot be read is refused whole and told in the report; the others still go in.

    Args:
        paths: files and folders.
        case: the case file.
        table: the table of all files; from each file's name if None.
        hash_kinds: identifier kinds whose values are hashed beside e-mails, phones and prompts; kept for the case.
        keep_private_ips: private addresses are evidence; kept for the case.
        keep_skeletons: keep what is needed to show the fixed text of templates, words that few accounts use excepted;
            kept for the case.
        dry_run: read and check everything, and write nothing.
        progress: called now and then from another thread.

    Returns:
        what became of each file.

    Raises:
        InputError: nothing to ingest, not one file could be read, or another key or other `hash_kinds` than the case's.
        NotFoundError: a path that does not exist.
        MachineError: disk, permission, memory, or the case is in use.
    """
    started = time.monotonic()
    sources, passed_over = find_sources(paths, table)
    fresh = not case.exists()
    with _case_for(case, keep=not dry_run) as target, store.scratch(target) as con:
        rules = _rules(target, hash_kinds, keep_skeletons)
        key = load_or_make_key(target)
        normalise.prepare(con, key)
        # Raw private text is on its way through this connection: it must have no place on disk to spill to.
        con.execute("SET temp_directory = ''")
        try:
            reports = _Run(con, target, rules, key, fresh=fresh, dry_run=dry_run, tell=progress).all(sources)
        except duckdb.Error as exc:
            raise translate(exc, f"ingesting into {case}") from None
        if all(report.error for report in reports):
            raise InputError(
                " ".join(report.error for report in reports), "Nothing was ingested; the case is as it was."
            )
        kept = keep_private_ips
        if not dry_run:
            kept = _remember(target, keep_private_ips)
    return IngestReport(case, tuple(reports), tuple(passed_over), kept, round(time.monotonic() - started, 3))


@contextmanager
def _case_for(case: Path, *, keep: bool) -> Iterator[Path]:
    """Make the case if it is missing, and take it and its key away again if nothing comes of it.

    Args:
        case: where it lies or is made.
        keep: leave a new case there when the block ends well.
    """
    existed, had_key = case.exists(), key_file(case).exists()
    if not existed:
        if not case.parent.is_dir():
            raise translate(FileNotFoundError(2, "No such folder", str(case.parent)), f"making the case file {case}")
        store.create(case)
    else:
        with store.reading(case):
            pass
    kept = False
    try:
        yield case
        kept = keep
    finally:
        if not existed and not kept and _is_empty(case):
            case.unlink(missing_ok=True)
            case.with_name(case.name + ".wal").unlink(missing_ok=True)
            if not had_key:
                key_file(case).unlink(missing_ok=True)


def _is_empty(case: Path) -> bool:
    with store.reading(case) as con:
        return con.execute("SELECT 1 FROM files LIMIT 1").fetchone() is None


def _rules(case: Path, hash_kinds: Sequence[str], keep_skeletons: bool) -> Rules:
    """What is hashed: what the case was made with, or `hash_kinds` if it holds nothing yet."""
    wanted = frozenset(kind.strip().lower() for kind in hash_kinds if kind.strip()) - _ALWAYS_HASHED
    bad = sorted(kind for kind in wanted if not kind.replace("_", "").replace("-", "").replace(".", "").isalnum())
    if bad:
        raise InputError(f"{bad[0]!r} is no identifier kind.", "Kinds are plain names, e.g. payment, device, ip.")
    derived = sorted(wanted.intersection(DERIVED_KINDS))
    if derived:
        raise InputError(
            f"{derived[0]} is worked out by linkage and is not hashed.", "Hash what it comes from, e.g. ip or payment."
        )
    with store.reading(case) as con:
        stored = frozenset(filter(None, store.meta(con, "hashed_kinds").split(",")))
        skeletons = keep_skeletons or store.meta(con, "keep_skeletons") == "1"
        filled = con.execute("SELECT 1 FROM files LIMIT 1").fetchone() is not None
    if filled and wanted and wanted != stored:
        raise InputError(
            f"{case} was made with --hash {','.join(sorted(stored)) or '(nothing)'}, which cannot change any more.",
            "Ingest into a new case: linkage ingest --case NEW --hash … PATH…",
        )
    return Rules(stored if filled else wanted, skeletons)


def _remember(case: Path, keep_private_ips: bool) -> bool:
    with store.reading(case) as con:
        kept = store.meta(con, "keep_private_ips") == "1"
    if keep_private_ips and not kept:
        with store.writing(case) as con:
            store.set_meta(con, "keep_private_ips", "1")
    return kept or keep_private_ips


@dataclass(frozen=True)
class _Done:
    """A file that went in: what was read, rows added, rows with an address and with a private one."""

    staged: Staged
    added: int
    ips: int
    private_ips: int


class _NeedsStageError(Exception):
    """Rolls the short way back."""


class _Run:
    """One call of ingest over its files."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        case: Path,
        rules: Rules,
        key: Key,
        *,
        fresh: bool,
        dry_run: bool,
        tell: Tell | None,
    ) -> None:
        self._fresh = fresh
        self._con, self._case, self._rules, self._key = con, case, rules, key
        self._dry_run, self._tell = dry_run, tell
        self._skeletons = Skeletons(con, key) if rules.skeletons else None

    def all(self, sources: Sequence[Source]) -> list[FileReport]:
        digests = {source: _digest(source) for source in sources}
        command = self._begin([f"{digests[source]} {source.table}" for source in sources])
        total = sum(source.size for source in sources)
        done = rows = 0
        reports: list[FileReport] = []
        seen: set[tuple[str, str]] = set(command.known)
        for source in sources:
            identity = (digests[source], source.table)
            if identity in seen:
                reports.append(FileReport(source.path, source.table, already=True))
            else:
                start = Progress(source.path, done, total, rows)
                report = self._one(source, identity, command.number, start)
                if not report.error:
                    seen.add(identity)
                reports.append(report)
                rows += report.rows
            done += source.size
        self._finish(command, changed=any(not report.already and not report.error for report in reports))
        if not self._dry_run:
            # By now no raw text is about: what is sorted and joined here may spill to disk.
            with store.scratch(self._case) as con:
                place(con, self._case)
            if self._skeletons:
                self._skeletons.finish(self._case)
        return reports

    def _begin(self, files: list[str]) -> _Command:
        """The command's number: an interrupted one is taken up again if this call holds its files."""
        with store.reading(self._case) as con:
            last = con.execute(
                "SELECT command, finished_at, files FROM commands ORDER BY command DESC LIMIT 1"
            ).fetchone()
            known = con.execute('SELECT sha256, "table" FROM files').fetchall()
            self._former_prompts = store.meta(con, "former_prompts") == "1"
        number = 1
        if last:
            interrupted = last[1] is None and set(last[2]) <= set(files)
            number = int(last[0]) if interrupted else int(last[0]) + 1
        self._files = files
        return _Command(number, frozenset((str(digest), str(table)) for digest, table in known))

    def _finish(self, command: _Command, *, changed: bool) -> None:
        if self._dry_run:
            return
        with store.reading(self._case) as con:
            row = con.execute("SELECT 1 FROM commands WHERE finished_at IS NULL AND command <= ?", [command.number])
            unfinished = row.fetchone() is not None
        if changed or unfinished:
            with store.writing(self._case) as con:
                con.execute("UPDATE commands SET finished_at = ? WHERE finished_at IS NULL", [utc_now()])

    def _one(self, source: Source, identity: tuple[str, str], command: int, start: Progress) -> FileReport:
        before = time.monotonic()
        try:
            how = plan(self._con, source, self._rules)
            if how.prompts and self._former_prompts:
                raise InputError(
                    f"{source.path} has raw prompts, and {self._case} has fingerprints of them from an older version.",
                    "They cannot be compared: ingest everything into a new case.",
                )
            with self._watched(source, start):
                done = self._straight(how, identity, command) or self._staged(how, identity, command)
        except InputError as exc:
            return FileReport(source.path, source.table, error=f"{exc.message} {exc.hint}".strip())
        staged = done.staged
        return FileReport(
            source.path,
            source.table,
            rows=staged.rows,
            added=done.added,
            rejected=len(staged.rejects),
            reasons=by_frequency((reject.reason, 1) for reject in staged.rejects),
            placeholders=staged.placeholders,
            ips=done.ips,
            private_ips=done.private_ips,
            ignored_columns=staged.ignored,
            seconds=round(time.monotonic() - before, 3),
        )

    def _staged(self, how: Plan, identity: tuple[str, str], command: int) -> "_Done":
        """Read in scratch, then hold the case only to merge."""
        if self._skeletons and how.prompts:
            self._skeletons.begin(self._case)
        staged = stage(self._con, how)
        ips, private = _addresses(self._con, how.source.table, "stage")
        if self._dry_run:
            return _Done(staged, 0, ips, private)
        if self._skeletons and how.noting:
            self._skeletons.gather(how.noting, how.parameters)
        with self._transaction(command):
            file = _next_file(self._con)
            line = staged.place.sql(self._con, "record")
            added = merge(self._con, how.source.table, command, file, line)
            if how.prompts:
                merge_prompts(self._con)
                if self._skeletons:
                    self._skeletons.merge()
            self._note(how.source, identity, command, staged, added, file)
        return _Done(staged, added, ips, private)

    def _straight(self, how: Plan, identity: tuple[str, str], command: int) -> "_Done | None":
        """The short way for the first clean file of a table, into a case that this call made: nobody waits for it."""
        table = how.source.table
        if not self._fresh or self._dry_run or table == "accounts" or how.prompts:
            return None
        try:
            with self._transaction(command):
                if self._con.execute(f"SELECT 1 FROM kase.{table} LIMIT 1").fetchall():
                    raise _NeedsStageError
                file = _next_file(self._con)
                staged = append(self._con, how, command, file)
                if staged is None:
                    raise _NeedsStageError
                ips, private = _addresses(self._con, table, f"kase.{table}")
                self._note(how.source, identity, command, staged, staged.rows, file)
        except _NeedsStageError:
            return None
        return _Done(staged, staged.rows, ips, private)

    @contextmanager
    def _transaction(self, command: int) -> Iterator[None]:
        """One transaction: the rows, the rejects and the file's own row, or nothing of it."""
        con = self._con
        # Dictionaries alone take twice the space of what DuckDB would choose, and a third of the time to write.
        con.execute("SET force_compression = 'auto'")
        con.execute("SET disabled_compression_methods = 'dict_fsst'")
        # Rows come from `stage` with their lines: to keep their order here costs a third more.
        con.execute("SET preserve_insertion_order = false")
        con.execute("SET max_vacuum_tasks = 0")
        with store.attached(con, self._case, read_only=False):
            con.execute(
                """INSERT INTO kase.commands VALUES (?, ?, NULL, ?)
                ON CONFLICT (command) DO UPDATE SET files = excluded.files""",
                [command, utc_now(), self._files],
            )
            facts = {"key_id": self._key.id, "hashed_kinds": ",".join(sorted(self._rules.hashed))}
            if self._rules.skeletons:
                facts["keep_skeletons"] = "1"
            con.executemany("INSERT OR REPLACE INTO kase.meta VALUES (?, ?)", list(facts.items()))
            yield

    def _note(
        self, source: Source, identity: tuple[str, str], command: int, staged: Staged, added: int, number: int
    ) -> None:
        """The file's own row, and its rejects."""
        con = self._con
        values = [number, command, source.path.name, source.table, identity[0], source.size, staged.rows, added]
        con.execute(
            "INSERT INTO kase.files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [*values, len(staged.rejects), utc_now()]
        )
        _insert_rejects(con, number, staged)

    @contextmanager
    def _watched(self, source: Source, start: Progress) -> Iterator[None]:
        """Tell how far DuckDB is, from a thread of its own, while the block runs."""
        if self._tell is None:
            yield
            return
        tell, done = self._tell, threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                percent = max(0.0, self._con.query_progress())
                tell(replace(start, bytes_done=start.bytes_done + int(source.size * min(percent, 100) / 100)))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
        tell(replace(start, bytes_done=start.bytes_done + source.size))


def _next_file(con: duckdb.DuckDBPyConnection) -> int:
    """The number of the file that goes in next."""
    return int(con.execute("SELECT coalesce(max(file), 0) + 1 FROM kase.files").fetchall()[0][0])


def _digest(source: Source) -> str:
    try:
        return source.digest()
    except OSError as exc:
        raise translate(exc, f"reading {source.path}") from None


def _addresses(con: duckdb.DuckDBPyConnection, table: str, rows: str) -> tuple[int, int]:
    """Rows with an address, and with a private one."""
    if table not in ("logins", "exchanges"):
        return 0, 0
    private = private_sql("coalesce(ip_net, ip)")
    row = con.execute(f"SELECT count(ip), count(*) FILTER ({private}) FROM {rows} WHERE ip IS NOT NULL").fetchall()
    return int(row[0][0]), int(row[0][1])


def _insert_rejects(con: duckdb.DuckDBPyConnection, file: int, staged: Staged) -> None:
    for start in range(0, len(staged.rejects), 100_000):
        part = staged.rejects[start : start + 100_000]
        con.execute(
            "INSERT INTO kase.rejects SELECT ?, unnest(?::BIGINT[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), "
            "unnest(?::VARCHAR[])",
            [
                file,
                [reject.line for reject in part],
                [reject.column for reject in part],
                [reject.reason for reject in part],
                [reject.excerpt for reject in part],
            ],
        )
