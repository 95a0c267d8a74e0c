"""How often the right thing is told of rings that change from day to day.

    python -m benchmarks.lineage [--rings 120] [--seeds 101 102 103] [--halves apart|together]

Each seed makes a world of three daily exports in the contract's format: rings of 8 to 30 accounts, each on cards and
devices of its own, among households and lone customers. For each of days 2 and 3 every ring has one planted event:
nothing, growth, bans (it shrinks), bans with replacements, a merger with another (a new card and device for both), a
split (the address and the device that tied its halves turn out to be a public terminal), birth. Halves that can split
signed up at times of their own, as two rings do (`apart`), or in the same five days (`together`: then their sign-ups
tie them when the terminal no longer does). `linkage ingest` and `linkage detect` run after each day on one case. An
event is told right if the ring that holds most of the accounts concerned has it; ids are checked beside: none given to
two rings, none changed where nothing called for it.
"""

import argparse
import csv
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from linkage import results, store
from linkage.changes import Change, changes
from linkage.detect import detect
from linkage.ingest import ingest

START = datetime(2026, 1, 5)
EVENTS = ("same", "grew", "shrank", "replaced", "merged_into", "split_from", "born")
HALVES = 2
PUBLIC = 400
"""Customers who use the terminal that tied two halves of a ring, from the day of the split on."""


@dataclass
class Half:
    """Accounts on cards and devices of their own, and days since they signed up."""

    name: str
    age: int
    accounts: list[str] = field(default_factory=list)


@dataclass
class Ring:
    """A planted ring: one half or two, and the address of what ties them (or "")."""

    halves: list[Half]
    address: str = ""
    banned: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """That of its first half."""
        return self.halves[0].name

    @property
    def accounts(self) -> list[str]:
        """All accounts."""
        return [account for half in self.halves for account in half.accounts]


