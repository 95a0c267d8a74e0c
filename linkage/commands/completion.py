"""`linkage completion`."""

import click
from click.shell_completion import get_completion_class

from linkage.commands.common import tell


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands and options.

    Put the line of your shell into the file that it reads at its start:

    \b
      ~/.bashrc                   eval "$(linkage completion bash)"
      ~/.zshrc                    eval "$(linkage completion zsh)"
      ~/.config/fish/config.fish  linkage completion fish | source
    """
    made = get_completion_class(shell)
    assert made is not None
    for line in made(ctx.find_root().command, {}, "linkage", "_LINKAGE_COMPLETE").source().splitlines():
        tell(line)
