"""Prompts that were made to break what reads them, each through a real ingest."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from linkage import store
from linkage.detect import detect
from linkage.errors import InputError
from linkage.ingest import FileReport, ingest, rejects
from linkage.prompts.tokens import LONGEST_LOOK, unicode
from tests.test_prompts import same, tokens

BIG = 1_000_000


def rows(case: Path, sql: str) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql).fetchall()


def spelled(seed: int, count: int) -> list[str]:
    chance = Random(seed)
    return ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(count)]


def exported(folder: Path, prompts: Sequence[str | bytes]) -> Path:
    """A Parquet file of these prompts, one account each."""
    path = folder / "exchanges.parquet"
    kind = pa.binary() if isinstance(prompts[0], bytes) else pa.string()
    accounts = [f"a{at:05}" for at in range(len(prompts))]
    columns = {"account_id": accounts, "at": ["2026-02-01"] * len(prompts), "prompt": pa.array(prompts, kind)}
    parquet.write_table(pa.table(columns), path)
    return path


def taken(path: Path, case: Path) -> FileReport:
    (report,) = ingest([path], case).files
    return report


def read(case: Path) -> list[tuple[int, int]]:
    """Prompt and number of tokens of each account's exchange."""
    return rows(case, "SELECT prompt, tokens FROM exchanges JOIN prompts USING (prompt) ORDER BY account_id")


# Long ones.


