"""`linkage context show`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import case_option, note, output_options, print_json

if TYPE_CHECKING:
    from linkage.context.guess import Guess


@click.command(name="show")
@click.argument("values", metavar="[VALUE]…", nargs=-1)
@case_option
@output_options()
def command(values: tuple[str, ...], case: Path, as_json: bool) -> None:
    """Show the lists, or what they say of an address or domain.

    Of an address that the case has seen it also says what it looks like by how its accounts live, which counts for
    nothing.

    \b
      linkage context show                   the lists, and what the newest run made of each type
      linkage context show 203.0.113.7 …     what they say of addresses, networks (/24, /64) and mail domains
    """
    from linkage.context.shown import known, of_values

    if values:
        found = of_values(case, values)
        if as_json:
            print_json("context-values", [{"value": v, "place": place, "guess": guess} for v, place, guess in found])
            return
        from linkage.output import Page

        columns = [("value", "left"), ("the lists say", "left"), ("accounts", "right"), ("by the case", "prose")]
        said = [
            (value, place.words if place else "nothing", f"{guess.accounts:,}" if guess else "", _by_the_case(guess))
            for value, place, guess in found
        ]
        Page().table(columns, said)
        return
    tables, types = known(case)
    if as_json:
        print_json("context", {"tables": tables, "types": types})
        return
    if not tables:
        note("There are no lists yet. Add one: linkage context add asn FILE")
        return
    from linkage.output import Page

    page = Page()
    cells = [
        (t.source, f"{t.rows:,}", f"{t.rejected:,}", f"{t.overlaps:,}", f"{t.added_at:%Y-%m-%d}", ", ".join(t.files))
        for t in tables
    ]
    headings = [("list", "left"), ("rows", "right"), ("unread", "right"), ("overlaps", "right"), ("added", "left")]
    page.table([*headings, ("files", "left")], cells)
    if types:
        page.say()
        page.say("In the newest run: how likely two strangers at such values share one.")
        headings = [("type", "left"), ("kind", "left"), ("values", "right"), ("accounts", "right"), ("chance", "right")]
        page.table(
            [*headings, ("says", "left")],
            [
                (t.type, t.kind, f"{t.values:,}", f"{t.accounts:,}", f"{t.chance:.2g}", _who(estimated=t.estimated))
                for t in types
            ],
        )
    else:
        note("No run has used them yet: linkage detect")


def _by_the_case(guess: "Guess | None") -> str:
    if guess is None:
        return ""
    return f"{guess.words} (half of its accounts make {guess.share:.0%} or more of their traffic there)"


def _who(*, estimated: bool) -> str:
    return "the case" if estimated else "a judgement, since too few are there"
