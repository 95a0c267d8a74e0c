"""What is read from a prompt, and what is kept of it: tokens and sketches."""

import struct
import unicodedata
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.prompts import sketch as layout
from linkage.prompts.sketch import BODY, EDGE, LONG, PAIRS, WORDS, SketchKey, identified_sketches, sketches
from linkage.prompts.tokens import CODE, EMAIL, ID, LITERAL, NUMBER, SLOTS, URL, tokenise, unicode

KEY, OTHER_KEY = SketchKey.of(b"one secret"), SketchKey.of(b"another secret")
NAMES = dict(zip((NUMBER, URL, EMAIL, ID, CODE, LITERAL), SLOTS, strict=True))
HTTP, WWW = np.frombuffer(b"http", np.uint8), np.frombuffer(b"www.", np.uint8)


def read(text: str) -> list[tuple[str, int]]:
    """Each token, a word or the name of a slot, and its break: 2 at the start of a line, 1 of a sentence."""
    data = (text if text.isascii() else unicode(text)).encode()
    room = len(data) + 1
    words, lengths, breaks = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.uint8)
    spans = np.empty((room, 2), np.int64)
    source = np.frombuffer(data or b" ", np.uint8)
    count = tokenise(source, 0, len(data), *KEY.words, HTTP, WWW, words, lengths, breaks, spans)
    found = []
    for at in range(count):
        name = NAMES.get(words[at]) if lengths[at] == 0 else data[spans[at, 0] : spans[at, 1]].decode().lower()
        assert name is not None
        assert lengths[at] in (0, spans[at, 1] - spans[at, 0])
        found.append((name, int(breaks[at])))
    return found


def tokens(text: str) -> list[str]:
    return [token for token, _ in read(text)]


def many(texts: list[str | None], key: SketchKey = KEY) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = identified_sketches(pa.array(texts, pa.string()), key).to_pylist()
    return found


def one(text: str, key: SketchKey = KEY) -> dict[str, Any]:
    return many([text], key)[0]


def same(*texts: str) -> bool:
    return len({(row["id"], row["sketch"]) for row in many(list(texts))}) == 1


def parts(sketch: bytes) -> dict[str, tuple[int, ...]]:
    """A sketch taken apart by its documented layout alone."""
    identity, count, *sizes = struct.unpack_from("<QH4B", sketch)
    assert len(sketch) == 14 + 4 * sum(sizes)
    found: dict[str, tuple[int, ...]] = {"id": (identity,), "tokens": (count,)}
    at = 14
    for name, size in zip(("words", "body", "opening", "ending"), sizes, strict=True):
        found[name] = struct.unpack_from(f"<{size}I", sketch, at)
        at += 4 * size
    return found


def kept(text: str, part: str) -> set[int]:
    return set(parts(one(text)["sketch"])[part])


def shingles(text: str) -> set[int]:
    """The values of a text as if it were a whole body: without breaks nothing is cut off."""
    return kept(text.replace(".", "").replace("\n", " "), "body")


def prose(seed: int, count: int, *, sentence: int = 8) -> str:
    """Words that stand in no other seed's prose, in sentences on one line."""
    names = spelled(seed, count)
    for at in range(sentence - 1, count, sentence):
        names[at] += "."
    return " ".join(names)


def spelled(seed: int, count: int) -> list[str]:
    chance = Random(seed)
    return ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(count)]


# Tokens.


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Sort 17 rows", ["sort", "<number>", "rows"]),
        ("pay 1,234,567.89 or 0.5.", ["pay", "<number>", "or", "<number>"]),
        ("from 3 to 4", ["from", "<number>", "to", "<number>"]),
        ("see https://example.com/a?b=1#c now", ["see", "<url>", "now"]),
        ("see HTTP://EXAMPLE.COM and www.example.com", ["see", "<url>", "and", "<url>"]),
        ("[text](https://example.com/x) (http://a.b)", ["text", "<url>"]),
        ("httpx is a library, https as well", ["httpx", "is", "a", "library", "https", "as", "well"]),
        ("write to Sam.Lee+tag@mail.example.com.", ["write", "to", "<e-mail>"]),
        ("7days@example.com too", ["<e-mail>", "too"]),
        ("not@home and @handle", ["not", "home", "and", "handle"]),
        ("id 550e8400-e29b-41d4-a716-446655440000 gone", ["id", "<id>", "gone"]),
        ("commit DEADBEEFDEADBEE5 broke", ["commit", "<id>", "broke"]),
        ("order A1B2C3 and cust_00017", ["order", "<id>", "and", "<id>"]),
        ("the 2nd gpt4 model", ["the", "2nd", "gpt4", "model"]),
        ("defaced facades", ["defaced", "facades"]),
        ("call `do_it(1)` here", ["call", "<code>", "here"]),
        ("an open ` backtick", ["an", "open", "backtick"]),
        ("a `span\nover` lines", ["a", "span", "over", "lines"]),
        ('say "hello there" aloud', ["say", "hello", "there", "aloud"]),
        ('```\nprint("hello there", \'x\')\n```\ndone "so"', ["print", "<text>", "done", "so"]),
        ("snake_case _private", ["snake_case", "_private"]),
        ("don't o'clock 'quoted' dogs'", ["don't", "o'clock", "quoted", "dogs"]),
        ("naïve café Ünïcode", ["naïve", "café", "ünïcode"]),
        ("", []),
        (" \t\r\n", []),
        ("?!… — ¿", []),
        ("😀 👩‍👩‍👧 🏳️‍🌈", []),
    ],
)
def test_words_stay_and_what_differs_becomes_a_slot(text: str, wanted: list[str]) -> None:
    assert tokens(text) == wanted


