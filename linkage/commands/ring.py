"""`linkage ring`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import case_option, json_options, note, print_json

if TYPE_CHECKING:
    from linkage.results import Ring

SHOWN = 20
EVIDENCE = 12


@click.command(name="ring")
@click.argument("ring_id", metavar="RING")
@case_option
@click.option("--all", "everything", is_flag=True, help="All members, evidence and bystanders, not the first 20.")
@json_options()
def command(ring_id: str, case: Path, everything: bool, as_json: bool) -> None:
    """Show one ring: members, evidence, bystanders, doubts.

    RING is an id, the start of one, or a rank from `linkage rings`.
    """
    from linkage.results import ring

    found = ring(case, ring_id)
    if as_json:
        print_json("ring", found)
    else:
        _print(found, None if everything else SHOWN)


def _print(found: "Ring", limit: int | None) -> None:
    from linkage.output import console, day, safe, score

    r = found.ring
    out = console()

    def say(line: str = "") -> None:
        out.print(safe(line), markup=False)

    say(f"Ring {r.ring_id}: rank {r.rank}, score {score(r.score)}, {r.status}{'' if r.listed else ', below the line'}")
    seen = f", seen {day(r.first_seen)} to {day(r.last_seen)}" if r.first_seen else ""
    say(f"{r.accounts:,} accounts, {r.exchanges:,} exchanges{seen}")
    say()
    say(f"Why: {r.why}")
    say(f"Doubts: {r.doubts or 'nothing in the exports speaks for an innocent explanation.'}")
    say()
    _print_evidence(found, limit, out, say)
    _print_members(found, limit, out, say)
    _print_bystanders(found, limit, out, say)
    if len(found.members) > 1:
        a, b = sorted(member.account_id for member in found.members[:2])
        note(f"Two of them: linkage why {safe(a)} {safe(b)}    All as files: linkage export DIR")


def _print_evidence(found, limit, out, say) -> None:  # type: ignore[no-untyped-def]
    from linkage.output import bar, day, table

    total = sum(e.bits for e in found.evidence)
    shown = found.evidence[: None if limit is None else EVIDENCE]
    rest = found.evidence[len(shown) :]
    cells = []
    reached = 0.0
    for e in shown:
        name = f"{e.label} ({e.value})" if e.label else e.value
        cells.append(
            (
                e.kind,
                name,
                f"{e.accounts:,}",
                f"{e.outsiders:,}",
                f"{e.bits:+.2f}",
                bar(reached, e.bits, total),
                day(e.last_seen),
            )
        )
        reached += e.bits
    if rest:
        more = sum(e.bits for e in rest)
        cells.append(("", f"{len(rest):,} more values", "", "", f"{more:+.2f}", bar(reached, more, total), ""))
    prior = total - found.ring.bits
    cells.append(
        (
            "",
            "needed by a stranger (prior)",
            "",
            "",
            f"{-prior:+.2f}",
            bar(found.ring.bits, prior, total).replace("█", "░"),
            "",
        )
    )
    say("Evidence, in bits that an average member has:")
    headings = [("kind", "left"), ("value", "left"), ("members", "right"), ("outsiders", "right"), ("bits", "right")]
    out.print(table([*headings, ("", "left"), ("last seen", "left")], cells))
    say(f"Together {found.ring.bits:.1f} bits beyond the prior.")
    say()


def _print_members(found, limit, out, say) -> None:  # type: ignore[no-untyped-def]
    from linkage.output import day, table

    shown = found.members[:limit]
    say(f"Members ({len(shown)} of {len(found.members):,}):" if len(shown) < len(found.members) else "Members:")
    cells = [
        (m.account_id, m.tier, f"{m.confidence:.2f}", f"{m.exchanges:,}", day(m.first_seen), day(m.last_seen))
        for m in shown
    ]
    headings = [("account", "left"), ("tier", "left"), ("confidence", "right"), ("exchanges", "right")]
    out.print(table([*headings, ("first seen", "left"), ("last seen", "left")], cells))
    say()


def _print_bystanders(found, limit, out, say) -> None:  # type: ignore[no-untyped-def]
    from linkage.output import table

    if not found.bystanders:
        return
    shown = found.bystanders[:limit]
    of = f" ({len(shown)} of {len(found.bystanders):,})" if len(shown) < len(found.bystanders) else ""
    say(f"Bystanders{of}, who touch the ring and are no members:")
    cells = [(b.account_id, f"{b.bits:.1f}", b.reason) for b in shown]
    out.print(table([("account", "left"), ("bits", "right"), ("reason", "wrap")], cells))
    say()
