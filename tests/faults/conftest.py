"""One lab for all modules."""

from tests.faults.lab import lab

__all__ = ["lab"]
