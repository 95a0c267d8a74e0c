"""`linkage runs`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from linkage.commands.common import case_option, limit_option, note, output_options, plain, print_json, print_jsonl


@click.command(name="runs")
@case_option
@limit_option(10, "runs")
@output_options(lines=True)
def command(case: Path, limit: int, as_json: bool, as_jsonl: bool) -> None:
    """Show the runs of detect with their parameters.

    The newest first, with counts and seconds. --json also has the versions of all packages and the seconds of each
    step.
    """
    from linkage.results import runs

    rows = runs(case, limit=limit)
    if as_json:
        print_json("runs", rows)
    elif as_jsonl:
        print_jsonl(rows)
    elif not rows:
        note("No run yet. Make one: linkage detect")
    else:
        from linkage.output import Page

        cells = [
            (
                r.run,
                plain(r.started_at),
                f"{r.seconds:.1f}",
                r.counts["listed"],
                ", ".join(f"{value:,} {key}" for key, value in r.counts.items()) + ". " + _listed(r.parameters),
            )
            for r in rows
        ]
        headings = [("run", "right"), ("started", "left"), ("seconds", "right"), ("rings", "right")]
        Page().table([*headings, ("counts and parameters", "prose")], cells)


def _listed(parameters: Mapping[str, Any]) -> str:
    """Names and values; what has parts of its own (`recalibration`) is told by them."""
    parts = []
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            parts.append(f"{name} ({_listed(value)})")
        elif value not in (None, ""):
            parts.append(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}")
    return ", ".join(parts)
