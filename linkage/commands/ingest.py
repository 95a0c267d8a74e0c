"""`linkage ingest`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from linkage.commands.common import (
    bytes_bar,
    case_option,
    detail,
    fail,
    live,
    memory_option,
    note,
    output_options,
    print_json,
    tell,
)
from linkage.commands.graph import no_publish_option, publish_after
from linkage.errors import ExitCode, UsageError
from linkage.model import DATABASES, TABLES
from linkage.text import safe

if TYPE_CHECKING:
    from linkage.ingest import IngestReport, Progress


class _Export(click.Path):
    """A path, or the address of a database, whose slashes must stay as they are."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value."""
        return value if str(value).startswith(DATABASES) else super().convert(value, param, ctx)


@click.command(name="ingest")
@click.argument("paths", nargs=-1, type=_Export(path_type=Path, readable=False))
@case_option
@click.option("--table", type=click.Choice(list(TABLES)), help="The table of all files, where their names do not say.")
@click.option("--preset", metavar="NAME", help="The source of all files, where their columns do not say.")
@click.option("--list-presets", is_flag=True, help="List the sources whose exports are known.")
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="COLUMN=THEIRS",
    help="Where a column comes from: account_id=user_id, logins.ip=client.address.",
)
@click.option("--explain", is_flag=True, help="Show how each column would be read, with three rows; write nothing.")
@click.option(
    "--hash",
    "hash_kinds",
    multiple=True,
    metavar="KIND",
    help="Keep values of this kind (payment, device, ip, …) as hashes only. Set it at the first ingest.",
)
@click.option(
    "--keep-private-ips", is_flag=True, help="Private addresses are evidence, as in exports mapped into 10/8."
)
@click.option(
    "--keep-skeletons",
    is_flag=True,
    help="Keep the fixed words of prompt templates readable: words that 5 accounts or more use, and no others.",
)
@click.option("--dry-run", is_flag=True, help="Read and check everything, write nothing.")
@memory_option
@no_publish_option
@output_options()
def command(
    paths: tuple[Path | str, ...],
    case: Path,
    table: str | None,
    preset: str | None,
    list_presets: bool,
    maps: tuple[str, ...],
    explain: bool,
    hash_kinds: tuple[str, ...],
    keep_private_ips: bool,
    keep_skeletons: bool,
    dry_run: bool,
    no_publish: bool,
    as_json: bool,
) -> int:
    """Read account exports into the case file.

    PATHS are files and folders, or the address of a PostgreSQL: postgresql://user@host/database, whose password is in
    PGPASSWORD or ~/.pgpass. Exports of Stripe, LiteLLM, Auth0 and others are recognised by their columns, whatever
    their names (--list-presets, --explain). Of files of your own, the table is in the name: accounts.csv,
    exchanges-2026-02.parquet, logins.jsonl.gz. Any one table will do; the more of them, the more can be found. The
    columns, the required ones first, up to the bar:

    \b
      accounts     account_id | created_at banned_at email phone org_id org_verified status country plan aliases
      payments     account_id payment_id | method added_at
      logins       account_id | ip device_id user_agent at
      exchanges    account_id at | ip device_id user_agent model prompt prompt_fingerprint
                   exchange_id input_tokens output_tokens
      identifiers  account_id kind value | at
      links        account_id other_account_id | kind at
      aliases      account_id value | kind

    Other columns are ignored, and named. Files that went in before change nothing. Broken rows are set aside: linkage
    rejects. To look before anything is written:

    \b
      linkage ingest exports/ --dry-run
    """
    from linkage.commands.ingest_explain import print_explained, print_presets
    from linkage.ingest import has_password, ingest

    if list_presets:
        print_presets(as_json=as_json)
        return ExitCode.DONE
    if not paths:
        raise click.UsageError("Missing argument 'PATHS...'.")
    if any(has_password(path) for path in paths if isinstance(path, str)):
        raise UsageError(
            "The address holds a password, which everybody on this machine sees in the list of processes.",
            "Leave it out of the address: set PGPASSWORD, or add a line to ~/.pgpass.",
        )
    if explain:
        return print_explained(paths, table=table, preset=preset, maps=maps, as_json=as_json)
    with _progress() as tell:
        report = ingest(
            paths,
            case,
            table=table,
            preset=preset,
            maps=maps,
            hash_kinds=[kind for given in hash_kinds for kind in given.split(",")],
            keep_private_ips=keep_private_ips,
            keep_skeletons=keep_skeletons,
            dry_run=dry_run,
            progress=tell,
        )
    if as_json:
        print_json("ingest", report.to_dict())
    else:
        _print(report, dry_run=dry_run)
    _warn(report)
    publish_after(case, unless=no_publish or dry_run)
    return ExitCode.INPUT if report.refused else ExitCode.DONE


