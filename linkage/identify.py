"""Identify: from contract tables to sightings.

A sighting is (account, identifier, count, first, last). An identifier is a kind and a value. Only identifiers that two
accounts or more share can link anybody, so the others are left behind here, but for what they say about how an
account's activity is spread. All of it happens in a scratch database; the case is held only while it is read.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage import networks, store
from linkage.allowed_sightings import read_allowed, set_aside
from linkage.context.chances import add_chances, read_context
from linkage.gather import RHYTHM_BUCKETS, add_networks, gather
from linkage.model import WORKED_PROMPT
from linkage.prompt_sightings import find_works, trust_prompts
from linkage.scripts import Scripts, grouped, room
from linkage.timing_sightings import add_timing
from linkage.until import utc_now

NEVER: Final = -(2**62)
"""Stands for a time that the export does not give."""

ALONE: Final = 3
"""Of sightings that nobody shares so many are kept for each shared one of the kind (and a thousand of each kind)."""

GROUPED: Final = 64
"""Bytes that it takes, for each event, to group events by who was seen with what; more where memory is used up."""

_PARTS: Final = range(RHYTHM_BUCKETS)

BEHAVIOURS: Final = {
    # Where the export does not say when an account signed up, the first time that it was seen stands for it.
    "signed_up": "epoch(coalesce(p.created_at, a.first_at))",
    "began": "epoch(a.first_at)",
    "volume": "a.exchanges",
    "addresses": "a.addresses / a.exchanges",
    "asked": "a.asked",
    "answered": "a.answered",
    # When a new model came: after how long the account took it up, if ever, and how much of its work it moved at once.
    "adopted": """CASE WHEN a.first_at < a.released AND a.last_at > a.released
        THEN coalesce(epoch(a.adopted_at - a.released), 1e12) END""",
    "switched": "CASE WHEN a.first_at < a.released AND a.after >= 3 THEN a.switched / a.after END",
    # The length of the mean direction on the clock: turning it changes nothing.
    "rhythm": "CASE WHEN a.exchanges >= 20 THEN sqrt("
    + " + ".join(
        "pow("
        + " + ".join(f"{turn(2 * math.pi * part / RHYTHM_BUCKETS):.9f} * a.rhythm_{part}" for part in _PARTS)
        + ", 2)"
        for turn in (math.cos, math.sin)
    )
    + ") / a.exchanges END",
}
"""How an account lives beside what it shares, in SQL over `activity` (a) and `people` (p): numbers of any unit."""

LIVED: Final = 5
"""The behaviour of accounts with fewer exchanges is unknown, but for when they signed up."""

# Accounts are numbered in the order of their ids, so that neither file order nor threads change anything.
_IDS: Final = """
CREATE TABLE people AS SELECT * FROM kase.accounts;
CREATE TABLE ids AS SELECT account_id, (row_number() OVER (ORDER BY account_id) - 1)::INTEGER AS account FROM (
    SELECT account_id FROM people UNION SELECT account_id FROM kase.payments UNION SELECT account_id FROM kase.logins
    UNION SELECT account_id FROM kase.exchanges UNION SELECT account_id FROM kase.identifiers
    UNION SELECT account_id FROM kase.links UNION SELECT other_account_id FROM kase.links);
"""

_HELD: Final = """
SELECT kind, value, max(label) AS label, count(*) AS accounts FROM seen
WHERE {part} GROUP BY kind, value HAVING min(account) <> max(account)
"""

_SHARED: Final = """
CREATE TABLE shared AS
SELECT (row_number() OVER (ORDER BY kind, value) - 1)::INTEGER AS identifier, * FROM {held}
    LEFT JOIN ceilings USING (kind, value) LEFT JOIN trusted USING (kind, value) LEFT JOIN rivals USING (kind, value)
"""

_MOST: Final = """
SELECT account, weighed_as, max(n) AS most FROM (SELECT account, coalesce(trust, kind) AS weighed_as, n
    FROM seen LEFT JOIN trusted USING (kind, value) WHERE {part}{lone}) GROUP BY account, weighed_as
