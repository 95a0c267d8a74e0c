"""The benchmark of constants: none is forgotten, each is varied and comes back, and only what it acts in is redone."""

import ast
import importlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.sensitivity import Read, measure, read
from benchmarks.sensitivity_constants import VARIED, odds, shown, times
from benchmarks.sensitivity_fixed import FIXED
from benchmarks.sensitivity_report import FACTORS, report, seeded, setting
from benchmarks.sensitivity_vary import described, holders, trees, varied
from linkage import results
from linkage.evidence import weights
from linkage.sample import FOLDER

# Who decides what is found. Output, servers, the graph and the simulator decide nothing of it.
ROOMS = (
    "bridge", "candidates", "communities", "consensus", "context", "evidence", "expand", "gather", "identify", "kernel",
    "model", "prompts", "prompt_sightings", "rings", "significance", "spread", "timing", "timing_sightings",
)  # fmt: skip

BY_KEY = {constant.key: constant for constant in VARIED}


def numeric(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "iuf"
    if isinstance(value, tuple | list | range):
        return len(value) > 0 and all(map(numeric, value))
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def constants() -> Iterator[tuple[str, str]]:
    """The numbers that modules set at their top, by module and name."""
    for module in trees():
        if module.removeprefix("linkage.").split(".")[0] in ROOMS:
            for name in described(module):
                if not name.startswith("_") and numeric(getattr(importlib.import_module(module), name)):
                    yield module, name


def test_no_constant_is_forgotten_and_none_stands_twice() -> None:
    moved = {name for constant in VARIED for name in constant.sets}
    still = {(module, name) for module, room in FIXED.items() for name in room.constants}
    assert not moved & still
    assert set(constants()) - moved - still == set()
    # What is no plain number is varied as a whole: the kinds' reliability and memory, and the factors.
    assert moved - set(constants()) == {("linkage.model", "kind_of"), ("linkage.rings.score", "FACTORS")}
    assert still <= set(constants())
    assert len(BY_KEY) == len(VARIED)


def test_every_constant_says_what_it_is_and_where_it_comes_from() -> None:
    for constant in VARIED:
        assert constant.what and constant.source, constant.key
    for module, room in FIXED.items():
        assert room.why
        for name, (_, source, *what) in room.constants.items():
            assert source and (what or described(module)[name]), (module, name)


def test_each_setting_reaches_all_importers_and_comes_back() -> None:
    for constant in VARIED:
        before = {place: getattr(importlib.import_module(place[0]), place[1]) for place in _places(constant.sets)}
        half, twice = (constant.at(by) for by in FACTORS)
        assert half[0] != twice[0], constant.key
        for _, changes in (half, twice):
            assert set(constant.sets) <= set(changes)
            with varied(changes):
                for (module, name), value in changes.items():
                    for holder in holders(module, name):
                        assert getattr(importlib.import_module(holder), name) is value
        for (module, name), value in before.items():
            assert getattr(importlib.import_module(module), name) is value


def _places(names: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return list(chain.from_iterable([(holder, name) for holder in holders(module, name)] for module, name in names))


def test_a_failure_brings_values_back_too() -> None:
    place = ("linkage.evidence.weights", "PARTNERS")
    assert {"linkage.candidates", "linkage.evidence", "linkage.evidence.groups"} < set(holders(*place))

    def values() -> set[float]:
        return {getattr(importlib.import_module(holder), place[1]) for holder in holders(*place)}

    with pytest.raises(ZeroDivisionError), varied({place: 7.0}):
        assert values() == {7.0}
        raise ZeroDivisionError
    assert values() == {50.0}
    with (
        pytest.raises(AttributeError),
        varied({("linkage.evidence.weights", "FADES"): 1.0, ("linkage.evidence.weights", "NOTHING"): 1.0}),
    ):
        pass
    assert weights.FADES == 100.0


def test_no_compiled_function_keeps_a_varied_constant() -> None:
    names = {name for constant in VARIED for _, name in constant.sets}
    kernels = 0
    for module, tree in trees().items():
        mine = {name for name in names if any(module in holders(*place) for place in _sets(name))}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(at) == "kernel" for at in node.decorator_list):
                kernels += 1
                assert not mine & {at.id for at in ast.walk(node) if isinstance(at, ast.Name)}, (module, node.name)
    assert kernels > 20


def _sets(name: str) -> list[tuple[str, str]]:
    return [place for constant in VARIED for place in constant.sets if place[1] == name]


def test_what_is_a_half_and_twice() -> None:
    assert [times(5, by) for by in FACTORS] == [3, 10]
    assert [times(1, 0.5), times(-3.0, 2.0), times(0.3, 0.5)] == [1, -6.0, 0.15]
    assert odds(0.5, 2.0) == pytest.approx(2 / 3)
    assert [shown(1_000_000), shown(-2.25), shown((0.0, 0.5))] == ["1,000,000", "−2.25", "0, 0.5"]
    partners = BY_KEY["linkage.evidence.weights PARTNERS"].at(0.5)[1]
    assert partners["linkage.candidates", "GROUP_BITS"] == pytest.approx(np.log2(25))
    for name in ("EDGES", "STATED"):
        for by in FACTORS:
            changes = BY_KEY[f"linkage.evidence.likeness {name}"].at(by)[1]
            stated = np.array(changes["linkage.evidence.likeness", "STATED"])
            assert len(stated) == 7 and stated.min() > 0 and stated.sum() == pytest.approx(1)
    card = BY_KEY["linkage.model m of payment"].at(2.0)
    kind_of = card[1]["linkage.model", "kind_of"]
    assert [card[0], kind_of("payment").reliability, kind_of("device").reliability] == ["1", 1.0, 0.4]
    memory = BY_KEY["linkage.model memory"].at(2.0)[1]["linkage.model", "kind_of"]
    assert [memory("ip").memory, memory("tax_id").memory, memory("ip").reliability] == [14, 360, 0.15]


@pytest.fixture(scope="module")
def seen(sample_case: Path) -> Read:
    return read(sample_case, FOLDER / "truth.csv")


def test_by_default_the_rings_are_those_of_detect(seen: Read, sample_case: Path) -> None:
    found = measure(seen)
    scored = [accounts for row, accounts in results.judged(sample_case) if row.score >= 0.5 and row.status == "open"]
    assert found["rings"] == len(scored) > 0
    assert found["flagged"] == sum(map(len, scored))


@pytest.mark.parametrize(
    ("key", "by"),
    [
        ("linkage.evidence.weights POPULATION_FLOOR", 2.0),
        ("linkage.model m of phone", 0.5),
        ("linkage.rings.unite LIKE", 0.5),
    ],
)
def test_doing_again_only_what_a_constant_acts_in_is_enough(seen: Read, key: str, by: float) -> None:
    constant = BY_KEY[key]
    assert measure(seen, constant, by) == measure(seen, replace(constant, step="evidence"), by)


def test_the_page_shows_what_moves_what_does_not_and_what_is_not_measured(seen: Read) -> None:
    base, band = BY_KEY["linkage.rings.score BASE"], BY_KEY["linkage.rings.unite HOLDERS"]
    measures = {"": measure(seen), setting(base, 2.0): measure(seen, base, 2.0)}
    measures |= {setting(band, 0.5): measure(seen, band, 0.5), seeded(2): measures[""]}
    text = report([{"world": "sample", "seed": 1, "accounts": len(seen.names), "measures": measures}])
    lost = measures[""]["rings"] - measures[setting(base, 2.0)]["rings"]
    assert lost > 0
    first, what, half, twice = (line for line in text.splitlines() if line.startswith("| `BASE` |"))
    assert "| −" in first and first.endswith("| twice | sample, seed 1 |")
    assert what.startswith("| `BASE` | −3 | bits | What every group's score starts from | judgement, set on")
    assert half == "| `BASE` | −1.5 | ? | ? | ? | ? |"
    assert twice.startswith("| `BASE` | −6 | ") and twice.endswith(f"| −{lost} |")
    assert "| `HOLDERS` | 500 | = | = | = | = |" in text
    assert "| `LISTED_Q` | 0.05 | q-value | A ring is listed up to this q-value |" in text
    assert "moves account F1 or B-cubed F1 by up to 0.000. Of 2 constants 1 move" in text
