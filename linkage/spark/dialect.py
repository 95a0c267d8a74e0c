"""Our SQL for Spark: DuckDB's dialect is the one definition of each step, and sqlglot translates it.

What the two engines understand differently under one name is put right here, once for all statements: casts of text
that Spark takes more kinds of, whole regular expressions, rounding, and functions that Spark lacks
(`linkage.spark.functions`). A test runs the expressions of ingest on both engines.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from sqlglot import exp, parse
from sqlglot.dialects import Spark

_TIMES: Final = frozenset({exp.DataType.Type[name] for name in ("TIMESTAMP", "TIMESTAMPNTZ", "TIMESTAMPTZ")})

PYTHON: Final = frozenset(
    {"canonical_ip", "net_of", "is_private", "is_card_number", "card_state", "nfc", "keyed", "prompt_sketch"}
)
"""Functions that Spark calls in Python (`linkage.spark.functions`)."""

# Only what DuckDB reads as such: Spark would take `1d` for a number, and `2026-02` for a time.
_NUMBER: Final = r"^\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\s*\z"
_ZONE: Final = r"\s*(Z|UTC|GMT|[A-Z][A-Za-z]+/[A-Za-z_]+|[+-][0-9]{2}(:?[0-9]{2})?)?"
_TIME: Final = (
    r"^[0-9]{4,6}-[0-9]{1,2}-[0-9]{1,2}"
    rf"([T ][0-9]{{1,2}}:[0-9]{{1,2}}(:[0-9]{{1,2}}([.][0-9]{{0,9}})?)?{_ZONE})?\z"
)
# Spark asks for seconds where there is a zone, and for a colon in an offset.
_SPELLED: Final = (
    (r"([T ][0-9]{1,2}:[0-9]{1,2})\s*([A-Z+-])", "$1:00 $2"),
    (r"(:[0-9.]+\s*[+-][0-9]{2})([0-9]{2})\z", "$1:$2"),
)


def statements(sql: str) -> list[exp.Expr]:
    """The statements of a script in DuckDB's dialect, made ready for `text`."""
    return [_ready(statement) for statement in parse(sql, read="duckdb") if statement is not None]


def query(sql: str) -> str:
    """One SELECT in DuckDB's dialect, in Spark's."""
    (statement,) = statements(sql)
    return text(statement)


def text(statement: exp.Expr) -> str:
    """A statement of `statements` in Spark's dialect."""
    return statement.sql(dialect=Spark)


def _ready(statement: exp.Expr) -> exp.Expr:
    for table in list(statement.find_all(exp.Table)):
        # Views of a session have no schema: `kase.exchanges` is called `kase_exchanges`.
        if table.db:
            table.replace(exp.to_table(f"{table.db}_{table.name}", alias=table.alias or table.name))
    statement = statement.transform(_node)
    for call in list(statement.find_all(exp.Anonymous)):
        if call.name.lower() in PYTHON:
            _guard(call)
    return statement


def _node(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous):
        made = _FUNCTIONS.get(node.name.lower())
        return made(node.expressions) if made else node
    if isinstance(node, exp.Format):
        return _format(node)
    if isinstance(node, exp.Left) and (message := _message(node)):
        return exp.Anonymous(this="keyed", expressions=[message])
    if isinstance(node, exp.RegexpFullMatch):
        return _matches(node.this, f"^(?:{_java(node.expression.name)})\\z")
    if isinstance(node, exp.RegexpLike):
        return _matches(node.this, _java(node.expression.name))
    if isinstance(node, exp.Select) and len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Tuple):
        # `(a, b) IN (SELECT (a, b) …)` compares with rows of two columns in Spark.
        node.set("expressions", node.expressions[0].expressions)
        return node
    if isinstance(node, exp.DataType):
        return _type(node)
    if isinstance(node, exp.TryCast):
        return _try_cast(node)
    if (
        isinstance(node, exp.Cast)
        and node.to.this is exp.DataType.Type.BIGINT
        and any(cast.to.this is exp.DataType.Type.DOUBLE for cast in node.this.find_all(exp.Cast))
    ):
        # DuckDB rounds half to even where Spark cuts off.
        node.this.replace(exp.Anonymous(this="rint", expressions=[node.this.copy()]))
    return node


