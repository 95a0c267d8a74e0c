"""Rings: candidate groups, judged, explained and ranked.

`assess` measures every candidate (`features`) and scores it (`score`), on arrays alone. `judge` says why and why not
(`explain`), tells members from bystanders (`members`) and gives each an id that lives on (`lineage`).
"""

from linkage.rings.assess import Assessed, assess
from linkage.rings.judge import Judged, judge
from linkage.rings.lineage import Earlier
from linkage.rings.profile import Profiles, profiles

__all__ = ["Assessed", "Earlier", "Judged", "Profiles", "assess", "judge", "profiles"]
