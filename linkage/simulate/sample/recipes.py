"""What is planted: rings that must be found, and innocent look-alikes that must not.

A recipe takes the world, the society and a size, builds its accounts and plants them. Its docstring says what they
share and, for innocents, what speaks for them. Add one to `RECIPES` to add it to every simulated world.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from linkage.simulate.sample.people import Person, Society, exchange, live, login, own_prompt, pay, person
from linkage.simulate.sample.world import START, World

Recipe = Callable[[World, Society, int], None]

_TASKS: Final = (
    "prove the following lemma", "write a unit test for this function", "translate the clause into Japanese",
    "rate the two answers and say why", "solve the integral", "extract all entities as JSON", "find the bug",
    "explain the chess position", "summarise the ruling", "write the SQL for the question",
)  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """A recipe with its size in a world of 3,000 accounts, and whether its size grows with the world."""

    build: Recipe
    size: int
    grows: bool = True


def _new(world: World, around: Society, count: int, days: float = 6.0, **facts: object) -> list[Person]:
    """Accounts that sign up within some days of each other."""
    first = float(world.rng.uniform(-30, 5))
    return [
        person(world, around, created_at=START + timedelta(days=first + float(world.rng.uniform(0, days))), **facts)
        for _ in range(count)
    ]


def _templates(world: World, count: int) -> list[str]:
    return [
        f"You are an expert. Think step by step and {world.pick(_TASKS)}. Case {at}: {own_prompt(world)}"
        for at in range(count)
    ]


def proxy_pool(world: World, around: Society, size: int) -> None:
    """Ring: a hydra behind a proxy pool, some cards, templates, round the clock, ordinary traffic mixed in."""
    crew = _new(world, around, size, days=12)
    pool, cards = world.addresses(max(size // 2, 3)), [world.name("card_") for _ in range(max(size // 6, 1))]
    prompts = _templates(world, 6 * size)
    # The pool is rented out: innocents come through it now and then.
    for stranger in [person(world, around) for _ in range(size // 4)]:
        pay(world, stranger)
        live(world, stranger)
        for _ in range(3):
            exchange(world, stranger, world.time(), world.pick(pool), own_prompt(world))
    for who in crew:
        pay(world, who, world.pick(cards))
        live(world, who, 6)
        for _ in range(24):
            said = (
                world.pick(prompts)
                if world.rng.random() < 0.7
                else f"{world.pick(prompts)} {world.rng.integers(10**6)}"
            )
            exchange(world, who, world.time(2), world.pick(pool), said, model="large-4.1")
    world.plant("proxy-pool", "proxy_pool", (who.account for who in crew), ring=True)


def card_ring(world: World, around: Society, size: int) -> None:
    """Ring: few cards for many accounts; one card is stolen, and its owner is an innocent customer."""
    crew = _new(world, around, size)
    cards = [world.name("card_") for _ in range(max(size // 6, 1))]
    for at, who in enumerate(crew):
        pay(world, who, cards[at % len(cards)])
        if at % 3 == 0:
            pay(world, who, cards[(at + 1) % len(cards)])
        live(world, who, 10)
        for _ in range(12):
            exchange(world, who, world.time(6), who.home, own_prompt(world))
    victim = person(world, around, created_at=START - timedelta(days=500))
    pay(world, victim, cards[0])
    live(world, victim)
    world.plant("card-ring", "card_ring", (who.account for who in crew), ring=True)
    world.plant("stolen-card-owner", "card_ring", [victim.account], ring=False)


def device_farm(world: World, around: Society, size: int) -> None:
    """Ring: phones on a shelf, each running many accounts, templates sent at all hours."""
    crew = _new(world, around, size)
    shelf = [world.name("dev_") for _ in range(max(size // 7, 1))]
    exits, prompts = world.addresses(max(size // 8, 2)), _templates(world, size)
    for at, who in enumerate(crew):
        pay(world, who)
        live(world, who, 3)
        for _ in range(15):
            exchange(world, who, world.time(6), world.pick(exits), world.pick(prompts), shelf[at % len(shelf)])
    world.plant("device-farm", "device_farm", (who.account for who in crew), ring=True)


def small_ring(world: World, around: Society, size: int) -> None:
    """Ring: a handful on one card, one server and one device, sharing templates."""
    crew = _new(world, around, size, days=1)
    card, server, device, prompts = world.name("card_"), world.address(), world.name("dev_"), _templates(world, 8)
    for who in crew:
        pay(world, who, card)
        live(world, who, 2)
        for _ in range(30):
            exchange(world, who, world.time(6), server, world.pick(prompts), device)
    world.plant("small-ring", "small_ring", (who.account for who in crew), ring=True)


def burst_ring(world: World, around: Society, size: int) -> None:
    """Ring: own cards, own addresses; the same prompts in the same minutes, and API keys in common."""
    crew = _new(world, around, size)
    keys = [world.name("key_") for _ in range(max(size // 4, 1))]
    for at, who in enumerate(crew):
        pay(world, who)
        live(world, who, 6)
        world.add("identifiers", account_id=who.account, kind="api_key", value=keys[at % len(keys)], at=who.created)
    for said in _templates(world, 14):
        moment = world.time(6)
        for who in crew:
            if world.rng.random() < 0.8:
                jitter = timedelta(seconds=float(world.rng.uniform(0, 150)))
                exchange(world, who, moment + jitter, who.home, said)
    world.plant("burst-ring", "burst_ring", (who.account for who in crew), ring=True)


def chain_ring(world: World, around: Society, size: int) -> None:
    """Ring: every card and device is shared by two or three neighbours only; no value spans the ring."""
    crew = _new(world, around, size)
    prompts = _templates(world, 2 * size)
    for at, who in enumerate(crew):
        pay(world, who)
        for step in (1, 2):
            pay(world, crew[(at + step) % size], who.card)
        login(world, crew[(at + 1) % size], world.time(6), who.home, who.devices[0])
        live(world, who, 8)
        for _ in range(10):
            exchange(world, who, world.time(6), who.home, world.pick(prompts))
    world.plant("chain-ring", "chain_ring", (who.account for who in crew), ring=True)


def referral_ring(world: World, around: Society, size: int) -> None:
    """Ring: throw-away mail, one referrer after the other, one sign-up machine, a few cards."""
    crew = _new(world, around, size, days=0.2)
    machine, cards = world.address(), [world.name("card_") for _ in range(max(size // 5, 1))]
    for at, who in enumerate(crew):
        world.tables["accounts"][-size + at]["email"] = f"{world.name('', 8)}@drop-{world.pick('abc')}mail.com"
        pay(world, who, cards[at % len(cards)])
        login(world, who, who.created, machine)
        live(world, who, 12)
        if at:
            world.add(
                "links", account_id=crew[at - 1].account, other_account_id=who.account, kind="referral", at=who.created
            )
    world.plant("referral-ring", "referral_ring", (who.account for who in crew), ring=True)


def households(world: World, around: Society, size: int) -> None:
    """Innocent: families at one address, with a tablet for all and sometimes one card; few, with words of their own."""
    for number in range(size):
        home, tablet, card = world.address(), world.name("dev_"), world.name("card_")
        family = [person(world, around) for _ in range(int(world.rng.integers(2, 6)))]
        one_card = world.rng.random() < 0.4
        for who in family:
            who.home = home
            who.devices.append(tablet)
            pay(world, who, card if one_card else None)
            live(world, who)
        world.plant(f"household-{number}", "households", (who.account for who in family), ring=False)


def office(world: World, around: Society, size: int) -> None:
    """Innocent: a team with one address and one card; a verified company with its own mail domain."""
    domain, egress, card = "northlake-optics.com", world.address(), world.name("card_")
    team = []
    for at in range(size):
        facts = {
            "email": f"{world.name('', 6)}@{domain}",
            "org_id": "org_northlake",
            "org_verified": True,
            "plan": "team",
        }
        who = person(world, around, **facts)
        who.home = egress
        pay(world, who, card if at % 2 else None)
        live(world, who, 20)
        team.append(who)
    world.plant("office", "office", (who.account for who in team), ring=False)


def campus(world: World, around: Society, size: int) -> None:
    """Innocent: students behind two NAT addresses with the university's mail; hundreds, who share nothing else."""
    egress = world.addresses(2)
    students = []
    for _ in range(size):
        who = person(world, around, email=f"{world.name('', 6)}@students.hillcrest.edu", org_id="org_hillcrest")
        who.elsewhere = [*egress, *who.elsewhere]
        pay(world, who)
        live(world, who)
        students.append(who)
    world.plant("campus", "campus", (who.account for who in students), ring=False)


