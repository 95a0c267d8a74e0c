"""Recalibration by decisions: the fit on small arrays, and the road from decisions to scores and back."""

import csv
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from linkage import commands, decisions, results, store
from linkage.decisions import Decision
from linkage.detect import detect
from linkage.export import export
from linkage.factors import score_of, steps
from linkage.model import DECISIONS
from linkage.results import RingRow
from linkage.ring_why import ring_why, verdict
from linkage.rings import Line, recalibrate
from linkage.rings.recalibrate import FEWEST, OWN, REACH, SLOPES, fit
from linkage.sample import FOLDER
from linkage.significance import Found, Significance, significance
from tests.cases import add_rows, make_case
from tests.test_detect import accounts, payments

Floats = NDArray[np.float64]

DECIDED = st.lists(st.tuples(st.integers(-150, 150).map(lambda tenths: tenths / 10), st.booleans()), max_size=40)


def arrays(decided: Iterable[tuple[float, bool]]) -> tuple[Floats, NDArray[np.bool_]]:
    rows = list(decided)
    return np.array([bits for bits, _ in rows], dtype=float), np.array([right for _, right in rows], dtype=bool)


def drawn(rings: int, slope: float, offset: float) -> list[tuple[float, bool]]:
    """Decisions as they would be if scores were off by a line."""
    rng = np.random.default_rng(rings)
    bits = rng.uniform(-REACH, REACH, rings).round(1)
    return list(zip(bits.tolist(), rng.random(rings) < 1 / (1 + np.exp2(-slope * bits - offset)), strict=True))


# The fit.


@settings(deadline=None, max_examples=20)
@given(DECIDED)
def test_the_fit_is_the_optimum_that_another_solver_finds(decided: list[tuple[float, bool]]) -> None:
    bits, rings = arrays(decided)
    own = np.linspace(-REACH, REACH, 121)
    x = np.concatenate((own, np.clip(bits, -REACH, REACH)))
    target = np.concatenate((1 / (1 + np.exp2(-own)), rings))
    weight = np.concatenate((np.full(len(own), OWN / len(own)), np.ones(len(bits))))

    def loss(line: Floats) -> tuple[float, Floats]:
        z = line[0] * x + line[1]
        off = weight * (1 / (1 + np.exp2(-z)) - target)
        return float((weight * (np.logaddexp2(0, z) - target * z)).sum()), np.array([(off * x).sum(), off.sum()])

    other = minimize(
        loss, (1.0, 0.0), jac=True, method="L-BFGS-B", bounds=(SLOPES, (-6, 6)), options={"ftol": 1e-14, "gtol": 1e-9}
    )
    line = fit(bits, rings)
    assert (line.slope, line.offset) == pytest.approx(other.x, abs=2e-4)


@settings(deadline=None, max_examples=50)
@given(DECIDED, st.randoms())
def test_order_never_turns_whatever_people_decide_and_in_any_order(decided: list[tuple[float, bool]], rng: Any) -> None:
    line = fit(*arrays(decided))
    assert SLOPES[0] <= line.slope <= SLOPES[1]
    ladder = np.arange(-2000, 2001) / 100
    assert (np.diff(ladder + line.shift(ladder)) > -1e-9).all()
    rng.shuffle(decided)
    assert fit(*arrays(decided)) == line


def test_many_decisions_give_the_line_that_they_were_drawn_from_and_none_changes_nothing() -> None:
    line = fit(*arrays(drawn(20_000, 0.6, -1.5)))
    assert (line.slope, line.offset) == pytest.approx((0.6, -1.5), abs=0.05)
    assert fit(np.zeros(0), np.zeros(0, bool)) == Line(1.0, 0.0)
    assert Line().shift(np.array([-9.0, 7.0])).tolist() == [0.0, 0.0]


def test_few_decisions_move_little_and_a_slip_on_the_surest_ring_no_more_than_any_other() -> None:
    bits, rings = arrays([(3.0, True)] * FEWEST + [(-3.0, False)] * FEWEST)
    line = fit(np.append(bits, 1.0), np.append(rings, False))
    assert (line.slope, line.offset) == pytest.approx((1.0, 0.0), abs=0.4)
    assert fit(np.append(bits, REACH), np.append(rings, False)) == fit(np.append(bits, 40.0), np.append(rings, False))


