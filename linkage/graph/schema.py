"""Constraints and indexes, from the numbered files in `graph_schema/`, each recorded in the graph with its checksum."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from linkage import resources
from linkage.errors import LinkageError
from linkage.graph.driver import Graph

_NAME: Final = re.compile(r"V(\d{3})__([a-z0-9_]+)\.cypher")
_MAKES: Final = re.compile(r"CREATE (?:CONSTRAINT|INDEX) (\w+) IF NOT EXISTS")


@dataclass(frozen=True)
class Step:
    """One file.

    Attributes:
        number: its number; files are applied in this order, once each.
        name: what it is about.
        statements: its Cypher statements.
        makes: names of the constraints and indexes that it makes.
        checksum: SHA-256 of its statements.
    """

    number: int
    name: str
    statements: tuple[str, ...]
    makes: tuple[str, ...]
    checksum: str


@dataclass(frozen=True)
class Finding:
    """Where graph and files differ, in one sentence."""

    step: str
    problem: str


def steps(folder: Path | None = None) -> list[Step]:
    """The files by number.

    Raises:
        LinkageError: two files have one number, or one is named wrongly.
    """
    folder = folder or resources.folder("graph_schema")
    found: dict[int, Step] = {}
    for path in sorted(folder.glob("*.cypher")):
        named = _NAME.fullmatch(path.name)
        if not named or int(named[1]) in found:
            raise LinkageError(f"{path} does not fit among the schema's files.", "Name it V001__what.cypher.")
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("//")]
        statements = tuple(part.strip() for part in "\n".join(lines).split(";") if part.strip())
        checksum = hashlib.sha256("\n".join(statements).encode()).hexdigest()
        makes = tuple(name for statement in statements for name in _MAKES.findall(statement))
        found[int(named[1])] = Step(int(named[1]), named[2], statements, makes, checksum)
    return [found[number] for number in sorted(found)]


def apply(graph: Graph, folder: Path | None = None) -> list[str]:
    """Make what is missing; returns the names of the files that were applied, none when all was there.

    Raises:
        Neo4jError: the server refuses, for example because what is in the database breaks a constraint.
    """
    applied = []
    recorded, present = _recorded(graph), _present(graph)
    for step in steps(folder):
        if recorded.get(step.number) == step.checksum and present.issuperset(step.makes):
            continue
        for statement in step.statements:
            graph.schema(statement)
        graph.write(
            "MERGE (s:LinkageSchema {number: $number}) ON CREATE SET s.applied_at = datetime() "
            "SET s.name = $name, s.checksum = $checksum",
            number=step.number, name=step.name, checksum=step.checksum,
        )  # fmt: skip
        applied.append(f"V{step.number:03d} {step.name}")
    if applied:
        graph.schema("CALL db.awaitIndexes(300)")
    return applied


def validate(graph: Graph, folder: Path | None = None) -> list[Finding]:
    """Where the graph differs from the files: not applied, applied in other words, or made away with since."""
    recorded, present = _recorded(graph), _present(graph)
    findings = []
    for step in steps(folder):
        name = f"V{step.number:03d} {step.name}"
        if step.number not in recorded:
            findings.append(Finding(name, "was not applied"))
        elif recorded[step.number] != step.checksum:
            findings.append(Finding(name, "was applied with other contents"))
        findings += [Finding(name, f"{made} is missing") for made in step.makes if made not in present]
    known = {step.number for step in steps(folder)}
    findings += [
        Finding(f"V{number:03d}", "was applied by a newer linkage")
        for number in sorted(recorded)
        if number not in known
    ]
    return findings


def _recorded(graph: Graph) -> dict[int, str]:
    return {int(n): str(c) for n, c in graph.rows("MATCH (s:LinkageSchema) RETURN s.number, s.checksum")}


def _present(graph: Graph) -> set[str]:
    names = {str(row[0]) for row in graph.rows("SHOW CONSTRAINTS YIELD name RETURN name")}
    return names | {
        str(row[0]) for row in graph.rows("SHOW INDEXES YIELD name, state WHERE state = 'ONLINE' RETURN name")
    }
