"""Tokens to a sketch: what is kept of a prompt in the place of its text.

A sketch is enough to tell whether two prompts follow one template, today or a year from now, and to count which words
an account uses again and again; nobody can read the text from it, nor test a guess without the key.

Layout, little-endian:

    uint64      id: SipHash-2-4 of the tokens and of where they are cut; the same for the same text and key
    uint16      tokens, at most 65,535
    4 x uint8   how many values follow of: words, body, opening, ending
    uint32[]    words: 24 bits of a hash, then 8 that say where in the prompt it first stands, 0 (start) to 255 (end);
                the WORDS smallest hashes of words of three bytes or more, odd, and the PAIRS smallest of two tokens in
                a row, even
    uint32[]    body: the BODY smallest hashes of three tokens in a row
    uint32[]    opening, ending: the EDGE smallest ones of each; empty for a prompt of fewer than LONG tokens

Of a long prompt, the opening (up to its first third) and the ending (from its last fifth on) are sketched apart, each
cut where a line or a sentence begins: a preamble that many share glues no work together, and work under a preamble
that changes stays together. The smallest hashes are a sample that two prompts draw alike (bottom-k sketch: Cohen and
Kaplan 2007, doi:10.1145/1281100.1281133).
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from linkage.kernel import kernel
from linkage.prompts.tokens import sequence_hash, tokenise, unicode

WORD_BITS: Final = 24
"""Of the hash of a word; the other 8 say where it stands."""

WORDS: Final = 64
PAIRS: Final = 64
BODY: Final = 32
EDGE: Final = 12
LONG: Final = 48
"""Prompts of fewer tokens are all body."""

OPENING: Final = 0.34
ENDING: Final = 0.80
"""The opening ends at the last break before the first part of the tokens, the ending begins at the first one after."""

SHORTEST_WORD: Final = 3
"""Bytes; shorter words are mostly the language's own."""

_HEAD: Final = 14
_ROOM: Final = _HEAD + (WORDS + PAIRS + BODY + 2 * EDGE) * 4
HTTP, WWW = np.frombuffer(b"http", np.uint8), np.frombuffer(b"www.", np.uint8)


@dataclass(frozen=True)
class SketchKey:
    """Two 128-bit keys: of words, and of whole prompts."""

    words: tuple[np.uint64, np.uint64]
    prompts: tuple[np.uint64, np.uint64]

    @classmethod
    def of(cls, secret: bytes) -> "SketchKey":
        """Derived from the case's secret by HMAC-SHA256, so that it gives nothing of it away."""
        digest = hmac.new(secret, b"linkage prompt sketches", hashlib.sha256).digest()
        a, b, c, d = (np.uint64(int.from_bytes(digest[at : at + 8], "little")) for at in range(0, 32, 8))
        return cls((a, b), (c, d))


def sketches(texts: pa.Array, key: SketchKey) -> pa.Array:
    """The sketch of each text.

    Args:
        texts: strings; nulls stay null.
        key: of the case.

    Returns:
        binary array of the same length, in the layout above.
    """
    data, offsets = buffers(spelled(texts))
    if not len(texts):
        return pa.array([], pa.binary())
    lengths = np.diff(offsets)
    longest = int(lengths.max())
    rows = np.zeros((len(texts), _ROOM), np.uint8)
    used = _sketch_rows(
        data,
        offsets,
        *key.words,
        *key.prompts,
        HTTP,
        WWW,
        np.empty(longest + 3, np.uint64),
        np.empty(longest + 3, np.int32),
        np.empty(longest + 3, np.uint8),
        rows,
    )
    if texts.null_count:
        used[~np.asarray(texts.is_valid())] = 0
    ends = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(used, out=ends[1:])
    flat = _pack(rows, ends)
    valid = texts.is_valid().buffers()[1] if texts.null_count else None
    return pa.Array.from_buffers(pa.binary(), len(texts), [valid, pa.py_buffer(ends), pa.py_buffer(flat)])


def identified_sketches(texts: pa.Array | pa.ChunkedArray, key: SketchKey) -> pa.StructArray:
    """Id, number of tokens and sketch of each text: STRUCT(id UBIGINT, tokens USMALLINT, sketch BLOB) in DuckDB."""
    found = sketches(whole(texts), key)
    missing = found.is_null()
    heads = pa.compute.binary_slice(found.fill_null(bytes(10)), 0, 10)
    facts = np.frombuffer(b"".join(heads.to_pylist()), np.dtype([("id", "<u8"), ("tokens", "<u2")]))
    columns = [pa.array(facts["id"].copy()), pa.array(facts["tokens"].copy()), found]
    return pa.StructArray.from_arrays(columns, ["id", "tokens", "sketch"], mask=missing)


