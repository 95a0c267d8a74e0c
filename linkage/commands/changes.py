"""`linkage changes`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import case_option, note, output_options, print_json, print_jsonl

if TYPE_CHECKING:
    from linkage.changes import Change


@click.command(name="changes")
@click.option("--since", type=click.IntRange(min=0), metavar="RUN", help="After this run; without it the last but one.")
@click.option("--all", "unlisted", is_flag=True, help="Also groups below the line.")
@click.option(
    "--alert-exit",
    "alert",
    type=click.FloatRange(0, 1),
    metavar="SCORE",
    help="Exit with 8 if a ring of this score or more is new in the list.",
)
@case_option
@output_options(lines=True)
def command(since: int | None, unlisted: bool, alert: float | None, case: Path, as_json: bool, as_jsonl: bool) -> None:
    """Tell what became of the rings since an earlier run.

    A ring keeps its id while half of its members, or of what ties them, stays. It is born, grows, shrinks (members that
    were banned count as lost), has banned members replaced, splits from another, merges into one, is gone, or returns.

    --alert-exit is for cron: rings that were explained or dismissed wake nobody.
    """
    from linkage.changes import changes, new_rings
    from linkage.errors import AlertError

    told = changes(case, since=since, unlisted=unlisted)
    if as_json:
        print_json("changes", told)
    elif as_jsonl:
        print_jsonl(told.changes)
    elif not told.changes:
        note(f"Nothing changed between run {told.since} and run {told.run}.")
    else:
        from linkage.output import Page, score

        cells = [
            (c.run, c.ring_id, "" if c.score is None else score(c.score), f"{c.accounts:,}", _said(c))
            for c in told.changes
        ]
        headings = [("run", "right"), ("ring", "left"), ("score", "right"), ("accounts", "right")]
        Page().table([*headings, ("what became of it", "prose")], cells)
    if alert is not None and (new := new_rings(case, alert, since=since)):
        more = f", and {len(new) - 3} more" if len(new) > 3 else ""
        raise AlertError(
            f"New in the list with a score of {alert:g} or more: {', '.join(new[:3])}{more}.",
            f"Look at the first: linkage ring {new[0]}",
        )


def _said(change: "Change") -> str:
    counts = [
        f"{number:,} {word}"
        for number, word in ((change.joined, "joined"), (change.left, "left"), (change.banned, "banned"))
        if number
    ]
    said = {
        "same": "the same accounts",
        "changed": "changed",
        "replaced": "banned members replaced",
        "split_from": f"split from {change.other}",
        "merged_into": f"merged into {change.other}",
    }.get(change.event, change.event)
    if change.event in ("grew", "shrank", "replaced", "changed", "returned") and counts:
        said += ": " + ", ".join(counts)
    if change.listed and not change.listed_before and change.event not in ("born", "split_from"):
        said += "; new in the list"
    if change.listed_before and not change.listed and change.event not in ("gone", "merged_into"):
        said += "; no longer in the list"
    return said
