"""`linkage.toml`: what options are when neither the command line nor the environment says anything.

A table a command (`[detect]`, `[neo4j.publish]`), keys named as the long options, values as they would be typed. Keys
above all tables, `SHARED`, hold for every command that has the option. click's own `default_map` does the rest.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, Final

import click

from linkage import posix
from linkage.errors import NotFoundError, UsageError, translate

FILE: Final = Path("linkage.toml")
"""Looked for in the working folder."""

SHARED: Final = ("case", "database", "by", "no-publish", "quiet", "verbose")
"""Options that mean the same in every command that has them."""

ENVIRONMENT: Final = {
    "LINKAGE_CASE": "the case file, where `--case` is not given",
    "LINKAGE_PEPPER": "the secret for hashing prompts, e-mails and phones, instead of the key file",
    "LINKAGE_PEPPER_FILE": "a file of mode 0600 that holds that secret",
    "LINKAGE_NEO4J_URI": "the Neo4j to use, e.g. `bolt://host:7687`; else the local server, if it is up",
    "LINKAGE_NEO4J_USER": "its user; `neo4j` where it is not set",
    "LINKAGE_NEO4J_PASSWORD": "its password",
    "LINKAGE_NEO4J_PASSWORD_FILE": "a file that holds its password",
    "LINKAGE_NEO4J_BROWSER": "the address of its Neo4j Browser; else the usual one of its host",
    "LINKAGE_NEO4J_HOME": "where the local server's files lie; else in the user's data folder",
    "LINKAGE_NEO4J_CACHE": "where its jars lie; else in the user's cache folder",
    "LINKAGE_THREADS": "threads of the database engine; results do not depend on it",
    "LINKAGE_MEMORY": "about how much memory a command may take, such as 4GB; results do not depend on it",
    "LINKAGE_DEBUG": "set to 1 for a traceback where an error is our fault",
}
"""The variables that are read, and what each is."""

SECRETS: Final = ("LINKAGE_PEPPER", "LINKAGE_NEO4J_PASSWORD")
"""Those whose values are never shown."""

_SECRET_WORDS: Final = {
    "pepper": "Set LINKAGE_PEPPER_FILE or LINKAGE_PEPPER in the environment, or keep the key file beside the case.",
    "password": "Set LINKAGE_NEO4J_PASSWORD_FILE or LINKAGE_NEO4J_PASSWORD in the environment.",
    "passwd": "Set LINKAGE_NEO4J_PASSWORD_FILE or LINKAGE_NEO4J_PASSWORD in the environment.",
    "passphrase": "Set it in the environment, or in a file of its own that only you can read.",
    "secret": "Set it in the environment, or in a file of its own that only you can read.",
    "token": "Set it in the environment, or in a file of its own that only you can read.",
}

Way = tuple[str, ...]
"""The names that lead to a command, e.g. ("neo4j", "publish")."""


@dataclass(frozen=True)
class Setting:
    """What an option of a command is, where the command line does not say.

    Attributes:
        command: e.g. "neo4j publish".
        option: its long name, without the dashes.
        value: as it would be typed; None where it is not set.
        source: "linkage.toml" (the file's own path), the name of an environment variable, "default" or "not set".
    """

    command: str
    option: str
    value: Any
    source: str


def config_file(given: Path | None) -> Path | None:
    """The file that holds: the one that is `given`, else `FILE` where there is one.

    Raises:
        UsageError: the one in the working folder belongs to somebody else: in a shared folder anybody could lay one
            down, and so say where others' commands write.
    """
    if given is not None:
        return given
    try:
        owner = FILE.stat().st_uid
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise translate(exc, f"looking for {FILE}") from None
    if owner not in (0, posix.user_id()):
        raise UsageError(f"{FILE} in this folder belongs to somebody else.", f"If you trust it: --config ./{FILE}")
    return FILE


def defaults(root: click.Group, path: Path) -> dict[str, Any]:
    """The `default_map` that the file at `path` makes.

    Args:
        root: the group of all commands.
        path: a TOML file.

    Raises:
        NotFoundError, MachineError: it cannot be read.
        UsageError: it is no TOML, names a command or option that there is none of, or gives one no fitting value.
    """
    document = _read(path)
    found: dict[str, Any] = {}
    ways = commands(root)
    options = {way: _options(command) for way, command in ways.items()}
    for key, value in document.items():
        if key in SHARED:
            _share(path, key, value, options, ways, found)
        elif not isinstance(value, dict) or key not in {way[0] for way in ways}:
            raise _unknown(path, key, "", [*SHARED, *dict.fromkeys(way[0] for way in ways)])
    for key, value in document.items():
        if isinstance(value, dict):
            _fill(path, (key,), value, options, ways, found)
    return found


def commands(root: click.Group) -> dict[Way, click.Command]:
    """Every command and group below `root`, in the order of work."""
    return dict(_below(root, (), click.Context(root)))


def environment() -> dict[str, str]:
    """The variables that are set, each with its value, but `***` for a secret; of an address what may be shown."""
    found = {}
    for name in ENVIRONMENT:
        value = os.environ.get(name)
        if value is not None:
            found[name] = "***" if name in SECRETS else value.rpartition("@")[2] if name.endswith("_URI") else value
    return found


def unknown_variables() -> dict[str, str]:
    """Variables that begin as ours do and are none, each with the near name, or ""."""
    names = [name for name in sorted(os.environ) if name.startswith("LINKAGE_") and name not in ENVIRONMENT]
    return {name: next(iter(difflib.get_close_matches(name, ENVIRONMENT, n=1)), "") for name in names}


def _below(group: click.Group, way: Way, context: click.Context) -> Iterator[tuple[Way, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*way, name), command
        if isinstance(command, click.Group):
            yield from _below(command, (*way, name), context)


def settings(root: click.Group, path: Path | None, default_map: dict[str, Any]) -> list[Setting]:
    """What each option of each command is, and where that comes from.

    Args:
        root: the group of all commands.
        path: the file that `default_map` was read from.
        default_map: as `defaults` gives it.
    """
    found = []
    for way, command in commands(root).items():
        own: Any = default_map
        for name in way:
            own = own.get(name, {})
        context = click.Context(command, info_name=way[-1], default_map=own)
        for name, option in _options(command).items():
            value, source = option.consume_value(context, {})
            found.append(Setting(" ".join(way), name, *_told(option, value, source.name, path)))
    return found


def _told(option: click.Option, value: Any, source: str, path: Path | None) -> tuple[Any, str]:
    if source == "ENVIRONMENT":
        return value, str(option.envvar)
    if source == "DEFAULT_MAP":
        return value, str(path)
    # click has a value of its own for what is not set, which no other module may name.
    known = isinstance(value, (str, int, float, bool, Path)) and value is not None
    if option.is_flag and not known:
        return False, "default"
    return (value, "default") if known else (None, "not set")


def _options(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by their long names; not those that show something and end, such as `--help`."""
    found = {}
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_eager:
            longest = max((name for name in option.opts if name.startswith("--")), key=len, default="")
            if longest:
                found[longest[2:]] = option
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {path}.", "Name another with --config.") from None
    except OSError as exc:
        raise translate(exc, f"reading {path}") from None
    except RecursionError:
        raise UsageError(f"{path} is nested too deep.", "Its form: docs/config.md") from None
    # A number of thousands of digits is a plain ValueError.
    except ValueError as exc:
        # What the parser says names a place and a character, no value.
        raise UsageError(f"{path} is no TOML: {exc}.", "Its form: docs/config.md") from None


def _share(
    path: Path, key: str, value: Any, options: dict[Way, dict[str, click.Option]], ways: dict[Way, click.Command],
    found: dict[str, Any],
) -> None:  # fmt: skip
    for way, own in options.items():
        if key in own:
            _put(found, way, own[key], _checked(path, "", key, value, ways[way], own[key]))


def _fill(
    path: Path, way: Way, table: dict[str, Any], options: dict[Way, dict[str, click.Option]],
    ways: dict[Way, click.Command], found: dict[str, Any],
) -> None:  # fmt: skip
    own = options[way]
    below = [deeper[-1] for deeper in ways if deeper[:-1] == way]
    for key, value in table.items():
        if key in own:
            _put(found, way, own[key], _checked(path, ".".join(way), key, value, ways[way], own[key]))
        elif key in below and isinstance(value, dict):
            _fill(path, (*way, key), value, options, ways, found)
        else:
            raise _unknown(path, key, ".".join(way), [*own, *below])


def _put(found: dict[str, Any], way: Way, option: click.Option, value: Any) -> None:
    for name in way:
        found = found.setdefault(name, {})
    found[str(option.name)] = value


def _checked(path: Path, table: str, key: str, value: Any, command: click.Command, option: click.Option) -> Any:
    """The value, if the option could have it; the command line would say of itself what is wrong here."""
    if isinstance(value, (date, time)):
        value = value.isoformat()
    values = value if isinstance(value, list) and option.multiple else [value]
    wrong = [v for v in values if isinstance(v, (dict, list)) or isinstance(v, bool) is not bool(option.is_flag)]
    where = f"{path}, [{table}]" if table else str(path)
    if wrong:
        wanted = "true or false" if option.is_flag else "a list or one value" if option.multiple else "one value"
        raise UsageError(f"{where}: {key} must be {wanted}.", f"See: linkage {_spaced(table)}--help")
    given = values if option.multiple else value
    try:
        context = click.Context(command)
        option.process_value(context, given) if option.expose_value else option.type_cast_value(context, given)
    except click.BadParameter as exc:
        raise UsageError(f"{where}: {key}: {exc.message}", f"See: linkage {_spaced(table)}--help") from None
    return given


def _spaced(table: str) -> str:
    return f"{table.replace('.', ' ')} " if table else ""


def _unknown(path: Path, key: str, table: str, known: list[str]) -> UsageError:
    where = f"{path}, [{table}]" if table else str(path)
    for word, hint in _SECRET_WORDS.items():
        if word in key.lower():
            return UsageError(f"{where}: {key} is a secret, and none may stand in this file.", hint)
    near = difflib.get_close_matches(key.removeprefix("--"), known, n=1)
    what = f"the command {table.replace('.', ' ')} has no option" if table else "there is no command or shared option"
    if near:
        return UsageError(f"{where}: {what} {key!r}.", f"Did you mean {near[0]}?")
    return UsageError(f"{where}: {what} {key!r}.", f"There are: {', '.join(known)}.")
