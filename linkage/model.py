"""The words that every module shares: contract tables, identifier kinds, ring statuses and tiers.

Names are those of the data contract (`docs/data-contract.md`) and are final.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

ColumnType = Literal["text", "time", "bool", "integer"]


@dataclass(frozen=True)
class Column:
    """A column of a contract table.

    Attributes:
        name: the contract's name, lower case.
        type: how its text is read.
        required: a row without it is rejected.
        private: raw values never reach disk; excerpts show `***`.
        kind: the identifier kind whose values the column holds, or "".
    """

    name: str
    type: ColumnType = "text"
    required: bool = False
    private: bool = False
    kind: str = ""


DATABASES: Final = ("postgres:", "postgresql:")
"""How the address of a database begins, where a path may stand too."""

TABLES: Final[dict[str, tuple[Column, ...]]] = {
    "accounts": (
        Column("account_id", required=True),
        Column("created_at", "time"),
        Column("banned_at", "time"),
        Column("email", private=True, kind="email"),
        Column("phone", private=True, kind="phone"),
        Column("org_id", kind="org"),
        Column("org_verified", "bool"),
        Column("status"),
        Column("country"),
        Column("plan"),
    ),
    "payments": (
        Column("account_id", required=True),
        Column("payment_id", required=True, private=True, kind="payment"),
        Column("method"),
        Column("added_at", "time"),
    ),
    "logins": (
        Column("account_id", required=True),
        Column("ip", kind="ip"),
        Column("device_id", kind="device"),
        Column("user_agent", kind="user_agent"),
        Column("at", "time"),
    ),
    "exchanges": (
        Column("account_id", required=True),
        Column("at", "time", required=True),
        Column("exchange_id"),
        Column("ip", kind="ip"),
        Column("device_id", kind="device"),
        Column("user_agent", kind="user_agent"),
        Column("model"),
        Column("prompt", private=True, kind="prompt"),
        Column("prompt_fingerprint", kind="prompt"),
        Column("input_tokens", "integer"),
        Column("output_tokens", "integer"),
    ),
    "identifiers": (
        Column("account_id", required=True),
        Column("kind", required=True),
        Column("value", required=True, private=True),
        Column("at", "time"),
    ),
    "links": (
        Column("account_id", required=True),
        Column("other_account_id", required=True),
        Column("kind"),
        Column("at", "time"),
    ),
    "aliases": (
        Column("account_id", required=True),
        Column("kind"),
        Column("value", required=True, private=True),
    ),
}


@dataclass(frozen=True)
class Kind:
    """What sharing an identifier of a kind is worth, and how far it can be trusted.

    Attributes:
        name: `evidence.kind` of the contract.
        family: kinds of one family are correlated: of a family only the strongest kind counts.
        reliability: m, the chance (0 to 1) that two accounts of one hand share a given value of this kind that
            one of them has. Times `evidence.PARTNERS` it is the number of accounts at which sharing the value
            alone is worth exactly the prior. Lower pushes towards fewer, surer links.
        fakeable: anyone can have this value at no cost, so it never puts an account into a ring on its own.
        memory: days after which another account's use of a value begins to say less: addresses change hands soon,
            devices are sold, cards stay. Infinite where a sighting's time is that of the account, not of a use.
        noun: how a sentence names one of them.
    """

    name: str
    family: str
    reliability: float
    fakeable: bool = False
    memory: float = math.inf
    noun: str = ""

    @property
    def words(self) -> str:
        """The kind in a sentence, e.g. "IP address"."""
        return self.noun or self.name.replace("_", " ")

    @property
    def plural(self) -> str:
        """Several of the kind in a sentence, e.g. "IP addresses"."""
        return self.words + ("es" if self.words.endswith("s") else "s")


BUILT_IN_KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("payment", "payment", 0.8, memory=180, noun="payment method"),
        Kind("device", "device", 0.4, memory=30),
        Kind("user_agent", "device", 0.005, fakeable=True, memory=30, noun="user agent"),
        Kind("ip", "network", 0.15, memory=7, noun="IP address"),
        Kind("ip_net", "network", 0.02, fakeable=True, memory=7, noun="IP network"),
        Kind("email", "contact", 0.5, fakeable=True, noun="e-mail address"),
        Kind("email_domain", "contact", 0.02, fakeable=True, noun="e-mail domain"),
        Kind("phone", "contact", 0.5, noun="phone number"),
        Kind("org", "organisation", 0.05, fakeable=True, noun="organisation"),
        Kind("prompt", "prompt", 0.05, fakeable=True, memory=30, noun="prompt fingerprint"),
        Kind("burst", "prompt", 0.8, noun="prompt burst"),
        Kind("handoff", "timing", 0.7, noun="hand-off"),
        Kind("balance", "timing", 0.6, noun="balanced load"),
    )
}


HEAVY_USES: Final = 20
"""An account that sent a prompt or a template so often works with it: nobody does that to somebody else."""

WORKED_PROMPT: Final = "prompt:worked"
"""Stands for `prompt` where the identifier counts by those accounts alone that work with it (`HEAVY_USES`)."""

NEAR_PROMPT: Final = "prompt:near"
"""Stands for `prompt` where the identifier is a template of near-duplicates, which may only share a passage."""

PROMPT_EDGE: Final = "prompt:edge"
"""Stands for `prompt` where the identifier is the opening or the ending of prompts, not the work itself."""


_PROMPT_KINDS: Final = {
    WORKED_PROMPT: Kind(WORKED_PROMPT, "prompt", 0.95, memory=30, noun="prompt template"),
    NEAR_PROMPT: Kind(NEAR_PROMPT, "prompt", 0.02, fakeable=True, memory=30, noun="prompt template"),
    PROMPT_EDGE: Kind(PROMPT_EDGE, "prompt", 0.02, fakeable=True, memory=30, noun="opening or ending of prompts"),
}


DECISIONS: Final = "decisions"
"""Stands in a score's waterfall for what people's decisions recalibrate it by, which is no property of a ring."""

LIKENESS: Final = "likeness"
"""Stands in a ring's waterfall for behaving alike, which is nothing that accounts share."""


