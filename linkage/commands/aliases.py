"""`linkage aliases`."""

from pathlib import Path

import click

from linkage.commands.common import case_option, limit_option, note, output_options, print_json


@click.command(name="aliases")
@case_option
@limit_option(20, "accounts that no other source names")
@output_options()
def command(case: Path, limit: int, as_json: bool) -> None:
    """Show how sources name accounts, and what no alias joins.

    Sources that name the same account differently (a customer id, an e-mail, a key) are joined by the table aliases
    (account_id, value, kind), or by the column aliases of accounts. What stays unjoined is listed here, and joined by
    nothing else.
    """
    from linkage.ingest import joins

    found = joins(case, limit)
    if as_json:
        print_json("aliases", found)
        return
    from linkage.output import Page

    page = Page()
    page.table(
        [("source", "left"), ("accounts", "right"), ("known elsewhere", "right"), ("alone", "right")],
        [
            (row.source or "tables of your own", row.accounts, row.accounts - row.alone, row.alone)
            for row in found.sources
        ],
    )
    note(f"Aliases: {found.aliases:,}")
    if found.ambiguous:
        shown = ", ".join(found.ambiguous[:limit])
        note(
            f"{len(found.ambiguous):,} names stand for several accounts or lead in a circle, and join nothing: {shown}"
        )
    if found.unjoined:
        page.say("")
        lone = [(row.account_id, row.rows, row.source) for row in found.unjoined]
        page.table([("account", "left"), ("rows", "right"), ("known only to", "prose")], lone)
        note("Join them by a file aliases.csv with account_id, value: your account, and the name that stands here.")
