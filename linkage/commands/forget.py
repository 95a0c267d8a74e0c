"""`linkage forget`."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands.common import PATH, case_option, note, output_options, print_json, tell
from linkage.commands.graph import no_publish_option, publish_after
from linkage.errors import ExitCode

if TYPE_CHECKING:
    from linkage.forget import Forgetting
    from linkage.graph.erase import Held

_SHOWN = 5


@click.command(name="forget")
@click.argument("accounts", metavar="ACCOUNT...", nargs=-1)
@click.option("--accounts", "file", type=PATH, metavar="FILE", help="Erase these too: an id a line, or CSV.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be erased, write nothing.")
@case_option
@no_publish_option
@output_options()
def command(
    accounts: tuple[str, ...], file: Path | None, yes: bool, dry_run: bool, case: Path, no_publish: bool, as_json: bool
) -> int:
    """Erase accounts from the case and from what is made of it.

    \b
      linkage forget acct_58f058ce --dry-run
      linkage forget acct_58f058ce

    The case is written anew without them and takes the place of the old file, which is overwritten; so are the files of
    decisions and allowances beside it, and the store of the local Neo4j. Rings of past runs lose the member. What stays
    is a keyed hash, by which later exports leave their rows out. It cannot be undone.

    It does not reach what was taken out before: exports, reports, packets, backups, a Neo4j that somebody else looks
    after. Exit code 4 where the case does not know all of the accounts.
    """
    from linkage.audit import LOCAL
    from linkage.forget import forget, look, pending, settle
    from linkage.seeds import read_accounts

    named = [*accounts, *(read_accounts(file) if file else ())]
    plan = look(case, named)
    _announce(plan)
    if dry_run:
        if as_json:
            print_json("forget", {**asdict(plan), "done": False})
        return _code(plan)
    if not (yes or not plan.accounts):
        click.confirm(f"Erase {_accounts(plan)} from {case}? It cannot be undone.", abort=True, err=True)
    mirrored = LOCAL in plan.published and not no_publish and (plan.accounts or pending(case))
    held = _held(case) if mirrored else None
    done = forget(case, named)
    if done.accounts and not as_json:
        tell(f"{case}: erased {_accounts(done)}, {sum(done.rows.values()):,} rows")
    if pending(case) and not no_publish:
        _graphs(case, held)
        settle(case)
    if as_json:
        print_json("forget", {**asdict(done), "done": True})
    _remaining(done, no_publish=no_publish)
    return _code(done)


def _accounts(plan: "Forgetting") -> str:
    more = f", … ({len(plan.accounts):,})" if len(plan.accounts) > _SHOWN else ""
    noun = "account" if len(plan.accounts) == 1 else "accounts"
    return f"{noun} {', '.join(plan.accounts[:_SHOWN])}{more}"


def _code(plan: "Forgetting") -> int:
    return ExitCode.NOT_FOUND if plan.unknown else ExitCode.DONE


def _announce(plan: "Forgetting") -> None:
    if plan.unknown:
        note(f"Not in the case: {', '.join(plan.unknown[:_SHOWN])}{', …' if len(plan.unknown) > _SHOWN else ''}")
    if plan.before:
        note(f"Erased before: {', '.join(plan.before[:_SHOWN])}{', …' if len(plan.before) > _SHOWN else ''}")
    if plan.accounts:
        rows = ", ".join(f"{count:,} {table}" for table, count in plan.rows.items())
        note(f"Of {_accounts(plan)}: {rows or 'no rows'}")
    others = sorted(set(plan.names) - set(plan.accounts))
    if others:
        note(f"Other names of theirs: {', '.join(others)}")
    if plan.rings:
        note(f"Rings that lose a member: {', '.join(plan.rings)}")


def _held(case: Path) -> "Held | None":
    from linkage.commands.neo4j.progress import server_progress
    from linkage.graph.erase import local

    with server_progress() as told:
        return local(case, progress=told)


def _graphs(case: Path, held: "Held | None") -> None:
    from linkage.commands.graph import progress
    from linkage.commands.neo4j.progress import server_progress
    from linkage.graph.erase import elsewhere, remake

    if held is not None:
        with server_progress() as told, progress("publish") as step:
            erased = remake(case, held, progress=told, step=step)
        note(f"The local Neo4j was made anew; {erased / 1e6:,.1f} MB of the old store were overwritten.")
    where = elsewhere()
    if where is not None:
        publish_after(case, unless=False)


def _remaining(done: "Forgetting", *, no_publish: bool) -> None:
    from linkage.audit import FILES, LOCAL

    foreign = [uri for uri in done.published if uri not in (FILES, LOCAL)]
    if foreign:
        note(
            f"Warning: {', '.join(foreign)} is looked after by somebody else: old bytes may remain in its store, its "
            "transaction logs and its backups. Ask who looks after it to make it anew."
        )
    if no_publish:
        note(f"Neo4j was left alone. Then: linkage forget {shlex.quote((done.accounts + done.before)[0])}")
    if FILES in done.published:
        note("Warning: files for an import were written (publish --offline); they may hold them.")
    if done.others:
        note(f"Warning: beside the case, not rewritten: {', '.join(path.name for path in done.others)}")
    note("Exports, reports and packets from before, backups and the exports themselves are yours to delete.")
    if done.rings:
        note("Scores and reasons are those of the last run: linkage detect")
