"""`linkage templates`."""

from pathlib import Path

import click

from linkage.commands.common import case_option, limit_option, note, output_options, print_json, print_jsonl

SHOWN = 30


@click.command(name="templates")
@click.option("--account", metavar="ACCOUNT", help="The templates of this account, each with its share.")
@case_option
@limit_option(None, f"templates; {SHOWN} on a screen")
@output_options(lines=True)
def command(account: str | None, case: Path, limit: int | None, as_json: bool, as_jsonl: bool) -> None:
    """List the templates that accounts share or one follows.

    Without --account those that most accounts live on come first. With it, shares are of the account's exchanges that
    have a prompt, so that ordinary traffic beside a template does not hide it.
    """
    from linkage.templates import templates

    found = templates(case, account, limit=limit if limit or as_json or as_jsonl else SHOWN + 1)
    if as_json:
        print_json("templates", found)
        return
    if as_jsonl:
        print_jsonl(found.rows)
        return
    from linkage.commands.template import percent
    from linkage.output import Page, day

    page = Page()
    shown = found.rows if limit else found.rows[:SHOWN]
    if shown:
        headings = [("template", "left"), ("exchanges", "right")]
        cells = [[row.id, f"{row.exchanges:,}"] for row in shown]
        if account is not None:
            headings += [("share", "right"), ("other accounts", "right")]
            cells = [
                [*cell, percent(row.share or 0.0), f"{row.accounts - 1:,}"]
                for cell, row in zip(cells, shown, strict=True)
            ]
        else:
            headings.append(("accounts", "right"))
            cells = [[*cell, f"{row.accounts:,}"] for cell, row in zip(cells, shown, strict=True)]
        headings += [("heavy users", "right"), ("first seen", "left"), ("last seen", "left")]
        page.table(
            headings,
            [[*c, f"{r.heavy:,}", day(r.first_seen), day(r.last_seen)] for c, r in zip(cells, shown, strict=True)],
        )
    if found.verdict:
        page.say(found.verdict)
    if len(found.rows) > len(shown):
        note("There are more: --limit N shows so many.")
    if shown:
        note(f"Who sends one: linkage template {shown[0].id}")
