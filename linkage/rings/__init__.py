"""Rings: candidate groups, judged, explained and ranked.

`assess` measures every candidate (`features`) and scores it (`score`), on arrays alone. `judge` says why and why not
(`explain`), tells members from bystanders (`members`) and gives each an id that lives on (`lineage`). `recalibrate`
learns from what people decided.
"""

from linkage.rings.assess import Assessed, assess
from linkage.rings.judge import Judged, evidence_of, judge
from linkage.rings.lineage import Earlier, lineage
from linkage.rings.profile import Profiles, profiles
from linkage.rings.recalibrate import Line, Recalibration, recalibrate

__all__ = [
    "Assessed",
    "Earlier",
    "Judged",
    "Line",
    "Profiles",
    "Recalibration",
    "assess",
    "evidence_of",
    "judge",
    "lineage",
    "profiles",
    "recalibrate",
]
