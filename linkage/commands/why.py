"""`linkage why`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import case_option, output_options, print_json

if TYPE_CHECKING:
    from linkage.why import Tie


@click.command(name="why")
@click.argument("account")
@click.argument("other_account")
@case_option
@output_options()
def command(account: str, other_account: str, case: Path, as_json: bool) -> None:
    """Show what ties two accounts.

    Each shared identifier with its bits, the path between them if they share nothing, or that nothing ties them.
    """
    from linkage.why import why

    answer = why(case, account, other_account)
    if as_json:
        print_json("why", answer)
        return
    from linkage.output import Page

    page = Page()
    if answer.ties:
        cells = [
            (
                t.kind,
                f"{t.label or t.value} ({beside})" if (beside := _beside(t)) else t.value,
                f"{t.accounts:,}",
                f"{t.bits:.1f}",
                f"{t.counted:.1f}",
                t.note,
            )
            for t in answer.ties
        ]
        headings = [("kind", "left"), ("value", "left"), ("accounts", "right"), ("bits alone", "right")]
        page.table([*headings, ("counted", "right"), ("note", "prose")], cells)
        page.say(f"Together {answer.bits:.1f} bits; two strangers need {answer.prior:.1f}.")
    if answer.path:
        page.say("Path: " + " — ".join(answer.path))
    if answer.ring_id:
        page.say(f"Both are in ring {answer.ring_id}.")
    page.say(answer.verdict)


def _beside(tie: "Tie") -> str:
    return "; ".join(part for part in (tie.value if tie.label else "", tie.place) if part)
