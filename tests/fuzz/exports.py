"""Files that no exporter wrote: pieces of true exports, torn, spliced with what breaks readers, and packed."""

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as parquet
import zstandard
from hypothesis import strategies as st

from tests.preset_samples import FOLDER, SAMPLES

_ROW: Final = {
    "account_id": "a1", "other_account_id": "a2", "at": "2026-02-01T10:00:00Z", "ip": "8.8.8.8", "device_id": "d1",
    "user_agent": "Mozilla", "payment_id": "p1", "kind": "tax_id", "value": "v1", "email": "a@x.example",
    "phone": "+49 151 77349021", "exchange_id": "x1", "prompt": "sort the rows", "input_tokens": "7",
    "org_verified": "true",
}  # fmt: skip
_HEAD: Final = ",".join(_ROW)
CSV: Final = (f"{_HEAD}\n" + f"{','.join(_ROW.values())}\n" * 3).encode()
JSON_LINES: Final = (json.dumps(_ROW) + "\n").encode() * 3

TABLES: Final = ("accounts", "payments", "logins", "exchanges", "identifiers", "links")
_SOURCES: Final = [(FOLDER / name).read_bytes()[:3_000] for name in SAMPLES]

_BREAKING: Final[tuple[bytes, ...]] = (
    b"", b"\0", b"\r", b"\n\n", b"\r\n", b'"', b'""', b'"\n', b"\\", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b"\xff\xfe", b",,,,", b";", b"\t", b"sep=;\n", b"1e999", b"-1", b"9" * 400, b"NaN", b"Infinity", b"null",
    b"{", b"}",
    b"[" * 2_000, b'{"a":' * 600, b"[]", b'"\\ud800"', b'"\\u0000"', b"4111 1111 1111 1111", b"0001-01-01",
    b"9999-12-31",
    b"2026-02-30", b"24:00:00", b"infinity", b"::ffff:1.2.3.4%x", b"1.2.3.4.5", b"@", b"a@b", b"x" * 70_000,
    "\u202e\u200b\ufeff".encode(), b"=1+1", b"'; DROP TABLE stage; --", b"$$", b"{{}}", b"%s", b"account_id",
    b"ACCOUNT_ID,",
)  # fmt: skip

_piece = st.one_of(st.sampled_from(_BREAKING), st.binary(max_size=12), st.text(max_size=12).map(str.encode))


@st.composite
def _torn(draw: st.DrawFn, wholes: list[bytes]) -> bytes:
    """A file with up to four pieces in the place of others."""
    data = draw(st.sampled_from(wholes))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        over = draw(st.sampled_from((0, 0, 1, 8, 1 << 20)))
        data = data[:at] + draw(_piece) + data[at + over :]
    return data


_values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20),
    st.binary(max_size=8), st.dates(), st.datetimes(), st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 9), max_size=2),
)  # fmt: skip


@st.composite
def _parquet(draw: st.DrawFn, columns: tuple[str, ...] = tuple(_ROW)) -> bytes:
    """A Parquet file of columns of any type, some of its bytes flipped."""
    names = draw(st.lists(st.sampled_from((*columns, "", "x", "AT")), min_size=1, max_size=6))
    rows = draw(st.integers(0, 3))
    made = []
    for _ in names:
        value: Any = draw(st.one_of(_values, st.just("a1"), st.just("2026-02-01")))
        made.append(pa.array([value] * rows) if value != {} else pa.nulls(rows))
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(made, names), out)
    data = bytearray(out.getvalue())
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


@dataclass(frozen=True)
class File:
    """A file to read."""

    name: str
    content: bytes


def _as_it_is(data: bytes) -> bytes:
    return data


_PACKED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "": _as_it_is,
    ".gz": lambda data: gzip.compress(data, 1, mtime=0),
    ".zst": zstandard.ZstdCompressor().compress,
}


@st.composite
def files(draw: st.DrawFn, form: str) -> File:
    """One file of a format: its table named or not, packed or not, cut off or not."""
    stem = draw(st.sampled_from((*TABLES, "export")))
    if form == "parquet":
        return File(f"{stem}.parquet", draw(_parquet()))
    data = draw(_torn([CSV if form in ("csv", "tsv") else JSON_LINES, *_SOURCES]))
    ending = draw(st.sampled_from(tuple(_PACKED)))
    packed = _PACKED[ending](data.replace(b",", b"\t") if form == "tsv" else data)
    if draw(st.integers(0, 9)) == 0:
        packed = packed[: len(packed) // 2]
    return File(f"{stem}.{form}{ending}", packed)
