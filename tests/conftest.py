"""Fixtures that several test modules share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from linkage.commands import run
from linkage.detect import detect
from linkage.ingest import ingest
from linkage.sample import FOLDER
from tests.cases import Output
from tests.neo4j_server import neo4j_cache, neo4j_home, neo4j_server

__all__ = ["neo4j_cache", "neo4j_home", "neo4j_server"]

# What one example takes says more of what else the machine does, and of what is compiled at its first use.
settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def _plain(patch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
        patch.delenv(name)
    patch.setenv("LINKAGE_NEO4J_HOME", str(folder / "no-neo4j"))


@pytest.fixture(autouse=True, scope="session")
def _plain_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For what tests share, too, which is made before the fixtures of a single test."""
    with pytest.MonkeyPatch.context() as patch:
        _plain(patch, tmp_path_factory.mktemp("plain"))
        yield


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine reaches a test, nor does a local Neo4j that its owner has running."""
    _plain(monkeypatch, tmp_path)


@pytest.fixture(scope="session")
def sample_case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sample export, ingested and detected; for reading only."""
    case = tmp_path_factory.mktemp("sample") / "case.duckdb"
    ingest([FOLDER], case)
    detect(case)
    yield case


@pytest.fixture
def linkage(capsys: pytest.CaptureFixture[str]) -> Callable[..., Output]:
    """Run a command in this process: exit code, stdout, stderr."""

    def call(*words: object) -> Output:
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call
