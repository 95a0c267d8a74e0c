"""The investigator's questions in `queries/`: read, check, find and ask them.

Each file is one question: a head of comment lines, then one Cypher statement that only reads and is bounded. The head:

    // id: the file's name
    // title: a line for lists
    // answers: what it tells
    // param: NAME TYPE [LOW..HIGH] required|optional|= DEFAULT "what it means"     (any number of them)
    // returns: the columns, in order
    // mode: table | graph | audit
    // false_positives: which innocent things it will show

A line that begins with `//` and three blanks goes on with the one above. `graph` returns a picture for Neo4j Browser;
`audit` returns what must not exist, so no row when all is well.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from linkage import resources
from linkage.errors import LinkageError, NotFoundError
from linkage.graph.driver import Drawing, Graph

Mode = Literal["table", "graph", "audit"]
Type = Literal["text", "integer", "float", "time", "list", "ring", "account", "identifier"]
Need = Literal["required", "optional", "default"]

SECONDS: Final = 30.0
"""The server stops a question after so many seconds."""

_FILE: Final = re.compile(r"[a-z][a-z0-9-]*")
_PARAM: Final = re.compile(
    r'(?P<name>[a-z][a-z_]*) (?P<type>[a-z]+)(?: (?P<low>-?[\d.]+?)\.\.(?P<high>-?[\d.]+))? '
    r'(?:(?P<need>required|optional)|= (?P<default>\S+)) "(?P<meaning>[^"]+)"'
)  # fmt: skip
_KEYS: Final = ("id", "title", "answers", "param", "returns", "mode", "false_positives")
_LIMIT: Final = re.compile(r"\nLIMIT (\$limit|[1-9]\d{0,3})$")
_STRINGS: Final = re.compile(r"'(?:[^'\\]|\\.)*'|//[^\n]*")
# Nothing that writes, leaves the database, or is missing from a plain server.
_FORBIDDEN: Final = re.compile(
    r"\b(?:(?:CREATE|MERGE|SET|DELETE|REMOVE|FOREACH|LOAD|DROP|ALTER|GRANT|USE|TRANSACTIONS)\b"
    r"|CALL\s+\w|(?:apoc|gds|db|dbms)\.)",
    re.IGNORECASE,
)
NAMED: Final = re.compile(r"\$([a-z][a-z_]*)")
"""A parameter in Cypher."""


@dataclass(frozen=True)
class Param:
    """A parameter of a question.

    Attributes:
        name: as in the Cypher, without `$`.
        type: how what a person types is read. `ring`: an id, its beginning or a rank; `account`: an account's id;
            `identifier`: a value of the kind that the parameter `kind` names, kept as ingest keeps it.
        need: whether it must be given, may be left out (null), or has a default.
        default: the default, as it would be typed.
        low, high: the least and the most that a number may be.
        meaning: in words.
    """

    name: str
    type: Type
    need: Need
    default: str
    low: float | None
    high: float | None
    meaning: str


@dataclass(frozen=True)
class Question:
    """A question: its head, and `cypher`, the statement below it; `text` is the whole file."""

    id: str
    title: str
    answers: str
    params: tuple[Param, ...]
    returns: tuple[str, ...]
    mode: Mode
    false_positives: str
    cypher: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What came back: rows as dicts by column, or for mode `graph` a drawing."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    drawing: Drawing | None = None


def questions(folder: Path | None = None) -> list[Question]:
    """All questions: tables, then pictures, then audits, each by id.

    Raises:
        LinkageError: a file breaks the rules above; the message names it.
    """
    folder = folder or resources.folder("queries")
    found = [parse(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.cypher"))]
    order = get_args(Mode)
    return sorted(found, key=lambda question: (order.index(question.mode), question.id))


def question(name: str, folder: Path | None = None) -> Question:
    """The question of that id.

    Raises:
        NotFoundError: there is none; the hint names a near one.
    """
    known = {one.id: one for one in questions(folder)}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1, 0.5) or [one for one in known if name and name in one][:1]
    hint = f"Did you mean: linkage query {near[0]}" if near else "See all: linkage query"
    raise NotFoundError(f"There is no query {name}.", hint)


def parse(stem: str, text: str) -> Question:
    """Read and check one file.

    Args:
        stem: the file's name without `.cypher`.
        text: its contents.

    Raises:
        LinkageError: head or Cypher break the rules.
    """
    lines = text.splitlines()
    size = next((at for at, line in enumerate(lines) if not line.startswith("//")), len(lines))
    fields = list(_fields(stem, lines[:size]))
    wanted = [key for key in _KEYS if key != "param"]
    order = [key for key, _ in fields]
    if [key for key in order if key != "param"] != wanted or order != sorted(order, key=_KEYS.index):
        raise _fault(stem, f"its head is not {', '.join(_KEYS)} in this order, each once, only param repeated")
    head = {key: value for key, value in fields if key != "param"}
    params = tuple(_param(stem, value) for key, value in fields if key == "param")
    returns = tuple(head["returns"].split(", "))
    if head["id"] != stem or not _FILE.fullmatch(stem):
        raise _fault(stem, "its id is not its file name")
    if head["mode"] not in get_args(Mode):
        raise _fault(stem, f"its mode is none of {', '.join(get_args(Mode))}")
    if len(set(returns)) != len(returns) or not all(re.fullmatch(r"[a-z][a-z_]*", name) for name in returns):
        raise _fault(stem, "its columns are not names with ', ' between them, each once")
    cypher = "\n".join(lines[size:]).strip()
    _check_cypher(stem, cypher, params)
    mode: Any = head["mode"]
    return Question(stem, head["title"], head["answers"], params, returns, mode, head["false_positives"], cypher, text)


def _fields(stem: str, head: list[str]) -> Iterator[tuple[str, str]]:
    joined: list[str] = []
    for line in head:
        if line.startswith("//   ") and joined:
            joined[-1] += f" {line[5:].strip()}"
        else:
            joined.append(line)
    for line in joined:
        found = re.fullmatch(r"// ([a-z_]+): (\S.*)", line)
        if not found or found[1] not in _KEYS:
            raise _fault(stem, f"this line of its head is not '// key: value' with a known key: {line}")
        yield found[1], found[2].strip()


def _param(stem: str, text: str) -> Param:
    found = _PARAM.fullmatch(text)
    if not found or found["type"] not in get_args(Type):
        raise _fault(stem, f'this parameter is not NAME TYPE required|optional|= DEFAULT "meaning": {text}')
    number = found["type"] in ("integer", "float")
    if (found["low"] is None) == number:
        raise _fault(stem, f"numbers, and only they, have a range LOW..HIGH: {text}")
    try:
        low, high = (float(found["low"]), float(found["high"])) if number else (None, None)
        fits = found["default"] is None or not number or low <= float(found["default"]) <= high  # type: ignore[operator]
    except ValueError:
        fits = False
    if not fits:
        raise _fault(stem, f"range or default are no numbers, or do not fit: {text}")
    need: Any = found["need"] or "default"
    type_: Any = found["type"]
    return Param(found["name"], type_, need, found["default"] or "", low, high, found["meaning"])


def _check_cypher(stem: str, cypher: str, params: tuple[Param, ...]) -> None:
    bare = _STRINGS.sub("''", cypher)
    declared = {param.name: param for param in params}
    if set("&#;`") & set(cypher):
        raise _fault(stem, "its Cypher has &, #, ; or a backtick: the first two cut Browser's addresses")
    forbidden = _FORBIDDEN.search(bare)
    if forbidden:
        raise _fault(stem, f"it may only read, and needs nothing but Neo4j: {forbidden[0]}")
    limit = _LIMIT.search(cypher)
    if not limit:
        raise _fault(stem, "its last line is not LIMIT and a number or $limit")
    if limit[1] == "$limit" and (declared.get("limit") is None or declared["limit"].type != "integer"):
        raise _fault(stem, "its parameter limit is no integer with a range")
    if len(declared) != len(params) or set(NAMED.findall(bare)) != set(declared):
        raise _fault(stem, "the parameters of its head are not those of its Cypher, each once")
    identifiers = [param for param in params if param.type == "identifier"]
    if identifiers and (declared.get("kind") is None or declared["kind"].type != "text"):
        raise _fault(stem, "a parameter of type identifier needs a text parameter kind beside it")


def _fault(stem: str, problem: str) -> LinkageError:
    return LinkageError(f"The query {stem} cannot be used: {problem}.", "Mend queries/" + stem + ".cypher.")


def ask(graph: Graph, asked: Question, values: Mapping[str, Any], *, seconds: float = SECONDS) -> Answer:
    """Ask a question in a transaction that can only read.

    Args:
        graph: an open connection.
        asked: the question.
        values: its bound parameters, see `linkage.graph.binding.bind`.
        seconds: the server stops it after so long.

    Raises:
        Neo4jError: the server refused or stopped it.
        LinkageError: the columns are not those of the head.
    """
    if asked.mode == "graph":
        columns, drawing = graph.drawing(asked.cypher, values, seconds=seconds)
        answer = Answer(tuple(columns), (), drawing)
    else:
        columns, rows = graph.table(asked.cypher, values, seconds=seconds)
        answer = Answer(tuple(columns), tuple(rows))
    if answer.columns != asked.returns:
        raise _fault(asked.id, f"it returns {', '.join(answer.columns)} and not what its head says")
    return answer