def test_the_score_stays_where_decisions_are_too_few_or_foretell_no_better() -> None:
    def said(decided: list[tuple[float, bool]], **more: bool) -> Any:
        bits = {f"r{at}": one for at, (one, _) in enumerate(decided)}
        return recalibrate(bits, {**{f"r{at}": right for at, (_, right) in enumerate(decided)}, **more})

    none = said([], lost=True)
    assert (none.gone, none.loss_before, none.loss_after, none.unchanged) == (1, None, None, "too few")
    few = said([(3.0, True)] * 30 + [(1.0, False)] * (FEWEST - 1), lost=True, split=False)
    assert (few.confirmed, few.dismissed, few.gone, few.unchanged) == (30, FEWEST - 1, 2, "too few")
    assert few.line == Line()
    # One ring that was surely right: 3 bits cost log2(1 + 2^-3); one dismissed at 1 bit log2(1 + 2).
    assert few.loss_before == pytest.approx((30 * np.log2(1.125) + (FEWEST - 1) * np.log2(3)) / 34, abs=1e-4)
    # Decisions just as often for a ring as the score says.
    right = said(
        [(0.0, True), (0.0, False)] * 5
        + [(2.0, True)] * 8
        + [(2.0, False)] * 2
        + [(-2.0, True)] * 2
        + [(-2.0, False)] * 8
    )
    assert (right.line, right.unchanged) == (Line(), "no better")
    assert right.loss_after >= right.loss_before
    off = said(drawn(300, 0.6, -1.5))
    assert off.unchanged == ""
    assert off.loss_after < off.loss_before
    assert off.line == fit(*arrays(drawn(300, 0.6, -1.5)))


def test_what_is_left_out_is_judged_by_the_others_alone() -> None:
    decided = drawn(14, 0.5, -2.0) + [(2.0, True)] * 3 + [(40.0, False), (-40.0, True)]
    bits, rings = arrays(decided)
    losses = []
    for at in range(len(bits)):
        others = np.arange(len(bits)) != at
        z = bits[at] + float(fit(bits[others], rings[others]).shift(bits[at]))
        losses.append(np.log2(1 + 2.0 ** (-z if rings[at] else z)))
    found = recalibrate(dict(enumerate(bits.tolist())), dict(enumerate(rings.tolist())))  # type: ignore[arg-type]
    assert found.loss_after == pytest.approx(np.mean(losses), abs=1e-4)


# What it does to a ring's words.


def test_the_waterfall_ends_with_decisions_which_are_no_doubt_about_the_ring(sample_case: Path) -> None:
    assert steps({"base": -3.0, DECISIONS: -1.0, "ties": 5.0, "tenure": -0.5})[-1].total == 0.5
    lowered = steps({"base": -3.0, "ties": 3.5, DECISIONS: -1.0})
    assert [(step.name, step.words) for step in lowered[2:]] == [
        (DECISIONS, "what people decided on rings lowers such scores")
    ]
    ring = replace(results.rings(sample_case)[0], score=0.4, listed=False, q_value=None)

    def why(slope: float, **factors: float) -> str:
        below: RingRow = replace(ring, factors={"base": -3.0, **factors})
        return verdict(below, [], slope=slope)

    assert why(0.5, ties=3.5, decisions=-1.0) == (
        "Its score is below the line of 0.50 for one reason: what people decided on rings lowers such scores "
        "(-1.0 bits; 0.59 without it)."
    )
    # Half a bit of the score is what a bit of a factor is worth: 3 bits less against it are 1.5 bits more.
    assert "one reason: so few accounts at one address can be a household (-3.0 bits; 0.66 without it)" in why(
        0.5, ties=5.0, household=-3.0, decisions=0.45
    )
    assert "several reasons together" in why(1.0, ties=3.5, tenure=-1.0, decisions=-0.9)
    assert "even without all that speaks against it, it would be 0.41" in why(1.0, ties=2.5, decisions=-0.9)


# The road.


def decide(case: Path, verdicts: Iterable[tuple[str, str]]) -> None:
    at = datetime(2026, 3, 1)
    decisions.record(case, [Decision(ring, word, "", (), "ada", at, "here") for ring, word in verdicts])


