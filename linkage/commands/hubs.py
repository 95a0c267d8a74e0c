"""`linkage hubs`."""

from pathlib import Path

import click

from linkage.commands.common import case_option, limit_option, note, output_options, print_json, print_jsonl


@click.command(name="hubs")
@case_option
@limit_option(None, "hubs; 30 on a screen")
@output_options(lines=True)
def command(case: Path, limit: int | None, as_json: bool, as_jsonl: bool) -> None:
    """Show the identifiers that were damped, and why.

    So many accounts share them (carrier NAT, VPN exits, default prompts) that they link no two of them. They still
    count a little towards a group. Nothing is dropped.
    """
    from linkage.results import hubs

    rows = hubs(case, limit=limit if limit or as_json or as_jsonl else 31)
    if as_json:
        print_json("hubs", rows)
    elif as_jsonl:
        print_jsonl(rows)
    elif not rows:
        note("No identifier was damped.")
    else:
        from linkage.output import Page

        shown = rows if limit else rows[:30]
        cells = [
            (h.kind, h.label or h.value, f"{h.accounts:,}", f"{h.bits_alone:.1f}", f"{h.pairs_spared:,}", h.reason)
            for h in shown
        ]
        headings = [("kind", "left"), ("value", "left"), ("accounts", "right"), ("bits alone", "right")]
        Page().table([*headings, ("pairs spared", "right"), ("reason", "prose")], cells)
        if len(rows) > len(shown):
            note("There are more: --limit N shows so many.")
