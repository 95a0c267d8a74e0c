"""`linkage audit`: what was done to the case. One file a command."""

from pathlib import Path
from typing import Final

import click

from linkage.commands.common import case_option, limit_option, note, output_options, print_json, print_jsonl
from linkage.commands.lazy import LazyGroup

COMMANDS: Final[dict[str, str]] = {
    "verify": "Check that nothing in the audit was changed, removed or moved.",
}


@click.group(name="audit", cls=LazyGroup, lines=COMMANDS, package=__name__, invoke_without_command=True)
@case_option
@limit_option(20, "entries, the newest")
@output_options(lines=True)
@click.pass_context
def command(ctx: click.Context, case: Path, limit: int, as_json: bool, as_jsonl: bool) -> None:
    """List what was done to the case, by whom and when.

    \b
      linkage audit             the newest 20 entries
      linkage audit verify      whether nothing was changed, removed or moved

    What writes to the case or takes rings out of it leaves an entry: ingest, detect, review, allow, context, export,
    report, packets, publish, forget. Entries name rings, runs and files, but hold no value of an account. They stand in
    the case and in CASE.audit.jsonl, each chained to the one before under the case's key.
    """
    if ctx.invoked_subcommand is not None:
        return
    from linkage.audit import entries

    found = entries(case)
    rows = [{**vars(entry), "facts": _facts(entry.facts)} for entry in found[-limit:]]
    if as_json:
        print_json("audit", rows)
    elif as_jsonl:
        print_jsonl(rows)
    elif not rows:
        note("Nothing was done to the case since it is audited.")
    else:
        from linkage.output import Page

        cells = [(e.number, f"{e.at:%Y-%m-%d %H:%M}", e.by, e.deed, _said(_facts(e.facts))) for e in found[-limit:]]
        headings = [("#", "right"), ("at (UTC)", "left"), ("by", "left"), ("deed", "left"), ("of what", "prose")]
        Page().table(headings, cells)
        if len(found) > len(rows):
            note(f"{len(found) - len(rows):,} older ones: --limit N")
        note(f"Head, to note elsewhere: {found[-1].head}")


def _facts(text: str) -> dict[str, object]:
    import json

    found: dict[str, object] = json.loads(text)
    return found


def _said(facts: dict[str, object]) -> str:
    parts = []
    for name, value in facts.items():
        if isinstance(value, (dict, list)):
            parts.append(f"{name} {len(value):,}")
        elif name != "digest":
            parts.append(f"{name} {value:,}" if isinstance(value, int) and value is not True else f"{name} {value}")
    return ", ".join(parts)
