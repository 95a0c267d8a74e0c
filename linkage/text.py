"""Text from exports is untrusted: no control character of it may reach a terminal."""

import json
import re

_OUTSIDE_ASCII = re.compile(r"[^ -~\n]")


def safe(value: object) -> str:
    """Text without control, direction or line characters: they are shown as escapes.

    >>> safe("a\\x1b[31mred\\nb")
    'a\\\\x1b[31mred\\\\nb'
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in str(value)
    )


def safe_json(document: str) -> str:
    r"""JSON text with the same characters escaped as JSON does, so that it means the same.

    >>> safe_json('"é\u202e"')
    '"é\\u202e"'
    """
    return _OUTSIDE_ASCII.sub(
        lambda match: match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1], document
    )
