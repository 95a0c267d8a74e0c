"""What constants are and how results move with them, as tables in Markdown."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from benchmarks.accuracy_report import table
from benchmarks.sensitivity_constants import VARIED, Constant, shown
from benchmarks.sensitivity_fixed import FIXED
from benchmarks.sensitivity_vary import described

FACTORS = (0.5, 2.0)
"""What each constant is multiplied by."""

SEEDS = (2, 3)
"""Other orders in which communities are looked for, with all constants as they are."""

MOVES = (("precision", "P"), ("recall", "R"), ("b_cubed", "B³"), ("rings", "rings"))
"""Measures whose differences are shown, and their headings."""

FIRST = 15
"""So many constants stand in the table of those that matter most."""

STILL = 0.005
"""What moves by less is not told from standing still."""

Result = Mapping[str, Any]
"""What `sensitivity.kept` gives for one world."""


def setting(constant: Constant, by: float) -> str:
    """What one measurement is kept as: the constant and the value that it is set to."""
    return f"{constant.key} = {constant.at(by)[0]}"


def seeded(seed: int) -> str:
    """What a measurement with another seed is kept as."""
    return f"seed = {seed}"


def report(results: Sequence[Result]) -> str:
    """All tables; results in the order of worlds."""
    parts = ["### The worlds as they are\n", _worlds(results), "### What matters most\n", _first(results)]
    for module, group in groupby(VARIED, key=attrgetter("module")):
        constants = list(group)
        parts += [f"### `{module}`\n", _list(map(_described, constants)), _moves(constants, results)]
    parts.append("## Constants that are not varied\n")
    for module, room in FIXED.items():
        rows = [[name, *_fixed(module, name)] for name in room.constants]
        parts += [f"### `{module}`, not varied\n", f"{room.why}\n", _list(rows)]
    return "\n".join(parts)


def _worlds(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        found = result["measures"][""]
        numbers = (_number(found[key]) for key in ("precision", "recall", "f1", "b_cubed", "b_cubed_fraud"))
        rows.append([_name(result), f"{result['accounts']:,}", *numbers, f"{found['rings']:,}"])
        for seed in SEEDS:
            if other := result["measures"].get(seeded(seed)):
                keys = ("precision", "recall", "f1", "b_cubed", "b_cubed_fraud", "rings")
                rows.append([f"`--seed {seed}`", "", *(_signed(other[key] - found[key]) for key in keys)])
    measures = ["precision", "recall", "account F1", "B-cubed F1", "of fraud accounts", "listed rings"]
    return f"{table(['world', 'accounts', *measures], rows, left=1)}\n{_reach(results)}"


def _reach(results: Sequence[Result]) -> str:
    """How many settings were measured, and between what all of them lie."""
    names = [setting(constant, by) for constant in VARIED for by in FACTORS]
    found = [result["measures"][name] for result in results for name in names if name in result["measures"]]
    lines = [f"Measured: {len(found)} of {len(names) * len(results)} settings; the others show `?`."]
    if found:
        spans = []
        for key, title in (("precision", "precision"), ("recall", "recall"), ("b_cubed", "B-cubed F1")):
            known = [other[key] for other in found if other[key] is not None]
            spans.append(f"{title} from {min(known):.3f} to {max(known):.3f}")
        lines.append(f"Over all of them {', '.join(spans)}.")
    return " ".join(lines) + "\n"


def _first(results: Sequence[Result]) -> str:
    """The constants that move B-cubed F1 or account F1 most, up or down, on any world."""
    rows = []
    for constant in VARIED:
        moved = [move for by in FACTORS for move in _moved(results, setting(constant, by), _times(by))]
        if moved:
            change, *rest = max(moved, key=lambda move: abs(move[0]))
            rows.append((change, [f"`{constant.name}`", f"`{constant.module}`", _signed(change), *rest]))
    rows.sort(key=lambda row: -abs(row[0]))
    chance = [abs(move[0]) for seed in SEEDS for move in _moved(results, seeded(seed), "")]
    noise = f"Another `--seed` alone moves account F1 or B-cubed F1 by up to {max(chance):.3f}. " if chance else ""
    still = sum(abs(change) < STILL for change, _ in rows)
    text = f"Of {len(rows)} constants {still} move neither by {STILL} or more. Those that move one of them most:\n"
    headings = ["constant", "module", "moves by", "of", "when set to", "in"]
    return f"{noise}{text}\n{table(headings, [row for _, row in rows[:FIRST]], left=2)}"


def _moved(results: Sequence[Result], name: str, by_what: str) -> list[tuple[float, str, str, str]]:
    """By how much a setting moves what in which world, where it was measured."""
    return [
        ((other[key] or 0) - (result["measures"][""][key] or 0), title, by_what, _name(result))
        for result in results
        if (other := result["measures"].get(name))
        for key, title in (("f1", "account F1"), ("b_cubed", "B-cubed F1"))
    ]


def _moves(constants: Sequence[Constant], results: Sequence[Result]) -> str:
    headings = ["constant", "set to", *(f"{_seed(result)} {title}" for result in results for _, title in MOVES)]
    rows = []
    for constant in constants:
        for by in FACTORS:
            cells = [cell for result in results for cell in _changes(result, setting(constant, by))]
            rows.append([f"`{constant.name}`", constant.at(by)[0], *cells])
    return table(headings, rows, left=2)


def _changes(result: Result, name: str) -> list[str]:
    default, other = result["measures"][""], result["measures"].get(name)
    if other is None:
        return ["?"] * len(MOVES)
    if all(other[key] == default[key] for key, _ in MOVES):
        return ["="] * len(MOVES)
    return [_signed((other[key] or 0) - (default[key] or 0)) for key, _ in MOVES]


def _described(constant: Constant) -> list[str]:
    return [constant.name, constant.value, constant.unit, constant.what, constant.source]


def _fixed(module: str, name: str) -> list[str]:
    unit, source, *what = FIXED[module].constants[name]
    value = getattr(importlib.import_module(module), name)
    many = hasattr(value, "__len__") and len(value) > 8
    text = "–" if source.startswith("none: a sign") or many else shown(value)
    return [text, unit, what[0] if what else described(module)[name], source]


def _list(rows: Iterable[Sequence[str]]) -> str:
    headings = ["constant", "value", "unit", "what it is", "where it comes from"]
    return table(headings, [[f"`{row[0]}`", *(_cell(cell) for cell in row[1:])] for row in rows], left=5)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").rstrip(".")


def _name(result: Result) -> str:
    return f"{result['world']}, seed {result['seed']}"


def _seed(result: Result) -> str:
    return str(result["seed"])


def _times(by: float) -> str:
    return "half" if by < 1 else "twice"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _signed(value: float) -> str:
    """A difference, whole where it counts rings."""
    text = f"{abs(value):d}" if isinstance(value, int) else f"{abs(value):.3f}".removeprefix("0")
    nothing = not text.strip(".0")
    return "0" if nothing else f"{'−' if value < 0 else '+'}{text}"
