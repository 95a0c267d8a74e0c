"""`linkage why`."""

from pathlib import Path

import click

from linkage.commands.common import case_option, json_options, print_json


@click.command(name="why")
@click.argument("account")
@click.argument("other_account")
@case_option
@json_options()
def command(account: str, other_account: str, case: Path, as_json: bool) -> None:
    """Show what ties two accounts.

    Each shared identifier with its bits, the path between them if they share nothing, or that nothing ties them.
    """
    from linkage.why import why

    answer = why(case, account, other_account)
    if as_json:
        print_json("why", answer)
        return
    from linkage.output import console, safe, table

    out = console()
    if answer.ties:
        cells = [
            (
                t.kind,
                f"{t.label} ({t.value})" if t.label else t.value,
                f"{t.accounts:,}",
                f"{t.bits:.1f}",
                f"{t.counted:.1f}",
                t.note,
            )
            for t in answer.ties
        ]
        headings = [("kind", "left"), ("value", "left"), ("accounts", "right"), ("bits alone", "right")]
        out.print(table([*headings, ("counted", "right"), ("note", "wrap")], cells))
        out.print(f"Together {answer.bits:.1f} bits; two strangers need {answer.prior:.1f}.", markup=False)
    if answer.path:
        out.print(safe("Path: " + " — ".join(answer.path)), markup=False)
    if answer.ring_id:
        out.print(safe(f"Both are in ring {answer.ring_id}."), markup=False)
    out.print(safe(answer.verdict), markup=False)
