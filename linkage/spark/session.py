"""A Spark session of our own: started here and nowhere else, and gone with all that it made when the block ends."""

import logging
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from linkage.errors import InputError, LinkageError, MachineError, Neo4jError, UsageError
from linkage.server import java

# Of no use to us: what passes between Spark and us is Arrow.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)

import pyspark  # noqa: E402
from py4j.protocol import Py4JError  # noqa: E402
from pyspark import SparkConf, SparkContext  # noqa: E402
from pyspark.errors import PySparkException  # noqa: E402
from pyspark.java_gateway import launch_gateway  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

# It prints statements, and what they were asked for, to stderr.
logging.getLogger("SQLQueryContextLogger").disabled = True

VERSION: Final = str(pyspark.__version__)

_LOGGING: Final = """
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n
"""

_SETTINGS: Final = {
    "spark.app.name": "linkage detect",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.binaryAsString": "true",
    # What holds of each part of a union is carried over to a checkpoint of it, and Spark 4 may fail at that.
    "spark.sql.constraintPropagation.enabled": "false",
    # A folder named `key=value` would become a column, in place of the file's own.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    # Rows on their way to a Python function may be put aside on disk, and raw prompts are among them.
    "spark.io.encryption.enabled": "true",
    # The tables that come to the driver are large and wanted.
    "spark.driver.maxResultSize": "0",
}

_LOCAL: Final = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Each costs its time however little there is in it.
    "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
}


@contextmanager
def session(master: str = "local[*]", settings: dict[str, str] | None = None) -> Iterator[SparkSession]:
    """A session on `master`, ended with its Java process and its temporary folder when the block ends.

    On a local master nothing listens but on the loopback, and there is no web page. Settings of the environment (a
    `spark-defaults.conf` under SPARK_CONF_DIR) hold but for those that we need otherwise.

    Args:
        master: as Spark's own `--master`.
        settings: more settings of Spark; they win.

    Raises:
        MachineError: no Java that fits, or Spark does not start.
        InputError, UsageError, MachineError: what Spark raises inside the block, as a sentence.
    """
    if not re.fullmatch(r"(local(\[[^\]]+\])?|yarn|(spark|k8s|mesos)://\S+|local-cluster\[[^\]]+\])", master):
        raise UsageError(f"{master!r} is no Spark master.", "Use e.g. local[*], yarn, spark://HOST:7077 or k8s://URL.")
    if SparkContext._active_spark_context is not None:
        raise MachineError("This process has a Spark session already.", "End it first: its settings are not ours.")
    home = _java_home()
    with tempfile.TemporaryDirectory(prefix="linkage-spark-") as name:
        folder = Path(name)
        conf = _conf(master, folder, settings or {})
        environment = {"JAVA_HOME": str(home)}
        if master.startswith("local"):
            # Or functions run in another Python than this one, which may lack what they need.
            environment["PYSPARK_PYTHON"] = sys.executable
        with (folder / "spark.log").open("wb") as log, _environment(environment):
            gateway = _launched(conf, log, folder)
        try:
            with _environment(environment):
                context = SparkContext(conf=conf, gateway=gateway)
            try:
                context.setLogLevel("ERROR")
                yield SparkSession(context)
            finally:
                with suppress(Exception):
                    context.stop()
        except (PySparkException, Py4JError) as exc:
            raise told(exc, folder / "spark.log") from None
        finally:
            _end(gateway)


def _java_home() -> Path:
    try:
        return java.find().path.resolve().parent.parent
    except Neo4jError as exc:
        raise MachineError(
            exc.message.replace("The server needs", "Spark needs"),
            "Install one by pip: pip install 'account-linkage[spark]', or use --engine linkage.",
        ) from None


def _conf(master: str, folder: Path, settings: dict[str, str]) -> SparkConf:
    quiet = folder / "log4j2.properties"
    quiet.write_text(_LOGGING)
    local = master.startswith("local")
    (folder / "tmp").mkdir()
    own = {
        **_SETTINGS,
        **(_LOCAL if local else {}),
        "spark.master": master,
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={quiet.as_uri()} -Djava.io.tmpdir={folder}/tmp",
        **({"spark.local.dir": str(folder / "tmp")} if local else {}),
        **settings,
    }
    conf = SparkConf(loadDefaults=False)
    for key, value in own.items():
        conf.set(key, value)
    return conf


@contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """Variables that Spark reads as it starts; the environment is as it was after that."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _launched(conf: SparkConf, log: Any, folder: Path) -> Any:
    try:
        return launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]
    except Exception as exc:
        raise MachineError(
            f"Spark does not start: {type(exc).__name__}.",
            "Look at what Java said below; is there memory for it?",
            _tail(folder / "spark.log"),
        ) from None


def _end(gateway: Any) -> None:
    """End the Java process: `SparkContext.stop` leaves it for the next context of this process."""
    with suppress(Exception):
        gateway.shutdown()
    process: subprocess.Popen[bytes] = gateway.proc
    if process.stdin:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    SparkContext._gateway = None
    SparkContext._jvm = None


def told(exc: Exception, log: Path) -> LinkageError:
    """What Spark raised, as a sentence without values of the data: those stay in nobody's terminal."""
    text = str(exc)
    low = text.lower()
    if "outofmemory" in low or "out of memory" in low:
        return MachineError("Spark ran out of memory.", "Give it more: --spark-conf spark.driver.memory=8g")
    if "no space left" in low:
        return MachineError("Spark's disk is full.", "Set spark.local.dir to a larger one by --spark-conf.")
    if "permission denied" in low:
        return MachineError("Spark may not read or write a file.", "Ask its owner.")
    if "path_not_found" in low or "filenotfoundexception" in low:
        return InputError("A file went away while Spark read it.", "Run again.")
    if "unexpected end of" in low or "zipexception" in low or "not in gzip format" in low or "eofexception" in low:
        return InputError("A packed export cannot be read to its end.", "Is it what its name says? Export it again.")
    if "is not a parquet file" in low or "failed_read_file" in low:
        return InputError("A file cannot be read as what its name says.", "Export it again.")
    condition = getattr(exc, "getCondition", lambda: None)() or type(exc).__name__
    return LinkageError(
        f"Spark failed: {condition}.",
        "Run again with LINKAGE_DEBUG=1 and report what it prints; --engine linkage needs no Spark.",
        # Spark quotes plans and values: they are for whoever asks for them.
        tuple(text.splitlines()[:40]) if os.environ.get("LINKAGE_DEBUG") else _tail(log),
    )


def _tail(log: Path) -> tuple[str, ...]:
    with suppress(OSError):
        return tuple(log.read_text(errors="replace").splitlines()[-5:])
    return ()