"""

_KEPT: Final = """
SELECT s.account, h.identifier, coalesce(h.trust, h.kind) AS weighed_as, s.n AS count, s.first_at, s.last_at
FROM (SELECT * FROM seen WHERE {part}) s JOIN (SELECT * FROM shared WHERE {part}) h USING (kind, value)
"""

_FOUND: Final = """
SELECT account, k.identifier, k.count, m.most, k.first_at, k.last_at
FROM (SELECT * FROM $kept WHERE {part}) k JOIN (SELECT * FROM $most WHERE {part}) m USING (account, weighed_as)
"""

_LONE: Final = " UNION ALL SELECT account, 'prompt', most FROM lone WHERE most IS NOT NULL AND {part}"

_SIGHTINGS: Final = "CREATE TABLE sightings AS SELECT * FROM {found} ORDER BY identifier, account"

_ALONE: Final = """
-- What an account alone works with is a work too, though nobody else's.
CREATE TABLE alone AS
WITH own AS (SELECT * FROM seen ANTI JOIN shared USING (kind, value)),
weighed AS (SELECT o.*, CASE WHEN o.kind = 'prompt' AND w.value IS NOT NULL THEN '{worked}'
        ELSE coalesce(t.trust, o.kind) END AS weighed_as
    FROM own o LEFT JOIN trusted t USING (kind, value) LEFT JOIN workers w USING (account, value)),
kept AS (SELECT coalesce(trust, kind) AS weighed_as, {alone} * sum(accounts) + 1000 AS most FROM shared GROUP BY ALL),
part AS (SELECT weighed_as, any_value(most) / count(*) AS part FROM weighed JOIN kept USING (weighed_as) GROUP BY ALL),
most AS (SELECT account, weighed_as, max(n) AS most FROM weighed GROUP BY ALL),
shared_most AS (SELECT s.account, coalesce(h.trust, h.kind) AS weighed_as, max(s.most) AS most
    FROM sightings s JOIN shared h USING (identifier) GROUP BY ALL)
SELECT w.account, weighed_as, w.n AS count, greatest(m.most, coalesce(s.most, 0)) AS most, w.first_at, w.last_at
FROM weighed w JOIN part USING (weighed_as) JOIN most m USING (account, weighed_as)
    LEFT JOIN shared_most s USING (account, weighed_as)
