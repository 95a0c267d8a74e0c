"""The tutorial: every command of it is run, on a real Neo4j where it needs one, and shows what the page shows."""

import re
from pathlib import Path

import pytest

from linkage.ingest import ingest
from linkage.server import Server
from linkage.simulate import incident, simulate
from tests.graphs import emptied
from tests.test_house import ROOT, script

pytestmark = pytest.mark.xdist_group("neo4j")


def test_the_tutorial_shows_what_its_commands_give(neo4j_server: Server) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text()
    with emptied(neo4j_server):
        known = {
            "LINKAGE_NEO4J_URI": neo4j_server.bolt_url,
            "LINKAGE_NEO4J_USER": neo4j_server.user,
            "LINKAGE_NEO4J_PASSWORD": neo4j_server.password,
            "LINKAGE_NEO4J_BROWSER": neo4j_server.http_url,
        }
        assert script("transcript").filled(text, known) == text
    # None stands outside a block that is run.
    blocks = re.findall(r"```console\n.*?```", text, re.DOTALL)
    assert len(blocks) == text.count("<!-- transcript") == text.count("<!-- end -->")


def test_the_incident_is_the_same_again_and_in_the_formats_of_its_sources(tmp_path: Path) -> None:
    one, two = simulate(tmp_path / "one", world="incident"), simulate(tmp_path / "two", world="incident")
    assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in two.files]
    simulate(tmp_path / "two", world="incident", seed=2)
    assert (tmp_path / "one" / "aliases.csv").read_bytes() == (tmp_path / "two" / "aliases.csv").read_bytes()
    assert (one.files[1]).read_bytes() != (two.files[1]).read_bytes()
    report = ingest([tmp_path / "two"], tmp_path / "c.duckdb")
    assert not report.rejected
    assert {file.preset for file in report.files} == {"Stripe payments", "LiteLLM spend logs", ""}
    assert report.joins is not None
    assert {(source.accounts, source.alone) for source in report.joins.sources} == {(incident.ACCOUNTS, 0)}
    simulate(tmp_path / "two", accounts=1000)
    assert not (tmp_path / "two" / "litellm-spend-logs.jsonl").exists()
