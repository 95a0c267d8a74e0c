"""Why a ring was put forward, and why not."""

import json
import re
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from linkage import Case, candidates, commands, factors, results, store
from linkage.detect import detect
from linkage.evidence import HUB_DEGREE, Weighed, learn_likeness, weigh
from linkage.factors import score_of, steps
from linkage.identify import identify
from linkage.model import LIKENESS, LISTED_SCORE
from linkage.results import EvidenceRow, Ring, RingRow
from linkage.ring_why import KindRow, ring_why, verdict
from linkage.rings import Assessed, Profiles, assess, evidence_of, profiles
from linkage.rings.score import FACTORS
from linkage.rings.without import common_alone, left_out, without
from linkage.summary import MOST_WORDS, People, Sentence, paragraph, summary
from tests.cases import forget_places, make_case

START = datetime(2026, 2, 1)

Judged = tuple[Weighed, Assessed, Profiles]


def all_rings(case: Path) -> list[RingRow]:
    return results.rings(case, unlisted=True)


def test_the_waterfalls_add_up_for_every_ring(sample_case: Path) -> None:
    rings = all_rings(sample_case)
    assert len(rings) > 20
    for row in rings:
        why = ring_why(sample_case, row.ring_id)
        assert sum(kind.bits for kind in why.kinds) - why.prior == pytest.approx(row.bits, abs=1e-3)
        # What is too little to be listed as evidence is the only difference.
        by_kind = {kind.kind: 0.0 for kind in why.kinds}
        for line in why.found.evidence:
            by_kind[line.kind] += line.bits
        assert all(by_kind[kind.kind] <= kind.bits + 1e-4 for kind in why.kinds if kind.kind != LIKENESS)
        for kind in why.kinds:
            assert kind.values == sum(line.kind == kind.kind for line in why.found.evidence)
            assert 0 <= kind.members_without <= row.accounts
            assert kind.members <= row.accounts
        assert score_of(why.factors[-1].total) == pytest.approx(row.score, abs=1e-4)
        assert why.factors[0].name == "base"
        assert why.strongest
        assert why.strongest.bits == why.found.evidence[0].bits


@pytest.fixture(scope="module")
def judged(sample_case: Path) -> Judged:
    with store.scratch(sample_case) as con:
        weighed = learn_likeness(weigh(identify(con, sample_case)), HUB_DEGREE)
        people = profiles(con)
        return weighed, assess(weighed, candidates.find(weighed), people, min_accounts=3), people


def test_leaving_out_what_a_ring_does_not_have_changes_nothing(judged: Judged) -> None:
    weighed, assessed, people = judged
    s = weighed.sightings
    every = np.arange(len(assessed.scores.score))
    none = np.zeros(len(every), np.bool_)
    whole = without(weighed, assessed, people, np.zeros(len(s.account), np.bool_), every, none)
    assert whole.score.tolist() == assessed.scores.score.tolist()
    label = assessed.candidates.labels[s.account]
    shared = assessed.candidates.evidence.holders > 1
    for at, name in enumerate(s.kinds):
        of_kind = s.kind[s.identifier] == at
        poorer = without(weighed, assessed, people, of_kind, every, none)
        having = np.zeros(len(whole.score), np.bool_)
        having[label[of_kind & shared & (label >= 0)]] = True
        assert poorer.score[~having].tolist() == whole.score[~having].tolist(), name
        assert poorer.tied[~having].tolist() == whole.tied[~having].tolist(), name
        assert (poorer.tied <= whole.tied).all()


def test_each_kind_alone_is_what_all_kinds_in_turn_give(sample_case: Path, judged: Judged) -> None:
    weighed, assessed, people = judged
    s = weighed.sightings
    payments = s.kind[s.identifier] == s.kinds.index("payment")
    every = np.arange(len(assessed.scores.score))
    poorer = without(weighed, assessed, people, payments, every, np.zeros(len(every), np.bool_))
    some = without(weighed, assessed, people, payments, every[::3], np.zeros(len(every[::3]), np.bool_))
    assert some.score.tolist() == poorer.score[::3].tolist()
    assert some.tied.tolist() == poorer.tied[::3].tolist()
    with store.reading(sample_case) as con:
        kept = con.execute(
            """SELECT k.score_without, k.members_without FROM ring_kinds k WHERE k.kind = 'payment'"""
        ).fetchall()
    having = np.unique(assessed.candidates.labels[s.account[payments & (assessed.candidates.evidence.credit > 0)]])
    alone = [(float(poorer.score[at]), int(poorer.tied[at])) for at in having if at >= 0]
    assert sorted(alone) == sorted(kept)


def test_what_members_have_in_common_is_all_that_is_looked_at(judged: Judged) -> None:
    weighed, assessed, people = judged
    every = np.arange(len(assessed.features.size))
    fewer, with_fewer = common_alone(weighed, assessed, every)
    assert 0 < len(fewer.sightings.account) < len(weighed.sightings.account) / 2
    for kind in range(len(weighed.sightings.kinds)):
        whole, part = (
            without(w, a, people, w.sightings.kind[w.sightings.identifier] == kind, every, every % 2 == 0)
            for w, a in ((weighed, assessed), (fewer, with_fewer))
        )
        assert (whole.score.tolist(), whole.tied.tolist()) == (part.score.tolist(), part.tied.tolist())


