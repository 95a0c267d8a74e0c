"""`linkage audit verify`."""

from pathlib import Path

import click

from linkage.commands.common import case_option, note, output_options, print_json, tell
from linkage.errors import CheckFailedError


@click.command(name="verify")
@case_option
@click.option("--head", default="", metavar="N:CODE", help="A head that you noted: the audit must still hold it.")
@output_options()
def command(case: Path, head: str, as_json: bool) -> None:
    """Check that nothing in the audit was changed, removed or moved.

    The chain of the case and of CASE.audit.jsonl, that both say the same, and that decisions and allowances are as they
    were recorded. Exit code 6 where they are not.

    What it cannot find: that the newest entries were removed from both at once, unless you give it a head that you
    noted elsewhere; and what somebody wrote who has the key.
    """
    from linkage.audit_check import check

    found = check(case, head)
    if as_json:
        print_json("audit_check", found)
    elif found.head:
        tell(f"{found.entries:,} entries, head {found.head}")
    else:
        tell("No entries.")
    if found.findings:
        raise CheckFailedError(
            f"The audit of {case} is not whole.", "A copy from before may tell what is missing.", found.findings
        )
    note("Nothing was changed, removed or moved. Note the head elsewhere: without it a missing end cannot be found.")
