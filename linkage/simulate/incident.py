"""The world `incident`: what an API provider has on the morning after a chargeback, in the files that it would have.

Stripe's payments and LiteLLM's spend logs, in those systems' own columns, and a table of aliases that joins their names
for one account. Twelve accounts are a ring that harvests answers: three cards, a pool of relays, one template, among
ordinary requests. A family with one card and one line, and an office behind one address with a template of its own, are
innocent. `docs/tutorial.md` walks through it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from linkage.simulate.files import write_csv

ACCOUNTS: Final = 150
RING: Final = range(0, 12)
FAMILY: Final = range(12, 16)
OFFICE: Final = range(16, 25)

_BEGIN: Final = datetime(2026, 2, 16, tzinfo=UTC)
_DAYS: Final = 28
_STRIPE: Final = (
    "id", "Created date (UTC)", "Amount", "Amount Refunded", "Currency", "Description", "Fee", "Mode", "Status",
    "Seller Message", "Decline Reason", "Statement Descriptor", "Customer ID", "Customer Email", "Customer Phone",
    "Captured", "Card ID", "Card Last4", "Card Brand", "Card Funding", "Card Exp Month", "Card Exp Year",
    "Card Issue Country", "Card Fingerprint", "Card CVC Status", "Card AVS Zip Status", "Is Link", "Dispute Status",
    "Payment Source Type", "PaymentIntent ID", "plan (metadata)",
)  # fmt: skip
_NAMES: Final = (
    "ada", "ben", "cara", "dan", "eva", "finn", "gina", "hugo", "iris", "jon", "kira", "leo", "mia", "nils", "olga",
    "paul", "quin", "rosa", "sam", "tina", "umar", "vera", "wim", "xena", "yara", "zeno",
)  # fmt: skip
_SYLLABLES: Final = (
    "ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "za", "che", "dra", "lin",
    "mor", "pel", "ran", "sto", "tur", "ven",
)  # fmt: skip
_TASKS: Final = (
    "Explain step by step how you would answer the question below, then give the answer, then grade your own answer "
    "from 1 to 10 and say what a better one would have had. Question: {}",
    "Here is a question and a draft answer. Reason about every sentence of the draft, mark each as right or wrong, and "
    "write the answer that an expert would give. Question: {}",
)
_DESK: Final = (
    "You help the support desk of Kestrel Logistics. Summarise the customer's message in two lines and suggest a "
    "polite reply that names the shipment. Message: {}"
)
# Of the networks that are set aside for documentation: nobody is there.
_RELAYS: Final = tuple(f"198.51.100.{last}" for last in (23, 24, 61, 118, 119, 204))
_LINE: Final = "203.0.113.19"
_OFFICE: Final = "192.0.2.7"
_AGENTS: Final = ("OpenAI/Python 1.61.0", "OpenAI/JS 4.85.1", "curl/8.9.1", "python-requests/2.32.3")


@dataclass(frozen=True)
class _Person:
    """Who holds an account, and how they send."""

    number: int
    email: str
    joined: datetime
    card: int
    addresses: tuple[str, ...]
    hours: tuple[int, int]
    exchanges: int
    words: tuple[str, ...]

    @property
    def user(self) -> str:
        """LiteLLM's name for the account."""
        return f"user-{1000 + self.number * 37 % 9000}"

    @property
    def customer(self) -> str:
        """Stripe's name for it."""
        return f"cus_R{self.number * 7919 % 10**6:06d}kQ"


