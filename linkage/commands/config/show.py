"""`linkage config show`."""

from collections import Counter

import click

from linkage.commands import settings
from linkage.commands.common import note, output_options, print_json
from linkage.errors import NotFoundError


@click.command(name="show")
@click.argument("words", metavar="[COMMAND]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Also options that nobody has set.")
@output_options()
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Show what each option is where none is given, and where that comes from.

    What is typed goes first, then the environment, then the file (./linkage.toml, or --config FILE), then the default.
    No secret is shown.

    \b
      linkage config show                what the file and the environment set
      linkage config show neo4j publish  all options of one command
      linkage config show --all          all options of all commands
    """
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    path = settings.config_file(root.params["config"])
    found = settings.settings(root.command, path, dict(root.default_map or {}))
    if words:
        name = " ".join(words)
        if words not in settings.commands(root.command):
            raise NotFoundError(f"There is no command {name!r}.", "See them: linkage --help")
        found = [one for one in found if one.command == name]
    elif not everything:
        found = [one for one in found if one.source not in ("default", "not set")]
    variables = settings.environment()
    if as_json:
        print_json("config", {"file": path, "options": found, "environment": variables})
        return
    from linkage.output import Page

    cells = _cells(found, together=not words)
    cells += [("", name, value, "environment") for name, value in variables.items() if not words]
    if cells:
        headings = [("command", "left"), ("option", "left"), ("value", "left"), ("comes from", "left")]
        Page().table(headings, cells)
    note(f"File: {path}" if path else f"There is no file {settings.FILE} here; its form: docs/config.md")
    if not cells:
        note("Nothing is set: every option has its default. See them: linkage config show --all")


def _cells(found: list[settings.Setting], *, together: bool) -> list[tuple[str, ...]]:
    """A row for each option; for what many commands share one row in all, if it is `together`."""
    rows: list[tuple[str, ...]] = [(one.command, f"--{one.option}", _shown(one.value), one.source) for one in found]
    if not together:
        return rows
    times = Counter(row[1:] for row in rows)
    shared = [row[1:] for row in rows if row[1][2:] in settings.SHARED and times[row[1:]] > 2]
    return [("all with it", *row) for row in dict.fromkeys(shared)] + [row for row in rows if row[1:] not in shared]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
