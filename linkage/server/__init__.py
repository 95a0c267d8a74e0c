"""The local Neo4j server (being written)."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Server:
    bolt_url: str
    http_url: str
    user: str
    password: str
    pid: int
    home: Path
    web: Path
    version: str


def running(home: Path | None = None) -> Server | None:
    return None
