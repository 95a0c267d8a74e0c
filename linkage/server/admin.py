"""Neo4j's own admin tool on the local server's store, while the server is down."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from linkage.errors import Neo4jError, UsageError, translate
from linkage.server import config, jars, java, password, process
from linkage.server.jars import Progress
from linkage.server.lifecycle import alive
from linkage.server.places import Layout, locked, write

_TOOL = "org.neo4j.cli.AdminTool"
_LINES = 15


def admin(arguments: Sequence[str], home: Path | None = None, *, progress: Callable[[Progress], None]) -> None:
    """Run `neo4j-admin` with these arguments on the store of `home`.

    Raises:
        UsageError: the server is up.
        Neo4jError: the tool failed; its last lines are the details.
        MachineError: the disk refuses.
    """
    layout = Layout.of(home)
    layout.make()
    with locked(layout.home / "lock"):
        if alive(layout) is not None:
            raise UsageError("The local server is up, and its store can only be loaded while it is down.",
                             "Stop it first: linkage neo4j down")  # fmt: skip
        program = java.find()
        jars.fetch(progress)
        # An empty home gets its password now: later the server would take the loaded store for one that has lost it.
        password.ensure(layout)
        config.write_conf(layout, 0, 0)
        progress(Progress("Loading the store"))
        classpath = ":".join(str(jars.path(jar)) for jar in jars.pinned())
        options = layout.run / "admin.args"
        command = [str(program.path), f"@{options}", _TOOL, *arguments]
        environment = config.environment() | {"NEO4J_HOME": str(layout.home), "NEO4J_CONF": str(layout.conf)}
        try:
            write(options, "\n".join([*program.flags(), f'-cp "{classpath}"', ""]))
            said = layout.logs / "admin.log"
            with os.fdopen(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
                done = subprocess.run(
                    command, cwd=layout.home, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, check=False, umask=process.PRIVATE,
                )  # fmt: skip
            lines = [line for line in said.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        except OSError as exc:
            raise translate(exc, "running neo4j-admin") from None
    if done.returncode:
        raise Neo4jError("neo4j-admin failed, and said:", f"All of it: {said}", tuple(lines[-_LINES:]))
