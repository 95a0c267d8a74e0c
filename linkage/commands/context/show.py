"""`linkage context show`."""

from pathlib import Path

import click

from linkage.commands.common import case_option, note, output_options, print_json


@click.command(name="show")
@click.argument("values", metavar="[VALUE]…", nargs=-1)
@case_option
@output_options()
def command(values: tuple[str, ...], case: Path, as_json: bool) -> None:
    """Show the lists, or what they say of an address or domain.

    \b
      linkage context show                   the lists, and what the newest run made of each type
      linkage context show 203.0.113.7 …     what they say of addresses, networks (/24, /64) and mail domains
    """
    from linkage.context.shown import known, of_values

    if values:
        found = of_values(case, values)
        if as_json:
            rows = [{"value": value, **({} if place is None else vars(place))} for value, place in found]
            print_json("context-values", rows)
            return
        from linkage.output import Page

        headings = [("value", "left"), ("what is known", "left")]
        Page().table(headings, [(value, place.words if place else "nothing") for value, place in found])
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


def _who(*, estimated: bool) -> str:
    return "the case" if estimated else "a judgement, since too few are there"
