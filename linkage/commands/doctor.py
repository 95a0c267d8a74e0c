"""`linkage doctor`."""

import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linkage.commands import settings
from linkage.commands.common import case_option, note, output_options, print_json
from linkage.errors import CheckFailedError, LinkageError, translate

if TYPE_CHECKING:
    from linkage.graph import Target
    from linkage.graph.held import Held
    from linkage.health import Check

PATIENCE = 3.0
"""Seconds for Neo4j Browser to answer."""


@click.command(name="doctor")
@case_option
@output_options()
@click.pass_context
def command(ctx: click.Context, case: Path, as_json: bool) -> None:
    """Check the machine, the case and Neo4j, and say what to do.

    A line for each check: ok, warn (something is missing that not everybody needs) or fail. Nothing is changed, made or
    downloaded. It exits with 6 if a check failed.
    """
    checks = [*_machine(ctx), *_case(case), *_neo4j(case)]
    if as_json:
        print_json("doctor", {"ok": all(one.state != "fail" for one in checks), "checks": checks})
    else:
        from linkage.output import Page

        rows = [
            (one.state, one.name, ". ".join(part for part in (one.said.rstrip("."), one.advice) if part))
            for one in checks
        ]
        Page().table([("state", "left"), ("check", "left"), ("what there is, and what to do", "prose")], rows)
    failed = [one.name for one in checks if one.state == "fail"]
    if failed:
        raise CheckFailedError(f"Not all is well: {', '.join(failed)}.", "What to do stands beside each.")
    warned = sum(one.state == "warn" for one in checks)
    note(f"All is well{f', but for {warned} warning' + 's' * (warned > 1) if warned else ''}.")


def _machine(ctx: click.Context) -> "list[Check]":
    from linkage import health

    return [
        health.python(),
        health.memory(),
        _config(ctx),
        health.settings(settings.unknown_variables()),
    ]


def _config(ctx: click.Context) -> "Check":
    from linkage.health import Check

    if isinstance(ctx.obj, LinkageError):
        return Check("config", "fail", ctx.obj.message, ctx.obj.hint)
    path = settings.config_file(ctx.find_root().params["config"])
    return Check("config", "ok", str(path) if path else f"no {settings.FILE} here, so every option has its default")


def _case(case: Path) -> "list[Check]":
    from linkage import health

    checks = []
    for name, check in (("disk", health.disk), ("case", health.case), ("key", health.key)):
        try:
            checks.append(check(case))
        except (OSError, LinkageError) as exc:
            error = translate(exc, f"looking at {case}")
            checks.append(health.Check(name, "fail", error.message.rstrip("."), error.hint))
    return checks


def _neo4j(case: Path) -> "list[Check]":
    from linkage.graph import target
    from linkage.graph.held import look
    from linkage.health import Check, is_current

    java = _java()
    try:
        where = target()
    except LinkageError as exc:
        return [java, Check("neo4j", "fail", exc.message, exc.hint), Check("browser", "warn", "not looked for")]
    if where is None:
        return [java, _local(), Check("browser", "ok", "comes with Neo4j")]
    held = look(where, case if is_current(case) else None)
    return [java, _held(held), _browser(where)]


def _java() -> "Check":
    from linkage.health import Check
    from linkage.server import java

    try:
        found = java.find()
    except LinkageError as exc:
        needed = "only the local Neo4j needs it"
        return Check("java", "warn", f"{exc.message[:-1]}; {needed}", exc.hint)
    return Check("java", "ok", f"Java {found.major}, {found.path}")


def _local() -> "Check":
    from linkage import server
    from linkage.health import Check

    try:
        found = server.status()
    except LinkageError as exc:
        return Check("neo4j", "fail", exc.message, exc.hint)
    if found.state == "starting":
        return Check("neo4j", "warn", "the local server is starting, or does not answer", "See: linkage neo4j logs")
    size = f", after a download of {found.to_download / 1e6:,.0f} MB" if found.to_download else ""
    return Check(
        "neo4j", "ok", "none is up, and none is needed but to look at rings in it", f"Start one{size}: linkage neo4j up"
    )


def _held(held: "Held") -> "Check":
    from linkage.health import Check

    if not held.reachable:
        ours = "Check LINKAGE_NEO4J_URI and its user and password."
        return Check(
            "neo4j",
            "fail",
            held.problem.rstrip("."),
            ours if os.environ.get("LINKAGE_NEO4J_URI") else "See: linkage neo4j logs",
        )
    said = f"Neo4j {held.version} at {held.uri}"
    if held.case_id is None:
        return Check("neo4j", "ok", f"{said} holds no case", "Mirror one: linkage neo4j publish")
    if held.complete is False:
        return Check(
            "neo4j", "warn", f"{said}: a publish is under way or broke off", "Repeat it: linkage neo4j publish"
        )
    said = f"{said} holds run {held.run} of case {held.case_id}"
    if held.case is not None and held.case.case_id and not held.case.same:
        return Check("neo4j", "warn", f"{said}, which is not {held.case.path}", "See: linkage neo4j status")
    if held.case is not None and held.case.behind:
        return Check("neo4j", "warn", f"{said}, and lacks what is new", "Bring it up to date: linkage neo4j publish")
    return Check("neo4j", "ok", said)


def _browser(where: "Target") -> "Check":
    from linkage.graph.browser import base
    from linkage.health import Check

    url = f"{base(where)}/browser/"
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            if answer.status == 200:
                return Check("browser", "ok", f"Neo4j Browser at {url}")
            said = f"{url} answers {answer.status}"
    except urllib.error.HTTPError as exc:
        said = f"{url} answers {exc.code}"
        exc.close()
    except (OSError, ValueError):
        said = f"{url} does not answer"
    return Check("browser", "warn", said, "Set LINKAGE_NEO4J_BROWSER to the address of its Browser.")
