"""A local Neo4j Community server that the tool looks after, for people who have none.

`up` fetches what it needs once, starts one server a home and waits until it answers; `running` says where it is;
`down` stops it and keeps its data. POSIX only.
"""

from pathlib import Path

from linkage.server import jars, password
from linkage.server.admin import admin
from linkage.server.clipboard import copy
from linkage.server.jars import VERSION, Progress
from linkage.server.lifecycle import Server, Status, down, follow_log, log_tail, running, status, up
from linkage.server.pause import paused
from linkage.server.places import Layout, home

__all__ = [
    "VERSION",
    "Progress",
    "Server",
    "Status",
    "admin",
    "copy",
    "down",
    "download_size",
    "follow_log",
    "home",
    "installed",
    "log_tail",
    "password_file",
    "paused",
    "running",
    "status",
    "stored_password",
    "up",
]


def password_file(home: Path | None = None) -> Path:
    """The file of mode 0600 with the password; there is none before the first start."""
    return Layout.of(home).password


def stored_password(home: Path | None = None) -> str:
    """The password, whether the server is up or not; empty before the first start."""
    return password.read(Layout.of(home))


def installed(home: Path | None = None) -> bool:  # noqa: ARG001  (the cache is one for all homes)
    """Whether all jars are in the cache already, so that `up` downloads nothing."""
    return not jars.missing()


def download_size() -> int:
    """How many bytes the next `up` downloads."""
    return sum(jar.size for jar in jars.missing())
