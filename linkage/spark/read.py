"""Exports to contract tables on Spark, by ingest's own expressions.

1. Each group of files that are read alike becomes raw columns of text, and those that Spark cannot split are set aside.
2. `ingest.projection`, translated, canonicalises, judges and hashes them in one pass over the rows.
3. Equal rows settle as in `ingest.merge` for the files of one command: of accounts and of exchanges with an id the
   greatest values win, other rows count as often as in the file that has them most often.
4. What broke the contract is kept as rejects: file, table, line, column, reason, excerpt.
"""

from collections.abc import Collection, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import any_value
from pyspark.sql.types import ArrayType, BinaryType, MapType, StructType

from linkage.errors import InputError
from linkage.ingest import cards
from linkage.ingest.merge import picked_accounts
from linkage.ingest.normalise import Rules, hmac
from linkage.ingest.projection import STORED, checks, projection, readable
from linkage.ingest.sources import MAX_LINE
from linkage.ingest.sql import identifier
from linkage.model import TABLES
from linkage.spark import dialect
from linkage.spark.exports import Export, columns
from linkage.spark.tables import settled

REJECT: Final = "file string, `table` string, line bigint, `column` string, reason string, excerpt string"

_FILE: Final = ("_metadata.file_path AS file", "xxhash64(_metadata.file_path) AS source")
"""Of each row, the second for the rows that are counted by file: paths are long."""

_TYPES: Final = {
    **dict.fromkeys(("created_at", "banned_at", "added_at", "at"), "timestamp"),
    **dict.fromkeys(("input_tokens", "output_tokens", "prompt"), "bigint"),
    "org_verified": "boolean",
}


