"""`ingest`: every file through discover, read, normalise and merge, one transaction a file."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from linkage import audit, store
from linkage.errors import InputError, translate
from linkage.ingest import aliases, erased, mapped, normalise
from linkage.ingest.find import Told, find
from linkage.ingest.merge import merge, merge_prompts
from linkage.ingest.normalise import Rules
from linkage.ingest.opening import case_for, remember, rules_of
from linkage.ingest.place import place
from linkage.ingest.report import FileReport, IngestReport, Progress, by_frequency
from linkage.ingest.skeletons import Skeletons
from linkage.ingest.sources import Source
from linkage.ingest.stage import Plan, Staged, append, plan, stage
from linkage.networks import private_sql
from linkage.secret import Key, load_or_make_key
from linkage.until import utc_now

Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class _Command:
    """A call of ingest as the case knows it: its number, and the digests of the files that are in already."""

    number: int
    known: frozenset[tuple[str, str]]


def ingest(
    paths: Sequence[Path | str],
    case: Path,
    *,
    table: str | None = None,
    preset: str | None = None,
    maps: Sequence[str] = (),
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
        paths: files, folders, and addresses of databases: `postgresql://user@host/database`.
        case: the case file.
        table: the table of all files; from each file's name or columns if None.
        preset: the source of all files (`presets/*.toml`); from each file's columns if None.
        maps: `COLUMN=PATH` or `TABLE.COLUMN=PATH`: where a column of the contract comes from.
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
        MachineError: disk, permission, memory, the case is in use, or a database cannot be reached.
    """
    started = time.monotonic()
    found = find(paths, Told(table, preset, tuple(maps)))
    fresh = not case.exists()
    with closing(found), case_for(case, keep=not dry_run) as target, store.scratch(target) as con:
        rules = rules_of(target, hash_kinds, keep_skeletons)
        key = load_or_make_key(target)
        normalise.prepare(con, key)
        mapped.prepare(con)
        # Raw private text is on its way through this connection: it must have no place on disk to spill to.
        con.execute("SET temp_directory = ''")
        try:
            run = _Run(con, target, rules, key, fresh=fresh, dry_run=dry_run, tell=progress)
            reports = run.all(found.sources)
        except duckdb.Error as exc:
            raise translate(exc, f"ingesting into {case}") from None
        reports += [
            FileReport(refused.path, "", error=f"{refused.error.message} {refused.error.hint}".strip())
            for refused in found.refused
        ]
        if all(report.error for report in reports):
            raise InputError(
                " ".join(report.error for report in reports), "Nothing was ingested; the case is as it was."
            )
        kept = keep_private_ips
        if not dry_run:
            kept = remember(target, keep_private_ips, key)
        joins = aliases.joins(target, limit=0) if not dry_run and aliases.has_joins(target) else None
    return IngestReport(
        case, tuple(reports), found.passed_over, kept, round(time.monotonic() - started, 3), run.joined, joins
    )


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
        self._names = 0
        self.joined = 0

    def all(self, sources: Sequence[Source]) -> list[FileReport]:
        digests = {path: _digest(source) for path, source in {source.path: source for source in sources}.items()}
        command = self._begin([f"{digests[source.path]} {source.table}" for source in sources])
        total = sum(source.size for source in sources)
        done = rows = 0
        reports: list[FileReport] = []
        seen: set[tuple[str, str]] = set(command.known)
        # Where no source names an account otherwise, nothing here costs anything.
        self._names = 0 if self._fresh else aliases.load(self._con, self._case)
        erased.load(self._con, self._case)
        for source in sources:
            identity = (digests[source.path], source.table)
            if identity in seen:
                reports.append(FileReport(source.path, source.table, already=True, preset=_title(source)))
            else:
                start = Progress(source.path, done, total, rows)
                report = self._one(source, identity, command.number, start)
                if not report.error:
                    seen.add(identity)
                    if source.table == "aliases" and not self._dry_run:
                        self._names = aliases.load(self._con, self._case)
                reports.append(report)
                rows += report.rows
            done += source.size
        if self._names and not self._dry_run:
            self.joined = aliases.join_case(self._con, self._case)
        self._finish(command, changed=any(not report.already and not report.error for report in reports))
        if not self._dry_run:
            audit.copy(self._case)
            # By now no raw text is about: what is sorted and joined here may spill to disk.
            with store.scratch(self._case) as con, store.at_most(con, store.share()):
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
                con.execute("UPDATE commands SET finished_at = ? WHERE finished_at IS NULL", [store.now(con)])

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
            error = f"{exc.message} {exc.hint}".strip()
            return FileReport(source.path, source.table, error=error, preset=_title(source), why=source.why)
        staged = done.staged
        return FileReport(
            source.path,
            source.table,
            rows=staged.rows,
            added=done.added,
            rejected=len(staged.rejects),
            erased=staged.erased,
            reasons=by_frequency((reject.reason, 1) for reject in staged.rejects),
            placeholders=staged.placeholders,
            ips=done.ips,
            private_ips=done.private_ips,
            ignored_columns=staged.ignored,
            seconds=round(time.monotonic() - before, 3),
            preset=_title(source),
            why=source.why,
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
        if self._names:
            aliases.join_stage(self._con, how.source.table)
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
        if not self._fresh or self._dry_run or table == "accounts" or how.prompts or how.mapped or self._names:
            return None
        try:
            with store.at_most(self._con, store.share()), self._transaction(command):
                if self._con.execute(f"SELECT 1 FROM kase.{table} LIMIT 1").fetchall():
                    raise _NeedsStageError
                file = _next_file(self._con)
                staged = append(self._con, how, command, file)
                if staged is None:
                    raise _NeedsStageError
                ips, private = _addresses(self._con, table, f"kase.{table}")
                self._note(how.source, identity, command, staged, staged.rows, file)
        except (_NeedsStageError, duckdb.OutOfMemoryException):
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
        # What goes into a new case is joined when more comes.
        con.execute(f"SET max_vacuum_tasks = {0 if self._fresh else 1}")
        with store.attached(con, self._case, read_only=False):
            con.execute(
                """INSERT INTO kase.commands VALUES (?, ?, NULL, ?)
                ON CONFLICT (command) DO UPDATE SET files = excluded.files""",
                [command, store.now(con, "kase."), self._files],
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
            "INSERT INTO kase.files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*values, len(staged.rejects), utc_now(), _title(source) or None],
        )
        _insert_rejects(con, number, staged)
        facts = {"file": number, "table": source.table, "sha256": identity[0], "rows": staged.rows, "added": added}
        audit.extend(con, self._key, "ingest", {**facts, "rejected": len(staged.rejects)}, schema="kase.")

    @contextmanager
    def _watched(self, source: Source, start: Progress) -> Iterator[None]:
        """Tell how far DuckDB is, from a thread of its own, while the block runs."""
        if self._tell is None:
            yield
            return
        tell, done = self._tell, threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                percent = source.relation.percent if source.relation else max(0.0, self._con.query_progress())
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


def _title(source: Source) -> str:
    """What a file was recognised as, or ""."""
    return source.preset.title if source.preset else ""


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
