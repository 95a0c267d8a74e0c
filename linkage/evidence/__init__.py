"""Evidence: what sharing an identifier is worth, in bits.

One currency, the log2 likelihood ratio, so that a card, an address and a prompt can be added up. `weights` holds the
formulas, `pairs` applies them to two accounts, `groups` to an account and a group, `hubs` is the ledger of what was
damped.
"""

from linkage.evidence.groups import GroupEvidence, group_evidence, group_ties
from linkage.evidence.hubs import HUB_DEGREE, Hub, hubs
from linkage.evidence.likeness import SCEPTIC, Likeness, unlearnt
from linkage.evidence.pairs import learn_likeness, pair_edges
from linkage.evidence.weights import PARTNERS, Weighed, group_prior, identifier_bits, pair_prior, saturate, weigh

__all__ = [
    "HUB_DEGREE",
    "PARTNERS",
    "SCEPTIC",
    "GroupEvidence",
    "Hub",
    "Likeness",
    "Weighed",
    "group_evidence",
    "group_prior",
    "group_ties",
    "hubs",
    "identifier_bits",
    "learn_likeness",
    "pair_edges",
    "pair_prior",
    "saturate",
    "unlearnt",
    "weigh",
]
