"""Who runs our SQL: DuckDB itself, or another engine that gets it translated (`linkage.spark`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import duckdb


class Scripts(Protocol):
    """Tables by name, and scripts over them in DuckDB's dialect."""

    def execute(self, query: str, /) -> object:
        """Run the statements of a script, one after the other."""


def room(con: duckdb.DuckDBPyConnection) -> int:
    """Bytes that the connection may take."""
    return int(con.execute("SELECT parse_formatted_bytes(current_setting('memory_limit'))").fetchall()[0][0])


def conditions(by: str, parts: int) -> list[str]:
    """Conditions that split rows into so many parts, equal values of `by` together."""
    return [f"hash({by}) % {parts} = {part}" for part in range(parts)] if parts > 1 else ["true"]


@contextmanager
def grouped(tables: Scripts, name: str, query: str, by: str, parts: int) -> Iterator[str]:
    """What stands behind FROM for a query that groups more rows than memory holds: it groups a part at a time.

    Args:
        tables: where.
        name: of the table that holds the parts during the block.
        query: a SELECT with `{part}` among its conditions.
        by: what the parts are told by: all rows of a group have the same.
        parts: how many; with one, the query stands for itself.
    """
    if parts == 1:
        yield f"({query.replace('{part}', 'true')})"
        return
    create(tables, name, query, by, parts)
    yield name
    tables.execute(f"DROP TABLE {name}")


def create(tables: Scripts, name: str, query: str, by: str, parts: int) -> None:
    """Make the table of what `query` gives, as `grouped` has it."""
    for number, condition in enumerate(conditions(by, parts)):
        head = f"INSERT INTO {name}" if number else f"CREATE TABLE {name} AS"
        tables.execute(f"{head} {query.replace('{part}', condition)}")
