"""`linkage query`."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from linkage.commands.common import (
    PATH,
    case_option,
    limit_option,
    note,
    output_options,
    print_json,
    print_jsonl,
    tell,
)
from linkage.commands.graph import database_option
from linkage.errors import CheckFailedError, ExitCode, UsageError

if TYPE_CHECKING:
    from linkage.graph.driver import Drawing
    from linkage.graph.questions import Answer, Question


@click.command(name="query")
@click.argument("name", required=False)
@click.option("--param", "given", metavar="NAME=VALUE", multiple=True, help="A parameter; may be repeated.")
@limit_option(None, "rows: short for --param limit=N")
@click.option("--show", is_flag=True, help="Print the Cypher, with the parameters that are given, and ask nothing.")
@click.option("--audit", is_flag=True, help="Ask all audits; exit code 6 if one finds a row.")
@click.option(
    "--saved-scripts", "scripts", metavar="FILE.zip", type=PATH, help="Write what Browser imports when dropped on it."
)
@case_option
@database_option
@output_options(lines=True)
def command(
    name: str | None,
    given: tuple[str, ...],
    limit: int | None,
    show: bool,
    audit: bool,
    scripts: Path | None,
    case: Path,
    database: str | None,
    as_json: bool,
    as_jsonl: bool,
) -> int:
    """Ask an investigator's question in Neo4j.

    Without NAME the questions are listed. Each is one file of Cypher with parameters, only reads, and is bounded. A
    ring is given by its id, the beginning of it, or its rank; the case only serves to hash a typed e-mail, phone or
    prompt.
    """
    if sum((name is not None, audit, scripts is not None)) > 1:
        raise UsageError("NAME, --audit and --saved-scripts exclude each other.", "Give one of them.")
    if name is None and (given or limit or show):
        raise UsageError("--param, --limit and --show need the query's NAME.", "See all: linkage query")
    if scripts is not None:
        return _write(scripts, as_json)
    if audit:
        return _audit(database, as_json, as_jsonl)
    if name is None:
        return _list(as_json, as_jsonl)
    from linkage.graph.questions import question

    asked = question(name)
    typed = _typed(given)
    if limit is not None:
        if all(param.name != "limit" for param in asked.params):
            raise UsageError(f"The query {asked.id} has no limit to set.", "Leave --limit out.")
        typed["limit"] = str(limit)
    if show:
        return _show(asked, typed, case, database)
    return _ask(asked, typed, case, database, as_json, as_jsonl)


def _typed(given: tuple[str, ...]) -> dict[str, str]:
    typed: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--param {text} is not NAME=VALUE.", "Write it as --param ring=1")
        if name in typed:
            raise UsageError(f"--param {name} is given twice.", "Give it once.")
        typed[name] = value
    return typed


def _list(as_json: bool, as_jsonl: bool) -> int:
    from linkage.graph.questions import questions

    known = questions()
    if as_json or as_jsonl:
        rows = [
            {
                "id": q.id,
                "title": q.title,
                "answers": q.answers,
                "mode": q.mode,
                "params": [
                    {"name": p.name, "type": p.type, "need": p.need, "default": p.default, "meaning": p.meaning}
                    for p in q.params
                ],
                "returns": q.returns,
                "false_positives": q.false_positives,
            }
            for q in known
        ]
        print_json("queries", rows) if as_json else print_jsonl(rows)
        return ExitCode.DONE
    from linkage.output import Page

    cells = [(q.id, q.mode, ", ".join(_written(q)), q.title) for q in known]
    Page().table([("query", "left"), ("mode", "left"), ("parameters", "left"), ("title", "prose")], cells)
    note("Ask one: linkage query ring-members --param ring=1")
    return ExitCode.DONE


def _written(asked: "Question") -> list[str]:
    marks = {"required": "", "optional": "?", "default": "="}
    return [f"{p.name}{marks[p.need]}{p.default}" for p in asked.params]


def _show(asked: "Question", typed: dict[str, str], case: Path, database: str | None) -> int:
    if not typed:
        click.echo(asked.text.rstrip("\n"))
        return ExitCode.DONE
    from linkage.graph import connect, target
    from linkage.graph.binding import bind, is_ring_id
    from linkage.graph.scripts import filled

    rings = [typed[param.name] for param in asked.params if param.type == "ring" and param.name in typed]
    where = None if all(map(is_ring_id, rings)) else target(database)
    if where is None:
        values = bind(asked, typed, case=case)
    else:
        with connect(where) as graph:
            values = bind(asked, typed, graph=graph, case=case)
    click.echo(filled(asked, values))
    return ExitCode.DONE


def _ask(
    asked: "Question", typed: dict[str, str], case: Path, database: str | None, as_json: bool, as_jsonl: bool
) -> int:
    from linkage.graph import connect, required
    from linkage.graph.binding import bind
    from linkage.graph.questions import ask

    with connect(required(database)) as graph:
        values = bind(asked, typed, graph=graph, case=case)
        answer = ask(graph, asked, values)
        empty = not answer.rows and not (answer.drawing and answer.drawing.nodes)
        if empty and not graph.one("MATCH (c:LinkageCase) RETURN c.id LIMIT 1"):
            note("The graph holds no case. Mirror one: linkage neo4j publish")
    if as_json:
        body: dict[str, Any] = {"query": asked.id, "mode": asked.mode, "params": values, "columns": answer.columns}
        body |= _drawn(answer.drawing) if answer.drawing else {"rows": answer.rows}
        print_json("query", body)
    elif as_jsonl:
        print_jsonl(_pieces(answer.drawing) if answer.drawing else answer.rows)
    else:
        _print(asked, answer, values)
    return ExitCode.DONE


def _drawn(drawing: "Drawing") -> dict[str, Any]:
    return {"nodes": drawing.nodes, "relationships": drawing.relationships}


def _pieces(drawing: "Drawing") -> list[Any]:
    return [*drawing.nodes, *drawing.relationships]


def _print(asked: "Question", answer: "Answer", values: dict[str, Any]) -> None:
    from linkage.output import Page

    if answer.drawing is not None:
        _print_drawing(answer.drawing)
    elif answer.rows:
        long = _longest(answer)
        columns = [name for name in answer.columns if name != long] + ([long] if long else [])
        cells = [[_cell(name, row[name]) for name in columns] for row in answer.rows]
        Page().table([(name.replace("_", " "), _side(answer, name, long)) for name in columns], cells)
    if not answer.rows and not (answer.drawing and answer.drawing.nodes):
        note("All is well: no such row." if asked.mode == "audit" else "Nothing is found.")
    elif asked.mode != "graph" and len(answer.rows) == values.get("limit"):
        note("There may be more: --limit N shows so many.")
    if answer.rows or answer.drawing:
        note(f"Mind: {asked.false_positives}")


def _longest(answer: "Answer") -> str | None:
    """The column that goes last and may be broken between words: the one with the longest text."""
    sizes = {
        name: max(len(_cell(name, row[name])) for row in answer.rows)
        for name in answer.columns
        if any(isinstance(row[name], (str, list)) for row in answer.rows)
    }
    longest = max(sizes, key=lambda name: sizes[name], default=None)
    return longest if longest is not None and sizes[longest] > 34 else None


def _side(answer: "Answer", name: str, long: str | None) -> str:
    if name == long:
        return "prose"
    numbers = all(row[name] is None or isinstance(row[name], (int, float)) for row in answer.rows)
    return "right" if numbers else "left"


def _cell(column: str, value: Any) -> str:
    from linkage.output import score

    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return score(value) if column in ("score", "confidence") else f"{value:.1f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_cell(column, item) for item in value)
    return str(value)


def _print_drawing(drawing: "Drawing") -> None:
    """A line for each relationship, nodes by what a picture would write on them."""
    from linkage.output import Page

    names = {node.id: _name(node.labels, node.properties) for node in drawing.nodes}
    rows = [(names.get(r.start, ""), r.type, names.get(r.end, ""), _cell("", r.properties.get("bits")))
            for r in drawing.relationships]  # fmt: skip
    if rows:
        Page().table([("from", "left"), ("relationship", "left"), ("to", "left"), ("bits", "right")], sorted(rows))
    elif names:
        Page().table([("node", "left")], [(name,) for name in sorted(names.values())])
    if names:
        note(f"{len(names):,} nodes, {len(rows):,} relationships. To see them: Neo4j Browser.")


def _name(labels: Sequence[str], properties: dict[str, Any]) -> str:
    if "Identifier" in labels:
        return f"{properties.get('kind')} {properties.get('label')}"
    keys = ("account_id", "label", "ring_id", "bundle_id")
    return str(next((properties[key] for key in keys if key in properties), ":".join(labels)))


def _audit(database: str | None, as_json: bool, as_jsonl: bool) -> int:
    from linkage.graph import connect, required
    from linkage.graph.binding import bind
    from linkage.graph.questions import ask, questions

    found = []
    with connect(required(database)) as graph:
        for asked in questions():
            if asked.mode == "audit":
                answer = ask(graph, asked, bind(asked, {}))
                found.append({"id": asked.id, "title": asked.title, "rows": answer.rows})
    if as_json:
        print_json("audit", found)
    elif as_jsonl:
        print_jsonl(found)
    else:
        from linkage.output import Page

        Page().table(
            [("audit", "left"), ("rows", "right"), ("title", "prose")],
            [(one["id"], f"{len(one['rows']):,}", one["title"]) for one in found],
        )
    failed = [str(one["id"]) for one in found if one["rows"]]
    if failed:
        raise CheckFailedError(
            f"{len(failed)} of {len(found)} audits found rows: {', '.join(failed)}.",
            f"See them: linkage query {failed[0]}. Mend the mirror: linkage neo4j publish",
        )
    return ExitCode.DONE


def _write(path: Path, as_json: bool) -> int:
    from linkage.graph.questions import questions
    from linkage.graph.scripts import write_saved_scripts

    known = questions()
    changed = write_saved_scripts(path, known)
    if as_json:
        print_json("saved-scripts", {"path": path, "queries": len(known), "changed": changed})
    else:
        tell(f"{path}: {len(known)} queries" + ("" if changed else "; nothing changed"))
        note("Drop the file on Neo4j Browser: its sidebar then has them under saved scripts.")
    return ExitCode.DONE
