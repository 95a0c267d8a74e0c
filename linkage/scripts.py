"""Who runs our SQL: DuckDB itself, or another engine that gets it translated (`linkage.spark`)."""

from typing import Protocol


class Scripts(Protocol):
    """Tables by name, and scripts over them in DuckDB's dialect."""

    def execute(self, query: str, /) -> object:
        """Run the statements of a script, one after the other."""
