"""Options that commands share, and how they speak: results on stdout, everything else on stderr."""

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from linkage.text import safe, safe_json

if TYPE_CHECKING:
    from rich.progress import Progress

Function = TypeVar("Function", bound=Callable[..., Any])

PATH: Final = click.Path(path_type=Path, readable=False)
"""Of a path nothing is checked here: click would call one that may not be read a wrong option, exit code 2."""

MEMORY: Final = "LINKAGE_MEMORY"

_VOLUME: Final = "linkage.volume"


def case_option(function: Function) -> Function:
    """`--case FILE`, from the environment variable `LINKAGE_CASE`, else ./linkage.duckdb."""
    return click.option(
        "--case",
        type=PATH,
        envvar="LINKAGE_CASE",
        default=Path("linkage.duckdb"),
        show_default="./linkage.duckdb",
        show_envvar=True,
        help="The case file.",
    )(function)


def memory_option(function: Function) -> Function:
    """`--memory SIZE`, for the process and those that it starts: the environment variable `LINKAGE_MEMORY`."""

    def bound(ctx: click.Context, _: click.Parameter, given: str | None) -> None:
        if given is None:
            return
        before = os.environ.get(MEMORY)
        os.environ[MEMORY] = given
        ctx.call_on_close(lambda: os.environ.pop(MEMORY) if before is None else os.environ.update({MEMORY: before}))

    return click.option(
        "--memory",
        metavar="SIZE",
        envvar=MEMORY,
        show_envvar=True,
        show_default="most of the machine's",
        expose_value=False,
        callback=bound,
        help="About how much memory it may take, such as 4GB; what does not fit waits on disk beside the case.",
    )(function)


def by_option(what: str) -> Callable[[Function], Function]:
    """`--by NAME`: who it is that does `what`; without it the name that one is logged in as."""
    return click.option("--by", metavar="NAME", help=f"{what}; without it the name that you are logged in as.")


def user() -> str:
    """The name that one is logged in as, or ""."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def output_options(*, lines: bool = False) -> Callable[[Function], Function]:
    """`--json`, for lists `--jsonl`, and how much is said beside the result: `--quiet`, `--verbose`."""

    def set_volume(ctx: click.Context, param: click.Parameter, given: bool) -> None:
        if given:
            ctx.meta[_VOLUME] = -1 if param.name == "quiet" else 1

    def decorate(function: Function) -> Function:
        for name, text in (("verbose", "Say how long each step took."), ("quiet", "Say nothing but the result.")):
            function = click.option(
                f"-{name[0]}", f"--{name}", is_flag=True, expose_value=False, callback=set_volume, help=text
            )(function)
        if lines:
            function = click.option("--jsonl", "as_jsonl", is_flag=True, help="One JSON object a line.")(function)
        return click.option("--json", "as_json", is_flag=True, help="One JSON document.")(function)

    return decorate


def limit_option(default: int | None, what: str) -> Callable[[Function], Function]:
    """`--limit N`."""
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        metavar="N",
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
    click.echo(safe_json(json.dumps(whole, indent=2, ensure_ascii=False)))


def print_jsonl(rows: Iterable[Any]) -> None:
    """One object a line."""
    for row in rows:
        click.echo(safe_json(json.dumps(plain(row), ensure_ascii=False)))


def tell(line: str) -> None:
    """A line of the result."""
    click.echo(safe(line))


def note(line: str) -> None:
    """Say something that is not the result, unless `--quiet`."""
    if _volume() >= 0:
        click.echo(safe(line), err=True)


def detail(line: str) -> None:
    """Say something that only `--verbose` asks for."""
    if _volume() > 0:
        click.echo(safe(line), err=True)


def significance(nulls: int, floor: float, by_chance: float, kept: int = 0) -> None:
    """Say what null models say of the list of rings, `kept` of them an earlier run's; see `significance`."""
    if not nulls:
        note("No null model was searched (--nulls 0): rings are listed by score alone.")
        return
    models = f"{nulls} null models" + (f", {kept} of them kept from an earlier run" if kept else "")
    note(f"By chance: {by_chance:.2g} such rings on average ({models}). Least q-value: {floor:.2g}.")
    note('q answers "could chance link them?", never "are they guilty?".')


def recalibration(known: Mapping[str, Any]) -> None:
    """Say what people's decisions make of the scores; see `linkage.rings.Recalibration`."""
    found = f"{known['confirmed']:,} confirmed and {known['dismissed']:,} dismissed rings"
    gone = f" ({known['gone']:,} decided rings are not found any more)" if known["gone"] else ""
    losses = f"log loss {known['loss_before']} bits a ring before, {known['loss_after']} after, left out one by one"
    if known["unchanged"] == "too few":
        note(f"Scores are unchanged: {found} are too few to recalibrate by{gone}. It takes 5 of each.")
    elif known["unchanged"]:
        note(f"Scores are unchanged: {found} foretell no better{gone}: {losses}.")
    else:
        note(
            f"Scores are recalibrated by {found}{gone}: bits × {known['slope']} {known['offset']:+}; {losses}. "
            "Take it back: linkage detect"
        )


def decided(bound: Mapping[str, int] | None, allowed: int | None) -> None:
    """Say what people's decisions changed about who is in which ring; see `linkage.detect.DetectReport`."""
    if bound:
        note(
            f"Decisions that bind: {bound['decisions']:,}. They brought {bound['joined']:,} accounts into a ring, and "
            f"took {bound['left']:,} out of one."
        )
    if allowed:
        note(f"Allowed, and so left out: {allowed:,} shared identifiers. See them: linkage allow")


def fail(line: str) -> None:
    """Say what went wrong, even under `--quiet`."""
    click.echo(safe(line), err=True)


def live() -> bool:
    """Whether progress is drawn: on a terminal, unless `--quiet`."""
    return sys.stderr.isatty() and _volume() >= 0


def _volume() -> int:
    context = click.get_current_context(silent=True)
    return int(context.meta.get(_VOLUME, 0)) if context else 0


def bytes_bar() -> "Progress":
    """A bar on stderr with bytes, rate and time left, which goes when it is done."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def spinner(label: str) -> "AbstractContextManager[Callable[[str], None]]":
    """Show what is being done on a terminal; a line a step elsewhere. The block gets a function to name the step."""
    if not live():
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
