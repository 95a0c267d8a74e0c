"""What the refusals of Neo4j and of its driver mean, in one sentence and a hint."""

import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from neo4j import exceptions

from linkage.errors import LinkageError, Neo4jError

if TYPE_CHECKING:
    from linkage.graph.driver import Target

# Else Python prints the driver's own warnings to stderr, beside our one sentence.
logging.getLogger("neo4j").addHandler(logging.NullHandler())


@contextmanager
def mapped(where: "Target") -> Iterator[None]:
    """Turn what the driver raises into a `Neo4jError` of one sentence; the server's own words may quote values."""
    try:
        yield
    except LinkageError:
        raise
    except (exceptions.Neo4jError, exceptions.DriverError, OSError, ValueError) as exc:
        # Ctrl-C amid a long parameter leaves half a message on the line: closing the session then fails as well.
        for cause in _causes(exc):
            if isinstance(cause, KeyboardInterrupt):
                raise cause from None
        raise explained(exc, where) from None


NO_ANSWER: Final = "does not answer"
"""What is said when the connection cannot be made, or breaks."""

_OUT_OF_MEMORY: Final = "Neo.TransientError.General.OutOfMemory"

# Graph Data Science says only in words that it refuses to start, or that its Java ran out of heap.
_TOO_LITTLE_MEMORY: Final = re.compile("estimated memory|OutOfMemoryError|[Hh]eap space")

# Beginnings of the server's error codes, and what they mean. The first that fits counts.
_CODES: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "Neo.ClientError.Security.Unauthorized",
        "{at} refused the user or the password.",
        "Set LINKAGE_NEO4J_USER and LINKAGE_NEO4J_PASSWORD, or LINKAGE_NEO4J_PASSWORD_FILE.",
    ),
    (
        "Neo.ClientError.Security.AuthenticationRateLimit",
        "{at} refuses log-ins for a while after too many wrong passwords.",
        "Wait some seconds, then try with the right one.",
    ),
    (
        "Neo.ClientError.Security.CredentialsExpired",
        "{at} wants a new password for this user first.",
        "Set one in Neo4j Browser, then LINKAGE_NEO4J_PASSWORD.",
    ),
    ("Neo.ClientError.Security", "{at} does not allow this user to do that.", "Use a user who may read and write."),
    (
        "Neo.ClientError.Database.DatabaseNotFound",
        "{at} has no database of that name.",
        "Leave --database out, or name one that exists.",
    ),
    (
        "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase",
        "The database at {at} is read-only.",
        "Let it be written to, or set LINKAGE_NEO4J_URI to another server.",
    ),
    (
        "Neo.ClientError.General.ForbiddenOnReadOnlyDatabase",
        "The database at {at} is read-only.",
        "Let it be written to, or set LINKAGE_NEO4J_URI to another server.",
    ),
    (
        "Neo.ClientError.Statement.AccessMode",
        "That query would write, and queries are only allowed to read.",
        "Run it in Neo4j Browser if you mean it.",
    ),
    (
        "Neo.ClientError.Statement",
        "{at} refused the query: its Cypher or a parameter does not fit.",
        "See the query: linkage query NAME --show",
    ),
    (
        "Neo.ClientError.Procedure.ProcedureNotFound",
        "{at} lacks a procedure that this needs.",
        "The local server has it: linkage neo4j up",
    ),
    (
        "Neo.ClientError.Schema",
        "What is in the database at {at} breaks a constraint of the schema.",
        "See which: linkage neo4j schema validate",
    ),
    (
        "Neo.ClientError.Transaction.TransactionTimedOut",
        "The query took too long at {at}.",
        "Ask for less: --param limit=…",
    ),
    (
        "Neo.TransientError.General.MemoryPool",
        "{at} has too little memory for this.",
        "Give it more: linkage neo4j up --heap 2g",
    ),
    (
        _OUT_OF_MEMORY,
        "{at} has too little memory for this.",
        "Give it more: linkage neo4j up --heap 2g",
    ),
    (
        "Neo.TransientError.General.DatabaseUnavailable",
        "The database at {at} is not available.",
        "See the server's log: linkage neo4j logs",
    ),
    (
        "Neo.TransientError.Database.DatabaseUnavailable",
        "The database at {at} is not available.",
        "See the server's log: linkage neo4j logs",
    ),
    (
        "Neo.DatabaseError",
        "The database at {at} failed on its side; its disk may be full.",
        "See the server's log (linkage neo4j logs), mend it, then run the same command again.",
    ),
)


def explained(exc: BaseException, where: "Target") -> LinkageError:
    """What an exception of the driver means, in one sentence and a hint."""
    at = f"Neo4j at {where.uri}"
    code = getattr(exc, "code", None) or ""
    if code == "Neo.ClientError.Procedure.ProcedureCallFailed" and _TOO_LITTLE_MEMORY.search(str(exc)):
        code = _OUT_OF_MEMORY
    for beginning, message, hint in _CODES:
        if code.startswith(beginning):
            return Neo4jError(message.format(at=at), hint)
    # The driver counts it among wrong settings: so it is looked for first.
    if isinstance(exc, exceptions.UnsupportedServerProduct):
        return Neo4jError(f"{at} is no Neo4j, or too old a one.", "Use Neo4j 5.26 or newer: linkage neo4j up")
    causes = list(_causes(exc))
    if any("looks like HTTP" in str(cause) for cause in causes):
        return Neo4jError(
            f"What answers at {where.uri} speaks HTTP, not Bolt.",
            f"Name the port of Bolt, most often 7687: see {where.source}.",
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Neo4jError(f"The host of {where.uri} is not known here.", f"See {where.source}, and the network.")
    if isinstance(exc, exceptions.ConfigurationError) or (isinstance(exc, ValueError) and not code):
        return Neo4jError(f"{at} cannot be used: the address or its settings do not fit.", f"See {where.source}.")
    if isinstance(exc, (exceptions.DriverError, OSError, exceptions.TransientError)):
        return Neo4jError(f"{at} {NO_ANSWER}.", "See if it runs: linkage neo4j status. Start it: linkage neo4j up")
    return Neo4jError(f"{at} refused ({code or type(exc).__name__}).", "See the server's log: linkage neo4j logs")


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """An exception and all that led to it: the driver wraps what the network said, also in groups."""
    found, seen = [exc], set[int]()
    while found:
        cause = found.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        found += [more for more in (cause.__cause__, cause.__context__) if more]
        if isinstance(cause, BaseExceptionGroup):
            found += cause.exceptions
