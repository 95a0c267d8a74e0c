"""Rings: candidate groups, judged, explained and ranked.

`assess` measures every candidate (`features`) and scores it (`score`), on arrays alone. `judge` says why and why not
(`explain`), tells members from bystanders (`members`) and gives each an id that lives on (`lineage`). `bind` obeys what
people decided on members, and `recalibrate` learns from what they decided on rings.
"""

from linkage.rings.assess import Assessed, assess
from linkage.rings.bind import Bond, Bound, bind
from linkage.rings.judge import Judged, evidence_of, judge
from linkage.rings.lineage import Earlier, lineage
from linkage.rings.profile import Profiles, profiles
from linkage.rings.recalibrate import Line, Recalibration, recalibrate

__all__ = [
    "Assessed",
    "Bond",
    "Bound",
    "Earlier",
    "Judged",
    "Line",
    "Profiles",
    "Recalibration",
    "assess",
    "bind",
    "evidence_of",
    "judge",
    "lineage",
    "profiles",
    "recalibrate",
]