WHERE part >= 1 OR left(md5(w.account::VARCHAR || ' ' || w.value), 6) < format('{{:06x}}', (16777216 * part)::BIGINT);
"""

_DONE: Final = """
DROP TABLE seen;
DROP TABLE timed;
DROP TABLE drafts;
"""


@dataclass(frozen=True)
class Alone:
    """Sightings of identifiers that only one account has. They link nobody, but chance may tie them otherwise.

    Of kinds with very many of them only a part, chosen by hash (`ALONE`).

    Attributes:
        account: int32[U].
        kind: int16[U], index into `Sightings.kinds`; kinds that nobody shares are left out.
        count, most, first, last: int64[U], as in `Sightings`. Rows are sorted by all columns in the order (account,
            kind, count, most, first, last).
    """

    account: NDArray[np.int32]
    kind: NDArray[np.int16]
    count: NDArray[np.int64]
    most: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @classmethod
    def nobody(cls) -> "Alone":
        """None at all."""
        none = np.zeros(0, np.int64)
        return cls(none.astype(np.int32), none.astype(np.int16), none, none, none, none)


@dataclass(frozen=True)
class Sightings:
    """Who was seen with what, for shared identifiers only, in two sorted orders.

    Attributes:
        account, identifier: int32[S] indices, sorted by (identifier, account).
        count: int64[S], how often the account was seen with the identifier.
        most: int64[S], the account's greatest count among all identifiers of that kind.
        first, last: int64[S], microseconds since 1970 of the first and last time; `NEVER` where the export does not
            say.
        kind: int16[I], index into `kinds`, of each identifier.
        kinds: names of the kinds, sorted; `model.public_kind` gives the contract's.
        accounts: number of accounts in the case, shared or not.
        behaviour: float64[A, B], how each account lives, in the order of `BEHAVIOURS`; NaN where unknown.
        rivals: int64[I], accounts that share the identifier but work with it so little that no sighting says so.
        ceiling: float64[I], the bits that an identifier is worth at most, where it was found by a test; else infinite.
        alone: what else each account was seen with.
        chance: float64[I], how likely strangers share the identifier at least, by the tables of context
            (`context.chances`); 0 where they do not know it.
    """

    account: NDArray[np.int32]
    identifier: NDArray[np.int32]
    count: NDArray[np.int64]
    most: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    kind: NDArray[np.int16]
    kinds: tuple[str, ...]
    accounts: int
    ceiling: NDArray[np.float64]
    rivals: NDArray[np.int64]
    behaviour: NDArray[np.float64]
    alone: Alone = field(default_factory=Alone.nobody)
    chance: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def ties(self) -> int:
        """All sightings, those of identifiers that one account has alone among them."""
        return len(self.account) + len(self.alone.account)

    @property
    def degree(self) -> NDArray[np.int64]:
        """int64[I], how many accounts share each identifier (at least 2)."""
        return np.bincount(self.identifier, minlength=len(self.kind)).astype(np.int64)


class Reader(Protocol):
    """Somebody else who makes the sightings, of other things than the tables of a case."""

    @property
    def name(self) -> str:
        """As `linkage runs` shows it."""

    @property
    def versions(self) -> dict[str, str]:
        """Of what does it."""

    def identify(self, con: duckdb.DuckDBPyConnection, case: Path, now: datetime) -> Sightings:
        """As `identify`, which see; the tables that it leaves are left in `con`, too."""


def identify(
    con: duckdb.DuckDBPyConnection, case: Path, now: datetime | None = None, *, alone: bool = True
) -> Sightings:
    """Read the case at `case` and leave in the scratch database `con` the tables that later steps look things up in.

    Identifiers that are allowed at `now` (by default the time now, UTC without a zone) are left out.

    Tables left: `people` (accounts with their index `account`, facts and activity), `shared` (identifier, kind,
    value, label, accounts, ceiling), `sightings` (account, identifier, count, most, first_at, last_at), `alone`
    (account, weighed_as, count, most, first_at, last_at), and those of `allowed_sightings`.
    Indices follow the sort order of ids, so that neither file order nor threads change anything.

    Args:
        con, case, now: see above.
        alone: whether `Sightings.alone` is wanted: by null models, and by nobody else. Without it there is no table
            `alone`, and an eighth of the work is spared.

    Raises:
        LinkageError: as `store.attached`.
    """
    with store.attached(con, case):
        keep_private = keeps_private_ips(con)
        number_accounts(con)
        find_works(con)
        read_allowed(con, now or utc_now())
        read_context(con)
        parts, lone = _divided(con, alone=alone)
        gather(con, parts, lone=lone)
    con.create_function("net_of", networks.net_of, ["VARCHAR"], "VARCHAR")
    con.create_function("is_private", networks.is_private, ["VARCHAR"], "BOOLEAN")
    add_networks(con, parts, keep_private=keep_private)
    set_aside(con)
    trust_prompts(con)
    add_chances(con)
    add_timing(con)
    find_shared(con, parts, alone=alone, lone=lone)
    return arrays(con, alone=alone)


def _divided(con: duckdb.DuckDBPyConnection, *, alone: bool) -> tuple[int, bool]:
    """In how many parts events are to be grouped, and whether what one account alone has is to be left out."""
    ((events, raw, told),) = con.execute(
        """SELECT (SELECT count(*) FROM kase.exchanges) + (SELECT count(*) FROM kase.logins),
        (SELECT count(*) FROM work_of), (SELECT count(*) FROM kase.identifiers WHERE kind = 'prompt')"""
    ).fetchall()
    most = room(con)
    parts = 1 if events * GROUPED <= most else 1 + int(2 * events * GROUPED / most)
    return parts, not alone and not raw and not told


def keeps_private_ips(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether private addresses are evidence in the case attached as `kase`."""
    row = con.execute("SELECT value FROM kase.meta WHERE key = 'keep_private_ips'").fetchone()
    return bool(row and row[0] == "1")


def number_accounts(tables: Scripts) -> None:
    """Leave `people` (the accounts that the export describes) and `ids` (account_id, account) of all there are."""
    tables.execute(_IDS)


