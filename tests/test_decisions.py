"""Decisions: append-only, the latest counts; and cases of before there were any."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from linkage import decisions, results, store
from linkage.case_schema import SCHEMA_VERSION
from linkage.decisions import Decision
from linkage.detect import detect
from linkage.errors import InputError
from tests.cases import forget_places, make_case

PROMPT_TABLES = ("prompts", "templates", "former_templates", "followed", "prompt_words", "words", "word_accounts")

RING = {
    "accounts": [{"account_id": f"a{at}"} for at in range(60)],
    "payments": [{"account_id": f"a{at}", "payment_id": "card"} for at in range(5)],
    "identifiers": [{"account_id": f"a{at}", "kind": "api_key", "value": "key"} for at in range(5)],
}


@pytest.fixture
def case(tmp_path: Path) -> Path:
    made = make_case(tmp_path / "case.duckdb", **RING)
    detect(made)
    return made


def decided(case: Path, verdict: str, **more: object) -> Decision:
    ring = results.rings(case, unlisted=True)[0].ring_id
    one = Decision(ring, verdict, "", (), "ada", datetime(2026, 3, 1), "here")
    return replace(one, **more)  # type: ignore[arg-type]


def test_the_latest_decision_gives_the_status(case: Path) -> None:
    for verdict, status in decisions.VERDICTS.items():
        (added,) = decisions.record(case, [decided(case, verdict)])
        assert results.rings(case, unlisted=True)[0].status == status
        assert added.run == 1
    assert [one.number for one in decisions.history(case)] == [1, 2, 3, 4]
    lines = decisions.beside(case).read_text().splitlines()
    assert [json.loads(line)["verdict"] for line in lines] == list(decisions.VERDICTS)


def test_the_same_again_adds_nothing_and_another_note_does(case: Path) -> None:
    decisions.record(case, [decided(case, "watch"), decided(case, "watch")])
    assert len(decisions.history(case)) == 1
    assert decisions.record(case, [decided(case, "watch")]) == []
    assert len(decisions.record(case, [decided(case, "watch", note="again", tags=("x",))])) == 1
    assert decisions.history(case, "another ring") == []


def test_an_unknown_verdict_changes_nothing(case: Path) -> None:
    with pytest.raises(InputError, match="no verdict 'maybe'"):
        decisions.record(case, [decided(case, "watch"), decided(case, "maybe")])
    assert decisions.history(case) == []
    assert not decisions.beside(case).exists()


def test_a_clock_that_goes_back_does_not_change_which_decision_counts(
    case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour, verdict in ((12, "confirm"), (10, "dismiss"), (11, "watch")):
        now = datetime(2026, 3, 1, hour)
        monkeypatch.setattr(store, "utc_now", lambda now=now: now)
        decisions.record(case, [decided(case, verdict, at=now, source=decisions.HERE)])
    assert results.rings(case, unlisted=True)[0].status == "watch"
    # What was decided elsewhere comes with its own time.
    decisions.record(case, [decided(case, "confirm", at=datetime(2026, 3, 1, 9), source="neo4j")])
    assert results.rings(case, unlisted=True)[0].status == "watch"


def test_a_line_that_a_crash_left_out_is_written_by_the_same_command_again(case: Path) -> None:
    decisions.record(case, [decided(case, "watch")])
    whole = decisions.beside(case).read_bytes()
    decisions.beside(case).write_bytes(whole[: len(whole) // 2])
    assert decisions.record(case, [decided(case, "watch")]) == []
    assert decisions.beside(case).read_bytes() == whole


def test_many_decisions_take_no_block_each(case: Path) -> None:
    before = case.stat().st_size
    for number in range(24):
        decisions.record(case, [decided(case, "watch", note=f"{number}")])
    # One of 256 kB for each would be six megabytes.
    assert case.stat().st_size - before < 2_000_000


def test_later_runs_remember(case: Path) -> None:
    ring = decisions.record(case, [decided(case, "dismiss")])[0].ring_id
    detect(case)
    (row,) = [row for row in results.rings(case, unlisted=True) if row.ring_id == ring]
    assert row.status == "dismissed"


def test_a_case_of_before_is_brought_up_to_date(case: Path) -> None:
    with store.writing(case) as con:
        con.execute("DROP TABLE decisions")
        for what, name in con.execute(
            "SELECT 'VIEW', view_name FROM duckdb_views() WHERE view_name IN ('template_aliases', 'exchange_templates')"
        ).fetchall():
            con.execute(f"DROP {what} {name}")
        for name in (*PROMPT_TABLES, "ring_kinds", "ring_strongest", "lives", "likeness"):
            con.execute(f"DROP TABLE {name}")
        forget_places(con)
        con.execute("ALTER TABLE exchanges DROP COLUMN prompt")
        con.execute("ALTER TABLE shared DROP COLUMN trust")
        store.set_meta(con, "schema_version", "1")
    before = results.rings(case, unlisted=True)
    with store.reading(case) as con:
        assert store.meta(con, "schema_version") == str(SCHEMA_VERSION)
    with store.connect(store.backup(case, 1), read_only=True) as con:
        assert store.meta(con, "schema_version") == "1"
        assert len(con.execute("FROM rings").fetchall()) == len(before)
    beside = {path.name for path in case.parent.iterdir() if path.suffix not in (".key", ".jsonl")}
    assert beside == {case.name, store.backup(case, 1).name}
    decisions.record(case, [decided(case, "confirm")])
    after = results.rings(case, unlisted=True)
    assert [replace(row, status="open") for row in after] == [replace(row, status="open") for row in before]
