"""The network: homes of internet providers, carriers' NAT, VPN exits, servers. Addresses are whole numbers.

An IPv4 address is its 32-bit value. An IPv6 address has bit 62 set, 44 bits of its /64 and 16 bits of its host part.
1 stands for no address, 0 for what a broken client reports. Addresses look public; who really holds one has nothing to
do with it.
"""

from typing import Final

import numpy as np

from linkage.simulate.hashing import Ints, Words

NOWHERE: Final = 1
_FIRST_OCTETS: Final = np.array(
    [5, 24, 31, 37, 46, 62, 73, 77, 80, 81, 82, 84, 86, 88, 89, 91, 93, 94, 95, 109, 141, 176, 178, 185, 188, 193, 194,
     195, 212, 213, 217], dtype=np.int64,
)  # fmt: skip
_AREA: Final = 2**14
"""Addresses of an area (a /18): one provider in one region."""

_DAY: Final = 86_400
_LEASES: Final = np.array([10_000, 1, 7, 14, 30])
"""Days after which an area's homes get other addresses; 10,000 is never."""

_LEASE_SHARES: Final = np.array([0.4, 0.08, 0.22, 0.17, 0.13])
_HOMES_AN_AREA: Final = 420


class Addresses:
    """Areas of a world for so many accounts, and who has how many places in them.

    Args:
        rng: chance for the plan of the network only.
        accounts: the world's size; the number of areas, carriers and VPNs follows it.
    """

    def __init__(self, rng: np.random.Generator, accounts: int) -> None:
        areas = max(8, accounts // _HOMES_AN_AREA)
        clouds = max(4, accounts // 4_000)
        total = len(_FIRST_OCTETS) * 4 * 256
        starts = rng.permutation(total)
        base = (_FIRST_OCTETS[starts // 1024] << 24) + (starts % 1024) * _AREA
        self._base, self._cloud, self._spare = base[:areas], base[areas : areas + clouds], base[areas + clouds :]
        self._lease = rng.choice(_LEASES, areas, p=_LEASE_SHARES)
        self._lease[:3] = 10_000
        # Where the step is small, an address goes to a fellow customer next; where it is large, to nobody we know.
        self._step = np.where(rng.random(areas) < 0.6, rng.integers(1, 4, areas), rng.integers(5_000, 8_000, areas))
        self._scatter = rng.integers(0, _AREA // 2, areas) * 2 + 1
        self._taken = np.zeros(areas, dtype=np.int64)
        self._popular = rng.pareto(1.6, areas) + 0.3
        self._popular /= self._popular.sum()
        self._servers = self._hidden = 0

    def homes(self, rng: np.random.Generator, count: int, *, static: bool = False) -> tuple[Ints, Ints]:
        """New homes: the area of each, and its place there. `static` ones keep their address."""
        popular = self._popular * (self._lease > 1_000) if static else self._popular
        area = rng.choice(len(self._base), count, p=popular / popular.sum())
        order = np.argsort(area, kind="stable")
        place = np.empty(count, dtype=np.int64)
        found, first, counts = np.unique(area[order], return_index=True, return_counts=True)
        place[order] = np.arange(count) - np.repeat(first, counts) + np.repeat(self._taken[found], counts)
        self._taken[found] += counts
        return area, place

    def at(self, area: Ints, place: Ints, when: Ints) -> Words:
        """The IPv4 addresses that homes have at some seconds."""
        period = (when // _DAY + 400) // self._lease[area]
        spot = ((place + period * self._step[area]) * self._scatter[area]) % _AREA
        found: Words = (self._base[area] + spot).astype(np.uint64)
        return found

    def ipv6(self, area: Ints, place: Ints, host: Words) -> Words:
        """The IPv6 addresses of homes: one /64 a home, a host part for each device and week."""
        network = (area.astype(np.uint64) << np.uint64(24)) | (place.astype(np.uint64) & np.uint64(0xFFFFFF))
        return (np.uint64(1) << np.uint64(62)) | (network << np.uint64(16)) | (host & np.uint64(0xFFFF))

    def static(self, rng: np.random.Generator, count: int) -> Words:
        """New addresses of offices, cafés and other places that keep theirs."""
        area, place = self.homes(rng, count, static=True)
        return self.at(area, place, np.zeros(count, dtype=np.int64))

    def servers(self, count: int) -> Words:
        """New addresses in clouds, where neighbours are close."""
        at = self._servers + np.arange(count)
        self._servers += count
        spot = (at // len(self._cloud)) * 3 % _AREA
        return (self._cloud[at % len(self._cloud)] + spot).astype(np.uint64)

    def hidden(self, count: int) -> Words:
        """New addresses where no customer lives, about one in 40 of their areas."""
        at = self._hidden + np.arange(count)
        self._hidden += count
        spots = _AREA // 40
        spot = (at % spots) * 8191 % _AREA
        return (self._spare[at // spots] + spot).astype(np.uint64)

    def lived_in(self, rng: np.random.Generator, count: int, days: int) -> Words:
        """Addresses at which somebody lives: what residential proxies sell."""
        area = rng.choice(len(self._base), count, p=self._popular)
        place = (rng.random(count) * np.maximum(self._taken[area], 20)).astype(np.int64)
        return self.at(area, place, (rng.random(count) * days * _DAY).astype(np.int64))
