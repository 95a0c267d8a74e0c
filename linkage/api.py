"""The Python API: the answers of the commands as pandas DataFrames."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Final, get_type_hints

import pandas as pd

from linkage import allow as allowing
from linkage import detect as detection
from linkage import evaluate as evaluation
from linkage import expand as expanding
from linkage import export as exporting
from linkage import impact as blocking
from linkage import indicators, results
from linkage import ingest as ingesting
from linkage import report as reporting
from linkage import review as reviewing
from linkage import sources as row_sources
from linkage import templates as prompt_templates
from linkage.allowances import Allowance
from linkage.changes import Change, changes
from linkage.decisions import Decision
from linkage.graph import PublishReport, publish, required
from linkage.graph.pull import PullReport, pull
from linkage.ring_why import KindRow, ring_why
from linkage.summary import paragraph
from linkage.why import Tie, Why
from linkage.why import why as why_two

AnyPath = str | PathLike[str]

_TYPES: Final[dict[Any, Any]] = {
    bool: "bool",
    int: "int64",
    float: "float64",
    float | None: "float64",
    int | None: "Int64",
    datetime: "datetime64[us]",
    datetime | None: "datetime64[us]",
}


class Case:
    """A case file, as in `linkage --case FILE`.

    Args:
        path: the case file; `ingest` makes it.

    All methods raise `linkage.errors.LinkageError`s.
    """

    def __init__(self, path: AnyPath = "linkage.duckdb") -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Case({str(self.path)!r})"

    def ingest(self, *paths: AnyPath, **options: Any) -> ingesting.IngestReport:
        """Ingest files and folders; options as in `linkage.ingest.ingest`."""
        return ingesting.ingest([Path(path) for path in paths], self.path, **options)

    def detect(self, **options: Any) -> detection.DetectReport:
        """Find rings; options as in `linkage.detect.detect`. Graph Data Science is `engine=linkage.graph.gds.Gds()`."""
        return detection.detect(self.path, **options)

    def rings(self, *, unlisted: bool = False) -> pd.DataFrame:
        """The rings by rank, one a row; columns are those of `results.RingRow`, times are UTC without a zone.

        Args:
            unlisted: also those whose score is below the line.
        """
        return _frame(results.RingRow, results.rings(self.path, unlisted=unlisted))

    def members(self, ring: str | None = None) -> pd.DataFrame:
        """Members of all listed rings, or of one; columns of `results.MemberRow`.

        Args:
            ring: a ring's id, the start of it, or its rank.
        """
        rows = results.members(self.path) if ring is None else results.ring(self.path, ring).members
        return _frame(results.MemberRow, rows)

    def evidence(self, ring: str | None = None) -> pd.DataFrame:
        """Evidence of all listed rings, or of one; columns of `results.EvidenceRow`."""
        rows = results.evidence(self.path) if ring is None else results.ring(self.path, ring).evidence
        return _frame(results.EvidenceRow, rows)

    def sources(self, ring: str, *, limit: int | None = row_sources.LIMIT) -> pd.DataFrame:
        """The rows of the exports that back a ring: table, file and line; columns of `sources.SourceRow`.

        Args:
            ring: a ring's id, the start of it, or its rank.
            limit: at most so many rows of each value and account; None for all.
        """
        return _frame(row_sources.SourceRow, row_sources.sources(self.path, ring, limit=limit))

    def bystanders(self, ring: str) -> pd.DataFrame:
        """Accounts that touch a ring without being members; columns of `results.BystanderRow`."""
        return _frame(results.BystanderRow, results.ring(self.path, ring).bystanders)

    def kinds(self, ring: str) -> pd.DataFrame:
        """What each kind brings to a ring, and what it would be without; columns of `ring_why.KindRow`.

        `frame.attrs` holds the rest of the answer: prior, strongest, factors, bridge, verdict and summary.
        """
        answer = ring_why(self.path, ring)
        return _answered(KindRow, answer, "kinds", "found")

    def summary(self, ring: str) -> str:
        """A ring in one paragraph of at most 120 words, for a ticket."""
        return paragraph(ring_why(self.path, ring).summary)

    def hubs(self) -> pd.DataFrame:
        """The ledger of damped identifiers; columns of `results.HubRow`."""
        return _frame(results.HubRow, results.hubs(self.path))

    def runs(self) -> pd.DataFrame:
        """The runs of detect, the newest first; columns of `results.RunRow`."""
        return _frame(results.RunRow, results.runs(self.path))

    def why(self, a: str, b: str) -> pd.DataFrame:
        """What ties two accounts, one shared identifier a row; columns of `why.Tie`.

        `frame.attrs` holds the rest of the answer: bits, prior, ring_id, path and verdict.
        """
        answer: Why = why_two(self.path, a, b)
        return _answered(Tie, answer, "ties")

    def changes(self, **options: Any) -> pd.DataFrame:
        """What became of the rings; columns of `changes.Change`. Options as in `linkage.changes.changes`."""
        return _frame(Change, changes(self.path, **options).changes)

    def decide(self, ring: str, verdict: str, **options: Any) -> Decision | None:
        """Append a decision on a ring or on members of it; arguments as in `linkage.review.decide`."""
        return reviewing.decide(self.path, ring, verdict, **options)

    def allow(self, kind: str, value: str, **options: Any) -> Allowance | None:
        """Let an identifier link nobody from the next run on; arguments as in `linkage.allow.allow`."""
        return allowing.allow(self.path, kind, value, **options)

    def take_back(self, kind: str, value: str, **options: Any) -> Allowance:
        """Let an allowed identifier link again; arguments as in `linkage.allow.take_back`."""
        return allowing.take_back(self.path, kind, value, **options)

    def allowed(self) -> pd.DataFrame:
        """What is allowed now; columns of `allowances.Allowance`."""
        return _frame(Allowance, allowing.allowed(self.path))

    def expand(self, start: AnyPath | Iterable[str], **options: Any) -> pd.DataFrame:
        """Who is tied to accounts that are known to be bad, by rank; columns of `expand.Tied`.

        `frame.attrs` holds the rest of the answer: seeds, unknown, untied, ring_id, found.

        Args:
            start: account ids; or, as one text or path, a file of them or a ring's id or rank.
            options: `kinds`, `hops`, `least`, `limit` as in `expand.expand`.
        """
        seeds, ring_id = self._accounts(start)
        answer = expanding.expand(self.path, seeds, ring_id=ring_id, **options)
        return _answered(expanding.Tied, answer, "accounts")

    def impact(self, start: AnyPath | Iterable[str], **options: Any) -> pd.DataFrame:
        """The values whose block stops most of some accounts at the least harm; columns of `impact.Blocked`.

        `frame.attrs` holds the rest of the answer: accounts, unknown, reachable, kinds, asked, steps, …

        Args:
            start: as in `expand`.
            options: `kinds`, `share`, `use`, `seconds` as in `impact.impact`.
        """
        accounts, ring_id = self._accounts(start)
        answer = blocking.impact(self.path, accounts, ring_id=ring_id, **options)
        return _answered(blocking.Blocked, answer, "blocked")

    def _accounts(self, start: AnyPath | Iterable[str]) -> tuple[list[str], str | None]:
        if isinstance(start, (str, PathLike)):
            return expanding.seeds_of(self.path, str(start))
        return [str(account) for account in start], None

    def template(self, name: str) -> pd.DataFrame:
        """Who sends a template of prompts, one account a row; columns of `templates.Sender`.

        `frame.attrs` holds the rest of the answer: id, level, exchanges, accounts, hours, models, rings, verdict, …

        Args:
            name: as in `templates.template`.
        """
        answer = prompt_templates.template(self.path, name)
        return _answered(prompt_templates.Sender, answer, "senders")

    def templates(self, account: str | None = None) -> pd.DataFrame:
        """The templates of an account, or those that accounts of the case share; columns of `templates.TemplateRow`.

        `frame.attrs` holds `account_id`, `prompted` (exchanges that have a prompt) and `verdict`.
        """
        answer = prompt_templates.templates(self.path, account)
        frame = _frame(prompt_templates.TemplateRow, answer.rows)
        frame.attrs.update({"account_id": account, "prompted": answer.prompted, "verdict": answer.verdict})
        return frame

    def evaluate(self, truth: AnyPath, structures: AnyPath | None = None) -> evaluation.Evaluation:
        """Compare the rings with a `truth.csv`, and by tactic and innocent structure with a `structures.csv`."""
        return evaluation.evaluate_case(self.path, Path(truth), Path(structures) if structures is not None else None)

    def export(
        self,
        folder: AnyPath,
        format: exporting.Format = "csv",
        rings: Sequence[str] = (),
        key: AnyPath | None = None,
    ) -> exporting.ExportReport:
        """Write rings into a folder; arguments as in `linkage.export.export`."""
        secret = None if key is None else Path(key)
        return exporting.export(self.path, Path(folder), format=format, rings=rings, key=secret)

    def report(
        self, path: AnyPath = "report.html", *, rings: Iterable[str] = (), force: bool = False
    ) -> reporting.Report:
        """Write the rings as one HTML page that works offline; see `linkage.report.report`.

        Args:
            path: the file to write, for its owner alone to read (mode 0600).
            rings: ids, starts of ids or ranks, listed or not; by default all that are listed.
            force: replace a file that says something else.

        Returns:
            the file's `path`, how many `rings` it shows, its `bytes`, and whether they `changed`.

        Raises:
            NotFoundError: no case, no run yet, no such ring, or no such folder.
            UsageError: there is such a file already, and `force` is not given.
            MachineError: it cannot be written.
        """
        return reporting.report(self.path, Path(path), list(rings), force=force)

    def match(self, bundle: AnyPath, key: AnyPath) -> pd.DataFrame:
        """Which identifiers of ours a partner's bundle knows; columns of `indicators.Known`."""
        found = indicators.match(self.path, Path(bundle), indicators.read_key(Path(key)))
        return _frame(indicators.Known, found.known)

    def publish(self, *, database: str | None = None, **options: Any) -> PublishReport:
        """Mirror the case into the Neo4j that the environment names, or the local server.

        Args:
            database: its name in Neo4j; else the user's home database.
            options: `scope`, `replace`, `dry_run` as in `linkage.graph.publish`.
        """
        return publish(self.path, required(database), **options)

    def pull(self, *, database: str | None = None) -> PullReport:
        """Bring decisions made in Neo4j back into the case."""
        return pull(self.path, required(database))


def _answered(kind: type[Any], answer: Any, rows: str, *left_out: str) -> pd.DataFrame:
    """The rows of an answer; the rest of it is in `attrs`, but for what is left out."""
    frame = _frame(kind, getattr(answer, rows))
    frame.attrs.update({name: value for name, value in asdict(answer).items() if name not in (rows, *left_out)})
    return frame


def _frame(kind: type[Any], rows: Sequence[Any]) -> pd.DataFrame:
    columns = [field.name for field in fields(kind)]
    frame = pd.DataFrame([[getattr(row, name) for name in columns] for row in rows], columns=columns)
    # pandas guesses from the values: a column would change its type when it is empty, or a frame without rows.
    types = get_type_hints(kind)
    return frame.astype({name: _TYPES[types[name]] for name in columns if types[name] in _TYPES})
