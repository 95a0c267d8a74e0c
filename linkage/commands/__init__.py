"""The command line. One file a command, loaded when it is called: `linkage --help` imports click and nothing else."""

import os
import sys
from pathlib import Path
from typing import Any, Final

import click

from linkage import __version__
from linkage.commands import settings
from linkage.commands.common import PATH, fail
from linkage.commands.interrupts import interruptible
from linkage.commands.lazy import LazyGroup
from linkage.errors import ExitCode, LinkageError, translate

# Name of each command and its line in `linkage --help`; the module of the same name has the rest.
COMMANDS: Final = {
    "ingest": "Read account exports into the case file.",
    "rejects": "List or export the rows that were set aside.",
    "aliases": "Show how sources name accounts, and what no alias joins.",
    "detect": "Find rings of accounts by what they share.",
    "rings": "Show the rings, the first to look at first.",
    "review": "Show which ring is next and why, or decide on one.",
    "allow": "Let an identifier link nobody, or list what is allowed.",
    "ring": "Show one ring: why and why not, members, evidence, bystanders.",
    "why": "Show what ties two accounts.",
    "changes": "Tell what became of the rings since an earlier run.",
    "expand": "Rank who is tied to accounts that are known to be bad.",
    "impact": "Show what a block would hit, and what to block.",
    "template": "Show who sends a template of prompts, how often and when.",
    "templates": "List the templates that accounts share or one follows.",
    "context": "Say whose network an address is of, from lists that you have.",
    "hubs": "Show the identifiers that were damped, and why.",
    "runs": "Show the runs of detect with their parameters.",
    "neo4j": "Mirror the case into Neo4j, and look after a local server.",
    "open": "Open Neo4j Browser on a ring.",
    "query": "Ask an investigator's question in Neo4j.",
    "report": "Write the rings as one HTML page that works offline.",
    "export": "Write rings, members and evidence as files.",
    "indicators": "Compare identifiers with a partner, as keyed hashes.",
    "audit": "List what was done to the case, by whom and when.",
    "forget": "Erase accounts from the case and from what is made of it.",
    "evaluate": "Compare the rings with a known truth.",
    "simulate": "Make an export with planted rings and look-alikes.",
    "config": "Show what each option is, and where that comes from.",
    "doctor": "Check the machine, the case and Neo4j, and say what to do.",
    "completion": "Print what makes a shell complete commands and options.",
}

# They must work, or say what is wrong, where the configuration does not hold.
_WITHOUT_CONFIG: Final = ("doctor", "completion")


@click.group(cls=LazyGroup, lines=COMMANDS, package=__name__, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="linkage")
@click.option(
    "--config",
    type=PATH,
    metavar="FILE",
    show_default="./linkage.toml, if there is one",
    help="Options that hold where none is given.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """Find rings of accounts that share payment methods, IPs, devices and prompts.

    \b
    Three commands to begin with:
      linkage ingest exports/     read account exports into ./linkage.duckdb
      linkage detect              find rings
      linkage rings               look at them

    A ring is a lead for a person, with its evidence and its doubts; it is no verdict.
    """
    try:
        path = settings.config_file(config)
        if path is not None:
            ctx.default_map = settings.defaults(cli, path)
    except LinkageError as exc:
        if ctx.invoked_subcommand not in _WITHOUT_CONFIG:
            raise
        ctx.obj = exc


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit: see `errors.ExitCode` for the codes."""
    sys.exit(run(argv))


def run(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. Errors go to stderr in one sentence and a hint."""
    with interruptible() as interrupted:
        try:
            result: Any = cli.main(argv, prog_name="linkage", standalone_mode=False)
            sys.stdout.flush()
        except (click.exceptions.Abort, KeyboardInterrupt):
            return _interrupted()
        except click.ClickException as exc:
            exc.show()
            return exc.exit_code
        except (BrokenPipeError, SystemExit):
            # The reader (head, less) has seen enough; click exits by itself then. What is still buffered must not
            # raise again at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.DONE
        except Exception as exc:
            if interrupted():
                # The database engine turns an interrupt into errors of several types.
                return _interrupted()
            if os.environ.get("LINKAGE_DEBUG"):
                raise
            error: LinkageError = translate(exc)
            fail(f"Error: {error.message}")
            for line in error.details:
                fail(f"  {line}")
            if error.hint:
                fail(f"Hint: {error.hint}")
            return error.exit_code
    return int(result) if isinstance(result, int) else ExitCode.DONE


def _interrupted() -> int:
    fail("Interrupted.")
    fail("Hint: What was finished is kept; run the same command again.")
    return ExitCode.INTERRUPTED
