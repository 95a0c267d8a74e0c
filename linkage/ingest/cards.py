"""Full card numbers: a file that holds a column of them is refused, and nothing of it is kept.

One number in ten passes Luhn's test by chance, so one that does is no card yet: a column is one of cards when at least
half of those of its values pass that are as long as a card's number and begin like one. Of order numbers or timestamps
a tenth do.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import duckdb
from duckdb.func import FunctionNullHandling

from linkage.errors import InputError
from linkage.ingest.card_numbers import CARD, card_state, is_card_number, shaped
from linkage.ingest.sql import literal

_SHARE: Final = 0.5
_LEAST: Final = 2

_SHAPED: Final = "[0-9][0-9 -]{11,22}[0-9]"

# How exports call a column of them.
_CALLED: Final = frozenset({"card.number", "card_number", "cardnumber", "card number", "pan", "primary_account_number"})


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Give `con` the functions that `counting` uses."""
    for name, function in (
        ("card_shaped", lambda text: bool(text) and shaped(text)),
        ("is_card", lambda text: bool(text) and shaped(text) and is_card_number(text)),
    ):
        con.create_function(name, function, ["VARCHAR"], "BOOLEAN", null_handling=FunctionNullHandling.SPECIAL)


def counting(columns: Mapping[str, str], source: str) -> str:
    """SQL that counts records, and values of each column that look like card numbers and that are some.

    Args:
        columns: name to SQL.
        source: what stands behind FROM.
    """
    parts = []
    for name, sql in columns.items():
        # Few values get past the expression: only they are worth a call of Python.
        text = f"trim({sql})"
        like = f"regexp_full_match({text}, '{_SHAPED}')"
        parts.append(
            f"{{'column': {literal(name)}, 'shaped': count(*) FILTER ({like} AND card_shaped({text})), "
            f"'cards': count(*) FILTER ({like} AND is_card({text}))}}"
        )
    return f"SELECT count(*), [{', '.join(parts)}] FROM {source}"


def by_chance(con: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> list[str]:
    """Those of the columns whose numbers in `stage` are cards by chance: not most of those that look like one are.

    Args:
        con: with `stage`, whose `looks` and `cards` have a bit for each column.
        columns: as `projection.readable` has them.
    """
    if not con.execute("SELECT 1 FROM stage WHERE cards > 0 LIMIT 1").fetchone():
        return []
    counting = ", ".join(
        f"count(*) FILTER (cards & {1 << at} > 0), count(*) FILTER (looks & {1 << at} > 0)"
        for at in range(len(columns))
    )
    counts = con.execute(f"SELECT {counting} FROM stage").fetchall()[0]
    return of_counts(columns, counts[::2], counts[1::2])


def of_counts(columns: Sequence[str], cards: Sequence[int], looks: Sequence[int]) -> list[str]:
    """The same, where it is known how many values of each column are cards, and how many look like one."""
    return [name for name, n, most in zip(columns, cards, looks, strict=True) if n and n <= _SHARE * most]


def check(what: str, counts: Iterable[Mapping[str, Any]]) -> None:
    """Refuse what `counting` found columns of card numbers in.

    Raises:
        InputError: a column holds card numbers.
    """
    for count in counts:
        if count["cards"] >= _LEAST and count["cards"] >= _SHARE * count["shaped"]:
            _refuse(what, count["column"])


def check_start(what: str, names: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a file with a column called after card numbers, or with one in most texts of its first records.

    Raises:
        InputError: a column holds card numbers.
    """
    called = [name for name in names if name.strip().lower() in _CALLED]
    if called:
        _refuse(what, called[0])
    texts: dict[str, list[str]] = {}
    for record in records:
        _gather(record, "", texts)
    for name, column in texts.items():
        whole = [text for text in column if shaped(text)]
        cards = sum(map(is_card_number, whole))
        within = sum(card_state(text) == CARD for text in column)
        if (cards >= _LEAST and cards >= _SHARE * len(whole)) or (within >= _LEAST and within >= _SHARE * len(column)):
            _refuse(what, name)


def _gather(value: Any, name: str, texts: dict[str, list[str]]) -> None:
    """The texts of a record by their paths, at any depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _gather(inner, f"{name}.{key}" if name else str(key), texts)
    elif isinstance(value, list):
        for inner in value:
            _gather(inner, name, texts)
    elif isinstance(value, (str, int)) and not isinstance(value, bool) and (text := str(value).strip()):
        texts.setdefault(name, []).append(text)


def _refuse(what: str, column: str) -> None:
    raise InputError(
        f"{what} holds full card numbers, in the column {column}: nothing of it is kept.",
        "Never export those: export a fingerprint or token of the card instead, and delete this file.",
    )
