"""`linkage context`: what lists that the user gives say of addresses and mail domains. One file a command."""

from typing import Final

import click

from linkage.commands.lazy import LazyGroup

COMMANDS: Final[dict[str, str]] = {
    "add": "Put a list of networks or mail domains into the case.",
    "show": "Show the lists, or what they say of an address or domain.",
    "remove": "Take a list out of the case.",
}


@click.group(name="context", cls=LazyGroup, lines=COMMANDS, package=__name__)
def command() -> None:
    """Say whose network an address is of, from lists that you have."""