LONG_ONES = {
    "ten megabytes of words": (" ".join(spelled(1, BIG)), 65_535),
    "one word a hundred thousand times": ("word " * 100_000, 65_535),
    "a token of 5,000 characters": ("a" * 5_000, 1),
    "a number of a million digits": ("1" * BIG, 1),
    "a number of a million dots": ("1." * (BIG // 2), 1),
    "a hexadecimal value without end": ("f0" * (BIG // 2), 1),
    "an address without end": ("a." * (BIG // 2) + "@", 65_535),
    "a local part without end": ("a" * BIG + "@", 1),
    "an address after the other": ("a@" * (BIG // 2), 65_535),
    "a domain without end": ("a@" + "b." * (BIG // 2), 65_535),
    "dashes and dots": ("a-" * (BIG // 4) + "a+" * (BIG // 4), 65_535),
    "an apostrophe after the other": ("a'" * (BIG // 2), 1),
    "schemes": ("http://" * (BIG // 7), 1),
    "half a UUID after the other": ("550e8400-e29b-41d4-" * (BIG // 19), 65_535),
    "backticks": ("`" * (BIG + 1), 1),
    "open code": ("`a\n" * (BIG // 3), 65_535),
    "open quotes in a fence": ("```\n" + "'a \n" * (BIG // 4), 65_535),
    "fences": ("```" * (BIG // 3), 0),
    "marks on one letter": ("a" + "\u0301\u0316" * (BIG // 2), 1),
    "a ligature that is eighteen letters": ("\ufdfa" * 20_000, 60_001),
    "Thai without a blank": ("ก" * 100_000, 65_535),
    "Japanese without a blank": ("東京都に住む" * 20_000, 65_535),
    "families": ("\U0001f469\u200d\U0001f469\u200d\U0001f467" * 50_000, 0),
    "directions": ("\u202e" * 100_000 + "abc" + "\u2066" * 100_000, 1),
}


def test_no_long_prompt_is_too_much(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    report = taken(exported(tmp_path, [text for text, _ in LONG_ONES.values()]), case)
    assert (report.rows, report.added, report.rejected) == (len(LONG_ONES), len(LONG_ONES), 0)
    found = dict(zip(LONG_ONES, (count for _, count in read(case)), strict=True))
    assert found == {name: count for name, (_, count) in LONG_ONES.items()}
    assert rows(case, "SELECT count(*) - count(t.body) FROM prompts LEFT JOIN templates t USING (prompt)") == [(0,)]


def test_nothing_is_looked_for_further_than_its_limit() -> None:
    # Else each word of a text without blanks would look for an end at the end of the text.
    for size, found in ((LONGEST_LOOK - 6, True), (LONGEST_LOOK, False)):
        assert (tokens("a" * size + "@b.c") == ["<e-mail>"]) == found
        assert (tokens(f"`{'a ' * (size // 2)}`") == ["<code>"]) == found
        assert (tokens(f"``` '{'a ' * (size // 2)}'") == ["<text>"]) == found


def test_no_letter_carries_more_marks_than_unicode_ever_needs() -> None:
    # Normalisation sorts the marks on a letter, which takes the square of their number.
    piled = "a" + "\u0301\u0316" * BIG
    assert len(unicode(piled)) < 40
    worst = "a" + "\u0301\u0316" * 15
    assert unicode(worst) == unicodedata.normalize("NFKC", worst)
    assert len(unicode("e" + "\u0301\u200d" * BIG)) < 40


# Odd ones.


ODD_ONES: dict[str, int] = {
    "\0": 0,
    "a\0b": 2,
    "\x01\x02\x1b[31mred\x1b[0m": 2,
    "\x7fELF\x02\x01\x01": 1,
    "שלום עולם \u200fabc\u200e \u202bדבר\u202c": 4,
    "مرحبا بالعالم": 2,
    "😀😀 👩‍👩‍👧‍👦 🏳️‍🌈 1️⃣": 1,
    "สวัสดีครับ": 10,
    "日本語の文章です。": 8,
    "`unclosed code": 2,
    "``` 'unclosed": 1,
    '"unclosed quote': 2,
    "'": 0,
    "1 https://a.b x@y.zz 550e8400-e29b-41d4-a716-446655440000 `c`": 5,
    "2 https://c.d y@z.yy 650e8400-e29b-41d4-a716-446655440000 `d`": 5,
    "NULL": 1,
    "-": 0,
    "\ufffd\ufffd": 0,
    "\ufeffbyte order": 2,
    "{}[]<>\\//": 0,
    "%s %n {0} $1 '; DROP TABLE prompts; --": 6,
}


def test_odd_prompts_are_read_as_what_they_are(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    report = taken(exported(tmp_path, list(ODD_ONES)), case)
    assert (report.rows, report.added, report.rejected) == (len(ODD_ONES), len(ODD_ONES), 0)
    found = dict(zip(ODD_ONES, read(case), strict=True))
    assert {text: count for text, (_, count) in found.items()} == ODD_ONES
    # Nothing but slots is one text, and so is all that has no words at all.
    slots = [prompt for text, (prompt, count) in found.items() if count == 5]
    assert len(slots) == 2 and len(set(slots)) == 1
    assert len({prompt for _, (prompt, count) in found.items() if count == 0}) == 1


def test_what_has_no_words_links_nobody(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    emoji = ["😀", "?!", "👍", "…", "🎉🎉"]
    texts = [emoji[at % 5] for at in range(2_000)] + [" ".join(spelled(at, 30)) for at in range(400)]
    path = tmp_path / "exchanges.parquet"
    accounts = [f"e{at % 5}" for at in range(2_000)] + [f"o{at % 60:02}" for at in range(400)]
    times = [f"2026-02-{1 + at * 7 % 27:02}T{at % 24:02}:{at * 13 % 60:02}:00Z" for at in range(2_400)]
    parquet.write_table(pa.table({"account_id": accounts, "at": times, "prompt": texts}), path)
    taken(path, case)
    detect(case)
    assert rows(case, "SELECT * FROM members") == []


@pytest.mark.parametrize("where", ["in one word", "in one of three shingles"])
def test_many_prompts_that_differ_little_are_one_template(tmp_path: Path, where: str) -> None:
    if where == "in one word":
        texts = [f"please sort the rows of table {word} by their third column and drop all the others"
                 for word in spelled(3, 20_000)]  # fmt: skip
    else:
        texts = [" ".join([*spelled(4, 4), word]) for word in spelled(5, 20_000)]
    case = tmp_path / "c.duckdb"
    report = taken(exported(tmp_path, texts), case)
    assert (report.added, report.rejected) == (20_000, 0)
    assert rows(case, "SELECT count(*), count(DISTINCT body) FROM templates") == [(20_000, 1)]


def test_many_prompts_that_share_one_shingle_in_five_stay_apart(tmp_path: Path) -> None:
    words = spelled(6, 40_000)
    texts = [" ".join(["sort", "the", "rows", *words[at : at + 2]]) for at in range(0, 40_000, 2)]
    case = tmp_path / "c.duckdb"
    taken(exported(tmp_path, texts), case)
    # Of 60,000 values of 32 bits, now and then two are one by chance.
    ((count, templates),) = rows(case, "SELECT count(*), count(DISTINCT body) FROM templates")
    assert count == 20_000 and templates >= 19_990


# Bytes that are no text.


def test_rows_that_are_not_utf_8_are_set_aside_in_csv(tmp_path: Path) -> None:
    path, case = tmp_path / "exchanges.csv", tmp_path / "c.duckdb"
    path.write_bytes(
        b"account_id,at,prompt\na,2026-02-01,caf\xe9 au lait\nb,2026-02-01,good\nc,2026-02-01,\xff\xfe\0\n"
        b'd,2026-02-01,"a\0b"\ne,2026-02-01,\xed\xa0\x80\n'
    )
    report = taken(path, case)
    assert (report.rows, report.added, dict(report.reasons)) == (5, 2, {"the row is not UTF-8": 3})
    assert [reject.line for reject in rejects(case)] == [2, 4, 6]
    assert [count for _, count in read(case)] == [1, 2]


def test_a_row_of_csv_has_its_limit_and_the_next_ones_go_in(tmp_path: Path) -> None:
    path, case = tmp_path / "exchanges.csv", tmp_path / "c.duckdb"
    path.write_bytes(b"account_id,at,prompt\na,2026-02-01," + b"a b " * (5 << 20) + b"\nb,2026-02-01,good\n")
    report = taken(path, case)
    assert (report.added, dict(report.reasons)) == (1, {"the row is longer than 16 MiB": 1})
    assert [count for _, count in read(case)] == [1]


def test_an_open_quote_in_csv_takes_no_other_row_with_it_unsaid(tmp_path: Path) -> None:
    path, case = tmp_path / "exchanges.csv", tmp_path / "c.duckdb"
    path.write_text('account_id,at,prompt\na,2026-02-01,good\nb,2026-02-01,"open\nc,2026-02-01,good too\n')
    report = taken(path, case)
    assert (report.rows, report.added, report.rejected) == (2, 1, 1)
    assert dict(report.reasons) == {"a quote is not closed, or text follows it": 1}


def test_a_parquet_file_with_bytes_that_are_no_text_is_refused_with_a_word(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    with pytest.raises(InputError, match=r"holds text that is not UTF-8") as refused:
        taken(exported(tmp_path, [b"zebracrossing truncated \xff", b"good"]), case)
    assert "zebra" not in str(refused.value.message)
    assert not case.exists()


def test_json_lines_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    path, case = tmp_path / "exchanges.jsonl", tmp_path / "c.duckdb"

    def line(account: str, prompt: object) -> bytes:
        return json.dumps({"account_id": account, "at": "2026-02-01", "prompt": prompt}).encode() + b"\n"

    odd = [["a", "b"], {"role": "user"}, 17, None, "", "x\0y", "\U0001f600", "a`b"]
    lone = b'{"account_id":"z","at":"2026-02-01","prompt":"half \\ud800 a character"}\n'
    latin = b'{"account_id":"z","at":"2026-02-01","prompt":"caf\xe9"}\n'
    path.write_bytes(b"".join(line(f"a{at}", prompt) for at, prompt in enumerate(odd)) + lone + latin)
    report = taken(path, case)
    assert (report.rows, report.added, report.rejected) == (10, 8, 2)
    assert [(reject.line, reject.reason, reject.excerpt) for reject in rejects(case)] == [
        (9, "the line has half a character: a surrogate that stands alone", None),
        (10, "the line is no JSON object", None),
    ]
    found = rows(case, "SELECT account_id, tokens FROM exchanges LEFT JOIN prompts USING (prompt) ORDER BY 1")
    assert found == [("a0", 2), ("a1", 2), ("a2", 1), ("a3", None), ("a4", None), ("a5", 2), ("a6", 0), ("a7", 2)]


def test_a_guess_at_what_is_masked_is_the_same_text() -> None:
    assert same("write to sam@example.com about 17", "Write to lee@example.org about 4,000")
    assert not same("write to sam@example.com", "write to sam")
