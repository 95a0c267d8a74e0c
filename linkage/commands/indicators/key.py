"""`linkage indicators key`."""

from pathlib import Path

import click

from linkage.commands.common import PATH, note, tell


@click.command(name="key")
@click.argument("path", metavar="FILE", type=PATH)
def command(path: Path) -> None:
    """Make a key to share with one partner.

    FILE gets 32 random bytes and can be read by its owner only; a file that is there is never overwritten. Give it to
    the partner by a safe way, and use another one for each partner: whoever has it can try out values.
    """
    from linkage.indicators import make_key

    tell(f"{path}: key {make_key(path).id}")
    note("The partner's file must show the same id. Keep it secret: whoever has it can try out values.")
