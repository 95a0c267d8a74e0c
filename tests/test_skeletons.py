"""`--keep-skeletons`: the fixed text of templates is shown, and nothing that few accounts wrote."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage import store
from linkage.commands import run
from linkage.errors import ExitCode
from linkage.ingest import ingest
from linkage.prompts.skeleton import skeleton
from linkage.prompts.sketch import SketchKey
from linkage.prompts.tokens import SLOTS
from linkage.prompts.words import LONGEST_WORD, SKELETON_ACCOUNTS, TOKENS, Texts, WordCounts
from linkage.templates import template, templates

KEY = SketchKey.of(b"a key of the tests' own")
OPENING = "Translate the following review of our product into plain English"
CLOSING = "keep every name as it is and answer with the text alone, nothing else"
# One of each of four accounts: none may show.
SECRETS = ["hunterpassphrase", "Zwölfmonatsschlüssel", "projectnightingale", "回転寿司秘密", "mrsEvelynQuartermain"]


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def rows(accounts: Iterable[int], middle: str = "", uses: int = 4) -> list[dict[str, Any]]:
    words = [
        "amber",
        "basalt",
        "cedar",
        "dahlia",
        "ember",
        "fennel",
        "granite",
        "hazel",
        "indigo",
        "juniper",
        "kelp",
        "lilac",
    ]
    return [
        {
            "account_id": f"acct_{account}",
            "at": f"2026-02-{use + 1:02d}T{account % 24:02d}:00:00Z",
            "prompt": f"{OPENING} {words[(account + use) % 12]} {words[account * use % 12]} {middle} {CLOSING}",
        }
        for account in accounts
        for use in range(uses)
    ]


def bytes_beside(case: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(case.parent.glob(f"{case.name}*")))


def traces(case: Path, words: Iterable[str]) -> list[str]:
    held = bytes_beside(case)
    forms = {form for word in words for form in (word, word.lower(), word.casefold())}
    return sorted(form for form in forms if form.encode() in held)


def test_the_fixed_text_shows_and_what_varies_does_not(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    made = rows(range(SKELETON_ACCOUNTS + 1))
    for at, row in enumerate(made):
        row["prompt"] += f" See https://example.com/{at} or call {at * 1000}."
    ingest([write(tmp_path / "exchanges.jsonl", made)], case, keep_skeletons=True)
    shown = template(case, templates(case).rows[0].id).skeleton
    assert shown is not None
    assert shown.startswith(f"{OPENING.lower()} […] keep every name as it is")
    assert shown.endswith("nothing else see <url> or call <number>")
    assert not any(word in shown for word in ("amber", "juniper"))


@pytest.mark.parametrize("accounts", range(1, SKELETON_ACCOUNTS))
def test_words_of_too_few_accounts_reach_no_byte_of_the_case(tmp_path: Path, accounts: int) -> None:
    case = tmp_path / "c.duckdb"
    made = rows(range(20))
    for secret in SECRETS:
        made += rows(range(accounts), f"{secret} ({secret})", uses=9)
    files = [write(tmp_path / f"exchanges-{part}.jsonl", made[part::3]) for part in range(3)]
    for _ in range(2):
        # Again and again the same accounts are no more accounts.
        for file in files:
            ingest([file], case, keep_skeletons=True)
            file.write_text(file.read_text() + "\n")
    assert traces(case, ["translate", "following"]) == ["following", "translate"]
    bigrams = ["回転", "転寿", "寿司", "司秘", "秘密"]
    assert traces(case, [*SECRETS, "zwölfmonatsschlüssel", "quartermain", *bigrams]) == []
    with store.reading(case) as con:
        kept = {text for (text,) in con.execute('SELECT "text" FROM words').fetchall()}
    assert "translate" in kept and not kept.intersection([secret.casefold() for secret in SECRETS] + bigrams)
    for row in templates(case).rows:
        shown = template(case, row.id).skeleton or ""
        assert not any(secret.lower() in shown for secret in SECRETS)


def test_broken_rows_count_for_nothing(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    made = rows(range(20)) + rows(range(SKELETON_ACCOUNTS - 1), SECRETS[0])
    broken = [{**row, "at": "no time"} for row in rows(range(50, 60), SECRETS[0])]
    broken += [{**row, "account_id": None} for row in rows(range(60, 70), SECRETS[0])]
    report = ingest([write(tmp_path / "exchanges.jsonl", made + broken)], case, keep_skeletons=True)
    assert report.rejected == len(broken)
    assert traces(case, SECRETS) == []


def test_without_the_option_there_is_no_word_at_all(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    ingest([write(tmp_path / "exchanges.jsonl", rows(range(20), SECRETS[0]))], case)
    assert traces(case, [*SECRETS, "translate", "following", "english", "nothing", "juniper"]) == []
    with store.reading(case) as con:
        for table in ("words", "word_accounts", "prompt_words"):
            assert con.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert template(case, templates(case).rows[0].id).skeleton is None


def test_a_word_shows_once_later_files_bring_enough_accounts(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    ingest([write(tmp_path / "exchanges-1.jsonl", rows(range(3)))], case, keep_skeletons=True)
    assert traces(case, ["translate"]) == []
    name = templates(case).rows[0].id
    assert template(case, name).skeleton is None
    # The case remembers the option.
    ingest([write(tmp_path / "exchanges-2.jsonl", rows(range(3, SKELETON_ACCOUNTS)))], case)
    assert str(template(case, name).skeleton).startswith(f"{OPENING.lower()} […]")
    with store.reading(case) as con:
        assert con.execute("SELECT count(*) FROM word_accounts SEMI JOIN words USING (word)").fetchone() == (0,)


def test_what_looks_like_a_secret_never_shows(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    long = "k" * (LONGEST_WORD + 1)
    hidden = ["adalovelace@example.com", "4f1c2d3e4f5a6b7c", "tok123abc", "https://example.com/path", long]
    ingest([write(tmp_path / "exchanges.jsonl", rows(range(20), " ".join(hidden)))], case, keep_skeletons=True)
    shown = template(case, templates(case).rows[0].id).skeleton
    assert shown is not None and "<e-mail> <id> <url> …" in shown
    # A shorter name could stand by chance in the hexadecimal digits of a key or a hash.
    assert traces(case, [*hidden, "adalovelace", "example"]) == []
    assert "k" * LONGEST_WORD not in shown


def test_of_prompts_that_follow_no_common_template_nothing_is_kept(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    asked = ["please", "tell", "me", "whether", "my", "neighbour", "may", "keep", "a", "rooster", "in", "the", "yard"]
    alone = [
        {"account_id": f"acct_{at}", "at": "2026-02-01T00:00:00Z", "prompt": " ".join(asked[at:] + asked[:at])}
        for at in range(4)
    ]
    ingest([write(tmp_path / "exchanges.jsonl", rows(range(20)) + alone)], case, keep_skeletons=True)
    shared = templates(case).rows[0].id
    with store.reading(case) as con:
        kept = con.execute(
            "SELECT DISTINCT format('template:{:016x}', body) FROM prompt_words JOIN templates USING (prompt)"
        ).fetchall()
    assert kept == [(shared,)]


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "exchanges.jsonl", rows(range(20)))
    case = ["--case", str(tmp_path / "c.duckdb")]
    assert run(["ingest", str(file), "--keep-skeletons", *case]) == ExitCode.DONE
    capsys.readouterr()
    name = templates(tmp_path / "c.duckdb").rows[0].id
    assert run(["template", name, *case]) == ExitCode.DONE
    assert "Text: translate the following review of our product into plain english […]" in capsys.readouterr().out


def test_only_some_prompts_of_a_template_keep_their_words(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    made = rows(range(20), uses=28)
    ingest([write(tmp_path / "exchanges.jsonl", made)], case, keep_skeletons=True)
    with store.reading(case) as con:
        (prompts,) = con.execute("SELECT count(*) FROM prompts").fetchall()[0]
        (kept,) = con.execute("SELECT count(*) FROM prompt_words").fetchall()[0]
    assert kept == 32 < prompts


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=200),
    st.integers(1, 60),
    st.integers(4, 64),
)
def test_a_word_is_never_counted_for_more_accounts_than_used_it(
    uses: list[tuple[int, int]], batch: int, most: int
) -> None:
    counts = WordCounts(KEY, most)
    for at in range(0, len(uses), batch):
        part = uses[at : at + batch]
        counts.sequences(
            pa.array([f"word{chr(97 + word % 26)}{chr(97 + word // 26)}" for word, _ in part], pa.string()),
            pa.array([f"a{account}" for _, account in part], pa.string()),
        )
    texts = Texts(KEY, counts.enough())
    texts.note(pa.array([f"word{chr(97 + word % 26)}{chr(97 + word // 26)}" for word, _ in uses], pa.string()))
    used: dict[str, set[int]] = {}
    for word, account in uses:
        used.setdefault(f"word{chr(97 + word % 26)}{chr(97 + word // 26)}", set()).add(account)
    enough = {word for word, accounts in used.items() if len(accounts) >= SKELETON_ACCOUNTS}
    shown = set(texts.found.values())
    assert shown <= enough
    words, accounts = counts.pairs()
    assert len(set(zip(words.tolist(), accounts.tolist(), strict=True))) == len(words)
    if len(used) <= most:
        assert shown == enough
        assert len(words) == sum(len(a) for word, a in used.items() if word not in enough)


def test_counts_go_on_where_an_earlier_file_ended() -> None:
    texts = pa.array(["alpha beta"] * 3)
    first, second = WordCounts(KEY), WordCounts(KEY)
    first.sequences(texts, pa.array(["a", "b", "c"]))
    second.load(np.zeros(0, np.uint64), *first.pairs())
    second.sequences(texts, pa.array(["c", "d", None]))
    assert len(second.enough()) == 0
    second.sequences(texts.slice(0, 1), pa.array(["e"]))
    assert len(second.enough()) == 2


def test_sequences_are_bounded_and_keep_nulls() -> None:
    counts = WordCounts(KEY)
    found = counts.sequences(pa.array([None, "", "word " * 1000, "one 12 two"]), pa.array(["a", "a", "a", "a"]))
    assert [None if row is None else len(row) for row in found.to_pylist()] == [None, 0, TOKENS, 3]
    assert skeleton([found.to_pylist()[3]], {}) == f"… {SLOTS[0]} …"


def test_alignment_finds_the_common_words_in_order() -> None:
    texts = dict(enumerate(["zero", "one", "two", "three", "four", "five", "six"]))
    assert skeleton([[1, 2, 3]] * 3, texts) == "one two three"
    assert skeleton([[9, 1, 2, 3], [8, 7, 1, 2, 3], [1, 2, 3, 6]], texts) == "[…] one two three"
    assert skeleton([[1, 9, 2], [1, 8, 2], [1, 2]], texts) == "one […] two"
    assert skeleton([[9], [8], [7]], texts) == "[…]"
    assert skeleton([[]], texts) == ""
