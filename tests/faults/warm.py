"""Everything that a command imports, compiles and looks up, done once: the fork server imports this module.

What it forks then begins its work at once, as a killed process should have.
"""

import contextlib
import importlib
import io
import os
import tempfile
from pathlib import Path

from linkage.commands import COMMANDS, run
from linkage.commands.neo4j import COMMANDS as NEO4J_COMMANDS
from tests.faults import world

for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
    del os.environ[name]
os.environ["LINKAGE_NEO4J_HOME"] = "/nonexistent"
for name in (*COMMANDS, *(f"neo4j.{name.replace('-', '_')}" for name in NEO4J_COMMANDS)):
    importlib.import_module(f"linkage.commands.{name}")
for name in ("linkage.graph.publish", "linkage.graph.pull", "linkage.graph.route"):
    importlib.import_module(name)

with (
    tempfile.TemporaryDirectory() as folder,
    contextlib.redirect_stdout(io.StringIO()),
    contextlib.redirect_stderr(io.StringIO()) as said,
):
    case = str(Path(folder) / "warm.duckdb")
    for words in (
        ["ingest", str(world.write(Path(folder) / "in"))],
        ["detect", "--nulls", "3"],
        ["review", "1", "confirm"],
        ["rings"],
        ["export", str(Path(folder) / "out")],
    ):
        if run([*words, "--case", case]):
            raise RuntimeError(said.getvalue())
