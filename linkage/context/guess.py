"""What an address looks like from the case alone: how its accounts live, where no list says whose it is.

Who lives at an address makes most of its traffic from there; who passes through an exit of many comes from other exits
as often. The guess is shown where somebody asks for it and counts for nothing: how many share the address is in its
weight already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

HOUSEHOLD: Final = 7
"""So many accounts at one address can still be a home; as many as beat the prior by it."""

EXITS: Final = 4
"""Who passes through comes from so many addresses or more."""

_LIVES: Final = """
WITH seen AS (SELECT account_id, ip FROM logins WHERE ip IS NOT NULL
    UNION ALL SELECT account_id, ip FROM exchanges WHERE ip IS NOT NULL
    UNION ALL SELECT account_id, value FROM identifiers WHERE kind = 'ip'),
holders AS (SELECT DISTINCT ip AS value, account_id FROM seen WHERE ip IN (SELECT unnest(?::VARCHAR[]))),
lives AS (SELECT account_id, ip, count(*) AS n FROM seen SEMI JOIN holders USING (account_id) GROUP BY ALL),
totals AS (SELECT account_id, sum(n)::DOUBLE AS n, count(*) AS addresses FROM lives GROUP BY account_id)
SELECT value, count(*), quantile_disc(l.n / t.n, 0.5), quantile_disc(t.addresses, 0.5)
FROM holders h JOIN lives l ON l.account_id = h.account_id AND l.ip = h.value
    JOIN totals t ON t.account_id = h.account_id
GROUP BY value
"""


@dataclass(frozen=True)
class Guess:
    """How the accounts of an address live.

    Attributes:
        value: the address.
        accounts: how many were seen at it.
        share: 0 to 1, the part of its traffic that the median of them makes from there.
        addresses: how many addresses the median of them has.
    """

    value: str
    accounts: int
    share: float
    addresses: int

    @property
    def words(self) -> str:
        """What it looks like.

        >>> Guess("192.0.2.1", 4, 0.9, 3).words, Guess("192.0.2.1", 60, 0.05, 20).words
        ('like a home or a small office', 'like one exit of many: a VPN, a carrier or a pool of proxies')
        """
        if self.accounts < 2:
            return "one account's alone"
        if self.share >= 0.5:
            return (
                "like a home or a small office"
                if self.accounts <= HOUSEHOLD
                else "like an office, a campus or a server"
            )
        if self.addresses >= EXITS:
            return "like one exit of many: a VPN, a carrier or a pool of proxies"
        return "like a place that people pass through"


def guesses(con: duckdb.DuckDBPyConnection, addresses: Sequence[str]) -> dict[str, Guess]:
    """What the case lets guess of each address that it has seen."""
    return {row[0]: Guess(*row) for row in con.execute(_LIVES, [list(addresses)]).fetchall()}
