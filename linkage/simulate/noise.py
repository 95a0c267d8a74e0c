"""The world `noise`: pure chance. Whatever is shared here is shared by accident, and nobody is in a ring."""

from typing import Final

import numpy as np

from linkage.simulate.hashing import Ints, Words, mix
from linkage.simulate.lives import MODELS, settle
from linkage.simulate.parts import LIMIT
from linkage.simulate.people import AGENTS, Cohort
from linkage.simulate.world import BATCH, World

_KINDS: Final = ("ip", "device", "payment", "prompt", "address", "api_key")


def noise(world: World) -> None:
    """Accounts with heavy-tailed activity; each value is drawn by itself, from a few hubs and many rare ones."""
    for number, start in enumerate(range(0, world.accounts, BATCH)):
        rng = world.chance("noise", number)
        cohort = Cohort(world, "", rng, np.ones(min(BATCH, world.accounts - start), dtype=np.int64), 0, False)
        cohort.cards[:] = 0
        count = np.minimum(np.ceil(rng.pareto(1.1, cohort.n) * 6 + 1), 3_000).astype(np.int64)
        cohort.daily.count = np.zeros(cohort.n, dtype=np.int64)
        settle(cohort)
        _events(cohort, np.where(cohort.banned > world.end, count, 0))
        for kind, most in (("payment", 3), ("address", 2), ("api_key", 2)):
            rows = np.repeat(np.arange(cohort.n), rng.integers(0, most + 1, cohort.n))
            value = _value(world, rng, kind, len(rows))
            if kind == "payment":
                facts = {"method": np.full(len(rows), "card").astype(object), "added": cohort.created[rows] + 600}
                world.parts.add("payments", {"account": cohort.account[rows], "payment": value, **facts})
            else:
                facts = {"kind": np.full(len(rows), kind).astype(object), "value": value}
                at = cohort.created[rows] + 600
                world.parts.add("identifiers", {"account": cohort.account[rows], **facts, "at": at})


def _value(world: World, rng: np.random.Generator, kind: str, rows: int) -> Words:
    """Values of a kind by a law of popularity: a few have hundreds of holders, most have one or two."""
    rank = np.minimum(rng.pareto(0.35, rows) * 3, world.accounts * 12.0).astype(np.int64)
    return world.token(rank, _KINDS.index(kind) + 500)


def _events(c: Cohort, count: Ints) -> None:
    world, rng = c.world, c.rng
    whose = np.repeat(np.arange(c.n), count)
    for start in range(0, len(whose), LIMIT):
        at = whose[start : start + LIMIT]
        rows = len(at)
        since = c.daily.since[at] + 120
        when = since + (rng.random(rows) * np.maximum(world.end - since, 1)).astype(np.int64)
        ip = 0x50000000 + _value(world, rng, "ip", rows) % np.uint64(0x0F000000)
        device, seed, exchange = _value(world, rng, "device", rows), _value(world, rng, "prompt", rows), world.new(rows)
        facts = {
            "account": c.account[at], "at": when, "exchange": exchange, "ip": ip, "device": device,
            "user_agent": np.array(AGENTS, dtype=object)[c.agent[at]], "model": MODELS[rng.integers(0, 2, rows)],
        }  # fmt: skip
        template = np.zeros(rows, dtype=np.int64)
        facts |= world.say(template, seed, mix(seed, 3), exchange, reworded=False)
        tokens = np.exp(rng.normal(5.4, 0.9, (2, rows))).astype(np.int64) + 3
        world.parts.add("exchanges", facts | {"input_tokens": tokens[0], "output_tokens": tokens[1]})
        few = rng.random(rows) < 0.1
        world.parts.add("logins", {name: facts[name][few] for name in ("account", "ip", "device", "user_agent", "at")})
