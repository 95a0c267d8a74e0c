"""`linkage allow`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import by_option, case_option, note, output_options, print_json, tell, user

if TYPE_CHECKING:
    from linkage.allowances import Allowance


@click.command(name="allow")
@click.argument("kind", required=False)
@click.argument("value", required=False)
@click.option("--reason", default="", metavar="TEXT", help="Why; needed to allow something.")
@click.option("--until", default=None, metavar="DATE", help="Until then alone: a date, a time (UTC), or 12h, 90d, 4w.")
@by_option("Who allows it")
@click.option("--unseen", is_flag=True, help="Allow a value all the same that the case has never seen.")
@click.option("--take-back", "back", is_flag=True, help="Let it link accounts again.")
@click.option("--all", "everything", is_flag=True, help="List all that ever was allowed, and what took it back.")
@case_option
@output_options()
def command(
    kind: str | None, value: str | None, reason: str, until: str | None, by: str | None, unseen: bool, back: bool,
    everything: bool, case: Path, as_json: bool,
) -> None:  # fmt: skip
    """Let an identifier link nobody, or list what is allowed.

    \b
      linkage allow ip 203.0.113.7 --reason "our office" --until 90d
      linkage allow prompt template:00af… --reason "a public benchmark"
      linkage allow                              what is allowed
      linkage allow ip 203.0.113.7 --take-back

    KIND is a kind of identifier (payment, ip, device, prompt, …), VALUE is typed as in the exports: e-mails and what
    else is hashed are hashed here, too. From the next run on it ties no accounts, no groups and no null models, nor
    does a burst or a hand-off of an allowed prompt. It stays in `linkage hubs`, and `linkage ring` and `linkage why`
    say where it would have counted.

    An address that is allowed does not allow its network (ip_net), nor a network its addresses. Prompts of an allowed
    template count for nothing, with their openings and endings.
    """
    if kind is None:
        if reason or until or by or unseen or back:
            raise click.UsageError("Allow what? linkage allow KIND VALUE --reason TEXT")
        _list(case, everything=everything, as_json=as_json)
        return
    if value is None or everything:
        raise click.UsageError("It is: linkage allow KIND VALUE --reason TEXT; without both it lists what is allowed.")
    if back and (until or unseen):
        raise click.UsageError("--until and --unseen do not go with --take-back.")
    from linkage.allow import allow, take_back

    name = user() if by is None else by
    made = (
        take_back(case, kind, value, reason=reason, by=name)
        if back
        else allow(case, kind, value, reason=reason, by=name, end=until, unseen=unseen)
    )
    if as_json:
        print_json("allowance", made or {})
    elif made is None:
        note("The last one on it says the same; nothing was added.")
    else:
        tell(_said(made))
        note("Later runs obey it: linkage detect")


def _list(case: Path, *, everything: bool, as_json: bool) -> None:
    from linkage.allow import allowed

    found = allowed(case, everything=everything)
    if as_json:
        print_json("allowances", found)
    elif not found:
        note("Nothing is allowed.")
    for one in () if as_json else found:
        tell(_said(one))


def _said(one: "Allowance") -> str:
    end = f" until {one.until:%Y-%m-%d %H:%M}" if one.until else ""
    verb = "allowed" if one.allowed else "taken back"
    head = f"{one.kind} {one.value}: {verb}{end} by {one.by or 'somebody'}, {one.at:%Y-%m-%d %H:%M}"
    return f"{head}. {one.reason}".rstrip()