def _message(node: exp.Expr) -> exp.Expr | None:
    """What is hashed, if this is an HMAC composed from SHA-256 (`normalise.hmac_of`): no plan shows the key."""
    variables = {
        call.expressions[0].name for call in node.find_all(exp.Anonymous) if call.name.lower() == "getvariable"
    }
    encoded = node.find(exp.Encode)
    return encoded.this.copy() if "linkage_outer" in variables and encoded else None


def _type(node: exp.DataType) -> exp.Expr:
    if node.this is exp.DataType.Type.UBIGINT:
        return exp.DataType(this=exp.DataType.Type.BIGINT)
    if node.this in _TIMES:
        # A time of Spark's is an instant; the session's zone is UTC, so that both mean the same.
        return exp.DataType(this=exp.DataType.Type.TIMESTAMPTZ)
    return node


def _try_cast(node: exp.TryCast) -> exp.Expr:
    value = node.this.copy()
    if node.to.this in _TIMES:
        for pattern, spelled in _SPELLED:
            arguments = [node.this, exp.Literal.string(pattern), exp.Literal.string(spelled)]
            node.set("this", exp.Anonymous(this="regexp_replace", expressions=arguments))
    pattern = _NUMBER if node.to.this is exp.DataType.Type.DOUBLE else _TIME if node.to.this in _TIMES else ""
    if not pattern:
        return node
    return exp.case().when(_matches(value, pattern), node.copy())


def _matches(value: exp.Expr, pattern: str) -> exp.Expr:
    return exp.RegexpLike(this=value, expression=exp.Literal.string(pattern))


def _java(pattern: str) -> str:
    return pattern.replace("[:space:]", r"\s")


def _named(name: str) -> Callable[[Sequence[exp.Expr]], exp.Expr]:
    return lambda arguments: exp.Anonymous(this=name, expressions=list(arguments))


def _format(node: exp.Format) -> exp.Expr:
    """Only '{:0Nx}': N hexadecimal digits."""
    (value,) = node.expressions
    width = re.fullmatch(r"\{:0([0-9]+)x\}", node.this.name)
    assert width, node.this.name
    digits = exp.Lower(this=exp.Anonymous(this="hex", expressions=[value]))
    return exp.Anonymous(this="lpad", expressions=[digits, exp.Literal.number(int(width[1])), exp.Literal.string("0")])


def _strptime(arguments: Sequence[exp.Expr]) -> exp.Expr:
    """Only '%Y%m%dT%H%M%S', with or without Z."""
    zulu = arguments[1].name.endswith("Z")
    assert arguments[1].name.removesuffix("Z") == "%Y%m%dT%H%M%S", arguments[1].name
    pattern = "yyyyMMdd'T'HHmmss" + ("'Z'" if zulu else "")
    parsed = exp.Anonymous(this="try_to_timestamp", expressions=[arguments[0].copy(), exp.Literal.string(pattern)])
    return exp.case().when(_matches(arguments[0], f"^[0-9]{{8}}T[0-9]{{6}}{'Z' if zulu else ''}\\z"), parsed)


_FUNCTIONS: Final[dict[str, Callable[[Sequence[exp.Expr]], exp.Expr]]] = {
    "strlen": _named("octet_length"),
    "epoch_us": _named("unix_micros"),
    "suffix": _named("endswith"),
    "nfc_normalize": _named("nfc"),
    "try_strptime": _strptime,
}


def _guard(call: exp.Anonymous) -> None:
    """Give a Python function NULL where a CASE would not have called it: Spark calls it for every row."""
    conditions: list[exp.Expr] = []
    node: exp.Expr = call
    while (parent := node.parent) is not None and not isinstance(parent, exp.Select):
        if isinstance(parent, exp.If) and node.arg_key == "true":
            case = parent.parent
            condition = parent.this.copy()
            if isinstance(case, exp.Case) and case.this is not None:
                condition = exp.EQ(this=case.this.copy(), expression=condition)
            conditions.append(condition)
        elif isinstance(parent, exp.Case) and node.arg_key == "default":
            for branch in parent.args["ifs"]:
                condition = branch.this.copy()
                if parent.this is not None:
                    condition = exp.EQ(this=parent.this.copy(), expression=condition)
                conditions.append(exp.Not(this=exp.Coalesce(this=exp.paren(condition), expressions=[exp.false()])))
        node = parent
    # A condition that calls Python itself would only move the work.
    plain = [c for c in conditions if not any(f.name.lower() in PYTHON for f in c.find_all(exp.Anonymous))]
    if plain:
        argument = call.expressions[0]
        argument.replace(exp.case().when(exp.and_(*plain), argument.copy()))
