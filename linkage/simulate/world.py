"""A world under construction: its key, its network, pools of values that are shared, and where rows go."""

import zlib
from datetime import datetime
from typing import Any, Final

import numpy as np

from linkage.simulate.addresses import Addresses
from linkage.simulate.hashing import Floats, Ints, Words, mix, scramble, unit
from linkage.simulate.parts import Parts
from linkage.simulate.prompts import Templates, fingerprints, reword, text

START: Final = datetime(2026, 1, 5)
"""The first day of traffic, a Monday. Times are whole seconds from here."""

WORLDS_VERSION: Final = 1
"""Of what the worlds hold: measurements of different versions are not comparable."""

DAY: Final = 86_400
BATCH: Final = 25_000
"""About so many accounts are made at once."""


class Pools:
    """Lists of values (addresses, devices, templates, times), told by their number."""

    def __init__(self) -> None:
        self._values = np.zeros(1024, dtype=np.uint64)
        self._first = np.zeros(1024, dtype=np.int64)
        self._size = np.zeros(1024, dtype=np.int64)
        self._used = 0
        self._count = 0

    def add(self, values: Any, sizes: Any) -> Ints:
        """Cut values into new pools of the given sizes (1 or more each); returns their numbers."""
        sizes = np.asarray(sizes, dtype=np.int64)
        values = np.asarray(values).astype(np.uint64)
        self._values = _room(self._values, self._used + len(values))
        self._first = _room(self._first, self._count + len(sizes))
        self._size = _room(self._size, self._count + len(sizes))
        self._values[self._used : self._used + len(values)] = values
        numbers = np.arange(self._count, self._count + len(sizes))
        self._first[numbers] = self._used + np.cumsum(sizes) - sizes
        self._size[numbers] = sizes
        self._used += len(values)
        self._count += len(sizes)
        return numbers

    def one(self, values: Any) -> Ints:
        """All values as one pool."""
        return self.add(values, [len(values)])

    def pick(self, pool: Ints, chance: Floats) -> Words:
        """For each row a value of its pool; chance is in [0, 1)."""
        return self._values[self._first[pool] + (chance * self._size[pool]).astype(np.int64)]

    def parts(self, pool: Ints, sizes: Any, rng: np.random.Generator) -> Ints:
        """New pools with some values of the given ones, drawn at random: what each member got of it."""
        sizes = np.maximum(np.asarray(sizes, dtype=np.int64), 1)
        return self.add(self.pick(np.repeat(pool, sizes), rng.random(int(sizes.sum()))), sizes)


def _room(values: Any, wanted: int) -> Any:
    if wanted <= len(values):
        return values
    larger = np.zeros(max(wanted, 2 * len(values)), dtype=values.dtype)
    larger[: len(values)] = values
    return larger