def test_equal_slots_in_a_row_are_one_and_others_are_not() -> None:
    assert tokens("1, 2, 3 or 4 5 6") == ["<number>", "or", "<number>"]
    assert tokens("https://a.b https://c.d 5 https://e.f") == ["<url>", "<number>", "<url>"]
    assert same("rows 1 2 3 here", "rows 17 here") and not same("rows 1 here", "rows here")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Please Sort", "pLEASE sORT"),
        ("please  sort\n\nrows ", "\tplease sort\r\nrows"),
        ("Ｐｌｅａｓｅ　ｓｏｒｔ", "please sort"),
        ("the ﬁrst ﬂoor", "the first floor"),
        ("Straße", "STRASSE"),
        ("ΐ ὈΔΥΣΣΕΎΣ", "ΐ ὀδυσσεύς".upper()),
        ("café", "cafe\u0301"),
        ("cafe\u200b\u0301", "café"),
        ("pass\u200bwo\u00adrd", "password"),
        ("pass\U000e0061\U000e0062word", "password"),
        ("\u202eright\u202c \ufeffleft", "right left"),
        ("don’t stop", "don't stop"),
        ("٣٤٥ apples", "12 apples"),
        ("state‑of‑the‑art", "state-of-the-art"),
        ("wait…", "wait..."),
        ("価格は500円です", "価格は７２円です"),
        ("用Python写代码", "用 python 写代码"),
        ("i\u0307stanbul", "İstanbul"),
    ],
)
def test_two_spellings_of_one_text_have_one_id(left: str, right: str) -> None:
    assert same(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sort the rows", "sort the columns"),
        ("sort the rows", "the rows sort"),
        ("sort rows", "sortrows"),
        ("cafe", "café"),
        ("well", "we'll"),
        ("की", "का"),
        ("น้ำ", "นำ"),
        ("東京", "京東"),
        ("", "a"),
        ("17", "https://example.com"),
        ("a b", "a b b"),
    ],
)
def test_different_texts_have_different_ids(left: str, right: str) -> None:
    assert one(left)["id"] != one(right)["id"]


def test_scripts_without_blanks_are_read_by_pairs_of_characters() -> None:
    assert tokens("東京都に住む") == ["東京", "京都", "都に", "に住", "住む", "む"]
    assert tokens("กิน") == ["กิ", "ิน", "น"]
    assert tokens("हिन्दी में") == ["हिन्दी", "में"]


def test_lines_and_sentences_are_told_apart() -> None:
    assert read("One two. Three\nfour! Five?six v1.5") == [
        ("one", 0), ("two", 0), ("three", 1), ("four", 2), ("five", 1), ("six", 0), ("v1", 0), ("<number>", 0),
    ]  # fmt: skip
    # A line is the stronger break, wherever in the gap it stands.
    assert read("one.\n  two \n. three") == [("one", 0), ("two", 2), ("three", 2)]


@given(st.characters(exclude_categories=["Cs"], exclude_characters="ı"), st.sampled_from(["NFC", "NFD", "NFKD"]))
@settings(max_examples=200)
def test_no_case_and_no_form_of_a_character_matters(character: str, form: Any) -> None:
    text = f"a{character}b"
    plain = tokens(text)
    assert tokens(unicodedata.normalize(form, text)) == plain
    if not text.isascii():
        assert tokens(text.upper()) == tokens(text.lower()) == plain


words = st.sampled_from(
    ["sort", "Rows", "it's", "naïve", "17", "1,000.5", "x@y.example", "https://a.b/c", "`f(x)`", "a1b2c3", "東京", "?"]
)