class Contract:
    """The contract tables of some exports as views `kase_<table>`, and what was set aside.

    Attributes:
        read: how each table that there are exports of was worked out.
        rejects: a frame with the columns of `REJECT`, for which the exports are read once more.
        prompts: whether there are raw prompts; then a view `raw_prompts` (prompt, tokens, sketch) has their sketches,
            for which those are read once more, too.
    """

    def __init__(
        self, spark: SparkSession, exports: list[Export], rules: Rules, erased: Collection[str] = (),
        by_chance: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self._spark = spark
        self._erased = spark.createDataFrame([(one,) for one in sorted(erased)], "hashed string") if erased else None
        self._rows: list[tuple[str, DataFrame]] = []
        self.read: dict[str, DataFrame] = {}
        staged: dict[str, list[DataFrame]] = {name: [] for name in TABLES}
        rejects = [spark.createDataFrame([], REJECT)]
        self.prompts = False
        for at, export in enumerate(exports):
            raw, names = _raw(spark, export)
            raw.where("torn IS NULL").createOrReplaceTempView(f"raw_{at}")
            found = columns(export, list(names)) if export.format != "jsonl" else {n: n for n in names}
            quoted = {name: identifier(names[spelled]) for name, spelled in found.items()}
            chance = by_chance.get(export.table, ())
            sql = projection(export.table, quoted, f"raw_{at}", rules, ("file", "source", "line"), chance)
            rows = self._known(spark.sql(dialect.query(sql)), export.table)
            self._rows.append((export.table, rows))
            staged[export.table].append(rows)
            rejects += [_torn(raw, export.table), _broken(rows, export.table)]
            self.prompts |= export.table == "exchanges" and "prompt" in found
        for table, parts in staged.items():
            self._settle(table, parts)
        self.rejects = settled(reduce(DataFrame.unionByName, rejects))

    def _known(self, rows: DataFrame, table: str) -> DataFrame:
        """Without the rows that name an account which was erased from the case."""
        if self._erased is None:
            return rows
        for column in ("account_id", "other_account_id") if table == "links" else ("account_id",):
            rows.selectExpr(f"{column} AS name").distinct().where("name IS NOT NULL").createOrReplaceTempView("named")
            hashed = self._spark.sql(dialect.query(f"SELECT name, {hmac('account', 'name')} AS hashed FROM named"))
            gone = settled(hashed.join(self._erased, "hashed").selectExpr(f"name AS {column}"))
            rows = rows.join(gone, column, "left_anti")
        return rows

    def _settle(self, table: str, parts: list[DataFrame]) -> None:
        spark, names = self._spark, STORED[table]
        if not parts:
            schema = ", ".join(f"`{name}` {_TYPES.get(name, 'string')}" for name in names)
            spark.createDataFrame([], schema).createOrReplaceTempView(f"kase_{table}")
            return
        rows = reduce(DataFrame.unionByName, parts).where("broken IS NULL")
        rows.createOrReplaceTempView("good")
        self.read[table] = spark.sql(_settled(table))
        settled(self.read[table]).createOrReplaceTempView(f"kase_{table}")
        if table == "exchanges" and self.prompts:
            sketches = rows.where("prompt IS NOT NULL").groupBy("prompt")
            first = settled(sketches.agg(*(any_value(name).alias(name) for name in ("tokens", "sketch"))))
            first.createOrReplaceTempView("raw_prompts")

    def rejected(self) -> dict[str, int]:
        """By reason, how many rows broke the contract, the commonest first."""
        counted = self.rejects.groupBy("reason").count().collect()
        return {row["reason"]: row["count"] for row in sorted(counted, key=lambda row: (-row["count"], row["reason"]))}

    def by_chance(self) -> dict[str, list[str]]:
        """The columns of each table whose numbers are those of cards by chance (`ingest.cards`); reads it all again."""
        found = {}
        for table in dict.fromkeys(table for table, _ in self._rows):
            columns = list(readable(table))
            each = [rows.select("looks", "cards") for name, rows in self._rows if name == table]
            sums = [
                f"count_if({name} & {1 << at} > 0) AS {name}_{at}"
                for at in range(len(columns))
                for name in ("cards", "looks")
            ]
            (row,) = reduce(DataFrame.unionByName, each).where("looks > 0").selectExpr(*sums).collect()
            found[table] = cards.of_counts(columns, row[::2], row[1::2])
        return {table: names for table, names in found.items() if names}


def _settled(table: str) -> str:
    """SQL from the rows of all files, `good`, to the contract table."""
    names = STORED[table]
    listed = ", ".join(f"`{name}`" for name in names)
    if table == "accounts":
        return dialect.query(picked_accounts("good"))
    counted = f"""SELECT {listed}, explode(sequence(1, max(n))) AS copy FROM (
        SELECT {listed}, CAST(count(*) AS INT) AS n FROM good {{where}} GROUP BY {listed}, source) GROUP BY {listed}"""
    if table != "exchanges":
        return f"SELECT {listed} FROM ({counted.format(where='')})"
    # The greatest row of an id, nothing being the least; an id of a prompt has 64 bits and no sign.
    order = ", ".join(f"`{name}`" if name != "prompt" else "prompt < 0 AS high, prompt" for name in names)
    return f"""SELECT {listed} FROM ({counted.format(where="WHERE exchange_id IS NULL")})
        UNION ALL SELECT {", ".join(f"won.`{name}`" for name in names)} FROM (
            SELECT max(struct({order})) AS won FROM good WHERE exchange_id IS NOT NULL GROUP BY exchange_id)"""


def _broken(rows: DataFrame, table: str) -> DataFrame:
    tests = checks(table)
    column = " ".join(f"WHEN {at} THEN {_text(check.column)}" for at, check in enumerate(tests))
    reason = " ".join(f"WHEN {at} THEN {_text(check.reason)}" for at, check in enumerate(tests))
    return rows.where("broken IS NOT NULL").selectExpr(
        "file", f"'{table}' AS `table`", "line", f"CASE broken {column} END AS `column`",
        f"CASE broken {reason} END AS reason", "excerpt",
    )  # fmt: skip


def _torn(rows: DataFrame, table: str) -> DataFrame:
    return rows.where("torn IS NOT NULL").selectExpr(
        "file", f"'{table}' AS `table`", "CAST(NULL AS BIGINT) AS line", "'' AS `column`", "torn AS reason",
        "CAST(NULL AS STRING) AS excerpt",
    )  # fmt: skip


def _raw(spark: SparkSession, export: Export) -> tuple[DataFrame, dict[str, str]]:
    """The rows as text, each with `file`, `source`, `line`, and with `torn`: why it is no row, if it is none.

    The other result is the frame's column of each name in the files.
    """
    paths = [_literal(path) for path in export.paths]
    if export.format == "parquet":
        return _parquet(spark, export, paths)
    if export.format == "jsonl":
        return _jsonl(spark, export, paths)
    schema = ", ".join(f"c{at} string" for at in range(len(export.names)))
    read = spark.read.schema(f"{schema}, corrupt string").options(
        header=True, sep=export.delimiter, quote='"', escape='"', multiLine=True, mode="PERMISSIVE", nullValue="",
        columnNameOfCorruptRecord="corrupt", columnPruning=False, maxCharsPerColumn=MAX_LINE, encoding="UTF-8",
    )  # fmt: skip
    # Spark does not tell which; and it reads no file for its corrupt rows alone.
    last = f"c{len(export.names) - 1}"
    torn = f"""CASE WHEN corrupt IS NULL THEN NULL
        WHEN {last} IS NULL THEN 'the row has too few or too many columns' ELSE 'the row has too many columns' END"""
    names = {name: f"c{at}" for at, name in enumerate(export.names)}
    rows = read.csv(paths).selectExpr(*names.values(), *_FILE, "CAST(NULL AS BIGINT) AS line", f"{torn} AS torn")
    return rows, names


def _jsonl(spark: SparkSession, export: Export, paths: list[str]) -> tuple[DataFrame, dict[str, str]]:
    # Names differ in case from line to line, and later lines may have columns that the first ones lack.
    plain = "transform_keys(map_filter(record, (k, v) -> v IS NOT NULL), (k, v) -> lower(trim(k)))"
    names = [column.name for column in TABLES[export.table]]
    rows = (
        spark.read.text(paths)
        .where("trim(value) <> ''")
        .selectExpr("from_json(value, 'map<string,string>') AS record", *_FILE)
        .selectExpr(f"{plain} AS record", "file", "source")
        .selectExpr(
            *(f"try_element_at(record, '{name}') AS `{name}`" for name in names), "file", "source",
            "CAST(NULL AS BIGINT) AS line", "IF(record IS NULL, 'the line is no JSON object', NULL) AS torn",
        )
    )  # fmt: skip
    return rows, {name: name for name in names}


def _parquet(spark: SparkSession, export: Export, paths: list[str]) -> tuple[DataFrame, dict[str, str]]:
    read = spark.read.options(mergeSchema=True, recursiveFileLookup=True).parquet(*paths)
    found = columns(export, read.columns)
    for field in read.schema.fields:
        if field.name in found.values() and isinstance(field.dataType, StructType | MapType | ArrayType | BinaryType):
            raise InputError(
                f"{export.paths[0]}: the column {field.name} holds {field.dataType.typeName()} values, not plain ones.",
                "Write it as text, a number or a time.",
            )
    quoted = {name: "`" + name.replace("`", "``") + "`" for name in found.values()}
    rows = read.selectExpr(
        *(f"CAST({column} AS STRING) AS {column}" for column in quoted.values()), *_FILE,
        "_metadata.row_index + 1 AS line", "CAST(NULL AS STRING) AS torn",
    )  # fmt: skip
    return rows, {name: name for name in found.values()}


def _literal(path: str) -> str:
    """A path that Spark does not take for a pattern."""
    return "".join(f"\\{char}" if char in "\\*?[]{}" else char for char in path)


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