class World:
    """Three days of exports."""

    def __init__(self, seed: int, rings: int, halves: str = "apart") -> None:
        self.random = np.random.default_rng(seed)
        self.day = 1
        self.apart = halves == "apart"
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.made = 0
        self.rings: list[Ring] = []
        self.planted: list[tuple[str, list[str], list[str]]] = []
        for _ in range(rings):
            self.rings.append(self.ring(split=self.random.random() < 0.3))
        for house in range(rings * 20):
            self.people(int(self.random.integers(1, 4)), f"203.{house // 250 % 250}.{house % 250}.7")

    def account(self, ago: int = 400, age: int = 0) -> str:
        """A new account, signed up within so many days before it was of an age, in days."""
        self.made += 1
        name = f"acct{self.made:06}"
        at = START + timedelta(days=self.day - age) - timedelta(hours=int(self.random.integers(24 * ago)))
        self.rows["accounts"].append({"account_id": name, "created_at": at.isoformat(), "status": "active"})
        return name

    def people(self, count: int, address: str) -> None:
        """Customers behind one address, each with a card and a device."""
        for _ in range(count):
            name = self.account()
            self.pays(name, f"card-{name}")
            self.logs_in(name, address, f"device-{name}")

    def pays(self, name: str, card: str) -> None:
        """An account has a card."""
        at = (START + timedelta(days=self.day)).isoformat()
        self.rows["payments"].append({"account_id": name, "payment_id": card, "added_at": at})

    def logs_in(self, name: str, address: str, device: str) -> None:
        """An account logs in some times today."""
        for _ in range(3):
            at = START + timedelta(days=self.day, minutes=int(self.random.integers(1_400)))
            self.rows["logins"].append(
                {"account_id": name, "ip": address, "device_id": device, "at": at.isoformat()}
            )  # fmt: skip

    def ring(self, *, split: bool = False) -> Ring:
        """A new ring, of one half or of two that only an address ties."""
        name = f"ring{len(self.rings):04}-{self.made}"
        address = f"198.51.{len(self.rings) % 250}.{self.made % 250}" if split else ""
        made = Ring([], address)
        for at in range(HALVES if split else 1):
            together = at > 0 and not self.apart
            age = made.halves[0].age if together else int(self.random.integers(300))
            made.halves.append(Half(f"{name}-{at}", age))
            made.halves[at].accounts = [self.member(made, made.halves[at]) for _ in range(self.random.integers(8, 16))]
        return made

    def member(self, ring: Ring, half: Half) -> str:
        """One more account of a ring."""
        name = self.account(5, half.age if self.day == 1 else 0)
        self.pays(name, f"{half.name}-card{self.random.integers(2)}")
        device = f"{half.name}-device{self.random.integers(2)}"
        self.logs_in(name, ring.address or f"198.18.{self.made // 250 % 250}.{self.made % 250}", device)
        if ring.address:
            self.logs_in(name, ring.address, f"terminal-{ring.address}")
        return name

    def export(self, folder: Path) -> None:
        """Write what is new since the last export."""
        folder.mkdir()
        for table, rows in self.rows.items():
            with (folder / f"{table}-{self.day}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)
        self.rows.clear()

    def next_day(self) -> None:
        """Plant an event for every ring."""
        self.day += 1
        self.planted = []
        order = [self.rings[at] for at in self.random.permutation(len(self.rings))]
        while order:
            ring = order.pop()
            event = str(self.random.choice(["same", "grew", "shrank", "replaced", "merged_into", "split_from"]))
            if event == "split_from" and not ring.address:
                event = "grew"
            if event == "merged_into" and (not order or ring.address or order[-1].address):
                event = "same"
            self.plant(event, ring, order)
        for _ in range(max(1, len(self.rings) // 20)):
            born = self.ring()
            self.rings.append(born)
            self.planted.append(("born", born.accounts, []))

    def plant(self, event: str, ring: Ring, others: list[Ring]) -> None:
        """One event."""
        before = ring.accounts
        if event in ("shrank", "replaced"):
            alive = [account for account in before if account not in ring.banned]
            for name in alive[: max(2, len(alive) // 4)]:
                ring.banned.add(name)
                self.rows["accounts"].append({"account_id": name, "created_at": "", "status": "banned"})
        if event in ("grew", "replaced"):
            ring.halves[0].accounts += [self.member(ring, ring.halves[0]) for _ in range(3)]
        if event == "merged_into":
            other = others.pop()
            for name in ring.accounts + other.accounts:
                self.pays(name, f"{ring.name}-{other.name}-card")
                self.logs_in(name, "198.51.99.99", f"{ring.name}-{other.name}-device")
            small, large = sorted((ring, other), key=lambda r: len(r.accounts))
            self.planted += [("merged_into", small.accounts, large.accounts), ("grew", large.accounts, [])]
            large.halves[0].accounts += small.accounts
            large.banned |= small.banned
            self.rings.remove(small)
            return
        if event == "split_from":
            for _ in range(PUBLIC):
                self.logs_in(self.account(), ring.address, f"terminal-{ring.address}")
            most, fewest = sorted(ring.halves, key=lambda half: len(half.accounts), reverse=True)
            self.planted += [("split_from", fewest.accounts, most.accounts), ("shrank", most.accounts, [])]
            self.rings.remove(ring)
            for half in (most, fewest):
                self.rings.append(Ring([half], banned=ring.banned & set(half.accounts)))
            return
        self.planted.append((event, before, []))


def main() -> None:
    """Make the worlds, run the days, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--rings", type=int, default=120)
    parser.add_argument("--halves", choices=["apart", "together"], default="apart")
    given = parser.parse_args()
    total, right = Counter[str](), Counter[str]()
    wrong: list[str] = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            for event, told, ok in days(World(seed, given.rings, given.halves), Path(folder)):
                total[event] += 1
                right[event] += ok
                if not ok:
                    wrong.append(f"{event} told as {told}")
    print("| planted | events | told right |\n|---|--:|--:|")
    for event in EVENTS:
        print(f"| `{event}` | {total[event]} | {right[event] / max(total[event], 1):.3f} |")
    print(f"| all | {total.total()} | {right.total() / total.total():.3f} |")
    print(", ".join(f"{many} × {what}" for what, many in Counter(wrong).most_common()))


def days(world: World, folder: Path) -> Iterable[tuple[str, str, bool]]:
    """Run the days; yields each planted event, what was told instead, and whether it was told right."""
    case = folder / "case.duckdb"
    homes: dict[str, str] = {}
    for day in (1, 2, 3):
        if day > 1:
            world.next_day()
        world.export(folder / str(day))
        ingest([folder / str(day)], case)
        detect(case, nulls=0)
        before, homes = homes, rings_of(case)
        if day > 1:
            told = {change.ring_id: change for change in changes(case, unlisted=True).changes}
            for event, accounts, others in world.planted:
                said, ok = judged(event, accounts, others, before, homes, told)
                yield event, said, ok


def judged(
    event: str, accounts: list[str], others: list[str], before: dict[str, str], now: dict[str, str],
    told: dict[str, Change],
) -> tuple[str, bool]:  # fmt: skip
    """What was told of the accounts' ring, and whether that is the planted event under the right ids."""
    was, became = home(accounts, before), home(accounts, now)
    if event == "merged_into":
        said = told.get(was)
        # Which of two merged rings lives on is no error.
        both = {was, home(others, before)}
        ended = [told[ring_id] for ring_id in both if ring_id in told and told[ring_id].event == "merged_into"]
        return (said.event if said else "same"), len(ended) == 1 and {became, ended[0].other} <= both
    change = told.get(became)
    said_event = change.event if change else "same"
    if event == "split_from":
        return said_event, change is not None and said_event == event and change.other == home(others, now)
    if event == "born":
        return said_event, said_event == event and became not in before.values()
    return said_event, said_event == event and became == was


def home(accounts: list[str], homes: dict[str, str]) -> str:
    """The ring that most of the accounts are in."""
    return Counter(homes.get(account, "") for account in accounts).most_common(1)[0][0]


def rings_of(case: Path) -> dict[str, str]:
    """The ring of each account, listed or not."""
    with store.reading(case) as con:
        rows = con.execute("SELECT account_id, ring_id FROM members").fetchall()
    ids = [row.ring_id for row in results.rings(case, unlisted=True)]
    if len(set(ids)) != len(ids):
        raise AssertionError("an id was given to two rings")
    return dict(rows)


if __name__ == "__main__":
    main()
