"""How `linkage ring` shows why and why not: waterfalls, strongest values, the weakest bridge, the verdict."""

from itertools import groupby
from typing import TYPE_CHECKING, Any

from linkage.ring_decided import decided

if TYPE_CHECKING:
    from linkage.context.model import Place
    from linkage.output import Page
    from linkage.results import EvidenceRow, Ring
    from linkage.ring_why import RingWhy


def print_kinds(why: "RingWhy", page: "Page") -> None:
    """The waterfall by kind, and what the ring would be without each."""
    from linkage.output import bar, score

    if not why.kinds:
        page.say("What each kind brings was not kept by this run. See it after: linkage detect")
        return
    net, width = why.found.ring.bits, 10 if page.narrow else 20
    total = sum(row.bits for row in why.kinds)
    reached, cells = 0.0, []
    for row in why.kinds:
        cells.append(
            (
                row.kind,
                f"{row.values:,}",
                f"{row.members:,}",
                f"{row.bits:+.2f}",
                bar(reached, row.bits, total, width),
                score(row.score_without),
                f"{row.members_without:,}",
            )
        )
        reached += row.bits
    owed = bar(net, why.prior, total, width).replace("█", "░")
    cells.append(("prior", "", "", f"{-why.prior:+.2f}", owed, "", ""))
    page.say("By kind, in bits of an average member; score and members still tied if the kind counted for nothing.")
    headings = [("kind", "left"), ("values", "right"), ("members", "right"), ("bits", "right"), ("", "left")]
    page.table([*headings, ("score without", "right"), ("tied", "right")], cells)
    page.say(f"Together {net:.1f} bits beyond the prior, the bits that two strangers need.")


def print_values(why: "RingWhy", page: "Page", limit: int | None) -> None:
    """The strongest values, and how many more there are of each kind."""
    page.say("Evidence, in bits of an average member; in: members who share it, out: other accounts that do.")
    cells = [
        (kind, members, others, f"{bits:+.2f}", value)
        for kind, members, others, bits, value in _lines(why.found, limit)
    ]
    page.table(
        [("kind", "left"), ("in", "right"), ("out", "right"), ("bits", "right"), ("value", "left")],
        cells,
    )


def _lines(found: "Ring", limit: int | None) -> list[tuple[str, str, str, float, str]]:
    """Kind, members, outsiders, bits and value: the strongest values one by one, of the rest a sum for each kind."""
    evidence, known = found.evidence, found.known
    lines = [
        (e.kind, f"{e.accounts:,}", f"{e.outsiders:,}", e.bits, _value(e, known.get((e.kind, e.value))))
        for e in evidence[:limit]
    ]
    rest = sorted(evidence[len(lines) :], key=lambda e: e.kind)
    sums = [(kind, list(rows)) for kind, rows in groupby(rest, key=lambda e: e.kind)]
    more = [(kind, "", "", sum(e.bits for e in rows), f"{len(rows):,} more") for kind, rows in sums]
    return lines + sorted(more, key=lambda line: (-line[3], line[0]))


def _value(row: "EvidenceRow", place: "Place | None") -> str:
    """What to call a value, and in parentheses what is known of it beside that."""
    beside = "; ".join(part for part in (row.value if row.label else "", place.words if place else "") if part)
    return f"{row.label or row.value} ({beside})" if beside else row.value


def print_score(why: "RingWhy", page: "Page") -> None:
    """The waterfall of the score."""
    from linkage.output import score

    r = why.found.ring
    page.say(f"Score {score(r.score)}, step by step, in bits:")
    cells = [(f"{step.bits:+.2f}", f"{step.total:+.2f}", step.name, step.words) for step in why.factors]
    page.table([("bits", "right"), ("so far", "right"), ("factor", "left"), ("", "prose")], cells)


def print_doubts(why: "RingWhy", page: "Page") -> None:
    """What it hangs on, what speaks against it, and what would change the verdict."""
    if why.bridge:
        page.say(f"Weakest bridge: {why.bridge.sentence}")
    doubts = why.found.ring.doubts
    page.say(f"Doubts: {doubts or 'nothing in the exports speaks for an innocent explanation.'}")
    said = " ".join(part for part in (why.verdict, _strongest(why)) if part)
    if said:
        page.say(f"What would change the verdict: {said}")


def print_decided(found: "Ring", page: "Page") -> None:
    """Who is in or out by decision, and what would have counted if it were not allowed."""
    for line in decided(found):
        page.say(line)


def _strongest(why: "RingWhy") -> str:
    from linkage.output import score

    row = why.strongest
    if row is None:
        return ""
    tied = f"{row.members_without:,} of {why.found.ring.accounts:,} members"
    return (
        f"Without its strongest value, {row.kind} {row.value}, its score would be {score(row.score_without)} and "
        f"{tied} would still be tied."
    )


def document(why: "RingWhy") -> dict[str, Any]:
    """The answer as `--json` has it: what belongs to the ring, then why and why not."""
    return {**vars(why.found), **{name: value for name, value in vars(why).items() if name != "found"}}
