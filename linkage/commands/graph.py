"""What the commands that talk to Neo4j share."""

import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from linkage.commands.common import fail, live, note
from linkage.text import safe

if TYPE_CHECKING:
    from linkage.graph import PublishReport
    from linkage.graph.publish import Progress

Function = TypeVar("Function", bound=Callable[..., Any])


def database_option(function: Function) -> Function:
    """`--database NAME`."""
    return click.option(
        "--database", metavar="NAME", help="The database in Neo4j; without it the user's home database."
    )(function)


def describe(report: "PublishReport") -> str:
    """What a publish did, in a line."""
    whole = f"{report.nodes:,} nodes and {report.relationships:,} relationships (scope {report.scope})"
    if not report.changed:
        return f"{report.uri}: {whole}; nothing changed"
    parts = [f"{report.created:,} created", f"{report.updated:,} updated", f"{report.removed:,} removed"]
    if report.kept:
        parts.append(f"{report.kept:,} left the case and stay as gone, for somebody attached something to them")
    return f"{report.uri}: {whole}; {', '.join(parts)}"


def progress(label: str) -> "AbstractContextManager[Progress]":
    """A bar with rate and time left on a terminal; elsewhere a line for each step."""
    if live():
        return _Bar(label)
    said: set[str] = set()

    def tell(step: str, _done: int, _total: int) -> None:
        if step not in said:
            said.add(step)
            note(f"{label}: {step}")

    return nullcontext(tell)


class _Bar(AbstractContextManager["Progress"]):
    def __init__(self, label: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._label = label
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(label, total=None, rate="")

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _tell(self, step: str, done: int, total: int) -> None:
        task = self._bar.tasks[0]
        rate = f"{task.speed:,.0f} rows/s" if task.speed else ""
        self._bar.update(
            self._task, description=safe(f"{self._label}: {step}"), completed=done, total=total or None, rate=rate
        )


def no_publish_option(function: Function) -> Function:
    """`--no-publish`."""
    return click.option(
        "--no-publish",
        is_flag=True,
        help="Leave Neo4j alone. Else the case is mirrored where LINKAGE_NEO4J_URI is set or the local server is up.",
    )(function)


def publish_after(case: Path, *, unless: bool, database: str | None = None) -> None:
    """Mirror the case when there is a Neo4j to mirror it into; what fails there is a warning, no error.

    Args:
        case: the case file, which the command has finished with.
        unless: do nothing.
        database: its name in Neo4j.
    """
    if unless:
        return
    from linkage.errors import LinkageError

    try:
        from linkage.graph import publish, target

        where = target(database)
        if where is None:
            return
        with progress("publish") as step:
            report = publish(case, where, progress=step)
    except LinkageError as exc:
        fail(f"Warning: the graph in Neo4j was not brought up to date. {exc.message}")
        fail(f"Hint: {exc.hint} Then: linkage neo4j publish --case {shlex.quote(str(case))}".replace("  ", " "))
        return
    note(f"Neo4j at {describe(report)}")
