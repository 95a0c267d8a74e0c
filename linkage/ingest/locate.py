"""Where a path of a mapping leads in the records of a file, and the SQL that goes there."""

import json
from collections.abc import Sequence
from typing import Any, Final

from linkage.ingest.mapping import split
from linkage.ingest.shape import Shape
from linkage.ingest.sql import json_path, literal

Step = tuple[str, str]
"""What to do: ("key", its name as the file spells it), ("parse", "") of a text that holds JSON, or ("pair", the key)
in a list of `{key, value}`, as OpenTelemetry writes attributes."""

_PAIR_VALUES: Final = ("stringValue", "intValue", "doubleValue", "boolValue")


def locate(shape: Shape, path: str) -> tuple[Step, ...] | None:
    """The steps to `path`, in the first record that has it, whatever its case; None if none has."""
    parts = split(path)
    for count in range(len(parts), 0, -1):
        name = shape.spelled.get(".".join(parts[:count]).lower())
        if name is None:
            continue
        for record in shape.records:
            found = _walk(record[name], parts[count:]) if name in record else None
            if found is not None:
                return (("key", name), *found)
    return None


def has(shape: Shape, path: str) -> bool:
    """Whether a file has what `path` names."""
    return path.lower() in shape.spelled or locate(shape, path) is not None


def steps(shape: Shape, path: str) -> tuple[Step, ...] | None:
    """The steps to `path`; where no record shows it, those that lead there if a later one has it. None if none can."""
    found = locate(shape, path)
    if found is not None:
        return found
    parts = split(path)
    for count in range(len(parts), 0, -1):
        name = shape.spelled.get(".".join(parts[:count]).lower())
        if name is not None:
            rest = tuple(("key", part) for part in parts[count:])
            parse = (("parse", ""),) if rest and not shape.document else ()
            return (("key", name), *parse, *rest)
    return tuple(("key", part) for part in parts) if shape.document else None


def _walk(value: Any, parts: tuple[str, ...]) -> tuple[Step, ...] | None:
    if not parts:
        return ()
    if isinstance(value, str):
        if not value.lstrip().startswith(("{", "[")):
            return None
        try:
            inner = _walk(json.loads(value), parts)
        except (ValueError, RecursionError):
            return None
        return None if inner is None else (("parse", ""), *inner)
    if isinstance(value, list):
        keys = [item.get("key") for item in value if isinstance(item, dict)]
        name = ".".join(parts)
        return next(((("pair", key),) for key in keys if isinstance(key, str) and key.lower() == name.lower()), None)
    if isinstance(value, dict):
        spelled = {str(name).strip().lower(): str(name) for name in reversed(value)}
        for count in range(len(parts), 0, -1):
            name = spelled.get(".".join(parts[:count]).lower(), "")
            if name:
                rest = _walk(value[name], parts[count:])
                if rest is not None:
                    return (("key", name), *rest)
    return None


class Cells:
    """SQL for the text of paths in the records of one file.

    Each way into a record is taken once: `inner` and `outer` are the SELECT lists of the queries that take them.
    """

    def __init__(self, shape: Shape, names: Sequence[str] | None = None) -> None:
        """`names` are the columns of a CSV file, read as c0, c1, …; without them a record is the JSON in `json`."""
        self._shape, self._names = shape, names
        self._entries: dict[str, int] = {}
        self._cells: dict[tuple[Step, ...], str] = {}

    @property
    def inner(self) -> str:
        """What the inner query selects beside the record's number."""
        if self._names is not None:
            return "*"
        paths = ", ".join(literal(path) for path in self._entries) or "'$'"
        return f"json_extract_string(json, [{paths}]) AS j"

    @property
    def outer(self) -> str:
        """What the query around it selects: the cells r0, r1, …, each worked out once, however often it is used."""
        return ", ".join(f"{sql} AS r{at}" for at, sql in enumerate(self._cells.values())) or "NULL AS nothing"

    def sql(self, path: str) -> str | None:
        """SQL for the text at `path`; None if the file has nothing there."""
        way = steps(self._shape, path)
        if way is None:
            return None
        if way not in self._cells:
            self._cells[way] = self._text(way)
        return f"r{list(self._cells).index(way)}"

    def _text(self, way: tuple[Step, ...]) -> str:
        keys: list[str] = []
        current = ""
        for what, name in way:
            if what == "key":
                keys.append(name)
                continue
            text = self._at(current, keys)
            current, keys = f"(CASE WHEN json_valid({text}) THEN {text} END)", []
            if what == "pair":
                pair = f"list_filter(json_extract({current}, '$[*]'), lambda x: (x ->> '$.key') = {literal(name)})[1]"
                told = ", ".join(f"{pair} ->> '$.value.{kind}'" for kind in _PAIR_VALUES)
                current = f"coalesce({told})"
        return self._at(current, keys)

    def _at(self, current: str, keys: list[str]) -> str:
        if not keys:
            return current
        if current:
            return f"json_extract_string({current}, {literal(json_path(keys))})"
        if self._names is not None:
            column = f"c{self._names.index(keys[0])}"
            return self._at(f"(CASE WHEN json_valid({column}) THEN {column} END)", keys[1:]) if keys[1:] else column
        at = self._entries.setdefault(json_path(keys), len(self._entries) + 1)
        return f"j[{at}]"