def _print(report: "IngestReport", *, dry_run: bool) -> None:
    told = set()
    for file in report.files:
        if file.error:
            continue
        if file.preset and not file.already and file.path not in told:
            told.add(file.path)
            note(f"{file.path}: read as {file.preset}: {file.why}")
        if file.already:
            tell(f"{file.path}: already ingested, nothing changed")
            continue
        parts = [f"{file.rows:,} rows as {file.table}"]
        parts.append("nothing written (dry run)" if dry_run else f"{file.added:,} new or changed")
        if file.rejected:
            parts.append(f"{file.rejected:,} rejected")
        tell(f"{file.path}: {', '.join(parts)}")
        detail(f"{file.path}: {file.seconds:.2f} s")
    if not dry_run:
        tell(f"{report.case}: {report.added:,} rows added or changed")


def _warn(report: "IngestReport") -> None:
    ignored = sorted({column for file in report.files for column in file.ignored_columns})
    if ignored:
        note(f"Ignored columns: {', '.join(ignored)}")
    if report.passed_over:
        note(f"Passed over, no table's name: {', '.join(path.name for path in report.passed_over)}")
    placeholders = sum(file.placeholders for file in report.files)
    if placeholders:
        note(f"Ignored {placeholders:,} placeholders (N/A, unknown, 0.0.0.0 …): they are nobody's identifier")
    private = sum(file.private_ips for file in report.files)
    if private and not report.keep_private_ips:
        note(f"{private:,} rows have private addresses, which are no evidence")
    for file in report.files:
        if file.too_private and not report.keep_private_ips:
            note(
                f"Warning: {file.private_ips / file.ips:.0%} of the addresses in {file.path.name} are private. "
                "If they stand for real ones, run again with --keep-private-ips."
            )
    erased = sum(file.erased for file in report.files)
    if erased:
        note(f"Left out {erased:,} rows of accounts that were erased: linkage forget")
    if report.joined:
        note(f"Aliases joined {report.joined:,} rows of earlier files to their accounts")
    if report.joins:
        several = len(report.joins.sources) > 1
        for row in [row for row in report.joins.sources if several and row.alone and row.source]:
            note(f"{row.source}: {row.alone:,} of {row.accounts:,} accounts are named by no other source")
        if report.joins.ambiguous:
            note(f"{len(report.joins.ambiguous):,} aliases are ambiguous, and join nothing")
        if several or report.joins.ambiguous:
            note("See them, and how to join them: linkage aliases")
    if report.reasons:
        note(f"Rejected {report.rejected:,} rows:")
        for reason, count in report.reasons:
            note(f"  {count:,}  {reason}")
        note("See them: linkage rejects")
    for file in report.refused:
        fail(f"Error: {file.error}")


def _progress() -> "AbstractContextManager[Callable[[Progress], None] | None]":
    return _Bar() if live() else nullcontext(None)


class _Bar(AbstractContextManager[Any]):
    """Bytes read, rate and time left, on a terminal."""

    def __init__(self) -> None:
        self._bar = bytes_bar()
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "Callable[[Progress], None]":
        self._bar.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _tell(self, progress: "Progress") -> None:
        self._bar.update(
            self._task,
            description=safe(progress.file.name),
            total=progress.bytes_total,
            completed=progress.bytes_done,
        )
