"""`linkage ring`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import PATH, case_option, limit_option, note, output_options, print_json, tell

if TYPE_CHECKING:
    from linkage.output import Page
    from linkage.results import Ring
    from linkage.ring_why import RingWhy

SHOWN = 20
EVIDENCE = 12


@click.command(name="ring")
@click.argument("ring_id", metavar="RING", required=False)
@case_option
@click.option("--all", "everything", is_flag=True, help="All members, evidence and bystanders, not the first 20.")
@click.option("--summary", "short", is_flag=True, help="One paragraph alone, to paste into a ticket.")
@click.option("--sources", is_flag=True, help="Instead, the files and lines of the exports that back it.")
@click.option("--packet", type=PATH, metavar="DIR", help="Instead, write a folder of evidence to hand on.")
@click.option("--check", is_flag=True, help="Make the packet in that folder again; exit with 6 if anything changed.")
@click.option("--exports", type=PATH, metavar="DIR", help="With --check: hash the exports that went in, too.")
@limit_option(None, "rows of each value and account: 3 with --sources, 20 with --packet, if not given")
@output_options()
def command(
    ring_id: str | None, case: Path, everything: bool, short: bool, sources: bool, packet: Path | None, check: bool,
    exports: Path | None, limit: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Show one ring: why and why not, members, evidence, bystanders.

    RING is an id, the start of one, or a rank from `linkage rings`.

    \b
      linkage ring 1                          all of it
      linkage ring 1 --summary                a paragraph for a ticket
      linkage ring 1 --packet DIR             evidence to hand on, as a folder
      linkage ring --packet DIR --check       later: does the case still say the same?
    """
    if (check and packet is None) or (exports and not check):
        raise click.UsageError("It is: linkage ring --packet DIR --check [--exports DIR]")
    if packet is not None and check:
        from linkage.commands.ring_packet import verify

        verify(case, packet, exports, ring_id, as_json=as_json)
        return
    if ring_id is None:
        raise click.UsageError("Which RING? Its id or rank: linkage rings")
    if packet is not None:
        from linkage.commands.ring_packet import make

        make(ring_id, case, packet, limit=limit, as_json=as_json)
        return
    if sources:
        from linkage.commands.ring_sources import show

        show(ring_id, case, limit=limit, everything=everything, as_json=as_json)
        return
    if limit is not None:
        raise click.UsageError("--limit goes with --sources and --packet; --all shows everything.")
    from linkage.commands.ring_why import document
    from linkage.ring_why import ring_why
    from linkage.summary import paragraph

    why = ring_why(case, ring_id)
    if short and as_json:
        text = paragraph(why.summary)
        print_json("ring-summary", {"ring_id": why.found.ring.ring_id, "text": text, "sentences": why.summary})
    elif short:
        tell(paragraph(why.summary))
    elif as_json:
        print_json("ring", document(why))
    else:
        _print(why, everything=everything)


def _print(why: "RingWhy", *, everything: bool) -> None:
    from linkage.commands.ring_why import print_decided, print_doubts, print_kinds, print_score, print_values
    from linkage.output import Page, day, q_value, score
    from linkage.summary import paragraph

    page, found = Page(), why.found
    r = found.ring
    below = "" if r.listed else ", below the line"
    page.say(f"Ring {r.ring_id}: rank {r.rank}, score {score(r.score)}, q {q_value(r.q_value)}, {r.status}{below}")
    seen = f", seen {day(r.first_seen)} to {day(r.last_seen)}" if r.first_seen else ""
    page.say(f"{r.accounts:,} accounts, {r.exchanges:,} exchanges{seen}")
    if found.decision:
        last = found.decision
        tags = f" [{', '.join(last.tags)}]" if last.tags else ""
        page.say(f"Decided: {last.words} by {last.by or 'somebody'}, {day(last.at)}{tags}. {last.note}".rstrip())
    page.say()
    # What the first sentence says stands above.
    page.say(paragraph(why.summary[1:]))
    page.say()
    print_kinds(why, page)
    page.say()
    print_values(why, page, None if everything else EVIDENCE)
    page.say()
    page.say(f"Why: {r.why}")
    print_doubts(why, page)
    print_decided(found, page)
    page.say()
    print_score(why, page)
    page.say()
    _print_members(found, page, None if everything else SHOWN)
    if found.bystanders:
        page.say()
        _print_bystanders(found, page, None if everything else SHOWN)
    if len(found.members) > 1:
        pair = sorted(member.account_id for member in found.members[:2])
        note(f"Two of them: linkage why {shlex.join(pair)}    Whom a block hits: linkage impact {r.ring_id}")
    if found.decisions:
        note(f"Evidence to hand on: linkage ring {r.ring_id} --packet DIR")
    else:
        note(f"Decide: linkage review {r.ring_id} confirm|dismiss|watch --note …")


def _print_members(found: "Ring", page: "Page", limit: int | None) -> None:
    from linkage.output import day, score

    shown = found.members[:limit]
    page.say(f"Members ({len(shown)} of {len(found.members):,}):" if len(shown) < len(found.members) else "Members:")
    headings = [("account", "left"), ("tier", "left"), ("confidence", "right"), ("exchanges", "right")]
    rows = [[m.account_id, m.tier, score(m.confidence), f"{m.exchanges:,}"] for m in shown]
    if not page.narrow:
        headings.append(("first seen", "left"))
        rows = [[*row, day(m.first_seen)] for row, m in zip(rows, shown, strict=True)]
    page.table([*headings, ("last seen", "left")], [[*r, day(m.last_seen)] for r, m in zip(rows, shown, strict=True)])


def _print_bystanders(found: "Ring", page: "Page", limit: int | None) -> None:
    shown = found.bystanders[:limit]
    of = f" ({len(shown)} of {len(found.bystanders):,})" if len(shown) < len(found.bystanders) else ""
    page.say(f"Bystanders{of}, who touch the ring and are no members:")
    cells = [(b.account_id, f"{b.bits:.1f}", b.reason) for b in shown]
    page.table([("account", "left"), ("bits", "right"), ("reason", "prose")], cells)
