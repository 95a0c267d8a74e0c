"""`linkage rings`."""

from pathlib import Path

import click

from linkage.commands.common import (
    case_option,
    decided,
    limit_option,
    note,
    output_options,
    print_json,
    print_jsonl,
    recalibration,
    significance,
)


@click.command(name="rings")
@case_option
@click.option(
    "--all", "unlisted", is_flag=True, help="Also groups below the line: score under 0.5 or q-value over 0.05."
)
@limit_option(None, "rings; 20 on a screen")
@output_options(lines=True)
def command(case: Path, unlisted: bool, limit: int | None, as_json: bool, as_jsonl: bool) -> None:
    """Show the rings, the first to look at first.

    The score (0 to 1) says how much a group looks like one hand behind many accounts. It is a lead, no verdict.
    q (0 to 1) says which part of the rings as strong as this one chance would make: it answers "could chance link
    them?", never "are they guilty?". Listed are those with a score of at least 0.5 and a q of at most 0.05.
    """
    from linkage.results import accused, rings, runs

    rows = rings(case, unlisted=unlisted, limit=limit if limit or as_json or as_jsonl else 21)
    if as_json:
        print_json("rings", rows)
    elif as_jsonl:
        print_jsonl(rows)
    elif not rows:
        note("No rings." if unlisted else "No rings. Groups below the line: linkage rings --all")
    else:
        from linkage.output import Page, day, few, q_value, score

        shown = rows if limit else rows[:20]
        cells = [
            (
                r.rank,
                r.ring_id,
                score(r.score),
                q_value(r.q_value),
                r.status,
                f"{r.accounts:,}",
                f"{r.exchanges:,}",
                day(r.last_seen),
                _first_sentence(r.why),
            )
            for r in shown
        ]
        headings = [("#", "right"), ("ring", "left"), ("score", "right"), ("q", "right"), ("status", "left")]
        counts = [("accounts", "right"), ("exchanges", "right")]
        Page().table([*headings, *counts, ("last seen", "left"), ("why", "prose")], cells)
        suspected, false = accused(shown)
        if suspected:
            note(f"Innocent among them, if the scores hold: {few(false)} of {len(suspected):,} (the sum of 1 − score).")
        for run in runs(case, limit=1):
            known = run.parameters
            if "nulls" in known:
                significance(known["nulls"], known["q_floor"], known["by_chance"], known.get("nulls_kept", 0))
            if known.get("recalibration"):
                recalibration(known["recalibration"])
            decided(known.get("bound"), known.get("allowed"))
        if len(rows) > len(shown):
            note("There are more: --limit N shows so many.")
        note(f"Look at one: linkage ring {shown[0].ring_id}")


def _first_sentence(text: str) -> str:
    """The list has room for what ties a ring; `linkage ring` has the rest."""
    head, end, _ = text.removeprefix("Explained: ").partition(". ")
    return head + end.strip() if end else text
