"""Names and texts as SQL has them."""

from collections.abc import Iterable


def literal(value: str) -> str:
    """A text.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """The name of a column."""
    return '"' + name.replace('"', '""') + '"'


def json_path(keys: Iterable[str]) -> str:
    r"""The path to a value that lies under these keys, one in the other.

    >>> json_path(["a", "b.c"])
    '$."a"."b.c"'
    """
    return "$" + "".join('."' + key.replace('"', '\\"') + '"' for key in keys)
