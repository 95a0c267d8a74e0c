"""From what a person types for a question's parameters to the values that are bound."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from linkage.allow import stored_identifier
from linkage.errors import NotFoundError, UsageError
from linkage.graph.driver import Graph
from linkage.graph.questions import Param, Question
from linkage.graph.wanted import LONGEST_KEY
from linkage.ingest.normalise import stored_value
from linkage.model import BUILT_IN_KINDS
from linkage.secret import Key

_HASHED: Final = ("email", "phone", "prompt")
_RANK: Final = re.compile(r"#?([1-9]\d{0,8})")
_RING_ID: Final = re.compile(r"R[0-9a-f]{12}")
_WORDS: Final = {
    "text": "a text",
    "integer": "a whole number",
    "float": "a number",
    "time": "a time such as 2026-01-31 or 2026-01-31T12:00 (UTC)",
    "list": "texts with commas between them",
    "ring": "a ring: its id, the beginning of it, or its rank",
    "account": "an account's id",
    "identifier": "a value of the kind",
}


def bind(
    asked: Question, given: Mapping[str, str], *, graph: Graph | None = None, case: Path | None = None
) -> dict[str, Any]:
    """The values of all parameters of a question; what was left out is null or its default.

    Args:
        asked: the question.
        given: what was typed, by the parameter's name.
        graph: looks rings up by rank or the beginning of their id; without it a ring's id is taken as it is.
        case: whose key and rules bring a typed identifier to the form that the graph has; needed for e-mails, phones,
            prompts and other kinds that are hashed.

    Raises:
        UsageError: one is missing, unknown or of another type.
        NotFoundError: there is no such ring, or no case to hash with.
        InputError: the text is no value of its kind.
    """
    names = [param.name for param in asked.params]
    for name in given:
        if name not in names:
            known = f"It has: {', '.join(names)}." if names else "It has none."
            raise UsageError(f"The query {asked.id} has no parameter {name}.", known)
    values: dict[str, Any] = {}
    for param in asked.params:
        if param.name in given:
            values[param.name] = _value(asked, param, given, graph, case)
        elif param.need == "required":
            raise UsageError(
                f"The query {asked.id} needs {param.name}: {param.meaning}.",
                f"Give {_WORDS[param.type]}: --param {param.name}=…",
            )
        else:
            values[param.name] = read(param, param.default) if param.need == "default" else None
    return values


def _value(
    asked: Question, param: Param, given: Mapping[str, str], graph: Graph | None, case: Path | None
) -> Any:  # fmt: skip
    typed = given[param.name]
    if param.type == "identifier":
        if not given.get("kind"):
            raise UsageError(f"The query {asked.id} needs kind beside {param.name}.", "Give it: --param kind=…")
        return graph_key(_stored(given["kind"], typed, case))
    value = read(param, typed)
    if param.type == "ring" and graph is not None:
        return _ring(graph, value)
    return value


def read(param: Param, typed: str) -> Any:
    """What was typed, as the parameter's type.

    Raises:
        UsageError: it is none.
    """
    wrong = UsageError(f"{param.name} is no {_WORDS[param.type].split(' ', 1)[1]}: {typed}.", _range(param))
    if "\0" in typed or any("\ud800" <= char <= "\udfff" for char in typed):
        raise UsageError(f"{param.name} holds what is no text.", "Type it again.")
    try:
        if param.type in ("integer", "float"):
            value = int(typed) if param.type == "integer" else float(typed)
            if param.low is not None and param.high is not None and not param.low <= value <= param.high:
                raise UsageError(f"{param.name} is out of its range: {typed}.", _range(param))
            return value
        if param.type == "time":
            return _time(typed)
    except (ValueError, OverflowError):
        raise wrong from None
    if param.type == "list":
        return [part.strip() for part in typed.split(",") if part.strip()]
    if not typed.strip():
        raise UsageError(f"{param.name} is empty.", f"Give {_WORDS[param.type]}: --param {param.name}=…")
    return graph_key(typed) if param.type == "account" else typed


def _range(param: Param) -> str:
    if param.low is None or param.high is None:
        return f"Give {_WORDS[param.type]}: --param {param.name}=…"
    return f"Give {_WORDS[param.type]} from {param.low:g} to {param.high:g}: --param {param.name}=…"


def _time(typed: str) -> datetime:
    value = datetime.fromisoformat(typed.strip())
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def graph_key(value: str) -> str:
    """A value as the graph keys it: see the macro of the same name in `linkage.graph.wanted`.

    >>> graph_key("203.0.113.7"), len(graph_key("x" * 9_000))
    ('203.0.113.7', 273)
    """
    data = value.encode()
    return value if len(data) <= LONGEST_KEY else f"{value[:200]}… sha256:{hashlib.sha256(data).hexdigest()}"


def _stored(kind: str, typed: str, case: Path | None) -> str:
    """A typed identifier as the case keeps it. A hash, as the graph shows it, is taken as it is."""
    if case is not None and case.exists():
        return stored_identifier(case, kind, typed)
    if re.fullmatch(r"[0-9a-f]{32}", typed):
        return typed
    if kind in _HASHED or kind not in BUILT_IN_KINDS:
        raise NotFoundError(
            f"A value of kind {kind} is looked up by its hash, and there is no case to hash it with.",
            "Name the case that was published: --case FILE",
        )
    return stored_value(kind, typed, Key(b"-"))


def is_ring_id(typed: str) -> bool:
    """Whether that is a whole ring id, so that no graph needs to be asked for it."""
    return _RING_ID.fullmatch(typed) is not None


def _ring(graph: Graph, typed: str) -> str:
    """A ring's id from itself, its beginning, or a rank."""
    rank = _RANK.fullmatch(typed)
    found = [
        str(row[0])
        for row in graph.rows(
            "MATCH (r:Ring) WHERE r.ring_id = $id AND r.gone IS NULL RETURN r.ring_id "
            "UNION MATCH (r:Ring) WHERE r.rank = $rank AND r.gone IS NULL RETURN r.ring_id "
            "UNION MATCH (r:Ring) WHERE r.ring_id STARTS WITH $id AND r.gone IS NULL RETURN r.ring_id LIMIT 2",
            id=typed,
            rank=int(rank[1]) if rank else -1,
        )
    ]
    if typed in found or len(found) == 1:
        return typed if typed in found else found[0]
    if found:
        raise UsageError(f"More than one ring begins with {typed}.", f"Type more of it, e.g. {found[0]}")
    raise NotFoundError(f"The graph has no ring {typed}.", "See them: linkage query unreviewed-rings")
