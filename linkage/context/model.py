"""The words of context: sources, network types, and what is known of one address or domain."""

from dataclasses import dataclass
from typing import Final

AUTONOMOUS_SYSTEMS: Final = "asn"

TYPES: Final[dict[str, tuple[str, float]]] = {
    "tor": ("Tor exit", 0.1),
    "vpn": ("VPN", 0.01),
    "mobile": ("mobile carrier", 0.01),
    "education": ("education network", 0.005),
    "hosting": ("hosting network", 0.0002),
}
"""Network types: what a sentence calls one, and the chance that two strangers who use such addresses share one, as long
as the case says nothing of it. Judgements: there are some thousand Tor exits, and each user goes through many; a
carrier has thousands of addresses for millions of people; a campus has few, but there are many campuses; of a hosting
network's addresses most are one customer's. An address in several lists is of the first type named here."""

DOMAINS: Final[dict[str, tuple[str, float]]] = {
    "freemail": ("free-mail domain", 0.1),
    "disposable": ("disposable-mail domain", 0.01),
}
"""Kinds of mail domain, as `TYPES`. A domain in both lists is a free-mail domain."""

SOURCES: Final = (AUTONOMOUS_SYSTEMS, *TYPES, *DOMAINS)
"""What a table can be of."""

ENOUGH: Final = 200
"""Accounts at addresses of one type from which on the case itself says how likely strangers share one."""

LONGEST: Final = 60
"""A name of a network is shown up to so many characters."""


@dataclass(frozen=True)
class Place:
    """What the tables say of an address, a network or a mail domain.

    Attributes:
        kind, value: `ip`, `ip_net` or `email_domain`, and which.
        asn: number of the autonomous system, or None.
        name: the organisation that runs it, or None.
        type: a key of `TYPES` or `DOMAINS`, or None.
    """

    kind: str
    value: str
    asn: int | None = None
    name: str | None = None
    type: str | None = None

    @property
    def words(self) -> str:
        """In a sentence.

        >>> Place("ip", "203.0.113.7", 64500, "Example", "hosting").words, Place("ip", "203.0.113.8", 64501).words
        ('hosting network, AS 64500 Example', 'AS 64501')
        """
        known = (TYPES | DOMAINS).get(self.type or "")
        name = self.name or ""
        name = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        system = f"AS {self.asn} {name}".rstrip() if self.asn is not None else name
        return ", ".join(part for part in (known[0] if known else "", system) if part)

    @property
    def phrase(self) -> str:
        """The same, to stand behind the value in a sentence.

        >>> Place("ip", "203.0.113.7", 64500, "Example", "hosting").phrase
        'an address of a hosting network, AS 64500 Example'
        >>> Place("ip_net", "203.0.113.0/24", 64501).phrase, Place("email_domain", "x.test", type="disposable").phrase
        ('a network of AS 64501', 'a disposable-mail domain')
        """
        words = self.words
        if self.type:
            words = f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
        if self.kind == "email_domain" or self.type == "tor":
            return words
        return f"{'an address' if self.kind == 'ip' else 'a network'} of {words}"
