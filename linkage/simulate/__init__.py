"""Worlds with known truth: an export of invented accounts with planted rings and innocent look-alikes.

`world` holds what all share, `people` makes ordinary accounts, `innocents` and `fraud` say what structures share,
`lives` writes them row by row, and `mix` puts them together. The same arguments give the same bytes. Nothing in it
belongs to a real person.
"""

from linkage.simulate.generate import WORLDS, SimulationReport, simulate

__all__ = ["WORLDS", "SimulationReport", "simulate"]
