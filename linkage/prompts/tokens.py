"""Text to tokens: words and slots, each a keyed 64-bit hash.

A prompt is read as a row of words. What differs from one use of a template to the next is replaced by a slot: numbers,
URLs, e-mail addresses, UUIDs and long hexadecimal values, words with three digits or more, inline code, and string
literals inside fenced code. Equal slots in a row are one. `unicode` brings text beyond ASCII to one spelling first.

Words are hashed with SipHash-1-3 (Aumasson and Bernstein 2012, doi:10.1007/978-3-642-34931-7_28) under a secret key:
without the key nobody can test a guess against what the case keeps.
"""

import re
import unicodedata
from typing import Final

import numpy as np

from linkage.kernel import kernel

SLOTS: Final = ("<number>", "<url>", "<e-mail>", "<id>", "<code>", "<text>")
"""What stands for masked text, in the order of the kernel's slot numbers."""

FIRST_SLOT: Final = 0xA5A5_0000_0000_0001
"""The number of the first slot in the place of a word's hash; the others follow."""

NUMBER, URL, EMAIL, ID, CODE, LITERAL = (np.uint64(FIRST_SLOT + at) for at in range(len(SLOTS)))

LONGEST_LOOK: Final = 96
"""Bytes that are looked ahead for the end of an address, an identifier or inline code; longer ones are plain words."""

# Unicode's Default_Ignorable_Code_Point: what shows nothing, and can be put into words to make them look different.
_INVISIBLE: Final = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
                               "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
                               "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")  # fmt: skip
# Normalisation sorts the marks on one letter, at the square of their number: UAX #15 lets no text need more than 30.
_PILED_UP: Final = re.compile(r"([^\x00-\x7f\w]{30})[^\x00-\x7f\w]+")
_APOSTROPHES: Final = re.compile("[\u02bc\u2019]")
_DIGITS: Final = re.compile(r"[^\x00-\x7f\D]")
# Vowels and accents that are written as marks belong to their words, but are no \w.
_WRITTEN: Final = "".join(c for c in map(chr, range(0x80, 0x20000)) if unicodedata.category(c) in ("Mn", "Mc"))
_FOREIGN_MARKS: Final = re.compile(rf"[^\x00-\x7f\w{_WRITTEN}]")
# Scripts that put no blanks between words: each pair of neighbouring characters is a word.
_UNSPACED_CLASS: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED: Final = re.compile(f"([{_UNSPACED_CLASS}])(?=([{_UNSPACED_CLASS}]))")
_BESIDE: Final = re.compile(f"(?<=[{_UNSPACED_CLASS}])(?=[a-z0-9_])|(?<=[a-z0-9_])(?=[{_UNSPACED_CLASS}])")


def unicode(text: str) -> str:
    """Text beyond ASCII in one spelling: NFKC, case folded, without invisible characters, marks as blanks.

    >>> unicode("Ｐｌｅａｓｅ\u200b — “Straße”")
    'please    strasse '
    """
    plain = _PILED_UP.sub(r"\1 ", _INVISIBLE.sub("", text))
    # Folding can take a normalised text apart again.
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
    plain = _DIGITS.sub(lambda digit: str(unicodedata.decimal(digit[0])), _APOSTROPHES.sub("'", plain))
    return _UNSPACED.sub(r"\1\2 ", _BESIDE.sub(" ", _FOREIGN_MARKS.sub(" ", plain)))


@kernel
def rounds(v0, v1, v2, v3, times):  # type: ignore[no-untyped-def]
    """SipHash's rounds."""
    for _ in range(times):
        v0 += v1
        v1 = (v1 << np.uint64(13)) | (v1 >> np.uint64(51))
        v1 ^= v0
        v0 = (v0 << np.uint64(32)) | (v0 >> np.uint64(32))
        v2 += v3
        v3 = (v3 << np.uint64(16)) | (v3 >> np.uint64(48))
        v3 ^= v2
        v0 += v3
        v3 = (v3 << np.uint64(21)) | (v3 >> np.uint64(43))
        v3 ^= v0
        v2 += v1
        v1 = (v1 << np.uint64(17)) | (v1 >> np.uint64(47))
        v1 ^= v2
        v2 = (v2 << np.uint64(32)) | (v2 >> np.uint64(32))
    return v0, v1, v2, v3


