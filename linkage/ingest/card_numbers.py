"""What is a full card number: its length, the prefixes of the networks, and Luhn's test.

One number in ten passes Luhn's test by chance, so one that passes is told from one that only has a card's length and
prefix (`card_state`), and who looks at a whole column can tell whether its numbers pass by chance.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

LOOKS, CARD = 1, 2
"""What `card_state` says of a text with a number that has a card's length and prefix, and of one that is a card's."""

DIGITS: Final = r"\p{Nd}(?:[ -]?\p{Nd}){12}"
"""A regular expression for enough digits, of any script, blanks and dashes between them."""

# Prefixes and lengths of the networks: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro.
_CARD: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
    r"|(?:50|5[6-9]|6[0-9])\d{11,17}"
)
_RUN: Final = re.compile(r"(?<![0-9A-Za-z_.-])[0-9]+(?:[ -][0-9]+)*(?![0-9A-Za-z_.-])")
_SHORTEST_GROUP: Final = 3


def shaped(text: str) -> bool:
    """Whether `text` is as long as a card's number and begins like one; spaces and dashes allowed.

    >>> shaped("4111 1111 1111 1112"), shaped("1700000000000000")
    (True, False)
    """
    return bool(_CARD.fullmatch(text.strip().replace(" ", "").replace("-", "")))


def is_card_number(text: str) -> bool:
    """Whether `text` is a full card number: 13 to 19 digits that pass Luhn's test; spaces and dashes allowed.

    >>> is_card_number("4111 1111 1111 1111"), is_card_number("4111111111111112"), is_card_number("fp_1234")
    (True, False, False)
    """
    digits = text.replace(" ", "").replace("-", "")
    if not (13 <= len(digits) <= 19 and digits.isascii() and digits.isdigit()):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card_state(text: str) -> int:
    """`CARD` if the text holds a full card number, `LOOKS` if what only looks like one, else 0.

    >>> card_state("pan 4111-1111-1111-1111 12/26"), card_state("4111111111111112"), card_state("tel. 0171 2345678")
    (2, 1, 0)
    """
    found = 0
    for number in _numbers(text if text.isascii() else _plain(text)):
        if shaped(number):
            if is_card_number(number):
                return CARD
            found = LOOKS
    return found


def _numbers(text: str) -> Iterator[str]:
    """The numbers of 13 to 19 digits in a text, also those in groups of at least `_SHORTEST_GROUP` digits."""
    for run in _RUN.findall(text):
        groups = re.split("[ -]", run)
        for first in range(len(groups)):
            number = ""
            for group in groups[first:]:
                number += group
                if len(number) > 19 or (number != group and len(group) < _SHORTEST_GROUP):
                    break
                if len(number) >= 13:
                    yield number


def _plain(text: str) -> str:
    """With ASCII digits in the place of others."""
    return "".join(str(unicodedata.digit(char)) if char.isdecimal() else char for char in text)
