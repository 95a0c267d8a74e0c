"""A mix world by both engines: templates, bursts, hubs and rings of all kinds. `make test-deep`."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from linkage import store
from linkage.detect import detect
from linkage.ingest import ingest
from linkage.secret import key_file
from linkage.simulate import simulate
from linkage.spark.detect import detect_with
from tests.spark_session import MARKS, spark

__all__ = ["spark"]

pytestmark = [pytest.mark.deep, *MARKS]


@pytest.mark.parametrize("prompts", ["raw", "fingerprint"])
def test_a_mix_world_gives_the_same_case(spark: SparkSession, tmp_path: Path, prompts: str) -> None:
    world, local, case = (tmp_path / name for name in ("world", "local.duckdb", "case.duckdb"))
    simulate(world, world="mix", accounts=3000, days=10, seed=3, prompts=prompts, format="parquet")  # type: ignore[arg-type]
    ingest([world], local)
    detect(local, nulls=0)
    shutil.copy(key_file(local), key_file(case))
    detect_with(spark, [str(world)], case, nulls=0)
    assert found_in(case) == found_in(local)
    with store.reading(case) as con:
        assert con.sql("FROM exchanges").fetchall() == []


def found_in(case: Path) -> dict[str, list[Any]]:
    """What the newest run found, listed or not, and what is kept of prompts."""
    names = ("rings", "members", "evidence", "shared", "sightings", "hubs", "prompts", "templates", "accounts")
    with store.reading(case) as con:
        found = {name: con.sql(f"FROM {name} ORDER BY ALL").fetchall() for name in names}
    assert found["rings"]
    return found
