"""`linkage neo4j password`."""

import sys

import click

from linkage.commands.common import note, tell
from linkage.errors import NotFoundError, UsageError


@click.command(name="password")
@click.option("--copy", "to_clipboard", is_flag=True, help="Put it on the clipboard instead of showing it.")
def command(to_clipboard: bool) -> None:
    """Show or copy the local server's password.

    It is shown on a terminal only, so that it gets into no log or file by accident. Programs read its file.
    """
    from linkage import server

    path = server.password_file()
    password = server.stored_password()
    if not password:
        raise NotFoundError(f"There is no password at {path}: the server was never started.", "linkage neo4j up")
    if to_clipboard:
        program = server.copy(password, f"Run it on a terminal without --copy, or read the file {path}.")
        note(f"The password is on the clipboard ({program}).")
        return
    if not sys.stdout.isatty():
        raise UsageError(
            "The password is shown on a terminal only.", f"Use --copy, or let a program read the file {path}."
        )
    tell(password)
