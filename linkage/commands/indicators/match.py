"""`linkage indicators match`."""

from pathlib import Path

import click

from linkage.commands.common import PATH, case_option, limit_option, note, output_options, print_json, print_jsonl


@click.command(name="match")
@click.argument("bundle", metavar="FILE", type=PATH)
@case_option
@click.option("--key", type=PATH, metavar="FILE", required=True, help="The key that you share with the partner.")
@limit_option(None, "identifiers; 50 on a screen")
@output_options(lines=True)
def command(bundle: Path, case: Path, key: Path, limit: int | None, as_json: bool, as_jsonl: bool) -> None:
    """Show which of our identifiers a partner's bundle knows.

    FILE is a STIX 2.1 bundle that the partner made with: linkage export DIR --format stix. All values that the case
    holds are compared, also those that one account alone has. A match is a reason to look, not a verdict.
    """
    from linkage.indicators import match, read_key

    found = match(case, bundle, read_key(key))
    for kind, many in found.withheld.items():
        note(f"Not compared: {many:,} indicators of kind {kind}, which this case does not hold in a form to compare.")
    if found.other_key:
        note(f"Passed over: {found.other_key:,} indicators under another key.")
    if found.revoked:
        note(f"Passed over: {found.revoked:,} indicators that the partner took back.")
    rows = found.known[:limit]
    if as_json:
        print_json("indicators-match", {**vars(found), "known": rows})
    elif as_jsonl:
        print_jsonl(rows)
    elif not rows:
        note(f"None of {found.indicators:,} indicators is known here.")
    else:
        from linkage.output import Page

        shown = rows if limit else rows[:50]
        note(f"{len(found.known):,} of {found.indicators:,} indicators are known here.")
        headings = [("kind", "left"), ("accounts", "right"), ("sure", "right"), ("rings", "left"), ("value", "left")]
        cells = [
            (k.kind, f"{len(k.accounts):,}", "" if k.confidence is None else k.confidence, _rings(k.rings), k.value)
            for k in shown
        ]
        Page().table(headings, cells)
        if len(shown) < len(rows):
            note("There are more: --limit N shows so many, --jsonl all, with their accounts.")


def _rings(rings: tuple[str, ...]) -> str:
    return f"{rings[0]} and {len(rings) - 1} more" if len(rings) > 1 else "".join(rings)
