"""`linkage config`. One file a command."""

from typing import Final

import click

from linkage.commands.lazy import LazyGroup

COMMANDS: Final[dict[str, str]] = {"show": "Show what each option is where none is given, and where that comes from."}


@click.group(name="config", cls=LazyGroup, lines=COMMANDS, package=__name__)
def command() -> None:
    """Show what each option is, and where that comes from."""