PARTS: Final = ("words", "body", "opening", "ending")
"""The values of a sketch, in their order."""


def values(found: pa.Array, part: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The values of one part of each sketch: uint32[V], and int64[n + 1] where each row's begin."""
    data, offsets = buffers(found.cast(pa.large_binary()))
    at = PARTS.index(part)
    start = _value_starts(data, offsets, at)
    flat: NDArray[np.uint32] = _values(data, offsets, start, at)
    return flat, start


def words(found: pa.Array) -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.int64]]:
    """The hashes of words and pairs of each sketch, rising, where in its prompt each stands, and where rows begin."""
    flat, start = values(found, "words")
    return flat >> np.uint32(32 - WORD_BITS), (flat & np.uint32(255)).astype(np.uint8), start


@kernel
def _value_starts(data, offsets, part):  # type: ignore[no-untyped-def]
    start = np.zeros(len(offsets), np.int64)
    for row in range(len(offsets) - 1):
        here = data[offsets[row] + 10 + part] if offsets[row + 1] > offsets[row] else 0
        start[row + 1] = start[row] + here
    return start


@kernel
def _values(data, offsets, start, part):  # type: ignore[no-untyped-def]
    flat = np.empty(start[-1], np.uint32)
    for row in range(len(offsets) - 1):
        if offsets[row + 1] == offsets[row]:
            continue
        head = offsets[row] + 10
        at = offsets[row] + _HEAD
        for before in range(part):
            at += data[head + before] * 4
        for x in range(start[row], start[row + 1]):
            flat[x] = (
                np.uint32(data[at])
                | np.uint32(data[at + 1]) << np.uint32(8)
                | np.uint32(data[at + 2]) << np.uint32(16)
                | np.uint32(data[at + 3]) << np.uint32(24)
            )
            at += 4
    return flat


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def spelled(texts: pa.Array) -> pa.Array:
    """The texts, those beyond ASCII in one spelling."""
    data, offsets = buffers(texts)
    foreign = _foreign_rows(data, offsets)
    if not len(foreign):
        return texts
    values = texts.to_pylist()
    for row in foreign:
        values[row] = unicode(values[row])
    return pa.array(values, pa.large_string())


