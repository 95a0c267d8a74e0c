"""Tiny worlds for one kind of evidence each: one where it must fire, and an innocent one where it must stay silent.

In each, sixty strangers live their lives. Beside them a group shares a value of the kind. Where it must fire, the group
is six accounts that signed up within a day and never sleep. Beside the value they share a card (in the card's own
world, an API key), since one shared value of six accounts is too little to list them for; only a burst stands alone.
Where it must stay silent, people share the value as innocents do.

No chance is involved: a world is the same every time.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from linkage.errors import UsageError
from linkage.model import TABLES
from linkage.simulate.files import write_csv
from linkage.simulate.world import START

Tables = dict[str, list[dict[str, Any]]]

_DAYS: Final = 30
_TURNS: Final = 16
"""Exchanges of each account."""

_STRANGERS: Final = 60
_CREW: Final = 6
_COLUMNS: Final = {"ip": "ip", "device": "device_id", "user_agent": "user_agent", "prompt": "prompt"}


def _words(*parts: object) -> str:
    """Twelve words that nobody else uses, always the same for the same parts."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return " ".join(
        "".join(f"{'bdfgklmnprst'[b % 12]}{'aeiou'[b // 12 % 5]}" for b in digest[at : at + 3])
        for at in range(0, 24, 2)
    )