def public_kind(name: str) -> str:
    """The kind as the contract names it.

    >>> public_kind("prompt:worked"), public_kind("link:referral")
    ('prompt', 'link:referral')
    """
    return "prompt" if name in _PROMPT_KINDS else name


def kind_of(name: str) -> Kind:
    """The kind called `name`: built in, `link:KIND` or a user's own.

    >>> kind_of("ip").family
    'network'
    >>> kind_of("link:referral").fakeable
    True
    >>> kind_of("tax_id").family
    'tax_id'
    """
    built_in = BUILT_IN_KINDS.get(name) or _PROMPT_KINDS.get(name)
    if built_in:
        return built_in
    if name.startswith("link:"):
        # A tie can be made by anyone towards anyone: an invite or a transfer does not need the other's consent.
        return Kind(name, name, 0.2, fakeable=True, memory=180, noun=f"{name[5:]} link")
    return Kind(name, name, 0.3, memory=180)


RingStatus = Literal["open", "watch", "confirmed", "dismissed", "explained"]
STATUSES: Final[tuple[RingStatus, ...]] = ("open", "watch", "confirmed", "dismissed", "explained")
FLAGGED: Final[frozenset[str]] = frozenset({"open", "watch", "confirmed"})

Tier = Literal["core", "likely", "bridge"]
TIERS: Final[tuple[Tier, ...]] = ("core", "likely", "bridge")

EVENTS: Final = (
    "born", "grew", "shrank", "replaced", "changed", "same", "returned", "split_from", "merged_into", "gone",
)  # fmt: skip
"""What can become of a ring from one run to the next (`rings.lineage`). Members that were banned count as lost:
`replaced` lost some so and gained others, `changed` gained as many as it lost."""

LISTED_SCORE: Final = 0.5
"""A ring is listed from this score on."""