def buffers(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Bytes and int64[n + 1] offsets; a null is an empty text."""
    large = texts if pa.types.is_large_binary(texts.type) else texts.cast(pa.large_string())
    _, offsets, data = large.buffers()
    starts = np.frombuffer(offsets, np.int64, len(large) + 1 + large.offset)[large.offset :]
    if data is None or data.size == 0:
        return np.zeros(1, np.uint8), starts
    return np.frombuffer(data, np.uint8), starts


@kernel
def _foreign_rows(data, offsets):  # type: ignore[no-untyped-def]
    found = np.empty(len(offsets) - 1, np.int64)
    n = 0
    for row in range(len(offsets) - 1):
        for at in range(offsets[row], offsets[row + 1]):
            if data[at] >= 128:
                found[n] = row
                n += 1
                break
    return found[:n].copy()


@kernel
def _mix(a, b, c):  # type: ignore[no-untyped-def]
    turned = c << np.uint64(31) | c >> np.uint64(33)
    x = a * np.uint64(0x9E3779B97F4A7C15) ^ (b * np.uint64(0xC2B2AE3D27D4EB4F) + turned)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(32)
    return np.uint32(x & np.uint64(0xFFFFFFFF))


@kernel
def _keep(values, count, room, value, blur):  # type: ignore[no-untyped-def]
    """Put `value` into the rising values if it is among the `room` smallest; returns how many there are.

    Of values that differ in their last `blur` bits only, the first that came stays.
    """
    if count == room and value >= values[count - 1]:
        return count
    at = count
    while at > 0 and values[at - 1] > value:
        at -= 1
    if at > 0 and values[at - 1] >> blur == value >> blur:
        return count
    if at < count and values[at] >> blur == value >> blur:
        return count
    for x in range(count if count < room else room - 1, at, -1):
        values[x] = values[x - 1]
    values[at] = value
    return count + 1 if count < room else count


@kernel
def _cut(breaks, n):  # type: ignore[no-untyped-def]
    """Where the body begins and ends. Lines are better places to cut than sentences."""
    if n < LONG:
        return 0, n
    first, last = 0, n
    for strength in (2, 1):
        if first == 0:
            for at in range(int(n * OPENING), 0, -1):
                if breaks[at] >= strength:
                    first = at
                    break
        if last == n:
            for at in range(int(n * ENDING), n):
                if breaks[at] >= strength:
                    last = at
                    break
    return first, last


@kernel
def _write(row, at, values, count):  # type: ignore[no-untyped-def]
    for x in range(count):
        value = values[x]
        for byte in range(4):
            row[at] = np.uint8((value >> np.uint32(8 * byte)) & np.uint32(255))
            at += 1
    return at


@kernel
def _shingles(words, start, end, values, room):  # type: ignore[no-untyped-def]
    """The smallest hashes of three tokens in a row; of a shorter text, of what it has."""
    count = 0
    whole = np.uint32(0)
    if end - start in (1, 2):
        second = words[start + 1] if end - start == 2 else np.uint64(0)
        return _keep(values, count, room, _mix(words[start], second, np.uint64(0)), whole)
    for at in range(start, end - 2):
        count = _keep(values, count, room, _mix(words[at], words[at + 1], words[at + 2]), whole)
    return count


@kernel
def _merge(values, count, others, more):  # type: ignore[no-untyped-def]
    """Merge the rising `others` into the rising `values`, from behind."""
    at = count + more
    while more:
        at -= 1
        if count and values[count - 1] > others[more - 1]:
            count -= 1
            values[at] = values[count]
        else:
            more -= 1
            values[at] = others[more]


@kernel
def _sketch_rows(data, offsets, k0, k1, p0, p1, http, www, words, lengths, breaks, rows):  # type: ignore[no-untyped-def]
    used = np.zeros(len(offsets) - 1, np.int32)
    values, others = np.empty(max(WORDS + PAIRS, BODY, EDGE), np.uint32), np.empty(PAIRS, np.uint32)
    no_spans = np.empty((0, 2), np.int64)
    place_bits = np.uint32(8)
    for r in range(len(offsets) - 1):
        n = tokenise(data, offsets[r], offsets[r + 1], k0, k1, http, www, words, lengths, breaks, no_spans)
        row = rows[r]
        first, last = _cut(breaks, n)
        if first > 0 or last < n:
            words[n], words[n + 1] = np.uint64(first), np.uint64(last)
            identity = sequence_hash(words, n + 2, p0, p1)
        else:
            identity = sequence_hash(words, n, p0, p1)
        for byte in range(8):
            row[byte] = np.uint8((identity >> np.uint64(8 * byte)) & np.uint64(255))
        row[8], row[9] = np.uint8(min(n, 65535) & 255), np.uint8(min(n, 65535) >> 8)
        count = pairs = 0
        for at in range(n):
            place = np.uint32(255 * at // n)
            if lengths[at] >= SHORTEST_WORD:
                single = np.uint32(words[at] & np.uint64(0xFFFFFF)) | np.uint32(1)
                count = _keep(values, count, WORDS, single << place_bits | place, place_bits)
            if at + 1 < n:
                pair = _mix(words[at], words[at + 1], np.uint64(1)) & np.uint32(0xFFFFFE)
                pairs = _keep(others, pairs, PAIRS, pair << place_bits | place, place_bits)
        _merge(values, count, others, pairs)
        row[10] = count + pairs
        end = _write(row, _HEAD, values, count + pairs)
        count = _shingles(words, first, last, values, BODY)
        row[11] = count
        end = _write(row, end, values, count)
        count = _shingles(words, 0, first, values, EDGE)
        row[12] = count
        end = _write(row, end, values, count)
        count = _shingles(words, last, n, values, EDGE)
        row[13] = count
        used[r] = _write(row, end, values, count)
    return used


@kernel
def _pack(rows, ends):  # type: ignore[no-untyped-def]
    flat = np.empty(max(ends[-1], 1), np.uint8)
    for r in range(len(rows)):
        for x in range(ends[r + 1] - ends[r]):
            flat[ends[r] + x] = rows[r, x]
    return flat
