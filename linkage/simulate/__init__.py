"""Worlds with known truth: an export of invented accounts with planted rings and innocent look-alikes.

`world` holds the tables, `people` fills them with ordinary life, `recipes` plants what must be found and what not.
The same seed gives the same bytes. Nothing in it belongs to a real person.
"""

from linkage.simulate.generate import SimulationReport, simulate

__all__ = ["SimulationReport", "simulate"]