def vpn(world: World, around: Society, size: int) -> None:
    """Innocent: customers of one VPN, each through many of its exits; own cards, own devices, own words."""
    exits = world.addresses(30)
    customers = []
    for _ in range(size):
        who = person(world, around)
        who.elsewhere = world.some(exits, 8)
        pay(world, who)
        live(world, who, 25)
        customers.append(who)
    world.plant("vpn", "vpn", (who.account for who in customers), ring=False)


def shop(world: World, around: Society, size: int) -> None:
    """Innocent: a demo device in a shop; each visitor used it once."""
    device, address = world.name("dev_"), world.address()
    visitors = []
    for _ in range(size):
        who = person(world, around)
        pay(world, who)
        live(world, who, 15)
        login(world, who, who.created + timedelta(minutes=1), address, device)
        visitors.append(who)
    world.plant("shop", "shop", (who.account for who in visitors), ring=False)


def reseller(world: World, around: Society, size: int) -> None:
    """Innocent: customers of a reseller, all billed to one invoice reference; dozens with lives of their own."""
    customers = []
    for _ in range(size):
        who = person(world, around)
        pay(world, who, "invoice-reseller-7")
        live(world, who)
        customers.append(who)
    world.plant("reseller", "reseller", (who.account for who in customers), ring=False)


def friends(world: World, around: Society, size: int) -> None:
    """Innocent: friends who share the cost of a plan: one card; few, in homes and with words of their own."""
    for number in range(size):
        group = [person(world, around) for _ in range(int(world.rng.integers(3, 5)))]
        for who in group:
            pay(world, who, group[0].card)
            live(world, who, 20)
        world.plant(f"friends-{number}", "friends", (who.account for who in group), ring=False)


def broken_client(world: World, around: Society, size: int) -> None:
    """Innocent: a client that reports 0.0.0.0 and an unknown device for everybody; the values stand for nothing."""
    users = []
    for _ in range(size):
        who = person(world, around)
        who.home, who.devices = "0.0.0.0", ["unknown"]
        pay(world, who)
        live(world, who)
        users.append(who)
    world.plant("broken-client", "broken_client", (who.account for who in users), ring=False)


RECIPES: Final = (
    Planted(proxy_pool, 120),
    Planted(card_ring, 25),
    Planted(device_farm, 40),
    Planted(small_ring, 5, grows=False),
    Planted(burst_ring, 30),
    Planted(chain_ring, 15),
    Planted(referral_ring, 20),
    Planted(households, 60),
    Planted(office, 35),
    Planted(campus, 220),
    Planted(vpn, 120),
    Planted(shop, 40),
    Planted(reseller, 60),
    Planted(friends, 8),
    Planted(broken_client, 40),
)
