"""Rings: candidate groups, judged, explained and ranked.

`judge` measures every candidate (`features`), scores it (`score`), says why and why not (`explain`), tells members from
bystanders (`members`) and gives it an id that lives on (`identity`).
"""

from linkage.rings.judge import Judged, judge

__all__ = ["Judged", "judge"]
