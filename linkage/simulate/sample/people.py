"""Ordinary life: people with a home, a phone, a card, a day and a night, and words of their own."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from linkage.simulate.sample.world import START, World

MODELS: Final = ("small-3", "large-4", "large-4.1")
PUBLIC_HOSTS: Final = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "proton.me")
_CLIENTS: Final = ("web", "python-sdk", "node-sdk", "cli")
USER_AGENTS: Final = tuple(f"{client}/{1 + minor % 2}.{minor}" for client in _CLIENTS for minor in range(12))

_VERBS: Final = (
    "Explain", "Summarise", "Rewrite", "Translate", "Outline", "Compare", "Review", "Draft", "Plan", "List",
)  # fmt: skip
_THINGS: Final = (
    "a cover letter", "the offside rule", "my sourdough recipe", "a unit test", "photosynthesis", "this clause",
    "a birthday speech", "compound interest", "a trip to Lisbon", "regular expressions", "the water cycle",
    "a workout plan", "an apology e-mail", "my thesis abstract", "a SQL join", "a bedtime story", "tax brackets",
    "the French Revolution", "a product description", "a Rust borrow error", "knitting patterns", "a job advert",
)  # fmt: skip
_MANNERS: Final = (
    "for a beginner", "in three sentences", "for my boss", "with an example", "as a table", "in plain English",
    "for children", "with pros and cons", "step by step", "in a friendly tone", "for a newsletter", "from memory",
)  # fmt: skip

# What popular tools send for everybody who uses them.
DEFAULT_PROMPTS: Final = (
    "You are a helpful assistant.",
    "You are a coding agent. Follow the instructions and use the tools you are given.",
    "Summarise the following page for the reader.",
)


@dataclass
class Person:
    """An account and its habits."""

    account: str
    home: str
    elsewhere: list[str]
    devices: list[str]
    agents: list[str]
    card: str
    zone: int
    created: datetime


@dataclass
class Society:
    """What innocents share without knowing each other: carriers' NAT addresses."""

    carriers: list[list[str]]


def society(world: World, accounts: int) -> Society:
    """Carriers with a few NAT addresses each, however many people there are."""
    return Society([world.addresses(max(4, accounts // 400)) for _ in range(5)])


def person(world: World, around: Society, **facts: Any) -> Person:
    """A new account with a life of its own; `facts` overrule columns of `accounts`."""
    created = START - timedelta(days=float(world.rng.uniform(-world.days * 0.6, 700)))
    made = Person(
        account=world.name("acct_", 8),
        home=world.address(),
        elsewhere=world.some(world.pick(around.carriers), int(world.rng.integers(0, 4))),
        devices=[world.name("dev_") for _ in range(int(world.rng.integers(1, 3)))],
        agents=world.some(USER_AGENTS, 2),
        card=world.name("card_"),
        zone=int(world.rng.integers(-8, 10)),
        created=facts.pop("created_at", created),
    )
    local = f"{world.pick(('sam', 'kim', 'lee', 'ana', 'max', 'eva', 'jo', 'ali'))}.{world.name('', 6)}"
    row: dict[str, Any] = {
        "account_id": made.account,
        "created_at": made.created,
        "email": f"{local}@{world.pick(PUBLIC_HOSTS)}",
        "phone": f"+44{world.rng.integers(7_000_000_000, 7_999_999_999)}" if world.rng.random() < 0.5 else None,
        "org_id": None,
        "org_verified": None,
        "status": "banned" if world.rng.random() < 0.01 else "active",
        "country": world.pick(("GB", "DE", "FR", "US", "NL", "ES", "IN", "BR")),
        "plan": world.pick(("free", "pro", "pro", "team")),
    }
    row.update(facts)
    world.add("accounts", **row)
    world.truth[made.account] = ""
    return made


def pay(world: World, who: Person, card: str | None = None, at: datetime | None = None) -> None:
    """Add a payment method, by default the person's own card soon after signing up."""
    added = at or who.created + timedelta(minutes=float(world.rng.uniform(2, 600)))
    method = "invoice" if (card or "").startswith("invoice") else "card"
    world.add("payments", account_id=who.account, payment_id=card or who.card, method=method, added_at=added)


def own_prompt(world: World) -> str:
    """Words of one's own; two people hardly ever say the same."""
    number = int(world.rng.integers(2, 900))
    return f"{world.pick(_VERBS)} {world.pick(_THINGS)} {world.pick(_MANNERS)}, about {number} words."


def waking_time(world: World, who: Person) -> datetime:
    """A moment in the person's day: mostly mornings to evenings in their own zone."""
    day = int(world.rng.integers(0, world.days))
    hour = float(world.rng.normal(14.5, 3.2)) - who.zone
    moment = START + timedelta(days=day, hours=hour)
    return max(moment, who.created + timedelta(minutes=5))


def live(world: World, who: Person, exchanges: int | None = None) -> None:
    """Ordinary logins and exchanges; the count is skewed: many do little, few do much."""
    count = int(min(world.rng.pareto(1.3) * 6 + 2, 250)) if exchanges is None else exchanges
    tool = world.pick(DEFAULT_PROMPTS) if world.rng.random() < 0.25 else None
    for _ in range(count):
        address = who.home if not who.elsewhere or world.rng.random() < 0.7 else world.pick(who.elsewhere)
        said = tool if tool and world.rng.random() < 0.3 else own_prompt(world)
        exchange(world, who, waking_time(world, who), address, said)
    for _ in range(int(world.rng.integers(1, 4))):
        login(world, who, waking_time(world, who), who.home)


def login(world: World, who: Person, at: datetime, ip: str, device: str | None = None) -> None:
    """A login."""
    world.add(
        "logins",
        account_id=who.account,
        ip=ip,
        device_id=device or world.pick(who.devices),
        user_agent=world.pick(who.agents),
        at=at,
    )


def exchange(
    world: World, who: Person, at: datetime, ip: str, prompt: str, device: str | None = None, model: str | None = None
) -> None:
    """An exchange."""
    world.add(
        "exchanges",
        account_id=who.account,
        at=at,
        exchange_id=world.name("x_", 12),
        ip=ip,
        device_id=device or who.devices[0],
        user_agent=who.agents[0],
        model=model or world.pick(MODELS),
        prompt=prompt,
        input_tokens=int(world.rng.integers(20, 900)),
        output_tokens=int(world.rng.integers(50, 2_000)),
    )
