"""What the refusals of a Neo4j server mean, in words for a person."""

import re
from typing import Final

OUT_OF_MEMORY: Final = "Neo.TransientError.General.OutOfMemory"

TOO_LITTLE_MEMORY: Final = re.compile("estimated memory|OutOfMemoryError|[Hh]eap space")
"""How procedures say so, whose error code is the same for every failure."""

CODES: Final[tuple[tuple[str, str, str], ...]] = (
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
        OUT_OF_MEMORY,
        "{at} has too little memory for this.",
        "Give it more: linkage neo4j up --heap 2g",
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
"""Beginnings of error codes, what they mean and what helps; `{at}` is the server. The first that fits counts."""