def test_groups_judged_again_in_parts_say_the_same(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    weighed, assessed, people = judged
    evidence = evidence_of(weighed, assessed)
    whole = left_out(weighed, assessed, people, evidence)
    monkeypatch.setattr("linkage.rings.without.PART", 100)
    parts = left_out(weighed, assessed, people, evidence)
    assert len(whole[0]["group"]) > len(whole[1]["group"]) > 10
    for one, other in zip(whole, parts, strict=True):
        assert list(one) == list(other)
        assert all(one[name].tolist() == other[name].tolist() for name in one)


@pytest.fixture(scope="module")
def one_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring of twelve that one payment method ties, and nothing else, and nobody who shares anything beside it."""
    names = [f"r{at:02}" for at in range(12)]
    made = make_case(
        tmp_path_factory.mktemp("one") / "c.duckdb",
        accounts=[{"account_id": name, "created_at": START + timedelta(minutes=at), "status": "banned"}
                  for at, name in enumerate(names)],
        payments=[{"account_id": name, "payment_id": "fp_1a2b"} for name in names],
        identifiers=[{"account_id": name, "kind": "api_key", "value": "sk-secret-one"} for name in names[:5]],
    )  # fmt: skip
    detect(made)
    return made


def test_a_ring_tied_by_one_card_says_so(one_card: Path) -> None:
    why = ring_why(one_card, "1")
    assert {kind.kind for kind in why.kinds} == {"payment", "api_key"}
    assert why.bridge
    assert why.bridge.single
    assert why.bridge.sentence.startswith("Without the payment method fp_1a2b, ")
    assert why.strongest
    assert (why.strongest.value, why.strongest.members) == ("fp_1a2b", 12)
    payment = next(kind for kind in why.kinds if kind.kind == "payment")
    assert (payment.score_without, payment.members_without) == (
        why.strongest.score_without,
        why.strongest.members_without,
    )
    assert payment.members_without <= 5
    text = paragraph(why.summary)
    assert "one payment method (fp_1a2b: 12 of them, nobody else)" in text
    assert "sk-secret" not in text
    assert "12 of them are banned" in text


def test_every_summary_is_short_backed_and_holds_no_secret(sample_case: Path) -> None:
    for row in all_rings(sample_case):
        why = ring_why(sample_case, row.ring_id)
        lines = {(line.kind, line.value) for line in why.found.evidence}
        assert len(paragraph(why.summary).split()) <= MOST_WORDS
        for sentence in why.summary:
            assert set(sentence.evidence) <= lines
            assert sentence.evidence or sentence.facts
            assert sentence.text.endswith(".")
        text = paragraph(why.summary)
        assert not re.search(r"fraud|criminal|guilty|abus|key_", text, re.IGNORECASE)
        hidden = [line.value for line in why.found.evidence if line.kind in ("email", "phone", "api_key")]
        assert all(value not in text for value in hidden)


def ring(evidence: list[EvidenceRow], **changed: object) -> Ring:
    row = RingRow("R1", 1, 0.9, None, "open", True, 9, 100, START, START, "", "", 5.0, {"base": -3.0, "ties": 2.5})
    return Ring(replace(row, **changed), (), tuple(evidence), (), ())  # type: ignore[arg-type]


def line(kind: str, value: str, label: str | None = None, bits: float = 5.0) -> EvidenceRow:
    return EvidenceRow("R1", kind, value, label, 4, 2, bits, None, None)


def test_a_crowded_summary_drops_what_matters_least() -> None:
    kinds = ("payment", "device", "ip", "email", "phone", "burst", "handoff", "balance")
    doubts = {"base": -3.0, "sign_ups": 2.0, "daily_rhythm": -1.5, "network_only": -4.0, "tenure": -1.0}
    people = People(3, START, START + timedelta(days=1))
    crowded = ring([line(kind, "v" * 60) for kind in kinds], factors=doubts, q_value=0.01)
    told = summary(crowded, people)
    assert len(paragraph(told).split()) <= MOST_WORDS
    assert "q-value against chance 0.01" in paragraph(told)
    assert told[0].text.startswith("Ring R1: 9 accounts")
    assert any("Against it speaks" in sentence.text for sentence in told)
    assert not any("signed up between" in sentence.text for sentence in told)


def test_values_are_named_only_where_they_may_be() -> None:
    secret = [line("email", "0123abcd", "a***@example.com"), line("phone", "4567", None), line("api_key", "sk-1", None)]
    text = paragraph(summary(ring([*secret, line("payment", "two words", bits=1.0)])))
    assert "a***@example.com" in text
    assert not any(value in text for value in ("0123abcd", "4567", "sk-1", "two words"))
    assert summary(ring([]))[0] == Sentence(
        "Ring R1: 9 accounts with 100 exchanges, active on 2026-02-01.", facts=("accounts", "exchanges")
    )


def test_a_value_like_a_placeholder_stays_itself() -> None:
    assert "who owns {n}, and" in paragraph(summary(ring([line("payment", "{n}")])))


def kind(name: str, score: float) -> KindRow:
    return KindRow("R1", name, 1, 5.0, 9, score, 4)


def test_the_verdict_says_what_decides() -> None:
    listed = ring([]).ring
    assert verdict(listed, [kind("payment", 0.31), kind("ip", 0.8)]) == (
        "It would not be listed without payment methods (score 0.31)."
    )
    assert verdict(listed, [kind("payment", 0.97), kind("ip", 0.93)]) == (
        "No single kind decides: its score is at least 0.93 without any one of them."
    )
    assert verdict(listed, []) == ""
    below = replace(listed, score=0.2, listed=False, factors={"base": -3.0, "ties": 4.0, "household": -3.0})
    assert "for one reason: so few accounts" in verdict(below, [])
    both = replace(below, factors={"base": -3.0, "ties": 3.5, "own_words": -1.5, "tenure": -1.5})
    assert "for several reasons together" in verdict(both, [])
    never = replace(below, factors={"base": -3.0, "ties": 1.0})
    assert "even without all that speaks against it" in verdict(never, [])
    chance = replace(listed, listed=False, q_value=0.2)
    assert "chance makes groups as strong (q-value 0.20)" in verdict(chance, [])


def test_every_factor_has_words_and_the_steps_end_at_the_sum() -> None:
    assert {factor.name for factor in FACTORS} <= set(factors.WORDS)
    every = {"base": -3.0, **{factor.name: 0.1 * at - 1 for at, factor in enumerate(FACTORS, start=1)}}
    assert steps(every)[-1].total == pytest.approx(sum(every.values()))
    assert steps({"base": -3.0, "size": -0.5})[1].words == "they are few"
    assert steps({"brand_new": 1.0})[0].words == "brand new"


def test_the_command_shows_it_all(sample_case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: object) -> str:
        assert commands.run([*map(str, words), "--case", str(sample_case)]) == 0
        return capsys.readouterr().out

    first = next(row for row in all_rings(sample_case) if row.score >= LISTED_SCORE)
    out = said("ring", first.ring_id)
    for part in ("By kind", "Evidence, in bits", "Weakest bridge:", "Doubts:", "What would change", "step by step"):
        assert part in out
    document = json.loads(said("ring", first.ring_id, "--json"))
    keys = (
        "ring",
        "members",
        "evidence",
        "bystanders",
        "decisions",
        "kinds",
        "prior",
        "strongest",
        "factors",
        "bridge",
    )
    assert {*keys, "verdict", "summary"} <= set(document)
    text = said("ring", first.ring_id, "--summary")
    assert text.count("\n") == 1
    short = json.loads(said("ring", first.ring_id, "--summary", "--json"))
    assert (short["schema"], short["text"]) == ("linkage.ring-summary/1", text.strip())
    assert " ".join(sentence["text"] for sentence in short["sentences"]) == short["text"]
    case = Case(sample_case)
    assert case.summary(first.ring_id) == short["text"]
    frame = case.kinds(first.ring_id)
    assert list(frame.columns) == [field.name for field in fields(KindRow)]
    assert frame.attrs["verdict"] == document["verdict"]


def test_hostile_values_move_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_case(
        tmp_path / "c.duckdb",
        accounts=[{"account_id": name} for name in "abcde"],
        payments=[{"account_id": name, "payment_id": "[red]\x1b[31m\u202e=1+1"} for name in "abcde"],
    )
    detect(made)
    for extra in ([], ["--summary"], ["--json"], ["--summary", "--json"]):
        assert commands.run(["ring", "1", "--case", str(made), *extra]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "[red]" in out


def test_a_run_of_an_older_version_says_what_it_did_not_keep(
    one_card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "older.duckdb"
    older.write_bytes(one_card.read_bytes())
    with store.writing(older) as con:
        for name in ("ring_kinds", "ring_strongest", "lives", "likeness"):
            con.execute(f"DROP TABLE {name}")
        con.execute("DELETE FROM meta WHERE key = 'placed_from'")
        forget_places(con)
        store.set_meta(con, "schema_version", "3")
    why = ring_why(older, "1")
    assert (why.kinds, why.strongest, why.prior) == ((), None, 0.0)
    assert why.bridge == ring_why(one_card, "1").bridge
    assert commands.run(["ring", "1", "--case", str(older)]) == 0
    assert "See it after: linkage detect" in capsys.readouterr().out


def test_a_case_without_rings_has_no_kinds(tmp_path: Path) -> None:
    for name, tables in (
        ("nothing", {"accounts": [{"account_id": "a"}, {"account_id": "b"}]}),
        ("pair", {"payments": [{"account_id": name, "payment_id": "p"} for name in "ab"]}),
    ):
        made = make_case(tmp_path / f"{name}.duckdb", **tables)
        assert detect(made).rings == 0
        with store.reading(made) as con:
            assert con.execute("SELECT count(*) FROM ring_kinds").fetchall() == [(0,)]
