"""`linkage review`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import (
    PATH,
    by_option,
    case_option,
    limit_option,
    note,
    output_options,
    print_json,
    tell,
    user,
)

if TYPE_CHECKING:
    from linkage.decisions import Decision
    from linkage.review import Due

VERDICTS = ("confirm", "dismiss", "watch", "split", "open")


@click.command(name="review")
@click.argument("ring", required=False)
@click.argument("verdict", required=False, type=click.Choice(VERDICTS))
@click.option("--note", "text", default="", metavar="TEXT", help="Why, in your words.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A label; may be repeated.")
@by_option("Who decides")
@click.option("--member", "members", multiple=True, metavar="ACCOUNT", help="Decide on this member; may be repeated.")
@click.option("--members", "file", type=PATH, metavar="FILE", help="Decide on these members: an id a line, or CSV.")
@click.option("--until", default=None, metavar="DATE", help="Until then alone: a date, a time (UTC), or 12h, 90d, 4w.")
@click.option("--list", "whole", is_flag=True, help="The whole queue, not the next ring alone.")
@click.option("--conflicts", "disputed", is_flag=True, help="Rings on which Neo4j and this command last disagreed.")
@case_option
@limit_option(None, "rings of --list; 20 on a screen")
@output_options()
def command(
    ring: str | None, verdict: str | None, text: str, tags: tuple[str, ...], by: str | None,
    members: tuple[str, ...], file: Path | None, until: str | None, whole: bool, disputed: bool, case: Path,
    limit: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Show which ring is next and why, or decide on one.

    \b
      linkage review                    the next ring, and why it is next
      linkage review RING               what was decided on a ring: who, when, on which run
      linkage review RING confirm       decide: confirm, dismiss, watch, or open (takes it back)
      linkage review RING dismiss --member A    A does not belong with the others; confirm: it does; watch: a note
      linkage review RING split --member A --member B    A and B are a ring of their own, apart from the others

    \b
      linkage review 1 confirm --note "three cards, one template"

    RING is an id, the start of one, or a rank. Nothing is overwritten: decisions are appended, and the latest counts,
    whether it was made here or in Neo4j. Later runs remember it, and a ring comes back into the queue when it changed.
    From the next run on, members of a confirmed ring stay together, and what was decided on members is obeyed.
    """
    if (whole or disputed) and ring:
        raise click.UsageError("--list and --conflicts are about all rings; leave RING out.")
    if verdict is None and (text or tags or by or members or file or until):
        raise click.UsageError(
            "--note, --tag, --by, --member, --members and --until go with a verdict: "
            "linkage review RING confirm --note …"
        )
    if verdict == "split" and not (members or file):
        raise click.UsageError("Who is to be split off? Name them: --member ACCOUNT, or --members FILE")
    if disputed:
        _conflicts(case, as_json=as_json)
    elif ring is None:
        _queue(case, whole=whole, limit=limit, as_json=as_json)
    elif verdict is None:
        _history(case, ring, as_json=as_json)
    else:
        from linkage.review import decide
        from linkage.seeds import read_accounts

        named = [*members, *(read_accounts(file) if file else ())]
        made = decide(
            case, ring, verdict, note=text, tags=tags, by=user() if by is None else by, members=named, until=until
        )
        if as_json:
            print_json("decision", made or {})
        elif made is None:
            note("The last decision says the same; nothing was added.")
        else:
            tell(_said(made))
            if made.members or made.verdict in ("confirm", "open"):
                note("Later runs obey it: linkage detect")
            note(f"Evidence to hand on: linkage ring {shlex.quote(made.ring_id)} --packet DIR    Next: linkage review")


def _queue(case: Path, *, whole: bool, limit: int | None, as_json: bool) -> None:
    from linkage.review import queue

    due = queue(case)
    if as_json:
        print_json("review", due[:limit] if whole else due[:1])
    elif not due:
        note("No ring waits for a decision. All of them: linkage rings")
    elif whole:
        from linkage.output import Page, score

        cells = [
            (d.ring.rank, d.ring.ring_id, score(d.ring.score), d.ring.status, f"{d.ring.accounts:,}", d.reason)
            for d in due[: limit or 20]
        ]
        headings = [("#", "right"), ("ring", "left"), ("score", "right"), ("status", "left"), ("accounts", "right")]
        Page().table([*headings, ("why", "prose")], cells)
        if len(due) > len(cells):
            note("There are more: --limit N shows so many.")
    else:
        _next(case, due[0], len(due))


def _next(case: Path, due: "Due", waiting: int) -> None:
    from linkage.output import Page, score
    from linkage.ring_why import ring_why
    from linkage.summary import paragraph

    page, ring = Page(), due.ring
    why = ring_why(case, ring.ring_id)
    page.say(f"Ring {ring.ring_id}: rank {ring.rank}, score {score(ring.score)}, {ring.status}")
    page.say(f"Next because: {due.reason}.")
    if due.decision is not None:
        page.say(_said(due.decision))
    page.say()
    page.say(paragraph(why.summary))
    page.say()
    if ring.doubts:
        page.say(f"Doubts: {ring.doubts}")
        page.say()
    name = shlex.quote(ring.ring_id)
    note(f"Look: linkage ring {name}    Decide: linkage review {name} confirm|dismiss|watch --note …")
    if waiting > 1:
        note(f"{waiting - 1:,} more wait: linkage review --list")


def _history(case: Path, ring: str, *, as_json: bool) -> None:
    from linkage.decisions import history
    from linkage.review import find

    ring_id, _ = find(case, ring)
    made = history(case, ring_id)
    if as_json:
        print_json("decisions", made)
    elif not made:
        note(f"Nobody decided on {ring_id} yet.")
    for one in () if as_json else made:
        tell(_said(one))


def _conflicts(case: Path, *, as_json: bool) -> None:
    from linkage.review import conflicts

    found = conflicts(case)
    if as_json:
        print_json("conflicts", found)
    elif not found:
        note("Neo4j and this command agree on every ring.")
    for one in () if as_json else found:
        tell(f"{one.ring_id}: {_said(one.counts)} It counts. Before: {_said(one.other)}")


def _said(decision: "Decision") -> str:
    where = "" if decision.source == "linkage" else f" in {decision.source}"
    tags = f" [{', '.join(decision.tags)}]" if decision.tags else ""
    said = (
        f"{decision.words} by {decision.by or 'somebody'}{where}, {decision.at:%Y-%m-%d %H:%M}, on run {decision.run}"
    )
    return f"{said}{tags}. {decision.note}".rstrip()