@pytest.fixture
def decided(tmp_path: Path) -> Path:
    """Seven rings of a card and an API key, which people confirmed, and seven families of a card, which they dismissed.

    Scores are as in the run that they saw."""
    rings, families = [f"r{at}-" for at in range(7)], [f"f{at}-" for at in range(7)]
    case = make_case(
        tmp_path / "case.duckdb",
        accounts=[
            *(row for name in rings for row in accounts(name, 6)),
            *(row for name in families for row in accounts(name, 4)),
            *accounts("other", 60),
        ],
        payments=[
            *(row for name in rings for row in payments(name, 6, name)),
            *(row for name in families for row in payments(name, 4, name)),
            *({"account_id": f"other{at:03}", "payment_id": f"own{at}"} for at in range(60)),
        ],
        identifiers=[
            {"account_id": f"{name}{at:03}", "kind": "api_key", "value": name} for name in rings for at in range(6)
        ],
    )
    detect(case, nulls=0)
    judged = results.judged(case)
    assert len(judged) == 14
    decide(case, [(row.ring_id, "confirm" if names[0].startswith("r") else "dismiss") for row, names in judged])
    return case


def exported(case: Path, folder: Path) -> dict[str, bytes]:
    export(case, folder)
    with store.reading(case) as con:
        kinds = repr(con.execute("SELECT * FROM ring_kinds ORDER BY ALL").fetchall()).encode()
        factors = repr(con.execute("SELECT ring_id, factors FROM rings ORDER BY ALL").fetchall()).encode()
    return {"kinds": kinds, "factors": factors, **{path.name: path.read_bytes() for path in folder.iterdir()}}


def test_it_holds_for_one_run_and_is_gone_to_the_byte_at_the_next(decided: Path, tmp_path: Path) -> None:
    before = detect(decided, nulls=3)
    assert before.recalibration is None
    plain = {row.ring_id: row for row in results.rings(decided, unlisted=True)}
    first = exported(decided, tmp_path / "first")

    learnt = detect(decided, nulls=3, calibrate=True).recalibration
    assert learnt is not None
    assert (learnt.confirmed, learnt.dismissed, learnt.gone, learnt.unchanged) == (7, 7, 0, "")
    assert learnt.line != Line()
    for row in results.rings(decided, unlisted=True):
        was = plain[row.ring_id]
        assert row.factors.pop(DECISIONS, 0.0) == float(learnt.line.shift(np.array(sum(was.factors.values()))))
        assert row.factors == was.factors
        assert (row.q_value, row.accounts, row.why, row.doubts) == (was.q_value, was.accounts, was.why, was.doubts)
        why = ring_why(decided, row.ring_id)
        assert row.score == pytest.approx(score_of(why.factors[-1].total), abs=1e-4)
        # A kind that takes nothing away leaves the recalibrated score, not the one of before.
        assert all(kind.score_without <= row.score for kind in why.kinds if kind.kind == "payment")
    run = results.runs(decided)[0]
    assert run.parameters["recalibration"]["slope"] == learnt.slope
    assert exported(decided, tmp_path / "second") != first

    detect(decided, nulls=3)
    assert exported(decided, tmp_path / "third") == first
    assert results.runs(decided)[0].parameters["recalibration"] is None


def test_the_same_decisions_give_the_same_bytes(decided: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        detect(decided, nulls=0, calibrate=True)
        found.append(exported(decided, tmp_path / name))
    assert found[0] == found[1]


def test_null_models_are_scored_by_the_same_line_and_compared_by_strength(
    decided: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Floats, Floats, list[Found]]] = []

    def spy(strength: Floats, score: Floats, nulls: list[Found]) -> Significance:
        seen.append((strength, score, nulls))
        return significance(strength, score, nulls)

    monkeypatch.setattr("linkage.detect.significance", spy)
    detect(decided, nulls=4)
    learnt = detect(decided, nulls=4, calibrate=True).recalibration
    assert learnt is not None
    (strength, score, nulls), (other_strength, other_score, other_nulls) = seen
    assert strength.tolist() == other_strength.tolist()
    assert score.tolist() != other_score.tolist()
    groups = 0
    for (null, was), (other, now) in zip(nulls, other_nulls, strict=True):
        assert null.tolist() == other.tolist()
        bits = learnt.slope * null + learnt.offset
        # A score's bits are sums of factors of two digits, strength is not rounded.
        assert now == pytest.approx(1 / (1 + np.exp2(-bits)), abs=0.02)
        assert len(was) == len(now)
        groups += len(now)
    assert groups > 0, "null models without a group show nothing"


