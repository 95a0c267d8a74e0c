"""Results of all worlds and seeds as tables in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.accuracy_measures import FEATURE_GATE, GATE, MEASURES, RECALL

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

_HARD = {True: "yes", False: "**no**", None: "–"}

Result = Mapping[str, Any]
"""What `accuracy.measure` gives for one world and seed."""


def filled(page: str, results: Sequence[Result]) -> str:
    """The page with its figures made anew; see `placed`."""
    return placed(page, report(results))


def placed(page: str, figures: str) -> str:
    """The page with these figures between `BEGIN` and `END`.

    Raises:
        ValueError: the page lacks one of the two lines.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks the line {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{figures}{END}{after}"


def report(results: Sequence[Result]) -> str:
    """All tables; results in the order of worlds, then seeds."""
    worlds: dict[str, list[Result]] = {}
    for result in results:
        worlds.setdefault(result["world"], []).append(result)
    sizes = sorted({result["accounts"] for result in results})
    seeds = sorted({result["seed"] for result in results})
    parts = [
        f"Worlds of {', '.join(f'{size:,}' for size in sizes)} accounts; seeds {', '.join(map(str, seeds))}. "
        "Of several seeds the mean is shown, with the least and the greatest.\n",
        _methods(worlds),
        "### Whether the worlds are hard\n",
        _gate(results),
        "### What is missed and who is hit\n",
        _worst(worlds),
        *(_structures(world, found) for world, found in worlds.items()),
    ]
    return "\n".join(parts)


def _methods(worlds: Mapping[str, list[Result]]) -> str:
    rows = []
    for world, found in worlds.items():
        told = [result["hard"] for result in found if result["hard"] is not None]
        hard = f"{sum(told)} of {len(told)}" if told else "–"
        for name in found[0]["methods"]:
            cells = [_spread([result["methods"][name].get(key) for result in found]) for key, _ in MEASURES]
            rows.append([world, f"**{name}**" if name == "linkage" else name, *cells, hard])
    return table(["world", "method", *(title for _, title in MEASURES), "hard worlds"], rows, left=2)


def _gate(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        feature = result["feature"]
        best = f"{feature['precision']:.3f} ({_described(feature)})" if feature else "–"
        rows.append(
            [
                result["world"], str(result["seed"]), f"{result['truth']['fraudulent']:,}",
                f"{result['truth']['true_rings']:,}",
                *(_number(result["methods"][name]["f1"]) for name in GATE), best, _HARD[result["hard"]],
            ]
        )  # fmt: skip
    headings = [f"{name}, account F1 ≤ {most:.2f}" for name, most in GATE.items()]
    feature = f"best single feature, precision at recall {RECALL} < {FEATURE_GATE}"
    return table(["world", "seed", "fraud accounts", "rings", *headings, feature, "hard"], rows, left=1)


def _worst(worlds: Mapping[str, list[Result]]) -> str:
    rows = []
    for world, found in worlds.items():
        tactics, innocent = _summed(found, "tactics"), _summed(found, "innocent")
        missed = min(tactics, key=lambda row: (row["recall"], row["structure"]), default=None)
        hit = max(innocent, key=lambda row: (row["share"] or 0, row["structure"]), default=None)
        rows.append(
            [
                world,
                f"{missed['structure']}: {missed['recall']:.3f} of accounts found" if missed else "–",
                f"{hit['structure']}: {hit['share'] or 0:.4f} of accounts flagged" if hit else "–",
                _spread([result["calibration"] for result in found]),
            ]
        )
    return table(["world", "worst tactic", "worst innocent structure", "calibration error of the score"], rows, left=3)


def _structures(world: str, found: Sequence[Result]) -> str:
    tactics, innocent = _summed(found, "tactics"), _summed(found, "innocent")
    if not innocent:
        return ""
    first = [
        [row["structure"], f"{row['rings']:,}", f"{row['rings_found']:,}", f"{row['accounts']:,}",
         f"{row['flagged']:,}", _number(row["recall"])]
        for row in sorted(tactics, key=lambda row: (row["recall"], row["structure"]))
    ]  # fmt: skip
    second = [
        [row["structure"], f"{row['instances']:,}", f"{row['instances_hit']:,}", f"{row['instances_half']:,}",
         f"{row['accounts']:,}", f"{row['flagged']:,}", "–" if row["share"] is None else f"{row['share']:.4f}"]
        for row in sorted(innocent, key=lambda row: (-(row["share"] or 0), row["structure"]))
    ]  # fmt: skip
    return "\n".join(
        [
            f"#### {world}, all seeds together\n",
            table(["fraud tactic", "rings", "found", "accounts", "flagged", "recall"], first, left=1),
            table(
                ["innocent structure", "instances", "hit", "half hit", "accounts", "flagged", "share"], second, left=1
            ),
        ]
    )


def _summed(found: Sequence[Result], part: str) -> list[dict[str, Any]]:
    """Counts of each structure over all seeds, with the shares made anew."""
    total: dict[str, dict[str, Any]] = {}
    for result in found:
        for row in (result["structures"] or {}).get(part, ()):
            into = total.setdefault(row["structure"], {"structure": row["structure"]})
            for name, value in row.items():
                if isinstance(value, int):
                    into[name] = into.get(name, 0) + value
    for row in total.values():
        row["recall" if part == "tactics" else "share"] = row["flagged"] / row["accounts"] if row["accounts"] else None
    return list(total.values())


def _described(feature: Mapping[str, Any]) -> str:
    return f"{feature['name']} {'≥' if feature['above'] else '≤'} {feature['threshold']:.6g}"


def _spread(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    if all(isinstance(value, int) for value in known):
        mean, least, most = f"{sum(known) / len(known):g}", f"{min(known)}", f"{max(known)}"
        mean = mean if len(known) < 2 else f"{sum(known) / len(known):.1f}"
    else:
        mean, least, most = _number(sum(known) / len(known)), _number(min(known)), _number(max(known))
    return mean if len(known) < 2 else f"{mean} ({least}–{most})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    line = "|".join(["---"] * left + ["--:"] * (len(headings) - left))
    lines = [f"| {' | '.join(headings)} |", f"|{line}|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"