@kernel
def _begun(k0, k1):  # type: ignore[no-untyped-def]
    """SipHash's state before the first block."""
    return (
        k0 ^ np.uint64(0x736F6D6570736575),
        k1 ^ np.uint64(0x646F72616E646F6D),
        k0 ^ np.uint64(0x6C7967656E657261),
        k1 ^ np.uint64(0x7465646279746573),
    )


@kernel
def siphash(text, start, end, k0, k1):  # type: ignore[no-untyped-def]
    """SipHash-1-3 of the bytes, ASCII letters in lower case."""
    v0, v1, v2, v3 = _begun(k0, k1)
    block = np.uint64(0)
    filled = 0
    for at in range(start, end):
        c = text[at]
        if 65 <= c <= 90:
            c += 32
        block |= np.uint64(c) << np.uint64(8 * filled)
        filled += 1
        if filled == 8:
            v3 ^= block
            v0, v1, v2, v3 = rounds(v0, v1, v2, v3, 1)
            v0 ^= block
            block = np.uint64(0)
            filled = 0
    block |= np.uint64((end - start) & 255) << np.uint64(56)
    v3 ^= block
    v0, v1, v2, v3 = rounds(v0, v1, v2, v3, 1)
    v0 ^= block
    v2 ^= np.uint64(255)
    v0, v1, v2, v3 = rounds(v0, v1, v2, v3, 3)
    return v0 ^ v1 ^ v2 ^ v3


@kernel
def sequence_hash(words, count, k0, k1):  # type: ignore[no-untyped-def]
    """SipHash-2-4 of a row of 64-bit words."""
    v0, v1, v2, v3 = _begun(k0, k1)
    for at in range(count + 1):
        block = words[at] if at < count else np.uint64(count & 255) << np.uint64(56)
        v3 ^= block
        v0, v1, v2, v3 = rounds(v0, v1, v2, v3, 2)
        v0 ^= block
    v2 ^= np.uint64(255)
    v0, v1, v2, v3 = rounds(v0, v1, v2, v3, 4)
    return v0 ^ v1 ^ v2 ^ v3


@kernel
def _is_letter(c):  # type: ignore[no-untyped-def]
    return 97 <= c <= 122 or 65 <= c <= 90 or c >= 128


@kernel
def _is_digit(c):  # type: ignore[no-untyped-def]
    return 48 <= c <= 57


@kernel
def _is_hex(c):  # type: ignore[no-untyped-def]
    return 48 <= c <= 57 or 97 <= c <= 102 or 65 <= c <= 70


@kernel
def _starts(text, at, end, what):  # type: ignore[no-untyped-def]
    if at + len(what) > end:
        return False
    for step in range(len(what)):
        c = text[at + step]
        if 65 <= c <= 90:
            c += 32
        if c != what[step]:
            return False
    return True


@kernel
def _url_end(text, at, end, http, www):  # type: ignore[no-untyped-def]
    """Where a URL that begins here ends; `at` if none does."""
    if not _starts(text, at, end, www):
        if not _starts(text, at, end, http):
            return at
        after = at + len(http)
        if after < end and (text[after] == 115 or text[after] == 83):
            after += 1
        if not (after + 2 < end and text[after] == 58 and text[after + 1] == 47 and text[after + 2] == 47):
            return at
    stop = at
    while stop < end:
        c = text[stop]
        if c <= 32 or c == 34 or c == 39 or c == 60 or c == 62 or c == 41 or c == 96:
            break
        stop += 1
    return stop


@kernel
def _email_end(text, at, end):  # type: ignore[no-untyped-def]
    """Where an e-mail address that begins here ends; `at` if none does."""
    last = min(end, at + LONGEST_LOOK)
    stop = at
    while stop < last:
        c = text[stop]
        if _is_letter(c) or _is_digit(c) or c == 46 or c == 95 or c == 37 or c == 43 or c == 45:
            stop += 1
        else:
            break
    if stop == at or stop >= last or text[stop] != 64:
        return at
    stop += 1
    domain, dot = stop, False
    while stop < last:
        c = text[stop]
        if _is_letter(c) or _is_digit(c) or c == 45:
            stop += 1
        elif c == 46 and stop + 1 < last and (_is_letter(text[stop + 1]) or _is_digit(text[stop + 1])):
            dot = True
            stop += 1
        else:
            break
    return stop if dot and stop > domain else at


