"""A connection to PostgreSQL: one transaction that can only read, and sees the same rows however often it looks.

TLS is settled here as libpq's `sslmode` says, and pg8000 (BSD, an extra) is given the socket. Nothing of a row is told
by an error: of what the server says, only that is repeated which it says of connecting.
"""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from linkage import posix, store
from linkage.errors import InputError, LinkageError, MachineError, NotFoundError, UsageError
from linkage.ingest.address import Address
from linkage.text import safe

# No rule of ours ends a long read, none hides rows (row security: rather fail), and no schema of the database's own
# stands between a name and what is meant by it.
_SETTINGS: Final = {
    "search_path": "",
    "row_security": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "lock_timeout": "10000",
    "synchronize_seqscans": "off",
    "TimeZone": "UTC",
}
_TLS_REQUEST: Final = struct.pack("!ii", 8, 80877103)
_CONNECTING: Final = ("08", "28", "3D", "53", "57")
"""Classes of SQLSTATE whose messages are about the connection, never about rows."""


class Database:
    """An open database.

    Attributes:
        address: where it is.
        failed: what broke a stream of rows, for whoever only sees that it broke.
    """

    def __init__(self, address: Address) -> None:
        """Connect.

        Raises:
            MachineError: it cannot be reached or refuses, or pg8000 is not installed.
            NotFoundError: there is no such database.
        """
        self.address = address
        self.failed: LinkageError | None = None
        native = _driver()
        with _telling(address):
            sock = self._sock = _socket(address)
            store.stoppable(self)
            try:
                self._con = native.Connection(
                    address.user,
                    host=address.host,
                    database=address.database,
                    password=address.password,
                    sock=sock,
                    ssl_context=False,
                    application_name="linkage",
                )
                sock.settimeout(None)
            except BaseException:
                sock.close()
                raise
            self._con.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            values = ", ".join(f"('{name}', '{value}')" for name, value in _SETTINGS.items())
            self._con.run(
                "SELECT pg_catalog.set_config(v.name, v.value, true) FROM (VALUES " + values + ") v(name, value) "
                "JOIN pg_catalog.pg_settings s ON s.name = v.name"
            )
            self._con.run("SAVEPOINT reading")

    def rows(self, sql: str) -> list[list[Any]]:
        """All rows of a query that gives few.

        Raises:
            InputError: it may not be read.
            MachineError: the connection broke.
        """
        with _telling(self.address):
            # Whatever was being read is given up, and what failed is forgotten.
            self._con.run("ROLLBACK TO SAVEPOINT reading")
            return self._con.run(sql) or []

    def declare(self, sql: str) -> None:
        """Begin to read a query, row by row: `fetch`. The one before is given up."""
        self.failed = None
        with _telling(self.address):
            self._con.run("ROLLBACK TO SAVEPOINT reading")
            self._con.run(f"DECLARE reading NO SCROLL CURSOR FOR {sql}")

    def fetch(self, rows: int) -> list[list[Any]]:
        """The next rows of what was declared; none at its end."""
        with _telling(self.address):
            return self._con.run(f"FETCH FORWARD {rows} FROM reading") or []

    def interrupt(self) -> None:
        """Hang up at once, from another thread: who waits for an answer gets none."""
        with suppress(Exception):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up; twice does no harm."""
        with suppress(Exception):
            self._con.close()


def _driver() -> ModuleType:
    try:
        from pg8000 import native  # noqa: PLC0415 (an extra: whoever reads files need not have it)
    except ImportError:
        raise MachineError(
            "Reading a PostgreSQL needs the package pg8000, which is not installed.",
            "Install it: pip install 'account-linkage[postgresql]'",
        ) from None
    return native  # type: ignore[no-any-return]


def _socket(address: Address) -> socket.socket:
    """A socket to the server, in TLS where that is wanted or offered."""
    if address.local:
        return posix.connect_local(f"{address.host}/.s.PGSQL.{address.port}", address.timeout)
    sock = socket.create_connection((address.host, address.port), address.timeout)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if address.sslmode == "disable":
        return sock
    try:
        context = _context(address)
        sock.sendall(_TLS_REQUEST)
        if sock.recv(1) == b"S":
            return context.wrap_socket(sock, server_hostname=address.host)
    except BaseException:
        sock.close()
        raise
    if address.sslmode in ("allow", "prefer"):
        return sock
    sock.close()
    raise MachineError(
        f"PostgreSQL at {safe(address)} does not speak TLS, and sslmode={address.sslmode} asks for it.",
        "Have it set up there (ssl = on); on a network that nobody else is on, sslmode=disable does without.",
    )


def _context(address: Address) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = address.sslmode == "verify-full"
    root = address.sslrootcert
    # With authorities at hand libpq looks at the certificate even where it is only asked for TLS.
    if not (address.sslmode.startswith("verify") or (address.sslmode == "require" and root)):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif root == "system":
        context.load_default_certs()
    elif root and Path(root).is_file():
        context.load_verify_locations(root)
    else:
        raise UsageError(
            f"sslmode={address.sslmode} needs the certificates to trust, and "
            + (f"there is no file {root}." if root else "there is no ~/.postgresql/root.crt."),
            "Say sslrootcert=FILE, or sslrootcert=system for the machine's own.",
        )
    if address.sslcert:
        # A password of the key is asked for nowhere: an empty one fails at once.
        context.load_cert_chain(address.sslcert, address.sslkey or None, password="")
    return context


@contextmanager
def _telling(address: Address) -> Iterator[None]:
    """Turn what driver, socket and server raise into a sentence."""
    try:
        yield
    except LinkageError:
        raise
    except Exception as exc:
        raise _told(exc, f"PostgreSQL at {safe(address)}", safe(address.user)) from None


def _told(exc: Exception, what: str, user: str) -> LinkageError:
    said = exc.args[0] if exc.args and isinstance(exc.args[0], dict) else {}
    code, message = str(said.get("C", "")), safe(said.get("M", ""))
    if code.startswith("28") or type(exc).__module__.partition(".")[0] == "scramp":
        return MachineError(
            f"{what} refused the user {user}{f': {message}' if message else ''}.",
            "Set PGPASSWORD, or add HOST:PORT:DATABASE:USER:PASSWORD to ~/.pgpass (chmod 600).",
        )
    if code == "3D000":
        return NotFoundError(f"{what}: {message}.")
    if code == "42501":
        return MachineError(f"{what}: {user} may not read all of a table.", "GRANT SELECT on it, or say #TABLE.")
    if code == "40001":
        return MachineError(
            f"{what} is a replica that dropped rows while they were read.",
            "Set hot_standby_feedback or max_standby_streaming_delay there, or read its primary.",
        )
    if code:
        shown = f": {message}" if code.startswith(_CONNECTING) else ""
        return MachineError(f"{what} gave up with SQLSTATE {safe(code)}{shown}.", "Its own log says more.")
    if isinstance(exc, ssl.SSLError):
        reason = getattr(exc, "verify_message", "") or exc.reason or "no TLS"
        return MachineError(f"{what}: TLS failed: {safe(reason)}.", "See sslmode and sslrootcert in libpq's manual.")
    if isinstance(exc, UnicodeDecodeError):
        return InputError(f"{what} holds text that is not UTF-8.", "Read a view that leaves such rows or columns out.")
    cause = exc if isinstance(exc, OSError) else exc.__cause__
    if isinstance(cause, OSError) or "network error" in str(exc):
        why = getattr(cause, "strerror", None) or ("no answer" if isinstance(cause, TimeoutError) else "it hung up")
        return MachineError(f"{what} cannot be reached: {safe(why)}.", "Is the address right, and is it up?")
    return MachineError(f"What answers is no PostgreSQL that linkage can talk to: {what}.", "Is the port right?")
