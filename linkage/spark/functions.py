"""Functions that Spark lacks, run in Python beside its executors: the same that DuckDB calls (`ingest.normalise`).

They get Arrow arrays. The key travels with the function's own code, which Spark sends to executors and writes neither
into a plan nor into an event log.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.functions import arrow_udf

from linkage.ingest.card_numbers import card_state, is_card_number
from linkage.networks import canonical_ip, is_private, net_of
from linkage.prompts.sketch import SketchKey, identified_sketches
from linkage.secret import Key

_HEX: Final = 32


def register(spark: SparkSession, key: Key) -> None:
    """Give the session the functions that `dialect` leaves to Python; `key` is that of the case."""
    secret = key.secret

    def keyed(messages: pa.Array) -> pa.Array:
        made = [None if m is None else hmac.new(secret, m.encode(), hashlib.sha256).hexdigest()[:_HEX]
                for m in messages.to_pylist()]  # fmt: skip
        return pa.array(made, pa.string())

    def sketched(texts: pa.Array) -> pa.Array:
        return _sketched(texts, SketchKey.of(secret))

    functions: list[tuple[str, Callable[[pa.Array], pa.Array], str]] = [
        ("canonical_ip", lambda texts: _each(canonical_ip, texts, pa.string()), "string"),
        ("net_of", lambda texts: _each(net_of, texts, pa.string()), "string"),
        ("is_private", lambda texts: _each(is_private, texts, pa.bool_()), "boolean"),
        ("is_card_number", lambda texts: _each(is_card_number, texts, pa.bool_()), "boolean"),
        ("card_state", lambda texts: _each(card_state, texts, pa.int32()), "int"),
        ("nfc", lambda texts: _each(_nfc, texts, pa.string()), "string"),
        ("keyed", keyed, "string"),
        ("prompt_sketch", sketched, "id bigint, tokens int, sketch binary"),
    ]
    for name, function, returns in functions:
        function.__annotations__ = {"texts": pa.Array, "messages": pa.Array, "return": pa.Array}
        # Its overloads ask for a kind of function that it finds out by itself.
        spark.udf.register(name, arrow_udf(function, returns))  # type: ignore[call-overload]


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _each(function: Callable[[str], Any], texts: pa.Array, returns: pa.DataType) -> pa.Array:
    """`function` of each text but empty ones."""
    return pa.array([function(text) if text else None for text in texts.to_pylist()], returns)


def _sketched(texts: pa.Array, key: SketchKey) -> pa.Array:
    """Id, tokens and sketch; the id's 64 bits as a number with a sign, for Spark has no other."""
    found = identified_sketches(texts, key)
    number = found.field("id").view(pa.int64())
    columns = [number, found.field("tokens").cast(pa.int32()), found.field("sketch").cast(pa.binary())]
    return pa.StructArray.from_arrays(columns, ["id", "tokens", "sketch"], mask=texts.is_null())