def write(folder: Path, seed: int) -> tuple[list[Path], dict[str, int]]:
    """Write the files into `folder`, the same bytes for the same seed; returns them, and the rows of each.

    Raises:
        OSError: the folder cannot be written.
    """
    dice = np.random.default_rng([seed, 77])
    people = [_person(dice, number) for number in range(ACCOUNTS)]
    payments = sorted(_payments(dice, people), key=lambda row: str(row["Created date (UTC)"]))
    logs = sorted(_logs(dice, people), key=lambda row: str(row["startTime"]))
    aliases = [{"account_id": one.user, "kind": "stripe", "value": one.customer} for one in people]
    write_csv(folder / "stripe-payments.csv", _STRIPE, payments)
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in logs)
    (folder / "litellm-spend-logs.jsonl").write_text(text, encoding="utf-8")
    write_csv(folder / "aliases.csv", ("account_id", "kind", "value"), sorted(aliases, key=lambda row: row["value"]))
    rings = [{"account_id": one.user, "ring": "harvest" if one.number in RING else ""} for one in people]
    write_csv(folder / "truth.csv", ("account_id", "ring"), sorted(rings, key=lambda row: row["account_id"]))
    rows = {"stripe-payments": len(payments), "litellm-spend-logs": len(logs), "aliases": len(aliases)}
    return [*(folder / f"{name}" for name in FILES), folder / "truth.csv"], rows


FILES: Final = ("stripe-payments.csv", "litellm-spend-logs.jsonl", "aliases.csv")
"""What `write` writes beside the truth."""


def groups() -> list[dict[str, Any]]:
    """What is planted, for `world.json`."""
    names = {"harvest": RING, "family": FAMILY, "office": OFFICE}
    users = {name: [f"user-{1000 + number * 37 % 9000}" for number in numbers] for name, numbers in names.items()}
    return [
        {"name": name, "recipe": name, "ring": name == "harvest", "accounts": accounts}
        for name, accounts in users.items()
    ]


def _address(dice: np.random.Generator) -> str:
    return f"{dice.integers(60, 99)}.{dice.integers(1, 255)}.{dice.integers(1, 255)}.{dice.integers(2, 254)}"


def _word(dice: np.random.Generator) -> str:
    return "".join(dice.choice(_SYLLABLES) for _ in range(dice.integers(2, 4)))


def _person(dice: np.random.Generator, number: int) -> _Person:
    first, last = dice.choice(_NAMES), _word(dice)
    joined = _BEGIN - timedelta(days=int(dice.integers(20, 400)), seconds=int(dice.integers(86_400)))
    words = tuple(_word(dice) for _ in range(60))
    wake = int(dice.integers(6, 12))
    home, mail = _address(dice), dice.choice(("inbox.example", "post.example", "letters.example"))
    usual = int(dice.integers(4, 24))
    if number in RING:
        joined = _BEGIN + timedelta(days=9 + number % 3, seconds=int(dice.integers(86_400)))
        relays = tuple(str(one) for one in dice.choice(_RELAYS, 4, replace=False))
        email = f"{first}.{last}{dice.integers(10, 99)}@{mail}"
        return _Person(number, email, joined, number % 3, relays, (0, 24), 60, words)
    if number in FAMILY:
        first = _NAMES[number]
        return _Person(number, f"{first}@fennimore.example", joined, 12, (_LINE,), (wake, wake + 14), usual, words)
    if number in OFFICE:
        card = 16 + number % 2
        return _Person(
            number, f"{first}.{last}@kestrel.example", joined, card, (_OFFICE, home), (8, 18), usual + 20, words
        )
    addresses = (home,) if dice.random() < 0.6 else (home, _address(dice))
    return _Person(number, f"{first}.{last}@{mail}", joined, number, addresses, (wake, wake + 14), usual, words)


