"""Stop the local server for a while, and have it back as it was."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from linkage.errors import Neo4jError
from linkage.server.jars import Progress
from linkage.server.lifecycle import down, running, up
from linkage.server.process import look


@contextmanager
def paused(home: Path | None = None, *, progress: Callable[[Progress], None]) -> Iterator[None]:
    """Stop the server of `home` for the block; it is started again with its ports and heap, whatever comes between.

    Raises:
        Neo4jError: it is not up, or does not start again.
        MachineError: it does not end.
    """
    found = running(home)
    process = look(found.pid) if found else None
    if found is None or process is None:
        raise Neo4jError("The local server is not up.", "Start it: linkage neo4j up")
    heap = re.search(r" -Xmx(\S+) ", process.command)
    bolt, http = (int(url.rpartition(":")[2]) for url in (found.bolt_url, found.http_url))
    down(found.home)
    try:
        yield
    finally:
        up(found.home, bolt_port=bolt, http_port=http, heap=heap[1] if heap else "1g", progress=progress)
