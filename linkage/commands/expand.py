"""`linkage expand`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import case_option, limit_option, note, output_options, print_json, print_jsonl

if TYPE_CHECKING:
    from linkage.expand import Expansion, Shared, Tied

SHOWN = 20


@click.command(name="expand")
@click.argument("start", metavar="FILE|RING")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Only evidence of this kind; may be repeated.")
@click.option(
    "--hops", type=click.IntRange(min=1), metavar="N", default=8, show_default=True, help="At most so many steps away."
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    metavar="X",
    default=0.05,
    show_default=True,
    help="List no lower scores.",
)
@case_option
@limit_option(None, f"accounts; {SHOWN} on a screen")
@output_options(lines=True)
def command(
    start: str,
    kinds: tuple[str, ...],
    hops: int,
    min_score: float,
    case: Path,
    limit: int | None,
    as_json: bool,
    as_jsonl: bool,
) -> None:
    """Rank who is tied to accounts that are known to be bad.

    FILE holds their ids, one a line or in a CSV column account_id; RING is an id, the start of one, or a rank. A file
    of that name comes first; "#1" is a rank, where a file is called 1.

    The score, 0 to 1, is how sure the model is that the hand behind them runs an account too. It is there to order
    accounts; it is no measured rate, and no verdict. What anyone can fake at no cost ranks nobody by itself, nor
    does living alike. With --kind only values count, and neither how accounts live nor the groups of the newest run.
    """
    from linkage.expand import expand, seeds_of

    seeds, ring_id = seeds_of(case, start)
    shown = limit if limit or as_json or as_jsonl else SHOWN
    found = expand(case, seeds, kinds=kinds, hops=hops, least=min_score, limit=shown, ring_id=ring_id)
    if as_json:
        print_json("expansion", found)
    elif as_jsonl:
        print_jsonl(found.accounts)
    else:
        _print(found)
    if found.unknown and not as_json:
        names = ", ".join(found.unknown[:5]) + (", …" if len(found.unknown) > 5 else "")
        note(f"The case does not know {len(found.unknown):,} of the accounts: {names}")
    if found.untied:
        note(f"{found.untied:,} of the accounts share nothing with anybody.")


def _print(found: "Expansion") -> None:
    from linkage.output import Page, score

    of = f"ring {found.ring_id}, " if found.ring_id else ""
    page = Page()
    if not found.accounts:
        page.say(f"Nobody else is tied to {of}{found.seeds:,} known accounts.")
        return
    page.say(f"{found.found:,} accounts are tied to {of}{found.seeds:,} known accounts.")
    headings = [("#", "right"), ("account", "left"), ("score", "right"), ("hops", "right"), ("status", "left")]
    cells = [
        (row.rank, row.account_id, score(row.score), row.hops, _status(row), row.ring_id or "", _why(row))
        for row in found.accounts
    ]
    page.table([*headings, ("ring", "left"), ("by", "prose")], cells)
    if found.found > len(found.accounts):
        note("There are more: --limit N shows so many.")
    first = found.accounts[0]
    if first.ring_id:
        note(f"Where the first one stands: linkage ring {shlex.quote(first.ring_id)}")


def _status(row: "Tied") -> str:
    return "banned" if row.banned else row.status or ""


def _why(row: "Tied") -> str:
    parts = ["; ".join(_shared(value) for value in row.shared[:3])] if row.shared else []
    if row.group_bits:
        parts.append(f"in one group with known accounts ({row.group_bits:.1f} bits)")
    if abs(row.alike) >= 0.05:
        parts.append(f"lives {'alike' if row.alike > 0 else 'differently'} ({row.alike:+.1f} bits)")
    if row.path:
        parts.append("by way of " + " — ".join(row.path[1:]))
    if row.doubt:
        parts.append(row.doubt)
    return ". ".join(parts)


def _shared(value: "Shared") -> str:
    seeds = f"{value.seeds:,} known, " if value.seeds else ""
    return f"{value.kind} {value.label or value.value} ({seeds}{value.others:,} others, {value.bits:.1f} bits)"
