"""Scripts of our SQL on Spark: the statements that DuckDB runs on tables, on views that are never changed.

    CREATE TABLE t AS …     a view t, worked out at once and kept by the executors
    INSERT INTO t …         the view t is the old one and the new rows
    DELETE FROM t WHERE …   the view t is the old one without those rows
    DROP TABLE t            the view is gone

A view that was added to or taken from is worked out anew once another table is made of it, and not by each that is.

A table that is numbered over all its rows (`row_number() OVER (ORDER BY …) - 1`) is sorted in parts, and each part goes
on from where the one before it ended: Spark's own window would take all rows to one executor.
"""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from sqlglot import exp

from linkage.spark import dialect

_PART: Final = 33
"""Bits of a row's place in its part, in `monotonically_increasing_id`."""


def settled(frame: DataFrame) -> DataFrame:
    """The frame worked out, with nothing left of how: plans made of plans take Spark longer than the work.

    The executors keep its rows; where `spark.checkpoint.dir` is set they lie there, and no executor can take them away.
    """
    context = frame.sparkSession.sparkContext
    return frame.checkpoint() if context.getCheckpointDir() else frame.localCheckpoint()


class Tables:
    """What scripts leave on Spark, by name."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self._changed: set[str] = set()

    def execute(self, script: str) -> None:
        """Run the statements of a script in DuckDB's dialect."""
        for statement in dialect.statements(script):
            match statement:
                case exp.Create():
                    self._create(statement)
                case exp.Insert():
                    old, new = self._table(statement.this), self.spark.sql(dialect.text(statement.expression))
                    # By place, as in DuckDB.
                    self._change(_name(statement.this), old.union(new))
                case exp.Delete():
                    where = statement.args["where"].this
                    kept = (
                        exp.select("*")
                        .from_(statement.this.copy())
                        .where(exp.Not(this=exp.Coalesce(this=exp.paren(where), expressions=[exp.false()])))
                    )
                    self._change(_name(statement.this), self.spark.sql(dialect.text(kept)))
                case exp.Drop():
                    for table in statement.find_all(exp.Table):
                        self.spark.catalog.dropTempView(_name(table))
                        self._changed.discard(_name(table))
                case _:
                    raise AssertionError(f"no statement of a script: {statement.key}")

    def arrow(self, sql: str) -> pa.Table:
        """The answer to a query in DuckDB's dialect; times without a zone, in UTC."""
        found = self.spark.sql(dialect.query(sql)).toArrow()
        return found.cast(
            pa.schema([f.with_type(pa.timestamp("us")) if pa.types.is_timestamp(f.type) else f for f in found.schema])
        )

    def put(self, name: str, rows: pa.Table) -> None:
        """A table from the driver. Of 64 bits without a sign the number with a sign is made that has the same bits."""
        self._name(name, self.spark.createDataFrame(_signed(rows)))

    def _table(self, table: exp.Expr) -> DataFrame:
        return self.spark.table(_name(table))

    def _name(self, name: str, frame: DataFrame) -> None:
        frame.createOrReplaceTempView(name)

    def _change(self, name: str, frame: DataFrame) -> None:
        self._name(name, frame)
        self._changed.add(name)

    def _create(self, statement: exp.Create) -> None:
        for used in sorted({_name(table) for table in statement.expression.find_all(exp.Table)} & self._changed):
            self._name(used, settled(self.spark.table(used)))
            self._changed.discard(used)
        name, select = _name(statement.this), statement.expression
        numbered = _numbered(select)
        frame = self.spark.sql(dialect.text(select))
        if numbered:
            frame = self._number(frame, *numbered)
        self._name(name, settled(frame))

    def _number(self, frame: DataFrame, name: str, order: Sequence[str]) -> DataFrame:
        from pyspark.sql.functions import array, col, element_at, lit, monotonically_increasing_id, shiftright  # noqa: PLC0415

        parts = settled(
            frame.repartitionByRange(*order)
            .sortWithinPartitions(*order)
            .withColumn("place", monotonically_increasing_id())
        )
        part = shiftright(col("place"), _PART)
        counts: dict[int, int] = {row[0]: row[1] for row in parts.groupBy(part).count().collect()}
        before, starts = 0, []
        for at in range(max(counts, default=-1) + 1):
            starts.append(before)
            before += counts.get(at, 0)
        start = element_at(array(*map(lit, starts)), (part + 1).cast("int")) if starts else lit(0)
        number = (start + col("place").bitwiseAND((1 << _PART) - 1)).cast("int").alias(name)
        return parts.select(*frame.columns, number)


def _name(table: exp.Expr) -> str:
    return str(table.name)


def _numbered(select: Any) -> tuple[str, list[str]] | None:
    """Takes the column that numbers all rows out of a SELECT; gives its name and what the rows are sorted by."""
    for column in select.expressions:
        window = column.find(exp.Window)
        if (
            isinstance(column, exp.Alias)
            and window
            and isinstance(window.this, exp.RowNumber)
            and not window.args.get("partition_by")
        ):
            column.pop()
            return column.alias, [ordered.this.name for ordered in window.args["order"].expressions]
    return None


def _signed(rows: pa.Table) -> pa.Table:
    for at, field in enumerate(rows.schema):
        if field.type == pa.uint64():
            bits = pa.chunked_array([chunk.view(pa.int64()) for chunk in rows.column(at).chunks], pa.int64())
            rows = rows.set_column(at, field.name, bits)
        elif pa.types.is_unsigned_integer(field.type):
            rows = rows.set_column(at, field.name, rows.column(at).cast(pa.int64()))
    return rows