@dataclass
class _Tiny:
    tables: Tables = field(default_factory=lambda: {name: [] for name in TABLES})
    ring: list[str] = field(default_factory=list)

    def people(self, prefix: str, count: int, *, together: bool = False, **facts: Any) -> list[str]:
        """Accounts with nothing in common; `together`: signed up within a day, active round the clock."""
        names = [f"{prefix}-{at:02}" for at in range(count)]
        for at, name in enumerate(names):
            place = len(self.tables["accounts"])
            created = START - (timedelta(hours=3 * at) if together else timedelta(days=40 + (place * 97) % 650))
            self._account(name, place, created=created, **facts)
            for turn in range(_TURNS):
                # Strangers are awake for twelve hours, each in another zone; a crew never sleeps.
                hour = (7 * turn + at) % 24 if together else place % 24 + (5 * turn) % 12
                self._exchange(name, place, turn, hour)
        return names

    def _account(self, name: str, place: int, **facts: Any) -> None:
        row = {
            "account_id": name,
            "created_at": facts.pop("created"),
            "email": f"{name}@gmail.com",
            "phone": f"+4477009{place:05}",
            "status": "active",
        }
        self.tables["accounts"].append(row | facts)
        self.tables["payments"].append(
            {"account_id": name, "payment_id": f"card-{name}", "method": "card", "added_at": row["created_at"]}
        )

    def _exchange(self, name: str, place: int, turn: int, hour: int) -> None:
        self.tables["exchanges"].append(
            {
                "account_id": name,
                "at": START + timedelta(days=1 + turn * _DAYS // _TURNS, hours=hour, minutes=(place * 13 + turn) % 60),
                "exchange_id": f"x-{name}-{turn:02}",
                "ip": f"{37 + place % 50}.{11 + place // 50}.{place % 200 + 1}.{place % 250 + 1}",
                "device_id": f"device-{name}",
                "user_agent": f"web/1.{place % 4}",
                "prompt": f"What do people say about {_words(name, place, turn)}?",
            }
        )

    def share(self, names: Sequence[str], kind: str, value: str) -> None:
        """Give a value to accounts: in every other exchange, or as their payment method, mail, phone or identifier."""
        if kind in _COLUMNS:
            wanted = set(names)
            rows = [row for row in self.tables["exchanges"] if row["account_id"] in wanted]
            for row in rows[::2]:
                row[_COLUMNS[kind]] = value
        elif kind == "payment":
            for row in self.tables["payments"]:
                row["payment_id"] = value if row["account_id"] in names else row["payment_id"]
        elif kind in ("email", "phone"):
            for row in self.tables["accounts"]:
                row[kind] = value if row["account_id"] in names else row[kind]
        else:
            self.tables["identifiers"] += [
                {"account_id": name, "kind": kind, "value": value, "at": START} for name in names
            ]

    def crew(self, **facts: Any) -> list[str]:
        """The ring to find."""
        self.ring = self.people("crew", _CREW, together=True, **facts)
        return self.ring

    def once(self, names: Sequence[str], prompt: str, day: int, minutes: int, start: int = 600) -> None:
        """Everybody sends a prompt on a day, spread over some minutes from minute `start` of the day on."""
        for at, name in enumerate(names):
            mine = next(row for row in self.tables["exchanges"] if row["account_id"] == name)
            moment = START + timedelta(days=day, minutes=start, seconds=60 * minutes * at // len(names))
            self.tables["exchanges"].append(
                mine | {"at": moment, "exchange_id": f"{mine['exchange_id']}-{day}", "prompt": prompt}
            )


def _together(kind: str, value: str) -> Callable[[_Tiny], None]:
    """A crew that shares a value and a card."""

    def build(tiny: _Tiny) -> None:
        crew = tiny.crew()
        tiny.share(crew, kind, value)
        tiny.share(crew, "payment", "card-crew")

    return build


def _crew_with_accounts(**facts: Any) -> Callable[[_Tiny], None]:
    """A crew with facts and a card in common."""
    return lambda tiny: tiny.share(tiny.crew(**facts), "payment", "card-crew")


def _shared_by(count: int, kind: str, value: str) -> Callable[[_Tiny], None]:
    """So many people, otherwise strangers, share a value."""
    return lambda tiny: tiny.share(tiny.people("user", count), kind, value)


def _crew_in_one_network(tiny: _Tiny) -> None:
    crew = tiny.crew()
    tiny.share(crew, "payment", "card-crew")
    for at, name in enumerate(crew):
        tiny.share([name], "ip", f"91.12.77.{10 + at}")


def _crew_with_domain(tiny: _Tiny) -> None:
    crew = tiny.crew()
    tiny.share(crew, "payment", "card-crew")
    for name in crew:
        tiny.share([name], "email", f"{name}@dropmail-9.com")


def _crew_in_step(tiny: _Tiny) -> None:
    crew = tiny.crew()
    for day in range(3, 19, 2):
        # At no habit of the clock: what happens at ten every day, the clock explains.
        start = 37 * day * day % 1440
        tiny.once(crew, f"Rate answer {day} for correctness, then for style.", day, minutes=2, start=start)


def _crew_of_referrals(tiny: _Tiny) -> None:
    crew = tiny.crew()
    tiny.share(crew, "payment", "card-crew")
    tiny.tables["links"] += [
        {"account_id": crew[0], "other_account_id": name, "kind": "referral", "at": START} for name in crew[1:]
    ]


def _terminal(tiny: _Tiny) -> None:
    """A device in a shop, tried once by each of forty visitors."""
    for name in tiny.people("visitor", 40):
        next(row for row in tiny.tables["exchanges"] if row["account_id"] == name)["device_id"] = "demo-terminal"


def _provider_network(tiny: _Tiny) -> None:
    """Thirty homes in one /24 of an internet provider."""
    for at, name in enumerate(tiny.people("user", 30)):
        tiny.share([name], "ip", f"91.12.77.{10 + at}")


def _family(tiny: _Tiny) -> None:
    """Three in one home, with one phone number."""
    family = tiny.people("family", 3)
    tiny.share(family, "phone", "+447700911111")
    tiny.share(family, "ip", "91.12.77.10")


def _company(tiny: _Tiny) -> None:
    """Twelve of a verified company: its address, its card, its mail domain."""
    staff = tiny.people("staff", 12, org_id="org-northlake", org_verified=True)
    for name in staff:
        tiny.share([name], "email", f"{name}@northlake-optics.com")
    tiny.share(staff, "ip", "91.12.77.10")
    tiny.share(staff, "payment", "card-northlake")


def _newsletter(tiny: _Tiny) -> None:
    """Thirty people copy a prompt from a newsletter, each some time on that day."""
    tiny.once(tiny.people("reader", 30), "Write a haiku about the first snow.", 9, minutes=600)


def _influencer(tiny: _Tiny) -> None:
    """One account's referral code brought thirty strangers."""
    names = tiny.people("fan", 31)
    tiny.tables["links"] += [
        {"account_id": names[0], "other_account_id": name, "kind": "referral", "at": START} for name in names[1:]
    ]


_FIRES: Final[dict[str, Callable[[_Tiny], None]]] = {
    "payment": _together("api_key", "key-crew"),
    "device": _together("device", "phone-crew"),
    "ip": _together("ip", "91.12.77.10"),
    "ip_net": _crew_in_one_network,
    "user_agent": _together("user_agent", "homemade/0.1"),
    "email": _together("email", "boss@mail-relay.com"),
    "email_domain": _crew_with_domain,
    "phone": _together("phone", "+447700911111"),
    "org": _crew_with_accounts(org_id="org-made-up"),
    "prompt": _together("prompt", "You are an expert grader. Grade the next answer."),
    "burst": _crew_in_step,
    "link:referral": _crew_of_referrals,
    "api_key": _together("api_key", "key-crew"),
}
_SILENT: Final[dict[str, Callable[[_Tiny], None]]] = {
    # Friends who share the cost of a plan.
    "payment": _shared_by(3, "payment", "card-friends"),
    "device": _terminal,
    # A carrier's NAT.
    "ip": _shared_by(50, "ip", "91.12.77.10"),
    "ip_net": _provider_network,
    # A popular client.
    "user_agent": _shared_by(50, "user_agent", "python-sdk/2.1"),
    # What a form puts in for nothing.
    "email": _shared_by(20, "email", "none@none.com"),
    "email_domain": _company,
    "phone": _family,
    "org": _company,
    # A framework's default.
    "prompt": _shared_by(50, "prompt", "You are a helpful assistant."),
    "burst": _newsletter,
    "link:referral": _influencer,
    # A key from a tutorial.
    "api_key": _shared_by(50, "api_key", "demo-key"),
}
KINDS: Final = tuple(_FIRES)
"""The kinds that have worlds; `api_key` stands for kinds of a user's own."""


def fires(kind: str) -> Tables:
    """A world in which accounts named `crew-…` are a ring, and the kind is part of the evidence.

    Returns:
        Rows by contract table, and the table `truth` (account_id, ring).

    Raises:
        UsageError: there are no worlds for the kind.
    """
    return _build(_FIRES, kind)


def silent(kind: str) -> Tables:
    """A world in which innocents share a value of the kind and nobody is in a ring; otherwise as `fires`."""
    return _build(_SILENT, kind)


def write(tables: Tables, folder: Path) -> list[Path]:
    """Write tables as CSV files into `folder`, which is made; returns the files. Empty tables are left out.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, rows in tables.items():
        if rows:
            columns = sorted({column for row in rows for column in row})
            write_csv(folder / f"{name}.csv", columns, rows)
            files.append(folder / f"{name}.csv")
    return files


def _build(worlds: dict[str, Callable[[_Tiny], None]], kind: str) -> Tables:
    if kind not in worlds:
        raise UsageError(f"There is no world for {kind!r}.", f"Kinds that have one: {', '.join(KINDS)}.")
    tiny = _Tiny()
    tiny.people("stranger", _STRANGERS)
    worlds[kind](tiny)
    accounts = [row["account_id"] for row in tiny.tables["accounts"]]
    truth = [{"account_id": name, "ring": "crew" if name in tiny.ring else ""} for name in accounts]
    return {**tiny.tables, "truth": truth}
