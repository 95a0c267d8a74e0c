"""One Spark session for all tests of a worker."""

import gc
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from linkage.spark.session import session

MARKS = [
    pytest.mark.xdist_group("spark"),
    # PySpark leaves the socket to its Java open where blocks are encrypted.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    # As `linkage.spark.session` does.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session, which leaves neither its process nor its folder behind."""
    # Hundreds of small statements: to compile them well takes longer than to run them.
    quick = {"spark.sql.shuffle.partitions": "2", "spark.sql.codegen.wholeStage": "false"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        beginning = ExitStack()
        started = beginning.enter_context(session("local[2]", quick))
    with beginning:
        process = started.sparkContext._gateway.proc  # type: ignore[union-attr]
        folder = Path(str(started.conf.get("spark.sql.warehouse.dir")).removeprefix("file:")).parent
        assert folder.is_dir()
        yield started
    assert process.poll() is not None
    assert not folder.exists()
    # A socket that PySpark left open is warned of when it is collected: here that is passed over, in a later test not.
    gc.collect()
