"""Text from exports is untrusted: no control character of it may reach a terminal, no formula of it a spreadsheet."""

import json
import re

_OUTSIDE_ASCII = re.compile(r"[^ -~\n]")

# What may end a cell: a spreadsheet of another locale splits lines at semicolons or tabs, and minds no quotes then.
_ENDS = re.compile(r"([;|\t\r\n])")
# Blanks, invisible characters and quotes, then what starts a formula, also full-width (U+FF0B) or small (U+FE62).
_FORMULA = re.compile(
    "[\\s\\x00-\\x1f\\x7f\"'`\u00ab\u2018-\u201f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\uff02\uff07]*"
    "[=+\\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
)


def safe(value: object) -> str:
    """Text without control, direction or line characters: they are shown as escapes.

    >>> safe("a\\x1b[31mred\\nb")
    'a\\\\x1b[31mred\\\\nb'
    """
    text = str(value)
    # Next to all text is harmless, and a graph has a million of them.
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in text
    )


def safe_json(document: str) -> str:
    r"""JSON text with the same characters escaped as JSON does, so that it means the same.

    >>> safe_json('"é\u202e"')
    '"é\\u202e"'
    """
    return _OUTSIDE_ASCII.sub(
        lambda match: match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1], document
    )


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula; `original` gives back what it was.

    Wherever a cell may begin (at the start, or after a semicolon, bar, tab or line end), an apostrophe is put in front
    of what would run as a formula, and of an apostrophe. A text that begins with a tab or a line end gets one, too.

    >>> inert("=1+1"), inert(' "@x'), inert("'quoted'"), inert("a;=1"), inert("a-b")
    ("'=1+1", '\\' "@x', "''quoted'", "a;'=1", 'a-b')
    """
    parts = _ENDS.split(text)
    parts[::2] = [f"'{part}" if part.startswith("'") or _FORMULA.match(part) else part for part in parts[::2]]
    # Of a text that begins with such an end the first part is empty. Some spreadsheets take a leading tab off.
    lead = "'" if text.startswith(("\t", "\r", "\n")) else ""
    return lead + "".join(parts)


def original(cell: str) -> str:
    """The text that `inert` made this cell of.

    >>> original("'=1+1"), original("''quoted'"), original("a;'=1")
    ('=1+1', "'quoted'", 'a;=1')
    """
    parts = _ENDS.split(cell)
    parts[::2] = [part.removeprefix("'") for part in parts[::2]]
    return "".join(parts)
