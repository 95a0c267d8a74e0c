"""Expand: given accounts that are known to be bad, who else is tied to them, ranked, with the evidence.

The scores are those of `linkage.spread`. All is read from what the newest run left in the case; nothing is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage import results, store
from linkage.errors import NotFoundError, UsageError
from linkage.seeds import read_accounts
from linkage.spread import ROUNDS, Spread, probability, spread
from linkage.ties import Ties, read_ties

LEAST: Final = 0.05
"""Accounts of a lower score are not listed: a hub would list its thousands."""

SHOWN: Final = 5
"""So many shared values are kept for each account, the strongest first."""

OWNER: Final = "had the payment method before everybody else: may be its owner"

APART: Final = "the newest run put it into a group that holds none of the known accounts"

_Names = dict[int, tuple[str, str, str | None]]


@dataclass(frozen=True)
class Shared:
    """A value that ties an account.

    Attributes:
        kind, value, label: the identifier; label is readable where the value is a hash.
        seeds: seeds that have it; 0 if it ties the account to others that are tied.
        others: accounts that have it beside the seeds and this account.
        bits: what it adds to this account's evidence.
    """

    kind: str
    value: str
    label: str | None
    seeds: int
    others: int
    bits: float


@dataclass(frozen=True)
class Tied:
    """An account that is tied to the seeds.

    Attributes:
        rank: 1 is the surest.
        account_id: the account.
        score: 0 to 1, the model's posterior that the hand behind the seeds runs it too; it orders, and is no measured
            rate.
        bits: evidence beyond the prior; score is 1 / (1 + 2 ** -bits).
        alike: the part of them that is for living like the seeds; below 0 for living differently.
        group_bits: the part that is for standing in `ring_id` together with seeds, in the place of what the shared
            values add; 0 where these tie it more.
        hops: 1 where it shares a counted value with a seed, or only a group with one, 2 where it shares a value with
            such an account, …
        ring_id: the ring of the newest run that it is in, listed or not, or None.
        status: as the export says, or None.
        banned_at: when it was banned, or None.
        banned: its status is `banned`, or it has a time of ban.
        doubt: what speaks against it, or "".
        shared: the values that tie it, the strongest first, at most `SHOWN`.
        path: account, identifier, account, … from it to the nearest seed; empty where it is tied directly.
    """

    rank: int
    account_id: str
    score: float
    bits: float
    alike: float
    group_bits: float
    hops: int
    ring_id: str | None
    status: str | None
    banned_at: datetime | None
    banned: bool
    doubt: str
    shared: tuple[Shared, ...]
    path: tuple[str, ...]


@dataclass(frozen=True)
class Expansion:
    """The answer.

    Attributes:
        seeds: accounts to start from that the case knows.
        unknown: those that it does not know, sorted.
        untied: seeds that share nothing with any account.
        ring_id: the ring whose members are the seeds, or None.
        found: accounts of at least the least score.
        accounts: those of them that `limit` leaves, by rank.
    """

    seeds: int
    unknown: tuple[str, ...]
    untied: int
    ring_id: str | None
    found: int
    accounts: tuple[Tied, ...]


def expand(
    case: Path,
    seeds: Sequence[str],
    *,
    kinds: Sequence[str] = (),
    hops: int = ROUNDS,
    least: float = LEAST,
    limit: int | None = None,
    ring_id: str | None = None,
) -> Expansion:
    """Rank the accounts that are tied to the seeds.

    Args:
        case: the case file.
        seeds: account ids.
        kinds: the kinds of evidence that count; where none is named, all, how accounts live, and the groups of the run.
        hops: at most so many steps from the seeds.
        least: the lowest score that is listed.
        limit: at most so many accounts.
        ring_id: the ring that the seeds are members of, for the answer.

    Raises:
        NotFoundError: the case knows none of the seeds or none of the kinds, or has no run yet.
        UsageError: an argument out of its range.
    """
    if hops < 1 or not 0.0 <= least <= 1.0:
        raise UsageError("hops must be at least 1, and the least score from 0 to 1.")
    named = sorted(set(seeds))
    with store.reading(case) as con:
        unknown = unknown_accounts(con, named)
        if len(unknown) == len(named):
            raise NotFoundError(
                f"The case knows none of the {len(named):,} accounts." if named else "There are no accounts given.",
                "Check that list and case are of the same export.",
            )
        ties = read_ties(con, case, kinds)
        start = ties.index(named)
        found = spread(ties.weighed, start, hops, ties.groups)
        order = _ranked(found, least)
        rows = _Answer(con, ties, found).rows(order[: len(order) if limit is None else limit])
    known = len(named) - len(unknown)
    return Expansion(known, tuple(unknown), known - len(start), ring_id, len(order), rows)


def seeds_of(case: Path, name: str) -> tuple[list[str], str | None]:
    """Accounts to start from, and the ring that they are: `name` is a file, or else a ring's id or rank.

    Raises:
        NotFoundError: neither a file nor a ring.
        InputError: the file cannot be used, as `seeds.read_accounts`.
    """
    path = Path(name)
    try:
        is_path = path.exists()
    except (OSError, ValueError):
        is_path = False
    if is_path:
        return read_accounts(path), None
    try:
        found = results.ring(case, name)
    except NotFoundError as exc:
        if "/" in name or path.suffix:
            raise NotFoundError(f"There is no file {name}.", "Name a file with an account id a line.") from None
        raise NotFoundError(f"{exc.message} Nor is there a file of that name.", exc.hint) from None
    return [member.account_id for member in found.members], found.ring.ring_id


def _ranked(found: Spread, least: float) -> NDArray[np.int64]:
    """Accounts of at least a score, the surest first; equals in the order of their ids."""
    listed = np.flatnonzero((found.net > -np.inf) & (probability(found.net) >= least))
    return listed[np.lexsort((listed, -np.round(found.net[listed], 9)))]


def unknown_accounts(con: duckdb.DuckDBPyConnection, named: list[str]) -> list[str]:
    """Those of the accounts that no table of the case names."""
    con.execute("CREATE TEMP TABLE named AS SELECT unnest(?::VARCHAR[]) AS account_id", [named])
    places = [
        *((table, "account_id") for table in ("account_rows", "payments", "logins", "exchanges", "identifiers")),
        ("links", "account_id"),
        ("links", "other_account_id"),
    ]
    for table, column in places:
        con.execute(f"DELETE FROM named WHERE account_id IN (SELECT {column} FROM {table})")  # noqa: S608
    rows = con.execute("SELECT account_id FROM named ORDER BY account_id").fetchall()
    con.execute("DROP TABLE named")
    return [str(row[0]) for row in rows]


@dataclass(frozen=True)
class _Answer:
    """Puts names and reasons to scores."""

    con: duckdb.DuckDBPyConnection
    ties: Ties
    found: Spread

    def rows(self, order: NDArray[np.int64]) -> tuple[Tied, ...]:
        """The accounts with all that is said of them."""
        if not len(order):
            return ()
        shared = {int(a): self._strongest(int(a)) for a in order}
        steps = {int(a): self._path(int(a)) for a in order if self.found.hops[a] > 1}
        wanted = {i for rows in shared.values() for i, _ in rows} | {i for path in steps.values() for i, _ in path}
        names = self._names(sorted(wanted))
        facts = self._facts(order)
        score = probability(self.found.net)
        return tuple(
            Tied(
                rank,
                str(self.ties.accounts[a]),
                round(float(score[a]), 4),
                round(float(self.found.net[a]), 4),
                round(float(self.found.alike[a]), 4),
                round(float(self.found.group[a]), 4),
                int(self.found.hops[a]),
                *facts[int(a)],
                self._doubt(int(a)),
                tuple(self._shared(i, bits, names[i]) for i, bits in shared[int(a)]),
                self._words(int(a), steps.get(int(a), ()), names),
            )
            for rank, a in enumerate(order, start=1)
        )

    def _doubt(self, account: int) -> str:
        if self.found.owner[account]:
            return OWNER
        return APART if self.found.apart[account] > 0 and not self.found.group[account] else ""

    def _strongest(self, account: int) -> list[tuple[int, float]]:
        """Identifiers that count, with the bits that they add, the strongest first."""
        w, credit = self.ties.weighed, self.found.credit
        at = w.account_order[w.by_account[account] : w.by_account[account + 1]]
        at = at[credit[at] > 0]
        found = w.sightings.identifier[at]
        best = np.lexsort((found, -np.round(credit[at], 9)))[:SHOWN]
        return [(int(found[x]), float(credit[at[x]])) for x in best]

    def _path(self, account: int) -> tuple[tuple[int, int], ...]:
        """From an account to a seed: (identifier, next account), each nearer than the last."""
        w, hops = self.ties.weighed, self.found.hops
        s, steps = w.sightings, []
        while hops[account] > 0:
            at = w.account_order[w.by_account[account] : w.by_account[account + 1]]
            # What counted comes first; a value that counted in an earlier round only is still a way.
            at = at[np.lexsort((s.identifier[at], -np.round(self.found.credit[at], 9)))]
            for x in at:
                i = int(s.identifier[x])
                holders = slice(int(w.by_identifier[i]), int(w.by_identifier[i + 1]))
                others = s.account[holders]
                speaks = self.found.weight[others] * w.habit[holders] * (hops[others] < hops[account])
                if speaks.any():
                    account = int(others[int(np.argmax(speaks))])
                    steps.append((i, account))
                    break
            else:
                break
        return tuple(steps)

    def _words(self, account: int, steps: tuple[tuple[int, int], ...], names: _Names) -> tuple[str, ...]:
        if not steps:
            return ()
        words = [str(self.ties.accounts[account])]
        for identifier, other in steps:
            kind, value, label = names[identifier]
            words += [f"{kind} {label or value}", str(self.ties.accounts[other])]
        return tuple(words)

    def _shared(self, identifier: int, bits: float, name: tuple[str, str, str | None]) -> Shared:
        w = self.ties.weighed
        holders = w.sightings.account[w.by_identifier[identifier] : w.by_identifier[identifier + 1]]
        seeds = int((self.found.hops[holders] == 0).sum())
        return Shared(*name, seeds, len(holders) - seeds - 1, round(bits, 4))

    def _names(self, identifiers: list[int]) -> _Names:
        rows = self.con.execute(
            """SELECT identifier, kind, value, label FROM named_values
            WHERE identifier IN (SELECT unnest(?::INTEGER[]))""",
            [identifiers],
        ).fetchall()
        return {int(row[0]): (str(row[1]), str(row[2]), row[3]) for row in rows}

    def _facts(self, order: NDArray[np.int64]) -> dict[int, tuple[str | None, str | None, datetime | None, bool]]:
        """Ring, status, time of ban and whether it is banned, of each account."""
        rows = self.con.execute(
            """WITH wanted AS (SELECT account, account_id FROM ids WHERE account IN (SELECT unnest(?::INTEGER[])))
            SELECT w.account, m.ring_id, a.status, a.banned_at,
                coalesce(a.banned_at IS NOT NULL OR a.status = 'banned', false)
            FROM wanted w LEFT JOIN accounts a USING (account_id) LEFT JOIN members m USING (account_id)""",
            [order.tolist()],
        ).fetchall()
        return {int(row[0]): (row[1], row[2], row[3], bool(row[4])) for row in rows}
