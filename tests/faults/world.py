"""A small export, quick to ingest, so that it can be killed often: two rings, a family, rows that are set aside."""

import csv
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

ACCOUNTS: Final = 150
RINGS: Final = (range(10), range(10, 22))

_BEGAN: Final = datetime(2026, 1, 1)
_WORDS: Final = ("invoice", "weather", "river", "lamp", "engine", "paper", "bridge", "violin", "market", "garden")
_JOB: Final = "You are a careful worker of batch {}. Answer with one label and nothing else. Text: {}"


def write(folder: Path, *, later: bool = False) -> Path:
    """Write the export to `folder`, which is made; with `later` what comes a month after, of the same accounts."""
    folder.mkdir(parents=True)
    rng = random.Random(later)
    began = _BEGAN + timedelta(days=30 * later)
    everybody = [f"acct-{n:03}" for n in range(ACCOUNTS)]
    ring_of = {n: ring for ring, members in enumerate(RINGS) for n in members}

    def at() -> str:
        return (began + timedelta(minutes=rng.randrange(20 * 24 * 60))).isoformat()

    def ip(n: int) -> str:
        if n in ring_of and rng.random() < 0.7:
            return f"198.51.100.{ring_of[n] * 16 + rng.randrange(4)}"
        return f"203.{n // 100}.{n % 100}.{rng.randrange(1, 4)}"

    def prompt(n: int) -> str:
        words = " ".join(rng.choice(_WORDS) for _ in range(12))
        if n in ring_of and rng.random() < 0.6:
            return _JOB.format(ring_of[n], words)
        return f"{n} {words} {rng.random()}"

    accounts = [
        [name, (_BEGAN - timedelta(days=90 - n % 60)).isoformat(), f"{name}@mail-{n % 40}.example", "active"]
        for n, name in enumerate(everybody)
    ]
    columns = ["account_id", "created_at", "email", "status"]
    _csv(folder / "accounts-1.csv", columns, accounts[: ACCOUNTS // 2])
    _csv(folder / "accounts-2.csv", columns, accounts[ACCOUNTS // 2 :])
    _csv(folder / "aliases.csv", ["account_id", "kind", "value"], [[n, "customer", f"cus_{n}"] for n in everybody])
    rows = [
        [name, at(), f"x{later}-{n}-{i}", ip(n), prompt(n), 40, 90]
        for n, name in enumerate(everybody)
        for i in range(4)
    ]
    _csv(
        folder / "exchanges.csv",
        ["account_id", "at", "exchange_id", "ip", "prompt", "input_tokens", "output_tokens"],
        # The last one is set aside.
        [*rows, ["", at(), "no-account", "198.51.100.1", "lost", 1, 1]],
    )
    _csv(
        folder / "logins.csv",
        ["account_id", "ip", "device_id", "at"],
        [[name, ip(n), f"dev-{ring_of.get(n, n + 10)}", at()] for n, name in enumerate(everybody)],
    )
    _csv(
        folder / "payments.csv",
        ["account_id", "payment_id", "method", "added_at"],
        # The last three are a family.
        [
            [f"cus_{name}", f"card-{f'ring{ring_of[n]}' if n in ring_of else min(n, ACCOUNTS - 3)}", "card", at()]
            for n, name in enumerate(everybody)
        ],
    )
    return folder


def _csv(path: Path, columns: list[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