@kernel
def _uuid_end(text, at, end):  # type: ignore[no-untyped-def]
    """Where a UUID that begins here ends; `at` if none does."""
    if at + 36 > end:
        return at
    for step in range(36):
        c = text[at + step]
        if step == 8 or step == 13 or step == 18 or step == 23:
            if c != 45:
                return at
        elif not _is_hex(c):
            return at
    return at + 36


@kernel
def _closing(text, at, end, quote):  # type: ignore[no-untyped-def]
    """Behind the next `quote` on the same line; `at` if there is none near."""
    for stop in range(at + 1, min(end, at + LONGEST_LOOK)):
        if text[stop] == quote:
            return stop + 1
        if text[stop] == 10:
            break
    return at


@kernel
def tokenise(text, start, end, k0, k1, http, www, words, lengths, breaks, spans):  # type: ignore[no-untyped-def]
    """Tokens of the bytes [start, end).

    Args:
        http, www: the bytes "http" and "www.".
        words: uint64[n], filled with the hash of each token; needs room for end - start + 1 of them.
        lengths: int32[n], filled with the bytes of each word; 0 for a slot.
        breaks: uint8[n], filled with 2 where a line begins with the token, 1 where a sentence does, else 0.
        spans: int64[n, 2], filled with where the token stands, if it has room for any.

    Returns:
        the number of tokens.
    """
    n = 0
    at = start
    pending = np.uint8(0)
    fenced = False
    while at < end:
        c = text[at]
        slot = np.uint64(0)
        stop = at
        if _is_letter(c) or _is_digit(c) or c == 95:
            stop = _url_end(text, at, end, http, www)
            if stop > at:
                slot = URL
            elif _is_hex(c) and _uuid_end(text, at, end) > at:
                slot, stop = ID, at + 36
            else:
                digits = letters = 0
                hexes = True
                stop = at
                while stop < end:
                    x = text[stop]
                    if _is_digit(x):
                        digits += 1
                    elif _is_letter(x):
                        letters += 1
                        hexes = hexes and _is_hex(x)
                    elif x == 95 or (
                        x == 39 and letters and stop + 1 < end and _is_letter(text[stop + 1]) and not fenced
                    ):
                        hexes = False
                    elif (x == 46 or x == 44) and digits and not letters:
                        # A decimal point or a thousands separator stays inside its number.
                        if not (stop + 1 < end and _is_digit(text[stop + 1])):
                            break
                    else:
                        break
                    stop += 1
                if stop < end and (text[stop] == 64 or text[stop] == 46 or text[stop] == 43 or text[stop] == 45):
                    address = _email_end(text, at, end)
                    if address > stop:
                        slot, stop = EMAIL, address
                if slot == 0:
                    if digits and not letters:
                        slot = NUMBER
                    elif digits >= 3 or (digits and hexes and stop - at >= 16):
                        slot = ID
        elif c == 96:
            if at + 2 < end and text[at + 1] == 96 and text[at + 2] == 96:
                fenced = not fenced
                at += 3
                pending = np.uint8(2)
                continue
            stop = _closing(text, at, end, np.uint8(96))
            if stop > at:
                slot = CODE
        elif fenced and (c == 34 or c == 39):
            stop = _closing(text, at, end, c)
            if stop > at:
                slot = LITERAL
        if stop == at:
            if c == 10 or c == 13:
                pending = np.uint8(2)
            elif (c == 46 or c == 63 or c == 33) and at + 1 < end and text[at + 1] <= 32 and pending == 0:
                pending = np.uint8(1)
            at += 1
            continue
        if slot == 0:
            words[n] = siphash(text, at, stop, k0, k1)
            lengths[n] = stop - at
        elif n and words[n - 1] == slot:
            at = stop
            continue
        else:
            words[n] = slot
            lengths[n] = 0
        breaks[n] = pending
        if len(spans):
            spans[n, 0], spans[n, 1] = at, stop
        pending = np.uint8(0)
        n += 1
        at = stop
    return n
