"""Write `docs/commands.md` from the help texts: `python docs/generate.py`, or `make docs`."""

from pathlib import Path

import click

from linkage.commands import cli
from linkage.commands.settings import ENVIRONMENT
from linkage.errors import ExitCode

PAGE = Path(__file__).with_name("commands.md")

_CODES = {
    ExitCode.DONE: "done; also when there is nothing to report",
    ExitCode.INTERNAL: "our own fault: please report it",
    ExitCode.USAGE: "the command line does not fit",
    ExitCode.INPUT: "an input breaks the data contract",
    ExitCode.NOT_FOUND: "a file, case, run, ring or account does not exist",
    ExitCode.NEO4J: "Neo4j is unreachable or refused",
    ExitCode.CHECK_FAILED: "a check that was asked for failed",
    ExitCode.MACHINE: "the machine refused: disk, permission, memory, case in use",
    ExitCode.ALERT: "an alert fired",
    ExitCode.INTERRUPTED: "interrupted",
}


def commands_page() -> str:
    """The page, from `--help` of every command."""
    parts = [
        "# Commands",
        "Made from `--help` by `make docs`. Results go to stdout, everything else to stderr. `--json` prints one "
        "document with a `schema` name, `--jsonl` one object a line.",
        _help(cli, "linkage"),
    ]
    parts += _pages(cli, "linkage")
    parts += [
        "## Exit codes",
        "| code | meaning |\n|---|---|\n" + "\n".join(f"| {code.value} | {_CODES[code]} |" for code in ExitCode),
        "## Environment",
        "| variable | meaning |\n|---|---|\n"
        + "\n".join(f"| `{name}` | {meaning} |" for name, meaning in ENVIRONMENT.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _pages(group: click.Group, path: str) -> list[str]:
    """Heading and help of every command of a group, and of the groups in it."""
    parts: list[str] = []
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        parts += [f"## {path} {name}", _help(command, f"{path} {name}")]
        if isinstance(command, click.Group):
            parts += _pages(command, f"{path} {name}")
    return parts


def _help(command: click.Command, name: str) -> str:
    settings = {"max_content_width": 100, "terminal_width": 100}
    with click.Context(command, info_name=name, **{**cli.context_settings, **settings}) as context:
        return f"```\n{command.get_help(context)}\n```"


if __name__ == "__main__":
    PAGE.write_text(commands_page())
