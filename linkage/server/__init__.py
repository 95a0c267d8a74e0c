"""A local Neo4j Community server that the tool looks after, for people who have none.

`up` fetches what it needs once, starts one server a home and waits until it answers; `running` says where it is;
`down` stops it and keeps its data. POSIX only.
"""

from pathlib import Path

from linkage.server import jars
from linkage.server.jars import VERSION, Progress
from linkage.server.lifecycle import Server, down, log_tail, running, up
from linkage.server.places import home

__all__ = [
    "VERSION",
    "Progress",
    "Server",
    "down",
    "download_size",
    "home",
    "installed",
    "log_tail",
    "running",
    "up",
]


def installed(home: Path | None = None) -> bool:  # noqa: ARG001  (the cache is one for all homes)
    """Whether all jars are in the cache already, so that `up` downloads nothing."""
    return not jars.missing()


def download_size() -> int:
    """How many bytes the next `up` downloads."""
    return sum(jar.size for jar in jars.missing())
