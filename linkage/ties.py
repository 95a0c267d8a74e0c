"""What the newest run left in the case of who shares what, read back as it was weighed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage.errors import NotFoundError
from linkage.evidence import Likeness, Weighed, unlearnt
from linkage.identify import BEHAVIOURS, NEVER, Sightings
from linkage.model import kind_of
from linkage.results import newest_run

# Only identifiers that are worth something: no other can tie anybody, and they have most sightings.
_INDEX: Final = """
CREATE TEMP TABLE ids AS SELECT account_id, (row_number() OVER (ORDER BY account_id) - 1)::INTEGER AS account
FROM (SELECT DISTINCT account_id FROM sightings);
CREATE TEMP TABLE named_values AS
SELECT (row_number() OVER (ORDER BY kind, value) - 1)::INTEGER AS identifier, kind, value, label, bits,
    coalesce(trust, kind) AS weighed_as
FROM shared WHERE bits > 0 AND (len($1) = 0 OR list_contains($1, kind));
"""


@dataclass(frozen=True)
class Ties:
    """The sightings of the newest run: those of identifiers that are worth something. No other can tie anybody.

    Attributes:
        weighed: as the run weighed them.
        accounts: object[A], the account ids, sorted.
        groups: int64[A], the ring that each is in, listed or not, from 0 on; -1 for none.
    """

    weighed: Weighed
    accounts: NDArray[np.object_]
    groups: NDArray[np.int64]

    def index(self, named: Sequence[str]) -> NDArray[np.int64]:
        """The indices of those accounts that share anything with anybody."""
        wanted = np.array(named, dtype=object)
        at = np.searchsorted(self.accounts, wanted)
        inside = at < len(self.accounts)
        inside[inside] = self.accounts[at[inside]] == wanted[inside]
        return at[inside].astype(np.int64)


def read_ties(con: duckdb.DuckDBPyConnection, case: Path, kinds: Sequence[str]) -> Ties:
    """Read the newest run; the temporary tables `ids` and `named_values` stay, to look names up.

    Args:
        con: a connection to the case, read-only will do.
        case: its path, for messages.
        kinds: only identifiers of these kinds, as the contract names them, and neither likeness nor groups; all, where
            none is named.

    Raises:
        NotFoundError: no run yet, or nobody shares anything of a kind.
    """
    run = newest_run(con, case)
    known = {str(row[0]) for row in con.execute("SELECT DISTINCT kind FROM shared").fetchall()}
    for name in kinds:
        if name not in known:
            there = f"Kinds that accounts share: {', '.join(sorted(known))}." if known else ""
            raise NotFoundError(f"No accounts share anything of kind {name!r}.", there)
    first, second = _INDEX.split(";")[:2]
    con.execute(first)
    con.execute(second, [list(kinds)])
    rows = con.execute(
        """SELECT i.account, h.identifier, s.count, coalesce(epoch_us(s.first_seen), $1) AS first,
            coalesce(epoch_us(s.last_seen), $1) AS last, s.bits
        FROM sightings s JOIN ids i USING (account_id) JOIN named_values h USING (kind, value)
        ORDER BY h.identifier, i.account""",
        [NEVER],
    ).fetchnumpy()
    values = con.execute("SELECT weighed_as, bits FROM named_values ORDER BY identifier").fetchnumpy()
    ids = con.execute("SELECT account_id FROM ids ORDER BY account").fetchnumpy()
    accounts = np.asarray(ids["account_id"], dtype=object)
    kind_names, kind = np.unique(np.asarray(values["weighed_as"], dtype=str), return_inverse=True)
    bits = np.asarray(values["bits"], dtype=np.float64)
    identifier = np.asarray(rows["identifier"], dtype=np.int32)
    count = np.asarray(rows["count"], dtype=np.int64)
    sightings = Sightings(
        account=np.asarray(rows["account"], dtype=np.int32),
        identifier=identifier,
        count=count,
        most=count,
        first=np.asarray(rows["first"], dtype=np.int64),
        last=np.asarray(rows["last"], dtype=np.int64),
        kind=kind.astype(np.int16),
        kinds=tuple(str(name) for name in kind_names),
        accounts=len(accounts),
        ceiling=np.full(len(bits), np.inf),
        rivals=np.zeros(len(bits), np.int64),
        behaviour=np.zeros((len(accounts), 0)),
    )
    habit = np.asarray(rows["bits"], dtype=np.float64) / np.maximum(bits[identifier], 1e-9)
    weighed = Weighed(
        sightings,
        population=float(run.parameters["population"]),
        bits=bits,
        habit=np.clip(habit, 0.0, 1.0),
        reliability=np.array([kind_of(name).reliability for name in sightings.kinds], dtype=np.float64),
        likeness=unlearnt(sightings.behaviour) if kinds else _read_likeness(con),
    )
    return Ties(weighed, accounts, np.full(len(accounts), -1) if kinds else _read_groups(con, len(accounts)))


def _read_groups(con: duckdb.DuckDBPyConnection, accounts: int) -> NDArray[np.int64]:
    """The ring, listed or not, of each account, from 0 on; -1 for none."""
    found = con.execute("""SELECT account, dense_rank() OVER (ORDER BY ring_id) - 1 AS "group"
        FROM members JOIN ids USING (account_id)""").fetchnumpy()
    groups = np.full(accounts, -1, np.int64)
    groups[np.asarray(found["account"], dtype=np.int64)] = np.asarray(found["group"], dtype=np.int64)
    return groups


def _read_likeness(con: duckdb.DuckDBPyConnection) -> Likeness:
    """What the newest run learnt of how accounts live; worth nothing where it kept nothing."""
    names = ", ".join(BEHAVIOURS)
    lives = con.execute(f"SELECT {names} FROM ids LEFT JOIN lives USING (account_id) ORDER BY account").fetchnumpy()  # noqa: S608
    rank = np.stack([np.ma.filled(np.ma.asarray(lives[name], dtype=np.float64), np.nan) for name in BEHAVIOURS], axis=1)
    found = con.execute("SELECT behaviour, step, ratio, damp FROM likeness").fetchall()
    learnt = unlearnt(rank)
    if not found:
        return learnt
    place = {name: at for at, name in enumerate(BEHAVIOURS)}
    for behaviour, step, ratio, _ in found:
        learnt.ratio[place[behaviour], step] = ratio
    return replace(learnt, damp=float(found[0][3]))