def test_the_latest_decision_counts_and_bans_that_follow_one_do_not(decided: Path) -> None:
    first = detect(decided, nulls=0, calibrate=True).recalibration
    assert first is not None
    rings = [row.ring_id for row in results.rings(decided, unlisted=True) if row.status == "confirmed"]
    banned = [
        {"account_id": f"r{ring}-{at:03}", "status": "banned", "command": 2} for ring in range(7) for at in range(6)
    ]
    add_rows(decided, accounts=banned)
    assert detect(decided, nulls=0, calibrate=True).recalibration == first
    assert any("banned" in row.factors for row in results.rings(decided, unlisted=True))
    decide(decided, [(rings[0], "watch"), (rings[1], "open"), (rings[2], "dismiss"), ("R-of-long-ago", "confirm")])
    later = detect(decided, nulls=0, calibrate=True).recalibration
    assert later is not None
    assert (later.confirmed, later.dismissed, later.gone, later.unchanged) == (4, 8, 1, "too few")
    assert (later.slope, later.offset) == (1.0, 0.0)
    assert not any(DECISIONS in row.factors for row in results.rings(decided, unlisted=True))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    def run(*words: object) -> tuple[str, str]:
        assert commands.run([str(word) for word in words]) == 0
        out = capsys.readouterr()
        return out.out, out.err

    return run


def test_the_sample_is_recalibrated_by_what_is_true(
    sample_case: Path, tmp_path: Path, said: Callable[..., tuple[str, str]]
) -> None:
    case = tmp_path / "case.duckdb"
    for end in ("", ".key"):
        shutil.copy(sample_case.with_name(sample_case.name + end), tmp_path / f"case.duckdb{end}")
    with (FOLDER / "truth.csv").open() as file:
        guilty = {row["account_id"] for row in csv.DictReader(file) if row["ring"]}
    judged = results.judged(case)[:20]
    decide(case, [(row.ring_id, "confirm" if guilty & set(names) else "dismiss") for row, names in judged])
    out, _ = said("detect", "--case", case, "--calibrate", "--nulls", 0, "--no-publish", "--json")
    learnt = json.loads(out)["recalibration"]
    assert learnt["confirmed"] + learnt["dismissed"] == 20
    assert learnt["unchanged"] == ""
    assert learnt["loss_after"] < learnt["loss_before"]
    line = Line(learnt["slope"], learnt["offset"])
    plain, now = results.rings(sample_case, unlisted=True), results.rings(case, unlisted=True)
    was = {row.ring_id: sum(row.factors.values()) for row in plain}
    assert {row.ring_id for row in now} == set(was)
    for row in now:
        bits = was[row.ring_id] + float(line.shift(np.array(was[row.ring_id])))
        assert row.score == pytest.approx(score_of(bits), abs=1e-4)
        assert sum(row.factors.values()) == pytest.approx(bits)
    order = sorted(now, key=lambda row: -was[row.ring_id])
    assert all(a.score >= b.score for a, b in pairwise(order))
    words = f"recalibrated by {learnt['confirmed']} confirmed and {learnt['dismissed']} dismissed rings"
    assert words in said("rings", "--case", case)[1]
    assert f"slope {learnt['slope']:g}" in " ".join(said("runs", "--case", case, "--limit", 1)[0].split())
    shown, _ = said("ring", now[0].ring_id, "--case", case)
    assert "what people decided on rings" in shown


def test_too_few_decisions_are_reported(decided: Path, said: Callable[..., tuple[str, str]]) -> None:
    decide(decided, [(row.ring_id, "open") for row in results.rings(decided, unlisted=True)])
    _, err = said("detect", "--case", decided, "--calibrate", "--nulls", 0, "--no-publish")
    assert "Scores are unchanged: 0 confirmed and 0 dismissed rings are too few" in err
    assert f"It takes {FEWEST} of each" in err
    assert f"if there are {FEWEST} of each" in " ".join(said("detect", "--help")[0].split())
