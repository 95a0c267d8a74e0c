"""A world under construction: rows of the contract tables, and who belongs to what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

START: Final = datetime(2026, 1, 5)
"""The first day of traffic, a Monday."""

_FIRST_OCTETS: Final = (5, 24, 31, 37, 46, 62, 73, 77, 80, 81, 82, 84, 86, 88, 89, 91, 93, 94, 95, 109, 141, 176, 178,
    185, 188, 193, 194, 195, 212, 213, 217)  # fmt: skip


@dataclass
class World:
    """What has been built so far.

    Attributes:
        rng: the only source of chance.
        days: length of the traffic.
        tables: rows by contract table.
        truth: the ring of each account, "" for an innocent one.
        groups: what was planted: name, recipe, whether it is a ring, and its accounts.
    """

    rng: np.random.Generator
    days: int = 45
    tables: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {
            name: [] for name in ("accounts", "payments", "logins", "exchanges", "identifiers", "links")
        }
    )
    truth: dict[str, str] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)

    def name(self, prefix: str, digits: int = 10) -> str:
        """A new random name such as `card_3fa9…`."""
        while True:
            made = f"{prefix}{self.rng.integers(0, 16**digits):0{digits}x}"
            if made not in self._taken:
                self._taken.add(made)
                return made

    def address(self) -> str:
        """A new address that looks public; one in eight is IPv6."""
        while True:
            octets = [self.pick(_FIRST_OCTETS), *(int(o) for o in self.rng.integers(1, 255, 3))]
            made = ".".join(map(str, octets))
            if self.rng.random() < 0.125:
                made = f"2a{octets[0]:02x}:{octets[1]:x}{octets[2]:02x}:{octets[3]:x}::{self.rng.integers(1, 65535):x}"
            if made not in self._taken:
                self._taken.add(made)
                return made

    def addresses(self, count: int) -> list[str]:
        """New addresses."""
        return [self.address() for _ in range(count)]

    def pick(self, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        return choices[int(self.rng.integers(len(choices)))]

    def some(self, choices: Sequence[Any], count: int) -> list[Any]:
        """Different ones of the choices, at most all of them."""
        order = self.rng.permutation(len(choices))[: min(count, len(choices))]
        return [choices[int(at)] for at in order]

    def time(self, first_day: float = 0.0, last_day: float | None = None) -> datetime:
        """A moment between two days, counted from `START`."""
        last = self.days if last_day is None else last_day
        return START + timedelta(seconds=int(self.rng.uniform(first_day, last) * 86_400))

    def plant(self, name: str, recipe: str, accounts: Iterable[str], *, ring: bool) -> None:
        """Say that accounts belong together, as a ring or as innocents."""
        members = sorted(accounts)
        self.groups.append({"name": name, "recipe": recipe, "ring": ring, "accounts": members})
        if ring:
            self.truth.update(dict.fromkeys(members, name))

    def add(self, table: str, **row: Any) -> None:
        """Add a row."""
        self.tables[table].append(row)
