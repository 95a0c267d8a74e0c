"""`linkage rejects`."""

from pathlib import Path

import click

from linkage.commands.common import PATH, case_option, limit_option, note, output_options, print_json, print_jsonl


@click.command(name="rejects")
@case_option
@click.option("--reason", help="Only rows whose reason contains this text.")
@click.option("--file", help="Only rows of files of this name.")
@limit_option(None, "rows; 50 on a screen, all in an export")
@click.option("--export", "target", type=PATH, metavar="FILE", help="Write them to FILE (.csv or .jsonl).")
@output_options(lines=True)
def command(
    case: Path,
    reason: str | None,
    file: str | None,
    limit: int | None,
    target: Path | None,
    as_json: bool,
    as_jsonl: bool,
) -> None:
    """List or export the rows that were set aside.

    Each with its file, line, column, reason and an excerpt, which holds the offending column only, and *** where
    that is private.
    """
    from linkage.ingest import export_rejects, rejects

    everything = target is not None or as_json or as_jsonl
    rows = rejects(case, reason=reason, file=file, limit=limit if limit or everything else 51)
    if target is not None:
        export_rejects(rows, target)
        note(f"{target}: {len(rows):,} rejected rows")
        return
    if as_json:
        print_json("rejects", rows)
    elif as_jsonl:
        print_jsonl(rows)
    elif not rows:
        note("No rejected rows.")
    else:
        from linkage.output import Page

        shown = rows if limit else rows[:50]
        cells = [(r.file, r.table, r.line, r.column, r.reason, r.excerpt) for r in shown]
        headings = [("file", "left"), ("table", "left"), ("line", "right"), ("column", "left"), ("reason", "left")]
        Page().table([*headings, ("excerpt", "prose")], cells)
        if len(rows) > len(shown):
            note("There are more: --limit N shows so many, --export FILE writes all.")
