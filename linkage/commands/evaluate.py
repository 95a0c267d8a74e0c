"""`linkage evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import PATH, case_option, output_options, print_json

if TYPE_CHECKING:
    from linkage.calibration import Calibration
    from linkage.output import Page
    from linkage.structures import Structures


@click.command(name="evaluate")
@click.argument("truth", type=PATH)
@click.option(
    "--structures", type=PATH, help="A CSV file that says which tactic or innocent structure each account is of."
)
@click.option("--calibration", is_flag=True, help="Show scores beside the share of groups that are true.")
@case_option
@output_options()
def command(truth: Path, structures: Path | None, calibration: bool, case: Path, as_json: bool) -> None:
    """Compare the rings with a known truth.

    TRUTH is a CSV file with the columns account_id and ring (empty for an innocent account). Flagged are the members
    of open, watched and confirmed rings. The file of --structures has the columns account_id, structure, instance and
    ring (true or false), as linkage simulate writes it.
    """
    from linkage.evaluate import Triple, evaluate_case

    found = evaluate_case(case, truth, structures)
    if as_json:
        print_json("evaluation", found)
        return
    from linkage.output import Page

    def triple(name: str, value: Triple) -> tuple[str, str, str, str]:
        return name, _number(value.precision), _number(value.recall), _number(value.f1)

    page = Page()
    page.say(
        f"{found.accounts:,} accounts, {found.fraudulent:,} of them in {found.true_rings:,} true rings; "
        f"{found.flagged:,} flagged in {found.rings:,} rings"
    )
    rows = [triple("accounts", found.account), triple("pairs", found.pairwise), triple("B-cubed", found.b_cubed)]
    headings = [("", "left"), ("precision", "right"), ("recall", "right"), ("F1", "right")]
    page.table(headings, rows)
    error = found.calibration.error if found.calibration else None
    for name, value in (
        ("Ring recall at Jaccard 0.5", _number(found.ring_recall_50)),
        ("Ring recall at Jaccard 0.8", _number(found.ring_recall_80)),
        ("Average precision of the ranking", _number(found.average_precision)),
        ("Innocent rings among the first 20", str(found.innocent_first)),
        ("Expected calibration error of the score", _number(error)),
    ):
        page.say(f"{name}: {value}")
    if calibration and found.calibration:
        _show_calibration(page, found.calibration)
    if found.structures:
        _show_structures(page, found.structures)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _show_calibration(page: "Page", found: "Calibration") -> None:
    page.say("")
    page.table(
        [("score", "left"), ("groups", "right"), ("mean score", "right"), ("true", "right")],
        [
            (f"{bin.low:.1f}–{bin.high:.1f}", f"{bin.groups:,}", _number(bin.score), _number(bin.true / bin.groups))
            for bin in found.bins
            if bin.groups
        ],
    )


def _show_structures(page: "Page", found: "Structures") -> None:
    page.say("")
    page.table(
        [("fraud tactic", "left"), *((name, "right") for name in ("rings", "found", "accounts", "flagged", "recall"))],
        [
            (row.structure, f"{row.rings:,}", f"{row.rings_found:,}", f"{row.accounts:,}", f"{row.flagged:,}",
             _number(row.recall))
            for row in found.tactics
        ],
    )  # fmt: skip
    page.say("")
    names = ("instances", "hit", "half hit", "accounts", "flagged", "share")
    page.table(
        [("innocent structure", "left"), *((name, "right") for name in names)],
        [
            (row.structure, f"{row.instances:,}", f"{row.instances_hit:,}", f"{row.instances_half:,}",
             f"{row.accounts:,}", f"{row.flagged:,}", _number(row.share))
            for row in found.innocent
        ],
    )  # fmt: skip
