"""The graph's shape: its layers of nodes and relationships, as drawn in `graph_schema/README.md`.

Everything that is mirrored from a case carries `mirrored: true`. What does not is other people's and never touched.
"""

from dataclasses import dataclass
from typing import Final, Literal

Type = Literal["text", "texts", "integer", "float", "bool", "time"]


@dataclass(frozen=True)
class Property:
    """A property that the mirror owns. Times are UTC, to the millisecond.

    `texts` is a list of texts without blanks; in the scratch database it is one text with blanks between them.
    """

    name: str
    type: Type = "text"


def _properties(**types: Type) -> tuple[Property, ...]:
    return tuple(Property(name, type) for name, type in types.items())


@dataclass(frozen=True)
class Nodes:
    """A layer of nodes.

    Attributes:
        name: of its table in the scratch database.
        label: unique together with `key`.
        key: its first property decides on the second label, where `sublabels` has one for it.
        properties: the other properties.
        sublabels: second label by the first key property.
    """

    name: str
    label: str
    key: tuple[Property, ...]
    properties: tuple[Property, ...]
    sublabels: tuple[tuple[str, str], ...] = ()

    @property
    def columns(self) -> tuple[Property, ...]:
        """Key and properties, in the order of the table's columns."""
        return self.key + self.properties

    @property
    def identity(self) -> tuple[Property, ...]:
        """The columns that tell one row from another."""
        return self.key


@dataclass(frozen=True)
class Relationships:
    """A layer of relationships: at most one between two nodes, or one for each value of `key`.

    Attributes:
        name: of its table in the scratch database.
        type: of the relationship.
        start, end: the layers that it goes between.
        properties: what it carries.
        key: the properties, if any, that tell parallel relationships apart.
    """

    name: str
    type: str
    start: Nodes
    end: Nodes
    properties: tuple[Property, ...]
    key: tuple[Property, ...] = ()

    @property
    def starts(self) -> tuple[Property, ...]:
        """Columns that name the start."""
        return tuple(Property(f"start_{p.name}", p.type) for p in self.start.key)

    @property
    def ends(self) -> tuple[Property, ...]:
        """Columns that name the end."""
        return tuple(Property(f"end_{p.name}", p.type) for p in self.end.key)

    @property
    def columns(self) -> tuple[Property, ...]:
        """Ends, starts, key and properties, in the order of the table's columns."""
        return self.identity + self.properties

    @property
    def identity(self) -> tuple[Property, ...]:
        """The columns that tell one row from another."""
        return self.ends + self.starts + self.key


Layer = Nodes | Relationships

# A user's own kinds are plain identifiers tied by HAS_IDENTIFIER: text from an export never becomes a label or a type.
LABELS: Final[dict[str, str]] = {
    "payment": "PaymentMethod",
    "ip": "IP",
    "ip_net": "Network",
    "device": "Device",
    "user_agent": "UserAgent",
    "prompt": "PromptFingerprint",
    "burst": "PromptBurst",
    "email": "Email",
    "email_domain": "EmailDomain",
    "phone": "Phone",
    "org": "Organization",
}
TYPES: Final[dict[str, str]] = {
    "payment": "PAID_WITH",
    "ip": "SEEN_AT",
    "ip_net": "SEEN_AT",
    "device": "USED_DEVICE",
    "user_agent": "HAS_USER_AGENT",
    "prompt": "SENT",
    "burst": "SENT",
    "email": "HAS_EMAIL",
    "email_domain": "HAS_EMAIL_DOMAIN",
    "phone": "HAS_PHONE",
    "org": "HAS_ORGANIZATION",
}
OTHER_TYPE: Final = "HAS_IDENTIFIER"

CASE: Final = "LinkageCase"

ACCOUNT: Final = Nodes(
    "account",
    "Account",
    _properties(account_id="text"),
    _properties(
        status="text",
        created_at="time",
        banned_at="time",
        email="text",
        country="text",
        plan="text",
        org_id="text",
        org_verified="bool",
        exchanges="integer",
        first_seen="time",
        last_seen="time",
    ),
)
IDENTIFIER: Final = Nodes(
    "identifier",
    "Identifier",
    _properties(kind="text", key="text"),
    _properties(
        label="text",
        accounts="integer",
        bits="float",
        hub="bool",
        damped="text",
        level="text",
        aliases="texts",
        asn="integer",
        name="text",
        type="text",
    ),
    tuple(LABELS.items()),
)
RING: Final = Nodes(
    "ring",
    "Ring",
    _properties(ring_id="text"),
    _properties(
        rank="integer",
        score="float",
        q_value="float",
        status="text",
        accounts="integer",
        exchanges="integer",
        first_seen="time",
        last_seen="time",
        why="text",
        doubts="text",
        bits="float",
    ),
)
BUNDLE: Final = Nodes(
    "bundle",
    "Bundle",
    _properties(bundle_id="text"),
    _properties(ring_id="text", kind="text", label="text", identifiers="integer", accounts="integer", bits="float"),
)
NODES: Final = (ACCOUNT, IDENTIFIER, RING, BUNDLE)

_SEEN: Final = _properties(count="integer", first_seen="time", last_seen="time", bits="float")
SIGHTINGS: Final = tuple(
    Relationships(f"sighting_{type.lower()}", type, ACCOUNT, IDENTIFIER, _SEEN)
    for type in dict.fromkeys([*TYPES.values(), OTHER_TYPE])
)
RELATIONSHIPS: Final = (
    *SIGHTINGS,
    Relationships(
        "linked",
        "LINKED",
        ACCOUNT,
        ACCOUNT,
        _properties(count="integer", first_seen="time", last_seen="time"),
        key=_properties(kind="text"),
    ),
    Relationships(
        "member", "MEMBER_OF", ACCOUNT, RING, _properties(tier="text", confidence="float", bits="float")
    ),
    Relationships("bystander", "BYSTANDER_OF", ACCOUNT, RING, _properties(bits="float", reason="text")),
    Relationships("tied", "TIED_BY", RING, BUNDLE, _properties(bits="float")),
    Relationships(
        "holds", "HOLDS", BUNDLE, IDENTIFIER, _properties(accounts="integer", outsiders="integer", bits="float")
    ),
    Relationships("network", "IN", IDENTIFIER, IDENTIFIER, ()),
)  # fmt: skip
LAYERS: Final[tuple[Layer, ...]] = (*NODES, *RELATIONSHIPS)
