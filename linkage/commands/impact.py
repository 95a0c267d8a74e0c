"""`linkage impact`."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import PATH, case_option, note, output_options, print_json, spinner

if TYPE_CHECKING:
    from linkage.impact import Blocked, Hit, Impact, Step
    from linkage.output import Page

SHOWN = 20


@click.command(name="impact")
@click.argument("start", metavar="RING|FILE")
@click.option("--block", "kinds", metavar="KIND", multiple=True, help="Only values of this kind; may be repeated.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.9,
    show_default=True,
    help="The part of the accounts to stop.",
)
@click.option(
    "--min-use",
    type=click.FloatRange(0, 1),
    metavar="X",
    default=0.5,
    show_default=True,
    help="An account is stopped if this part of its exchanges is.",
)
@click.option("--all", "everything", is_flag=True, help=f"All values to block, not the first {SHOWN}.")
@click.option("--plot", type=PATH, metavar="FILE", help="Draw the trade-off as FILE.svg or FILE.png.")
@case_option
@output_options()
def command(
    start: str,
    kinds: tuple[str, ...],
    share: float,
    min_use: float,
    everything: bool,
    plot: Path | None,
    case: Path,
    as_json: bool,
) -> None:
    """Show what a block would hit, and what to block.

    RING is an id, the start of one, or a rank; FILE holds account ids, one a line or in a CSV column account_id. A file
    of that name comes first; "#1" is a rank, where a file is called 1.

    It finds the values (payments, devices, addresses, …) that stop the share of the accounts while they hit the fewest
    accounts that are innocent as far as the case knows; of such sets the smallest. Nothing is blocked, nothing is
    written. It is about what was seen: whoever is blocked takes another address, and others may use it tomorrow.
    """
    from linkage.expand import seeds_of
    from linkage.impact import impact

    if plot is not None:
        from linkage.impact_plot import check

        check(plot)
    accounts, ring_id = seeds_of(case, start)
    with spinner("impact") as step:
        step("reading and choosing")
        found = impact(case, accounts, kinds=kinds, share=share, use=min_use, ring_id=ring_id)
    if as_json:
        print_json("impact", found)
    else:
        _print(found, None if everything else SHOWN)
    if plot is not None:
        from linkage.impact_plot import draw

        draw(found, plot)
        note(f"Drawn: {plot}")
    if found.unknown and not as_json:
        names = ", ".join(found.unknown[:5]) + (", …" if len(found.unknown) > 5 else "")
        note(f"The case does not know {len(found.unknown):,} of the accounts: {names}")
    if ring_id and not as_json:
        note(f"The ring: linkage ring {shlex.quote(ring_id)}")


def _print(found: "Impact", limit: int | None) -> None:
    from linkage.output import Page

    page = Page()
    of = f"Ring {found.ring_id}" if found.ring_id else "The list"
    banned = f", {found.banned:,} of them banned already" if found.banned else ""
    page.say(f"{of}: {found.accounts:,} accounts{banned}, {found.exchanges:,} exchanges.")
    page.say()
    page.say("If all that they have of a kind were blocked:")
    _print_hits(page, [("kind", "left")], [((kind,), hit) for kind, hit in found.kinds])
    page.say()
    page.say(_sentence(found))
    if found.blocked:
        page.say()
        _print_blocked(page, found.blocked[:limit])
        if limit and len(found.blocked) > limit:
            note(f"{limit} of {len(found.blocked):,} values: --all shows the rest, --json too.")
    page.say()
    page.say("The trade-off:")
    rows = [((f"{step.share:.0%}", step.need, _proof(step)), step.hit) for step in found.steps]
    _print_hits(page, [("share", "right"), ("to stop", "right"), ("fewest?", "left")], rows)
    page.say()
    page.say(
        "This counts what the exports saw. Whoever is blocked may come back with other values, cheap ones (addresses, "
        "prompts, user agents) within minutes. Whom a value would hit tomorrow is not known, nor whether an account "
        "that counts as innocent is."
    )


def _sentence(found: "Impact") -> str:
    step, many = found.asked, found.accounts
    if not found.blocked:
        return "No single value of these kinds stops any of the accounts."
    short = ""
    if step.need < step.share * many - 1e-6:
        short = (
            f"{step.share:.0%} cannot be stopped by single values of these kinds, {found.reachable:,} accounts can. "
        )
    hit = step.hit
    values = "One value stops" if hit.values == 1 else f"{hit.values:,} values stop"
    innocents = "no innocent account"
    if hit.innocents:
        accounts = "account" if hit.innocents == 1 else "accounts"
        innocents = f"{hit.innocents:,} innocent {accounts} with {hit.exchanges_innocents:,} exchanges"
    proof = {
        "yes": "No other choice hits fewer, nor as few with fewer values.",
        "": "It was chosen by a rule of thumb: a better choice may exist.",
    }.get(_proof(step), f"At best another choice hits {step.fewest or 0:,}.")
    return (
        f"{short}{values} {hit.stopped:,} of {many:,} accounts ({hit.stopped / many:.0%}) with {hit.exchanges:,} "
        f"exchanges, and {'hits' if hit.values == 1 else 'hit'} {innocents}. {proof}"
    )


def _proof(step: "Step") -> str:
    if step.optimal:
        return "yes"
    return "" if step.fewest is None else f"≥ {step.fewest:,}"


def _print_hits(page: "Page", first: list[tuple[str, str]], rows: "Sequence[tuple[tuple[object, ...], Hit]]") -> None:
    headings = [("values", "right"), ("stopped", "right"), ("exchanges", "right"), ("innocents", "right"),
                ("theirs", "right"), ("in rings", "right"), ("banned", "right")]  # fmt: skip
    cells = [
        [h.values, h.stopped, h.exchanges, h.innocents, h.exchanges_innocents, h.in_rings, h.banned] for _, h in rows
    ]
    # `theirs` are the exchanges of innocents.
    page.table(
        [*first, *headings], [[*head, *(f"{n:,}" for n in row)] for (head, _), row in zip(rows, cells, strict=True)]
    )


def _print_blocked(page: "Page", rows: "tuple[Blocked, ...]") -> None:
    headings = [("#", "right"), ("kind", "left"), ("stops", "right"), ("more", "right"), ("innocent", "right"),
                ("more", "right"), ("exchanges", "right"), ("value", "left")]  # fmt: skip
    cells = [
        (at, row.kind, f"{row.alone.stopped:,}", f"{row.stops_more:,}", f"{row.alone.innocents:,}",
         f"{row.hits_more:,}", f"{row.alone.exchanges:,}", _value(row))
        for at, row in enumerate(rows, start=1)
    ]  # fmt: skip
    page.table(headings, cells)


def _value(row: "Blocked") -> str:
    named = row.value if row.kind == "prompt" else row.label or row.value
    return f"{named} (changed at no cost)" if row.cheap else named
