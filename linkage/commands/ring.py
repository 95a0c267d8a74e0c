"""`linkage ring`."""

import shlex
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import case_option, note, output_options, print_json

if TYPE_CHECKING:
    from linkage.output import Page
    from linkage.results import EvidenceRow, Ring

SHOWN = 20
EVIDENCE = 12


@click.command(name="ring")
@click.argument("ring_id", metavar="RING")
@case_option
@click.option("--all", "everything", is_flag=True, help="All members, evidence and bystanders, not the first 20.")
@output_options()
def command(ring_id: str, case: Path, everything: bool, as_json: bool) -> None:
    """Show one ring: members, evidence, bystanders, doubts.

    RING is an id, the start of one, or a rank from `linkage rings`.
    """
    from linkage.results import ring

    found = ring(case, ring_id)
    if as_json:
        print_json("ring", found)
    else:
        _print(found, everything=everything)


def _print(found: "Ring", *, everything: bool) -> None:
    from linkage.output import Page, day, q_value, score

    page = Page()
    r = found.ring
    below = "" if r.listed else ", below the line"
    page.say(f"Ring {r.ring_id}: rank {r.rank}, score {score(r.score)}, q {q_value(r.q_value)}, {r.status}{below}")
    seen = f", seen {day(r.first_seen)} to {day(r.last_seen)}" if r.first_seen else ""
    page.say(f"{r.accounts:,} accounts, {r.exchanges:,} exchanges{seen}")
    page.say()
    page.say(f"Why: {r.why}")
    page.say(f"Doubts: {r.doubts or 'nothing in the exports speaks for an innocent explanation.'}")
    if found.decisions:
        last = found.decisions[-1]
        tags = f" [{', '.join(last.tags)}]" if last.tags else ""
        page.say(f"Decided: {last.verdict} by {last.by or 'somebody'}, {day(last.at)}{tags}. {last.note}".rstrip())
    page.say()
    _print_evidence(found, page, None if everything else EVIDENCE)
    page.say()
    _print_members(found, page, None if everything else SHOWN)
    if found.bystanders:
        page.say()
        _print_bystanders(found, page, None if everything else SHOWN)
    if len(found.members) > 1:
        pair = sorted(member.account_id for member in found.members[:2])
        note(f"Two of them: linkage why {shlex.join(pair)}    All as files: linkage export DIR")


def _print_evidence(found: "Ring", page: "Page", limit: int | None) -> None:
    from linkage.output import bar

    total = sum(row.bits for row in found.evidence)
    width = 10 if page.narrow else 20
    reached = 0.0
    cells = []
    for kind, members, others, bits, value in _evidence_lines(found.evidence, limit):
        cells.append((kind, members, others, f"{bits:+.2f}", bar(reached, bits, total, width), value))
        reached += bits
    prior = total - found.ring.bits
    owed = bar(found.ring.bits, prior, total, width).replace("█", "░")
    cells.append(("prior", "", "", f"{-prior:+.2f}", owed, "needed by two strangers"))
    page.say("Evidence, in bits of an average member; in: members who share it, out: other accounts that do.")
    headings = [("kind", "left"), ("in", "right"), ("out", "right"), ("bits", "right"), ("", "left")]
    page.table([*headings, ("value", "left")], cells)
    page.say(f"Together {found.ring.bits:.1f} bits beyond the prior.")


def _evidence_lines(evidence: Sequence["EvidenceRow"], limit: int | None) -> list[tuple[str, str, str, float, str]]:
    """Kind, members, outsiders, bits and value: the strongest values one by one, of the rest a sum for each kind."""
    lines = [
        (e.kind, f"{e.accounts:,}", f"{e.outsiders:,}", e.bits, f"{e.label} ({e.value})" if e.label else e.value)
        for e in evidence[:limit]
    ]
    rest = sorted(evidence[len(lines) :], key=lambda e: e.kind)
    sums = [(kind, list(rows)) for kind, rows in groupby(rest, key=lambda e: e.kind)]
    more = [(kind, "", "", sum(e.bits for e in rows), f"{len(rows):,} more") for kind, rows in sums]
    return lines + sorted(more, key=lambda line: (-line[3], line[0]))


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
