"""What people ask of the tables of context: which there are, what they say of a value, what the last run made of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from linkage import networks, store
from linkage.context.chances import Chance
from linkage.context.guess import Guess, guesses
from linkage.context.model import Place
from linkage.context.places import places
from linkage.context.tables import Kept, kept_in

_NEWEST: Final = "SELECT parameters->'$.context.types' FROM runs ORDER BY run DESC LIMIT 1"


def known(case: Path) -> tuple[list[Kept], list[Chance]]:
    """The tables of the case, and what its newest run took the chances of each type to be."""
    with store.reading(case) as con:
        tables = kept_in(con)
        rows = con.execute(_NEWEST).fetchall()
    types = json.loads(rows[0][0]) if rows and rows[0][0] else []
    return tables, [Chance(**one) for one in types]


def of_values(case: Path, typed: Sequence[str]) -> list[tuple[str, Place | None, Guess | None]]:
    """What the lists say of each address, network or mail domain that was typed, in its canonical form, and what the
    case lets guess of an address."""
    asked = [_canonical(text) for text in typed]
    with store.reading(case) as con:
        found = places(con, asked)
        guessed = guesses(con, [value for kind, value in asked if kind == "ip"])
    return [(value, found.get((kind, value)), guessed.get(value)) for kind, value in asked]


def _canonical(text: str) -> tuple[str, str]:
    address, slash, _ = text.strip().partition("/")
    if (ip := networks.canonical_ip(address)) is None:
        return "email_domain", text.strip().lower().rpartition("@")[2]
    return ("ip_net", networks.net_of(ip) or ip) if slash else ("ip", ip)