def find_shared(tables: Scripts, parts: int = 1, *, alone: bool = True, lone: bool = False) -> None:
    """Leave `shared`, `sightings` and, if wanted, `alone`, and take `seen` and `timed` away.

    Args:
        tables: where.
        parts, lone: as in `gather`.
        alone: whether `alone` is wanted, for which all must be in `seen`.
    """
    with grouped(tables, "held", _HELD, "value", parts) as held:
        tables.execute(_SHARED.format(held=held))
    with (
        grouped(tables, "mosts", _MOST.replace("{lone}", _LONE if lone else ""), "account", parts) as most,
        grouped(tables, "kept", _KEPT, "value", parts) as kept,
        grouped(tables, "told", _FOUND.replace("$kept", kept).replace("$most", most), "account", parts) as found,
    ):
        tables.execute(_SIGHTINGS.format(found=found))
    if alone:
        tables.execute(_ALONE.format(worked=WORKED_PROMPT, alone=ALONE))
    tables.execute(_DONE)


def arrays(con: duckdb.DuckDBPyConnection, *, alone: bool = True) -> Sightings:
    """The sightings as arrays, from the tables that `find_shared` left in `con`."""
    rows = con.execute(
        """SELECT account, identifier, count, most, coalesce(epoch_us(first_at), $1) AS first,
        coalesce(epoch_us(last_at), $1) AS last FROM sightings ORDER BY identifier, account""",
        [NEVER],
    ).fetchnumpy()
    named = con.execute(
        """SELECT coalesce(trust, kind) AS kind, coalesce(ceiling, 'inf'::DOUBLE) AS ceiling,
            coalesce(rivals, 0) AS rivals, coalesce(chance, 0) AS chance
        FROM shared LEFT JOIN chances USING (kind, value) ORDER BY identifier"""
    ).fetchnumpy()
    kinds, index = np.unique(np.asarray(named["kind"], dtype=str), return_inverse=True)
    total = con.execute("SELECT count(*) FROM ids").fetchone()
    return Sightings(
        identifier=np.asarray(rows["identifier"], dtype=np.int32),
        kind=index.astype(np.int16),
        kinds=tuple(str(kind) for kind in kinds),
        accounts=int(total[0]) if total else 0,
        ceiling=np.asarray(named["ceiling"], dtype=np.float64),
        rivals=np.asarray(named["rivals"], dtype=np.int64),
        behaviour=_behaviour(con),
        alone=_alone(con) if alone else Alone.nobody(),
        chance=np.asarray(named["chance"], dtype=np.float64),
        **_uses(rows),
    )


def _uses(rows: dict[str, Any]) -> dict[str, Any]:
    whole = {name: np.asarray(rows[name], dtype=np.int64) for name in ("count", "most", "first", "last")}
    return {"account": np.asarray(rows["account"], dtype=np.int32), **whole}


def _alone(con: duckdb.DuckDBPyConnection) -> Alone:
    rows = con.execute(
        """WITH places AS (SELECT name, row_number() OVER (ORDER BY name) - 1 AS kind
            FROM (SELECT DISTINCT coalesce(trust, kind) AS name FROM shared))
        SELECT account, kind, count, most, coalesce(epoch_us(first_at), $1) AS first,
            coalesce(epoch_us(last_at), $1) AS last FROM alone JOIN places ON name = weighed_as ORDER BY ALL""",
        [NEVER],
    ).fetchnumpy()
    return Alone(kind=np.asarray(rows["kind"], dtype=np.int16), **_uses(rows))


def _behaviour(con: duckdb.DuckDBPyConnection) -> NDArray[np.float64]:
    columns = ", ".join(
        f"CASE WHEN {'true' if name == 'signed_up' else f'a.exchanges >= {LIVED}'} THEN ({sql})::DOUBLE END AS {name}"
        for name, sql in BEHAVIOURS.items()
    )
    rows = con.execute(
        f"""SELECT {columns} FROM ids LEFT JOIN people p USING (account_id) LEFT JOIN activity a USING (account_id)
        ORDER BY ids.account"""  # noqa: S608 (the columns are ours)
    ).fetchnumpy()
    return np.stack([np.ma.filled(np.ma.asarray(rows[name], np.float64), np.nan) for name in BEHAVIOURS], axis=1)
