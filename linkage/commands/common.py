"""Options that commands share, and how they speak: results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def case_option(function: Function) -> Function:
    """`--case FILE`, from the environment variable `LINKAGE_CASE`, else ./linkage.duckdb."""
    return click.option(
        "--case",
        type=click.Path(path_type=Path),
        envvar="LINKAGE_CASE",
        default=Path("linkage.duckdb"),
        show_default="./linkage.duckdb",
        show_envvar=True,
        help="The case file.",
    )(function)


def json_options(*, lines: bool = False) -> Callable[[Function], Function]:
    """`--json`, and for lists `--jsonl`."""

    def decorate(function: Function) -> Function:
        if lines:
            function = click.option("--jsonl", "as_jsonl", is_flag=True, help="One JSON object a line.")(function)
        return click.option("--json", "as_json", is_flag=True, help="One JSON document.")(function)

    return decorate


def limit_option(default: int | None, what: str) -> Callable[[Function], Function]:
    """`--limit N`."""
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        default=default,
        show_default=default is not None,
        help=f"At most so many {what}.",
    )


def plain(value: Any) -> Any:
    """A value as JSON has it: times are ISO 8601 in UTC."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + "Z"
    if isinstance(value, Path):
        return str(value)
    return value


def print_json(schema: str, document: Any) -> None:
    """One document with a `schema` name; a list becomes `{"schema", "rows"}`."""
    body = plain(document)
    whole = {"schema": f"linkage.{schema}/1", **(body if isinstance(body, dict) else {"rows": body})}
    click.echo(json.dumps(whole, indent=2, ensure_ascii=False))


def print_jsonl(rows: Iterable[Any]) -> None:
    """One object a line."""
    for row in rows:
        click.echo(json.dumps(plain(row), ensure_ascii=False))


def note(message: str) -> None:
    """Say something that is not the result."""
    click.echo(message, err=True)


def spinner(label: str) -> "AbstractContextManager[Callable[[str], None]]":
    """Show what is being done on a terminal; a line a step elsewhere. The block gets a function to name the step."""
    if not sys.stderr.isatty():
        return nullcontext(lambda step: note(f"{label}: {step}"))
    return _Spinner(label)


class _Spinner(AbstractContextManager[Callable[[str], None]]):
    def __init__(self, label: str) -> None:
        from rich.console import Console

        self._label = label
        self._status = Console(stderr=True).status(label)

    def __enter__(self) -> Callable[[str], None]:
        self._status.start()
        return lambda step: self._status.update(f"{self._label}: {step}")

    def __exit__(self, *_: object) -> None:
        self._status.stop()
