"""Fixtures that several test modules share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkage.detect import detect
from linkage.ingest import ingest
from linkage.sample import FOLDER
from tests.neo4j_server import neo4j_cache, neo4j_server

__all__ = ["neo4j_cache", "neo4j_server"]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sample_case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sample export, ingested and detected; for reading only."""
    case = tmp_path_factory.mktemp("sample") / "case.duckdb"
    ingest([FOLDER], case)
    detect(case)
    yield case
