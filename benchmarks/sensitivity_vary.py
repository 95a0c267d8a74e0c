"""Set a constant of the program to another value for a while, wherever it has been imported to."""

import ast
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import linkage

PACKAGE = Path(linkage.__file__).resolve().parent

Changes = Mapping[tuple[str, str], Any]
"""New values by module and name."""


@contextmanager
def varied(changes: Changes) -> Iterator[None]:
    """Within it the names have these values, in their module and in all that import them by name.

    Functions that numba has compiled keep the value that they were compiled with, and so does a default argument.

    Raises:
        AttributeError: a module has no such name.
    """
    before = []
    # All are imported first: one that is imported later would take the changed value for its own.
    places = {key: [importlib.import_module(holder) for holder in holders(*key)] for key in changes}
    try:
        for (module, name), value in changes.items():
            for place in places[module, name]:
                before.append((place, name, getattr(place, name)))
                setattr(place, name, value)
        yield
    finally:
        for place, name, value in reversed(before):
            setattr(place, name, value)


@cache
def holders(module: str, name: str) -> tuple[str, ...]:
    """The module, and those that import the name from it or from another holder."""
    found = {module}
    while True:
        more = {at for at, imported in _imports().items() if any((of, name) in imported for of in found)}
        if more <= found:
            return (module, *sorted(found - {module}))
        found |= more


@cache
def trees() -> dict[str, ast.Module]:
    """The source of each module of the package, parsed."""
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def _imports() -> dict[str, frozenset[tuple[str, str]]]:
    """What each module imports by name: (from which module, what)."""
    return {
        module: frozenset(
            (node.module, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        )
        for module, tree in trees().items()
    }


@cache
def described(module: str) -> dict[str, str]:
    """The names that a module sets at its top in capitals, with what it says of each: the text that follows, or ""."""
    found: dict[str, str] = {}
    body = trees()[module].body
    for node, following in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)]):
                pass
            case ast.Assign(targets=names):
                pass
            case ast.AnnAssign(target=name):
                names = [name]
            case _:
                continue
        match following:
            case ast.Expr(value=ast.Constant(value=str(text))):
                pass
            case _:
                text = ""
        found |= {at.id: " ".join(text.split()) for at in names if isinstance(at, ast.Name) and at.id.isupper()}
    return found