@given(st.lists(words, max_size=12), st.lists(st.sampled_from([" ", "  ", "\t", "\u2003", " \u200b"]), min_size=12))
def test_blanks_and_case_change_nothing(said: list[str], blanks: list[str]) -> None:
    plain = " ".join(said)
    spaced = "".join(blank + word for word, blank in zip(said, blanks, strict=False)) + blanks[0]
    # An address is read up to the next blank; all else may be of either case.
    assert same(plain, spaced, spaced.swapcase())


texts = st.lists(words, max_size=80).map(" ".join) | st.text(max_size=30)


@given(st.lists(texts | st.none(), max_size=12), st.randoms(use_true_random=False), st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_a_sketch_is_the_same_alone_among_others_and_in_any_order(
    batch: list[str | None], chance: Random, skipped: int
) -> None:
    alone = {text: one(text) for text in batch if text is not None}
    found = many(batch)
    assert found == [None if text is None else alone[text] for text in batch]
    chance.shuffle(batch)
    chunked = pa.chunked_array([batch[:2], [None], batch[2:]], pa.large_string())
    wanted = [None if text is None else alone[text] for text in [*batch[:2], None, *batch[2:]]]
    assert identified_sketches(chunked, KEY).to_pylist() == wanted
    sliced = pa.array([None, "before", *batch, "after"], pa.string()).slice(skipped, len(batch))
    assert sketches(sliced, KEY).is_null().to_pylist() == sliced.is_null().to_pylist()
    assert sketches(sliced, KEY).equals(sketches(pa.array(sliced.to_pylist(), pa.string()), KEY))


def test_another_key_gives_other_ids_and_no_value_in_common() -> None:
    text = prose(1, 300)
    mine, theirs = parts(one(text)["sketch"]), parts(one(text, OTHER_KEY)["sketch"])
    assert mine["tokens"] == theirs["tokens"] == (300,)
    for name in ("id", "body", "opening", "ending"):
        assert mine[name] and not set(mine[name]) & set(theirs[name]), name
    # Words keep 23 bits: 64 of them in two samples meet by chance in one of some hundred keys, whole samples never.
    assert len({value >> 8 for value in mine["words"]} & {value >> 8 for value in theirs["words"]}) <= 2
    # Slots are the same under every key, prompts of nothing but slots are not.
    assert one("17")["id"] != one("17", OTHER_KEY)["id"]


# Sketches.


def test_a_sketch_has_the_layout_that_is_documented() -> None:
    found = one("Sort the rows by 17 of it")
    read_apart = parts(found["sketch"])
    assert read_apart["id"] == (found["id"],)
    assert read_apart["tokens"] == (found["tokens"],) == (7,)
    single = [value for value in read_apart["words"] if value >> 8 & 1]
    pairs = [value for value in read_apart["words"] if not value >> 8 & 1]
    # Words of three bytes or more: sort, the, rows. Places go from 0 to 255.
    assert sorted(value & 255 for value in single) == [0, 255 // 7, 2 * 255 // 7]
    assert sorted(value & 255 for value in pairs) == [at * 255 // 7 for at in range(6)]
    assert len(read_apart["body"]) == 5
    assert read_apart["opening"] == read_apart["ending"] == ()


@pytest.mark.parametrize("text", ["", " \n\t", "…", "\u200b", "😀"])
def test_what_says_nothing_has_no_values(text: str) -> None:
    assert parts(one(text)["sketch"]) == {
        "id": (one("")["id"],), "tokens": (0,), "words": (), "body": (), "opening": (), "ending": (),
    }  # fmt: skip


def test_nulls_stay_null_and_no_text_gives_no_sketch() -> None:
    assert many([None, None]) == [None, None]
    assert many([None, "", None])[1] == one("")
    assert sketches(pa.array([], pa.string()), KEY).to_pylist() == []
    assert sketches(pa.nulls(2), KEY).to_pylist() == [None, None]


@given(st.integers(0, 400), st.integers(1, 30), st.integers(0, 50), st.booleans())
@settings(deadline=None, max_examples=60)
def test_values_rise_are_distinct_and_within_their_limits(
    count: int, vocabulary: int, seed: int, in_lines: bool
) -> None:
    chance = Random(seed)
    text = " ".join(chance.choice(spelled(7, vocabulary)) + chance.choice(["", "", ".\n" if in_lines else "."])
                    for _ in range(count))  # fmt: skip
    found = parts(one(text)["sketch"])
    assert found["tokens"] == (count,)
    for name, most in (("words", WORDS + PAIRS), ("body", BODY), ("opening", EDGE), ("ending", EDGE)):
        assert len(found[name]) <= most
        assert list(found[name]) == sorted(set(found[name]))
    hashes = [value >> 8 for value in found["words"]]
    assert len(set(hashes)) == len(hashes)
    single = [value for value in hashes if value & 1]
    assert len(single) <= min(WORDS, vocabulary) and len(hashes) - len(single) <= PAIRS
    if count < LONG:
        assert not found["opening"] and not found["ending"]
    if count >= 3:
        assert found["body"]


def test_full_sketches_keep_the_smallest_values_of_all() -> None:
    # Each word once: the sample of a text is the smallest of the samples of its halves.
    halves = spelled(3, 400)
    whole, first, second = (kept(" ".join(words), "body") for words in (halves, halves[:202], halves[200:]))
    assert len(whole) == BODY and sorted(whole) == sorted(first | second)[:BODY]
    values = parts(one(" ".join(halves))["sketch"])["words"]
    assert sum(value >> 8 & 1 for value in values) == WORDS and len(values) == WORDS + PAIRS


def test_the_number_of_tokens_stops_at_its_limit() -> None:
    assert one(" ".join(["word"] * 65_535))["tokens"] == 65_535
    assert one(" ".join(["word"] * 70_000))["tokens"] == 65_535
    assert not same(" ".join(["word"] * 70_000), " ".join(["word"] * 70_001))


@pytest.mark.parametrize("count", [LONG - 1, LONG])
def test_short_prompts_have_no_edges(count: int) -> None:
    found = parts(one(prose(2, count))["sketch"])
    assert bool(found["opening"]) == bool(found["ending"]) == (count >= LONG)


def test_a_prompt_without_breaks_is_all_body() -> None:
    found = parts(one(" ".join(spelled(4, 100)))["sketch"])
    assert len(found["body"]) == BODY and not found["opening"] and not found["ending"]


def test_long_prompts_are_cut_at_lines_rather_than_sentences() -> None:
    opening, body, ending = prose(11, 20), prose(12, 70), prose(13, 10)
    text = f"{opening}\n{body}\n{ending}"
    assert kept(text, "opening") == set(sorted(shingles(opening))[:EDGE])
    assert kept(text, "body") == shingles(body)
    assert kept(text, "ending") == shingles(ending)
    # Without lines the last sentence before a third of it, and the first after four fifths.
    in_line = f"{opening}. {body} {ending}".replace("..", ".")
    words = in_line.split()
    assert kept(in_line, "opening") == set(sorted(shingles(" ".join(words[:28])))[:EDGE])
    assert kept(in_line, "ending") == set(sorted(shingles(" ".join(words[84:])))[:EDGE])


def test_where_a_prompt_is_cut_is_part_of_its_id() -> None:
    words = spelled(14, 100)
    early, late = (" ".join(words[:at]) + "\n" + " ".join(words[at:]) for at in (10, 30))
    assert tokens(early) == tokens(late) and not same(early, late)
    # A break that cuts nothing changes nothing.
    middle = " ".join(words[:50]) + "\n" + " ".join(words[50:])
    assert same(middle, " ".join(words))


def test_a_shared_preamble_is_seen_in_the_opening_alone() -> None:
    preamble = prose(21, 30)
    one_text, other_text = (f"{preamble}\n\n{prose(seed, 60)}\n\n{prose(seed + 100, 20)}" for seed in (22, 23))
    assert kept(one_text, "opening") == kept(other_text, "opening") != set()
    assert not kept(one_text, "body") & kept(other_text, "body")
    assert not kept(one_text, "ending") & kept(other_text, "ending")


def test_a_preamble_that_changes_leaves_the_rest() -> None:
    rest = f"{prose(31, 60)}\n\n{prose(32, 14)}"
    # Of another length each: the cut moves with the line.
    rotated = [f"{prose(seed, 12 + seed % 20)}\n\n{rest}" for seed in range(40, 60)]
    whole = kept(rotated[0], "body")
    for text in rotated[1:]:
        assert kept(text, "body") == whole and kept(text, "ending") == kept(rotated[0], "ending")
        assert not kept(text, "opening") & kept(rotated[0], "opening")
    # Where no break tells it apart, most of the values still stay.
    glued = [f"{' '.join(spelled(seed, 12))} {rest}" for seed in range(60, 70)]
    assert all(len(kept(text, "body") & whole) >= BODY * 0.6 for text in glued)


def test_the_columns_of_sketches_are_read_back() -> None:
    batch = [prose(51, 100), None, "", "two words", prose(52, 60)]
    found = sketches(pa.array(batch, pa.string()), KEY)
    for name in layout.PARTS:
        flat, start = layout.values(found, name)
        wanted = [() if text is None else parts(one(text)["sketch"])[name] for text in batch]
        assert [tuple(flat[low:high].tolist()) for low, high in pairwise(start)] == wanted
    hashes, places, start = layout.words(found.slice(2))
    first = parts(one("two words")["sketch"])["words"]
    assert start.tolist()[:3] == [0, 0, len(first)]
    assert [(int(h) << 8) + int(p) for h, p in zip(hashes, places, strict=True)][: len(first)] == list(first)
