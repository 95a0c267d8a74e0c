"""Where a PostgreSQL is and how to get in, as libpq reads it: `postgresql://user@host:port/database?sslmode=require`.

What the address leaves open comes from PGHOST, PGPORT, PGUSER, PGDATABASE, PGSSLMODE, PGSSLROOTCERT, PGSSLCERT,
PGSSLKEY and PGCONNECT_TIMEOUT; the password from PGPASSWORD, else from the file PGPASSFILE or ~/.pgpass. Two things are
ours: a fragment names one table (`…/database#LiteLLM_SpendLogs`), and `schema`, which Prisma's addresses have, one
schema.

The address may hold a password, so no message repeats it.
"""

import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from linkage.errors import UsageError

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_SOCKETS: Final = "/var/run/postgresql"
_PARAMETERS: Final = frozenset(
    {"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout",
     "passfile", "schema"}
)  # fmt: skip
# Of the pools of Prisma and others: they say nothing of one connection.
_POOLS: Final = frozenset(
    {"application_name", "connection_limit", "pool_timeout", "pgbouncer", "statement_cache_size", "socket_timeout"}
)


@dataclass(frozen=True)
class Address:
    """A database and how to reach it.

    Attributes:
        host, port: a name, an address, or the folder of a Unix socket.
        database, user: in it, and as whom.
        password: never shown; "" where there is none.
        sslmode: one of `SSL_MODES`, as libpq means them.
        sslrootcert, sslcert, sslkey: files of PEM, or ""; `system` as the first: the machine's own authorities.
        timeout: seconds that connecting may take.
        schema, table: the only ones to look at, or "".
    """

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    sslmode: str
    sslrootcert: str
    sslcert: str
    sslkey: str
    timeout: float
    schema: str
    table: str

    @property
    def local(self) -> bool:
        """Whether it is reached by a Unix socket."""
        return self.host.startswith("/")

    def __str__(self) -> str:
        """For people: `db.example:5432/litellm`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{self.database}"


def read(text: str, environment: Mapping[str, str] = os.environ) -> Address:
    """The address that `text` says.

    Raises:
        UsageError: it is none, or asks for what is not done here.
    """
    parts, given = _split(text)

    def told(name: str, here: str | None, variable: str, otherwise: str) -> str:
        return given.get(name) or unquote(here or "") or environment.get(variable, "") or otherwise

    host = told("host", parts.hostname, "PGHOST", _SOCKETS if Path(_SOCKETS).is_dir() else "localhost")
    port = _number("port", told("port", _port(parts), "PGPORT", "5432"), 65535)
    user = told("user", parts.username, "PGUSER", "") or _login()
    database = told("dbname", parts.path.removeprefix("/"), "PGDATABASE", user)
    sslmode = told("sslmode", None, "PGSSLMODE", "prefer")
    if sslmode not in SSL_MODES:
        raise UsageError(f"sslmode is {sslmode!r}.", f"Choose one of: {', '.join(SSL_MODES)}.")
    home = Path(environment.get("HOME", "~")).expanduser() / ".postgresql"
    files = {
        name: told(name, None, variable, str(home / usual) if (home / usual).is_file() else "")
        for name, variable, usual in (
            ("sslrootcert", "PGSSLROOTCERT", "root.crt"),
            ("sslcert", "PGSSLCERT", "postgresql.crt"),
            ("sslkey", "PGSSLKEY", "postgresql.key"),
        )
    }
    password = told("password", parts.password, "PGPASSWORD", "")
    if not password:
        file = Path(told("passfile", None, "PGPASSFILE", str(home.parent / ".pgpass")))
        password = _from_file(file, ("localhost" if host == _SOCKETS else host, str(port), database, user))
    return Address(
        host=host,
        port=port,
        database=database,
        user=user,
        password=password,
        # As libpq does: whoever trusts the machine's authorities must have the name compared.
        sslmode="verify-full" if files["sslrootcert"] == "system" else sslmode,
        **files,
        timeout=_number("connect_timeout", told("connect_timeout", None, "PGCONNECT_TIMEOUT", "10"), 3600) or 10,
        schema=given.get("schema", ""),
        table=unquote(parts.fragment),
    )


def has_password(text: str) -> bool:
    """Whether an address holds a password, which stands in the list of processes while a command runs."""
    parts, given = _split(text)
    return bool(parts.password or given.get("password"))


def _split(text: str) -> tuple[SplitResult, dict[str, str]]:
    try:
        parts = urlsplit(text)
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        hosts = parts.netloc.rpartition("@")[2]
    except ValueError:
        raise UsageError("That is no address of a PostgreSQL.", _FORM) from None
    if "," in hosts or "," in given.get("host", ""):
        raise UsageError("The address names several hosts.", "Name one; a replica will do.")
    if "\0" in unquote(text):
        raise UsageError("That is no address of a PostgreSQL.", _FORM)
    # Libpq's own: without them a connection is no weaker.
    weak = {name for name in ("channel_binding", "gssencmode") if given.get(name) in ("prefer", "disable")}
    unknown = sorted(given.keys() - _PARAMETERS - _POOLS - weak)
    if unknown:
        raise UsageError(
            f"The address has the parameter {unknown[0]!r}, which linkage does not know or cannot grant.",
            f"It knows: {', '.join(sorted(_PARAMETERS))}.",
        )
    return parts, given


_FORM: Final = "Write postgresql://USER@HOST:PORT/DATABASE, special characters as %XX."


def _port(parts: SplitResult) -> str:
    try:
        return str(parts.port or "")
    except ValueError:
        raise UsageError("The port in the address is no number from 1 to 65535.", _FORM) from None


def _number(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        raise UsageError(f"The {name} of the database is {text!r}, which is no number up to {most}.", _FORM)
    return int(text)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError("The address names no user.", _FORM) from None


def _from_file(path: Path, wanted: tuple[str, str, str, str]) -> str:
    """The password that a file of libpq's kind has for host, port, database and user; "" if none."""
    try:
        if path.stat().st_mode & 0o077 and os.name == "posix":
            raise UsageError(f"{path} may be read by others, so it is not used.", f"Run: chmod 600 {path}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    for line in lines:
        fields = [re.sub(r"\\(.)", r"\1", part) for part in re.findall(r"(?:^|:)((?:\\.|[^:\\])*)", line)]
        fits = len(fields) >= 5 and all(said in ("*", want) for said, want in zip(fields[:4], wanted, strict=True))
        if fits and not line.startswith("#"):
            return fields[4]
    return ""
