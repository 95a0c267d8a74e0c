"""Measures against hand-worked cases and independent implementations."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support
from sklearn.metrics.cluster import pair_confusion_matrix

from linkage.calibration import calibrate
from linkage.commands import cli
from linkage.errors import InputError, NotFoundError
from linkage.evaluate import Evaluation, evaluate, evaluate_case, read_truth
from linkage.structures import Innocent, Line, Tactic, read_structures

worlds = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=14)


def of(world: list[tuple[int, int]]) -> tuple[dict[str, str], list[list[str]]]:
    """True ring and found ring of each account, 0 for none."""
    truth = {f"a{at}": f"t{true}" if true else "" for at, (true, _) in enumerate(world)}
    rings = [[f"a{at}" for at, (_, found) in enumerate(world) if found == ring] for ring in (1, 2, 3)]
    return truth, [ring for ring in rings if ring]


def test_a_world_worked_by_hand() -> None:
    truth = {"a": "x", "b": "x", "c": "x", "d": "x", "e": "y", "f": "y", "g": "", "h": ""}
    found = evaluate(truth, [["a", "b", "c"], ["e", "g", "h"]])
    assert (found.accounts, found.fraudulent, found.flagged, found.true_rings, found.rings) == (8, 6, 6, 2, 2)
    assert found.account.precision == pytest.approx(4 / 6)
    assert found.account.recall == pytest.approx(4 / 6)
    # Pairs: 3 + 3 found, 6 + 1 true, 3 in common.
    assert found.pairwise.precision == pytest.approx(3 / 6)
    assert found.pairwise.recall == pytest.approx(3 / 7)
    # Precision of a, b, c: 1; d, f alone: 1; e, g, h: 1/3. Recall of a, b, c: 3/4; d: 1/4; e, f: 1/2; g, h: 1.
    assert found.b_cubed.precision == pytest.approx((3 + 2 + 1) / 8)
    assert found.b_cubed.recall == pytest.approx((3 * 3 / 4 + 1 / 4 + 2 * 1 / 2 + 2) / 8)
    assert (found.ring_recall_50, found.ring_recall_80) == (0.5, 0.0)
    assert found.average_precision == 1.0
    # The first ring brings 3 of 6 at a precision of 3/3, the second one more at 4/6; two are never flagged.
    assert found.account_average_precision == pytest.approx((3 * 1 + 1 * 4 / 6) / 6)
    assert found.innocent_first == 1


def test_nothing_found_and_nothing_to_find() -> None:
    nothing = evaluate({"a": "x", "b": "x"}, [])
    assert (nothing.account.precision, nothing.account.recall, nothing.account.f1) == (None, 0.0, 0.0)
    assert (nothing.ring_recall_50, nothing.average_precision) == (0.0, None)
    clean = evaluate({"a": "", "b": ""}, [])
    assert (clean.account.recall, clean.ring_recall_50, clean.b_cubed.f1) == (None, None, None)
    assert (nothing.account_average_precision, clean.account_average_precision) == (0.0, None)
    assert evaluate({"a": ""}, [["a", "z"]]).unknown == 1
    assert clean.absent is None


@pytest.mark.parametrize("rings", [[["a", "b"], ["b", "c"]], [["a"], []]])
def test_rings_that_are_no_partition_are_refused(rings: list[list[str]]) -> None:
    with pytest.raises(InputError, match="overlap"):
        evaluate({"a": "x"}, rings)


def test_the_order_of_accounts_and_their_names_change_nothing_and_a_perfect_answer_is_perfect() -> None:
    truth = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y", "f": ""}
    one = evaluate(truth, [["a", "b", "f"], ["d"]])
    two = evaluate({f"~{name}": ring for name, ring in reversed(truth.items())}, [["~f", "~b", "~a"], ["~d"]])
    assert one == two
    best = evaluate(truth, [["a", "b", "c"], ["d", "e"]])
    for triple in (best.account, best.pairwise, best.b_cubed):
        assert (triple.precision, triple.recall, triple.f1) == (1.0, 1.0, 1.0)
    assert (best.ring_recall_80, best.average_precision, best.account_average_precision) == (1.0, 1.0, 1.0)


@given(worlds)
@settings(deadline=None)
def test_account_measures_are_those_of_scikit_learn(world: list[tuple[int, int]]) -> None:
    truth, rings = of(world)
    found = evaluate(truth, rings).account
    actual, flagged = [bool(true) for true, _ in world], [bool(ring) for _, ring in world]
    p, r, f, _ = precision_recall_fscore_support(actual, flagged, average="binary", zero_division=0)
    assert (found.precision or 0, found.recall or 0, found.f1 or 0) == pytest.approx((p, r, f))


@given(worlds)
@settings(deadline=None)
def test_pairs_and_b_cubed_are_those_of_plain_counting(world: list[tuple[int, int]]) -> None:
    truth, rings = of(world)
    found = evaluate(truth, rings)
    same = [(a, b) for a, b in combinations(world, 2)]
    in_found = [bool(a[1]) and a[1] == b[1] for a, b in same]
    in_truth = [bool(a[0]) and a[0] == b[0] for a, b in same]
    common = sum(x and y for x, y in zip(in_found, in_truth, strict=True))
    assert found.pairwise.precision == (pytest.approx(common / sum(in_found)) if any(in_found) else None)
    assert found.pairwise.recall == (pytest.approx(common / sum(in_truth)) if any(in_truth) else None)
    counted = [at for at, (true, ring) in enumerate(world) if true or ring]
    values = []
    for at in counted:
        mine = {b for b, (_, ring) in enumerate(world) if b == at or (ring and ring == world[at][1])}
        theirs = {b for b, (true, _) in enumerate(world) if b == at or (true and true == world[at][0])}
        values.append((len(mine & theirs) / len(mine), len(mine & theirs) / len(theirs)))
    if values:
        p, r = np.mean(values, axis=0)
        assert (found.b_cubed.precision, found.b_cubed.recall) == pytest.approx((p, r))


@given(worlds)
@settings(deadline=None)
def test_pairs_are_those_of_scikit_learn(world: list[tuple[int, int]]) -> None:
    truth, rings = of(world)
    found = evaluate(truth, rings).pairwise
    # Innocent and unflagged accounts are clusters of one. scikit-learn counts each pair twice.
    true = [ring or -at - 1 for at, (ring, _) in enumerate(world)]
    said = [ring or -at - 1 for at, (_, ring) in enumerate(world)]
    (_, wrong), (missed, right) = pair_confusion_matrix(true, said)
    assert found.precision == (pytest.approx(right / (right + wrong)) if right + wrong else None)
    assert found.recall == (pytest.approx(right / (right + missed)) if right + missed else None)


@given(worlds)
@settings(deadline=None)
def test_average_precision_of_accounts_is_that_of_scikit_learn_but_for_the_unflagged(
    world: list[tuple[int, int]],
) -> None:
    truth, rings = of(world)
    found = evaluate(truth, rings).account_average_precision
    actual = [bool(true) for true, _ in world]
    if not any(actual):
        assert found is None
        return
    # Rings are ranked 1, 2, 3; the unflagged come last together, and only scikit-learn credits those.
    theirs = average_precision_score(actual, [-(ring or 9) for _, ring in world])
    missed = sum(1 for true, ring in world if true and not ring)
    assert found == pytest.approx(theirs - missed / sum(actual) * sum(actual) / len(world))


@given(worlds)
@settings(deadline=None)
def test_average_precision_is_that_of_scikit_learn(world: list[tuple[int, int]]) -> None:
    truth, rings = of(world)
    relevant = [
        any(sum(truth[a] == true for a in ring) * 2 > len(ring) for true in set(truth.values()) if true)
        for ring in rings
    ]
    found = evaluate(truth, rings).average_precision
    if any(relevant):
        assert found == pytest.approx(average_precision_score(relevant, [-at for at in range(len(rings))]))
    else:
        assert found is None


def test_truth_files(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("\ufeffRing,Account_ID\nx,a\n,b\nx,a\n")
    assert read_truth(path) == {"a": "x", "b": ""}
    for content, message in (
        ("account_id\na\n", "lacks the columns"),
        ("account_id,ring\na,x\na,y\n", "line 3: account a is in two rings"),
        ("account_id,ring\n,x\n", "line 2: account_id is missing"),
        ("account_id,ring\n", "names no accounts"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=message):
            read_truth(path)
    path.write_bytes(b"account_id,ring\n\xff\xfe,x\n")
    with pytest.raises(InputError, match="no UTF-8"):
        read_truth(path)
    with pytest.raises(NotFoundError):
        read_truth(tmp_path / "missing.csv")


def test_accounts_that_the_case_does_not_hold_are_counted(sample_case: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("account_id,ring\nnobody,x\nno-one,\n")
    found = evaluate_case(sample_case, tmp_path / "truth.csv")
    assert (found.absent, found.accounts) == (2, 2)
    assert found.unknown == found.flagged > 0


def test_the_sample_is_found_well(sample_case: Path) -> None:
    from linkage.sample import FOLDER

    found: Evaluation = evaluate_case(sample_case, FOLDER / "truth.csv")
    assert found.to_dict()["schema"] == "linkage.evaluation/1"
    assert (found.absent, found.unknown) == (0, 0)
    assert found.account.precision is not None
    assert found.account.precision >= 0.95
    assert found.account.recall is not None
    assert found.account.recall >= 0.85
    assert found.innocent_first <= 1


def test_structures_worked_by_hand() -> None:
    truth = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "z", "f": "", "g": "", "h": "", "i": "", "j": ""}
    lines = [
        Line("a", "chain", "x", True), Line("b", "chain", "x", True), Line("e", "chain", "z", True),
        Line("c", "star", "y", True), Line("d", "star", "y", True),
        Line("f", "campus", "campus-1", False), Line("g", "campus", "campus-1", False),
        # A ring that hides on a campus is no innocent there, nor in the count of the background.
        Line("a", "campus", "campus-1", False),
        Line("h", "campus", "campus-2", False), Line("h", "household", "home-1", False),
    ]  # fmt: skip
    found = evaluate(truth, [["a", "b", "f"], ["c", "i"]], structures=lines).structures
    assert found
    assert found.tactics == (
        Tactic("chain", 2, 1, 3, 2, 2 / 3, 1 / 2),
        # Of y, c alone was found: 1 / 3.
        Tactic("star", 1, 0, 2, 1, 1 / 2, 0.0),
    )
    assert found.innocent == (
        Innocent("campus", 2, 3, 1, 1 / 3, 1, 1),
        Innocent("household", 1, 1, 0, 0.0, 0, 0),
        Innocent("background", 0, 2, 1, 1 / 2, 0, 0),
    )
    with pytest.raises(InputError, match="innocent by the truth"):
        evaluate(truth, [], structures=[Line("f", "chain", "x", True)])


def test_structure_files(tmp_path: Path) -> None:
    path = tmp_path / "structures.csv"
    path.write_text("account_id,structure,instance,ring\na,chain,x,True\na,campus,c1,0\n")
    assert read_structures(path) == [Line("a", "chain", "x", True), Line("a", "campus", "c1", False)]
    head = "account_id,structure,instance,ring\n"
    for content, message in (
        ("account_id,structure\n", "lacks the columns account_id, structure, instance and ring"),
        (head + "a,chain,,true\n", "line 2: account_id, structure or instance is missing"),
        (head + "a,chain,x,yes\n", "line 2: ring is 'yes'"),
        (head + "a,chain,x,true\nb,star,x,true\n", "line 3: instance x is of two structures"),
        (head + "a,chain,x,true\nb,chain,x,false\n", "line 3: instance x is of two structures"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=message):
            read_structures(path)
    with pytest.raises(NotFoundError):
        read_structures(tmp_path / "missing.csv")


def test_calibration_worked_by_hand() -> None:
    truth = {"a": "x", "b": "x", "c": "x", "d": "y", "e": ""}
    # Half of a group is enough; two quarters of two rings are not. 1 stands in the last bin.
    found = calibrate(truth, [(1.0, ["a", "e"]), (0.95, ["e"]), (0.2, ["a", "d", "e", "z", "y"]), (0.25, ["b", "c"])])
    assert [(bin.groups, bin.true) for bin in found.bins] == [(0, 0), (0, 0), (2, 1), *[(0, 0)] * 6, (2, 1)]
    assert (found.bins[2].score, found.bins[9].score) == pytest.approx((0.225, 0.975))
    assert found.error == pytest.approx((2 * abs(0.225 - 0.5) + 2 * abs(0.975 - 0.5)) / 4)
    assert calibrate(truth, []).error is None


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_calibration_is_that_of_plain_numpy(groups: list[tuple[float, bool]]) -> None:
    found = calibrate({"a": "x", "b": ""}, [(score, ["a"] if true else ["b"]) for score, true in groups])
    score, true = np.array([score for score, _ in groups]), np.array([true for _, true in groups], float)
    bins = np.minimum((score * 10).astype(int), 9)
    error = sum((bins == at).mean() * abs(score[bins == at].mean() - true[bins == at].mean()) for at in np.unique(bins))
    assert found.error == pytest.approx(error)
    assert 0 <= error <= 1


def test_the_command_shows_structures_and_calibration(sample_case: Path, tmp_path: Path) -> None:
    from linkage.sample import FOLDER

    truth = read_truth(FOLDER / "truth.csv")
    rows = [f"{account},{ring.rstrip('0123456789') or 'none'},i-{ring},{bool(ring)}" for account, ring in truth.items()]
    path = tmp_path / "structures.csv"
    path.write_text("account_id,structure,instance,ring\n" + "\n".join(rows))
    arguments = ["evaluate", str(FOLDER / "truth.csv"), "--case", str(sample_case), "--structures", str(path)]
    shown = CliRunner().invoke(cli, [*arguments, "--calibration"])
    assert shown.exit_code == 0
    for heading in ("Expected calibration error", "mean score", "fraud tactic", "innocent structure", "background"):
        assert heading in shown.output
    document = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).output)
    assert document["schema"] == "linkage.evaluation/1"
    tactics = document["structures"]["tactics"]
    assert sum(row["flagged"] for row in tactics) == round(document["account"]["recall"] * document["fraudulent"])
    assert sum(row["accounts"] for row in tactics) == document["fraudulent"]
    assert sum(bin["groups"] for bin in document["calibration"]["bins"]) == document["calibration"]["groups"] > 0
    assert 0 <= document["calibration"]["error"] <= 1
