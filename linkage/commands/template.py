"""`linkage template`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import case_option, limit_option, note, output_options, print_json

if TYPE_CHECKING:
    from linkage.output import Page
    from linkage.templates import Template

SHOWN = 10
MODELS = 5

_MEANS = {
    "template": "prompts alike up to names, numbers and other slots",
    "opening": "prompts that begin alike",
    "ending": "prompts that end alike",
    "exact": "one prompt, word for word",
    "given": "a fingerprint as the provider gave it",
}


@click.command(name="template")
@click.argument("template_id", metavar="ID")
@case_option
@limit_option(None, f"accounts; {SHOWN} on a screen")
@output_options()
def command(template_id: str, case: Path, limit: int | None, as_json: bool) -> None:
    """Show who sends a template of prompts, how often and when.

    ID is template:…, opening:…, ending:… or exact:… as evidence shows it, its digits or the beginning of them, or a
    fingerprint of the provider's. A name from before later prompts joined two templates stays valid.
    """
    from linkage.templates import template

    found = template(case, template_id, limit=limit if limit or as_json else SHOWN)
    if as_json:
        print_json("template", found)
    else:
        _print(found)


def _print(found: "Template") -> None:
    from linkage.output import Page, day

    page = Page()
    page.say(f"{found.id}: {_MEANS[found.level]}")
    if found.alias:
        page.say(f"{found.alias} is now called so: later prompts joined the two.")
    if found.template:
        page.say(f"With other prompts it follows {found.template}.")
    page.say(found.verdict)
    page.say()
    seen = f", seen {day(found.first_seen)} to {day(found.last_seen)}" if found.first_seen else ""
    texts = f", {count(found.prompts, 'distinct prompt')}" if found.prompts > 1 else ""
    page.say(f"{count(found.exchanges, 'exchange')}{texts}{seen}")
    page.say(f"{count(found.accounts, 'account')} ({_often(found)})" if found.accounts else "No account sends it.")
    if any(use.model for use in found.models):
        page.say(f"Models: {_models(found)}")
    if found.first_seen:
        page.say(f"Hours (UTC): 0h {hour_line(found.hours)} 23h")
    if found.skeleton:
        page.say(f"Text: {found.skeleton}")
    if found.rings:
        rings = [f"{r.ring_id} ({r.sending:,} of its {r.accounts:,} members)" for r in found.rings[:MODELS]]
        page.say(f"Rings: {', '.join(rings)}{_more(len(found.rings) - MODELS)}")
    if found.aliases:
        page.say(f"Former names: {', '.join(found.aliases[:MODELS])}{_more(len(found.aliases) - MODELS)}")
    if found.senders:
        page.say()
        _print_senders(found, page)
    if found.rings:
        note(f"A ring that sends it: linkage ring {found.rings[0].ring_id}")


def _often(found: "Template") -> str:
    from linkage.model import HEAVY_USES

    parts = [(found.heavy, f"{HEAVY_USES} times or more"), (found.several, f"2 to {HEAVY_USES - 1} times")]
    return "; ".join(f"{often}: {n:,}" for n, often in [*parts, (found.once, "once")] if n)


def _models(found: "Template") -> str:
    shown = [f"{use.model or '(none given)'} {use.exchanges:,}" for use in found.models[:MODELS]]
    return ", ".join(shown) + _more(len(found.models) - MODELS)


def count(n: int, noun: str) -> str:
    """So many of something.

    >>> count(1, "exchange"), count(1200, "exchange")
    ('1 exchange', '1,200 exchanges')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _more(n: int) -> str:
    return f" and {n:,} more" if n > 0 else ""


def hour_line(hours: tuple[int, ...]) -> str:
    """A character for each hour, as high as its part of the greatest; a dot for none.

    >>> hour_line((0, 1, 4, 8))
    '·▁▄█'
    """
    highest = max(hours)
    return "".join("·" if not n else "▁▂▃▄▅▆▇█"[max(0, -(-8 * n // highest) - 1)] for n in hours)


def _print_senders(found: "Template", page: "Page") -> None:
    from linkage.output import day

    headings = [("account", "left"), ("exchanges", "right"), ("share", "right"), ("of", "right")]
    cells = [[s.account_id, f"{s.exchanges:,}", percent(s.share), f"{s.prompted:,}"] for s in found.senders]
    if not page.narrow:
        headings.append(("first seen", "left"))
        cells = [[*row, day(s.first_seen)] for row, s in zip(cells, found.senders, strict=True)]
    headings += [("last seen", "left"), ("ring", "left")]
    page.table(headings, [[*r, day(s.last_seen), s.ring_id or ""] for r, s in zip(cells, found.senders, strict=True)])
    if len(found.senders) < found.accounts:
        note(f"{len(found.senders)} of {found.accounts:,} accounts: --limit N shows so many.")


def percent(share: float) -> str:
    """A share; none is shown as nothing.

    >>> percent(0.184), percent(0.0004)
    ('18%', '<1%')
    """
    return f"{share:.0%}" if share >= 0.01 else "<1%"
