"""`linkage evaluate`."""

from pathlib import Path

import click

from linkage.commands.common import PATH, case_option, output_options, print_json


@click.command(name="evaluate")
@click.argument("truth", type=PATH)
@case_option
@output_options()
def command(truth: Path, case: Path, as_json: bool) -> None:
    """Compare the rings with a known truth.

    TRUTH is a CSV file with the columns account_id and ring (empty for an innocent account). Flagged are the members
    of open, watched and confirmed rings.
    """
    from linkage.evaluate import Triple, evaluate_case

    found = evaluate_case(case, truth)
    if as_json:
        print_json("evaluation", found)
        return
    from linkage.output import Page

    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    def triple(name: str, value: Triple) -> tuple[str, str, str, str]:
        return name, number(value.precision), number(value.recall), number(value.f1)

    page = Page()
    page.say(
        f"{found.accounts:,} accounts, {found.fraudulent:,} of them in {found.true_rings:,} true rings; "
        f"{found.flagged:,} flagged in {found.rings:,} rings"
    )
    rows = [triple("accounts", found.account), triple("pairs", found.pairwise), triple("B-cubed", found.b_cubed)]
    headings = [("", "left"), ("precision", "right"), ("recall", "right"), ("F1", "right")]
    page.table(headings, rows)
    for name, value in (
        ("Ring recall at Jaccard 0.5", number(found.ring_recall_50)),
        ("Ring recall at Jaccard 0.8", number(found.ring_recall_80)),
        ("Average precision of the ranking", number(found.average_precision)),
        ("Innocent rings among the first 20", str(found.innocent_first)),
    ):
        page.say(f"{name}: {value}")
