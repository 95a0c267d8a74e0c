"""`linkage indicators`: compare identifiers with a partner without showing them. One file a command."""

from typing import Final

import click

from linkage.commands.lazy import LazyGroup

COMMANDS: Final[dict[str, str]] = {
    "key": "Make a key to share with one partner.",
    "match": "Show which of our identifiers a partner's bundle knows.",
}


@click.group(name="indicators", cls=LazyGroup, lines=COMMANDS, package=__name__)
def command() -> None:
    """Compare identifiers with a partner, as keyed hashes.

    Both hold one key. One exports a bundle (linkage export DIR --format stix --key FILE), the other asks which of
    its own identifiers are in it.
    """