def _payments(dice: np.random.Generator, people: list[_Person]) -> Iterator[dict[str, Any]]:
    for one in people:
        month = max(one.joined, _BEGIN - timedelta(days=20))
        for turn in range(1 + (one.number not in RING)):
            at = month + timedelta(days=30 * turn, minutes=int(dice.integers(1, 50)))
            if at >= _BEGIN + timedelta(days=_DAYS):
                break
            number = int(dice.integers(10**8))
            disputed = one.number in RING and one.card == 0
            yield {
                "id": f"ch_3R{number:08d}", "Created date (UTC)": at.strftime("%Y-%m-%d %H:%M:%S"), "Amount": "50.00",
                "Amount Refunded": "0.00", "Currency": "usd", "Description": "API credits", "Fee": "1.75",
                "Mode": "Live",
                "Status": "Paid", "Seller Message": "Payment complete.", "Statement Descriptor": "NORTHWIND MODELS",
                "Customer ID": one.customer, "Customer Email": one.email, "Captured": "true",
                "Card ID": f"card_1R{number:08d}", "Card Last4": f"{1000 + one.card * 61 % 9000}", "Card Brand": "Visa",
                "Card Funding": "prepaid" if one.number in RING else "credit", "Card Exp Month": 1 + one.card % 12,
                "Card Exp Year": 2028, "Card Issue Country": "US", "Card CVC Status": "pass", "Is Link": "false",
                "Card Fingerprint": f"{one.card * 104729 % 10**6:06d}qXcT9vLm", "Card AVS Zip Status": "pass",
                "Dispute Status": "needs_response" if disputed else "", "Payment Source Type": "card",
                "PaymentIntent ID": f"pi_3R{number:08d}", "plan (metadata)": "pay-as-you-go",
            }  # fmt: skip


def _logs(dice: np.random.Generator, people: list[_Person]) -> Iterator[dict[str, Any]]:
    # The ring works through a list: what one of its accounts is asked, others are asked within minutes.
    queue = [
        _BEGIN + timedelta(days=13 + int(dice.integers(14)), seconds=int(dice.integers(86_400))) for _ in range(45)
    ]
    for one in people:
        shared = queue if one.number in RING else []
        for turn in range(one.exchanges):
            said = " ".join(dice.choice(one.words, int(dice.integers(8, 20))))
            if turn < len(shared):
                at = shared[turn] + timedelta(seconds=int(dice.integers(240)))
                said = _TASKS[turn % 2].format(said)
            else:
                first = max(one.joined, _BEGIN)
                day = int(dice.integers((_BEGIN + timedelta(days=_DAYS) - first).days))
                hour = int(dice.integers(*one.hours)) % 24
                at = first.replace(hour=hour, minute=int(dice.integers(60)), second=int(dice.integers(60)))
                at += timedelta(days=day)
                if one.number in OFFICE and dice.random() < 0.7:
                    said = _DESK.format(said)
            yield _log(dice, one, at, said)


def _log(dice: np.random.Generator, one: _Person, at: datetime, said: str) -> dict[str, Any]:
    took = int(dice.integers(800, 9_000))
    tokens = len(said) // 4, int(dice.integers(60, 900))
    stamp = "%Y-%m-%d %H:%M:%S.%f"
    return {
        "request_id": f"chatcmpl-{dice.bytes(12).hex()}", "call_type": "acompletion",
        "api_key": f"{one.number * 2654435761 % 2**32:08x}" * 8, "spend": round(sum(tokens) * 2e-6, 6),
        "total_tokens": sum(tokens), "prompt_tokens": tokens[0], "completion_tokens": tokens[1],
        "startTime": at.strftime(stamp)[:-3], "endTime": (at + timedelta(milliseconds=took)).strftime(stamp)[:-3],
        "request_duration_ms": took, "completionStartTime": None, "model": "northwind-large-2", "model_id": "m1",
        "model_group": "large", "custom_llm_provider": "openai", "api_base": "http://inference:8000", "user": one.user,
        "metadata": {"user_api_key_user_id": one.user, "user_agent": _AGENTS[one.number % 4], "status": "success"},
        "cache_hit": "False", "cache_key": "", "request_tags": [], "team_id": "", "organization_id": None,
        "end_user": "", "requester_ip_address": str(dice.choice(one.addresses)),
        "messages": [{"role": "user", "content": said}], "response": {}, "session_id": dice.bytes(8).hex(),
        "status": "success", "mcp_namespaced_tool_name": None, "agent_id": None, "proxy_server_request": {},
    }  # fmt: skip