class World:
    """What structures are built into.

    Attributes:
        accounts, days, evasion, prompts: as given to `simulate`.
        rng: chance of the society that all share; each structure has a generator of its own (`chance`).
        net, pools, templates: addresses, lists of shared values, and prompts.
        parts: where rows go.
        end: the last second of traffic.
        release: the second at which a new model came out.
        counts: instances and accounts of each structure, and whether it is a ring.
    """

    def __init__(self, parts: Parts, *, accounts: int, seed: int, days: int, evasion: float, prompts: str) -> None:
        self.parts, self.accounts, self.days, self.evasion, self.prompts = parts, accounts, days, evasion, prompts
        self.seed = seed
        self.key = np.uint64(np.random.SeedSequence([seed, WORLDS_VERSION]).generate_state(1, np.uint64)[0])
        self.rng = self.chance("society")
        self.net = Addresses(self.chance("network"), accounts)
        self.pools = Pools()
        self.templates = Templates(self.chance("templates"))
        self.end = days * DAY
        self.release = int(days * DAY * 0.42)
        self.counts: dict[str, dict[str, Any]] = {}
        self.domains = _Domains(self.chance("domains"))
        self._serial = 0
        self._publish()

    def _publish(self) -> None:
        """What everybody may meet: carriers, VPNs, shared egress of platforms, framework prompts, benchmarks."""
        size, rng = self.accounts, self.rng
        carriers = np.full(4 + size // 25_000, max(3, size // 700))
        self.carriers = self.pools.add(self.net.static(rng, int(carriers.sum())), carriers)
        vpns = rng.integers(20, 160, 3 + size // 12_000)
        self.vpns = self.pools.add(self.net.servers(int(vpns.sum())), vpns)
        platforms = rng.integers(8, 60, 3 + size // 20_000)
        self.platforms = self.pools.add(self.net.servers(int(platforms.sum())), platforms)
        self.frameworks = np.concatenate([
            self.templates.new(25, fixed=(8, 40), slots=(0, 0)), self.templates.new(35, fixed=(10, 40)),
        ])  # fmt: skip
        self.framework_shares = 1 / np.arange(1, 61) ** 1.1
        self.framework_shares /= self.framework_shares.sum()
        self.benchmarks = self.new(10 + size // 10_000)
        self.harnesses = self.templates.new(len(self.benchmarks), fixed=(6, 30), slots=(1, 2))
        self.public, self.public_items = self.new(1), max(500, size // 2)

    def chance(self, *name: Any) -> np.random.Generator:
        """A generator of its own for what the name says: what else the world holds does not change it."""
        words = [zlib.crc32(str(part).encode()) for part in name]
        return np.random.default_rng([self.seed, WORLDS_VERSION, *words])

    def new(self, count: int) -> Words:
        """New values that look random: accounts, cards, devices."""
        self._serial += count
        return self.token(np.arange(self._serial - count, self._serial, dtype=np.uint64))

    def token(self, *of: Any) -> Words:
        """The value that belongs to some numbers, always the same; never one that stands for nothing."""
        made = scramble(scramble(of[0]) ^ self.key) if len(of) == 1 else mix(*of, self.key)
        return np.maximum(made, np.uint64(16))

    def share(self, *of: Any) -> Floats:
        """As `token`, in [0, 1)."""
        return unit(self.token(*of))

    def say(self, template: Ints, seed: Words, topic: Words, rows: Words, *, reworded: bool) -> dict[str, Any]:
        """The prompt column of exchanges, as text or fingerprints, or none; `rows` are numbers that no other row has.

        Args:
            template, seed, topic, rows: one each an exchange.
            reworded: replace half of `evasion` of the words.
        """
        changed = np.zeros(len(rows), dtype=np.bool_)
        if self.prompts == "none":
            return {}
        if self.prompts == "fingerprint" and not reworded:
            return {"fingerprint": fingerprints(template, seed, topic, changed, rows)}
        said, row = self.templates.speak(template, seed, topic)
        if reworded:
            chance = np.random.default_rng([int(rows[0]), self.seed])
            said, replaced = reword(said, row, len(rows), self.evasion / 2, chance)
            changed[row[replaced]] = True
        if self.prompts == "fingerprint":
            return {"fingerprint": fingerprints(template, seed, topic, changed, rows)}
        return {"prompt": text(said, row, len(rows))}


PUBLIC_HOSTS: Final = (
    "gmail.com", "outlook.com", "yahoo.com", "icloud.com", "hotmail.com", "proton.me", "gmx.net", "web.de", "qq.com",
    "mail.ru", "orange.fr", "live.com",
)  # fmt: skip
HOST_SHARES: Final = np.array([46, 12, 9, 8, 7, 5, 3, 2, 3, 2, 1, 2]) / 100
DISPOSABLE: Final = 24


class _Domains:
    """Mail hosts: public ones, disposable ones, and those of organisations."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.names = list(PUBLIC_HOSTS)
        self.disposable = self.new(rng, DISPOSABLE, ("mail.com", "box.net", "inbox.io"))

    def new(
        self, rng: np.random.Generator, count: int, endings: tuple[str, ...] = (".com", ".io", ".de", ".net")
    ) -> Ints:
        """New domains with names of their own."""
        first = len(self.names)
        syllables = (
            "bar",
            "cor",
            "del",
            "fen",
            "gal",
            "hol",
            "kin",
            "lum",
            "mar",
            "nor",
            "pel",
            "ros",
            "sol",
            "tam",
            "ven",
            "wil",
        )
        drawn = rng.integers(0, len(syllables), (count, 2)).tolist()
        ends = rng.integers(0, len(endings), count).tolist()
        self.names += [
            f"{syllables[one]}{syllables[two]}{first + at:x}{endings[end]}"
            for at, ((one, two), end) in enumerate(zip(drawn, ends, strict=True))
        ]
        return np.arange(first, len(self.names))
