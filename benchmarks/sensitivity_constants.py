"""The constants whose effect is measured: what each is, where it comes from, and how it is halved and doubled."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.sensitivity_vary import Changes, described
from linkage import model
from linkage.evidence import likeness
from linkage.model import Kind
from linkage.rings.features import Features
from linkage.rings.score import FACTORS, Factor

JUDGED = "judgement"
SET_ON_WORLDS = "judgement, set on `mix`, seeds 1 to 3, guided by a logistic regression and rounded"

STEPS = ("rings", "weights", "communities", "evidence")
"""From which step on a constant acts: the first take the least time to measure."""

Scale = Callable[[Any, float], Any]


@dataclass(frozen=True)
class Constant:
    """A number that decides something, and how it is varied.

    Attributes:
        module, name: where it is, and what it is called there; of a table of numbers, which of them.
        value: as it is shown.
        unit: "" for a plain number.
        what: it is.
        source: where it comes from.
        step: the first that must be done again: `evidence` (all), `weights` (all, unless all sightings weigh the
            same as before), `communities`, `rings`.
        at: what is shown and set when it is a half or twice of what it is.
        sets: the names that it stands for, by module.
    """

    module: str
    name: str
    value: str
    unit: str
    what: str
    source: str
    step: str
    at: Callable[[float], tuple[str, Changes]]
    sets: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """Module and name."""
        return f"{self.module} {self.name}"


def times(value: float, by: float) -> float:
    """So many times as much; whole numbers stay whole, and at least 1."""
    return max(1, int(value * by + 0.5)) if isinstance(value, int) else value * by


def share(value: float, by: float) -> float:
    """The same of what is at most 1."""
    return min(1.0, value * by)


def odds(value: float, by: float) -> float:
    """The probability whose odds are so many times as large."""
    return by * value / (1 - value + by * value)


def shown(value: Any) -> str:
    """A number, or several, as a table has it."""
    if isinstance(value, tuple | list | np.ndarray):
        return ", ".join(shown(one) for one in value)
    text = f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return text.replace("-", "−")


def constant(
    module: str, name: str, step: str, source: str, *, unit: str = "", what: str = "", scale: Scale = times
) -> Constant:
    """A constant of a module. What it is, is what the module says of it, or `what`."""
    module = f"linkage.{module}"
    value = getattr(importlib.import_module(module), name)

    def at(by: float) -> tuple[str, Changes]:
        other = scale(value, by)
        return shown(other), {(module, name): other, **_follow(name, other)}

    said = what or described(module)[name]
    return Constant(module, name, shown(value), unit, said, source, step, at, ((module, name),))


def _follow(name: str, value: Any) -> Changes:
    """What the program derives from a constant when it starts."""
    if name == "PARTNERS":
        return {("linkage.candidates", "GROUP_BITS"): float(np.log2(value))}
    if name == "EDGES":
        # What is stated stays the same belief, told by other steps.
        below = np.concatenate(([0.0], np.cumsum(likeness.STATED)))
        stated = np.diff(np.interp(value, likeness.EDGES, below))
        return {("linkage.evidence.likeness", "STATED"): tuple(stated.tolist())}
    return {}


def _edges(value: tuple[float, ...], by: float) -> tuple[float, ...]:
    return (value[0], *(edge * by for edge in value[1:-1]), value[-1])


def _stated(value: tuple[float, ...], by: float) -> tuple[float, ...]:
    chance = np.diff(1.0 - (1.0 - np.array(likeness.EDGES)) ** 2)
    more = chance * (np.array(value) / chance) ** by
    return tuple((more / more.sum()).tolist())


def _kinds(name: str, value: str, unit: str, what: str, source: str, change: Callable[[Kind, float], Kind]) -> Constant:
    before = model.kind_of

    def at(by: float) -> tuple[str, Changes]:
        changed = {(kind := before(one)).name: change(kind, by) for one in _NAMED}
        some = next((one for one in changed if changed[one] != before(one)), "")
        text = f"× {by:g}" if name == "memory" else shown(changed[some].reliability)
        return text, {("linkage.model", "kind_of"): lambda one: change(before(one), by)}

    return Constant("linkage.model", name, value, unit, what, source, "weights", at, (("linkage.model", "kind_of"),))


# Of a user's kinds and of kinds of links one stands for all.
_NAMED = (
    *model.BUILT_IN_KINDS, model.WORKED_PROMPT, model.NEAR_PROMPT, model.PROMPT_EDGE, "link:referral", "address",
)  # fmt: skip


def _family(name: str) -> str:
    """What a kind's reliability is stated for: itself, all links or all of a user's own."""
    if name.startswith("link:"):
        return "link:KIND"
    known = name in model.BUILT_IN_KINDS or name in (model.WORKED_PROMPT, model.NEAR_PROMPT, model.PROMPT_EDGE)
    return name if known else "your own kinds"


def _reliability(name: str) -> Constant:
    of = _family(name)
    words = {"link:KIND": "all links", "your own kinds": "all other kinds"}.get(of) or model.kind_of(name).words

    def change(kind: Kind, by: float) -> Kind:
        same = _family(kind.name) == of
        return replace(kind, reliability=share(kind.reliability, by)) if same else kind

    return _kinds(
        f"m of {of}",
        shown(model.kind_of(name).reliability),
        "probability",
        "the chance that two accounts of one hand share a given payment method that one of them has"
        if name == "payment"
        else f"the same of {words}",
        f"{JUDGED} about how the kind is shared; not fitted",
        change,
    )


def _memory(kind: Kind, by: float) -> Kind:
    return replace(kind, memory=kind.memory * by)


def _factor(factor: Factor) -> Constant:
    def at(by: float) -> tuple[str, Changes]:
        def bits(f: Features) -> Any:
            return by * factor.bits(f)

        changed = tuple(replace(one, bits=bits) if one.name == factor.name else one for one in FACTORS)
        return shown(by), {("linkage.rings.score", "FACTORS"): changed}

    return Constant(
        "linkage.rings.score",
        f"factor {factor.name}",
        "1",
        "times its bits",
        "slope and bounds of [the factor](detection.md#rings-linkagerings), together",
        SET_ON_WORLDS,
        "rings",
        at,
        (("linkage.rings.score", "FACTORS"),),
    )


_weights = partial(constant, "evidence.weights")
_likeness = partial(constant, "evidence.likeness")
_candidates = partial(constant, "candidates")
_unite = partial(constant, "rings.unite")

VARIED: tuple[Constant, ...] = (
    _weights("PARTNERS", "communities", JUDGED, unit="accounts"),
    _weights("POPULATION_FLOOR", "weights", JUDGED, unit="accounts"),
    _weights("BRUSH_BITS", "weights", JUDGED, unit="bits"),
    _weights("FADES", "weights", JUDGED, unit="memories"),
    _weights("CROWD", "evidence", JUDGED, unit="accounts"),
    *(_reliability(name) for name in _NAMED),
    _kinds("memory", "7 to 180", "days", "the memory of every kind: after so long another account's use of a value "
           "begins to say less", f"{JUDGED} about how soon a value changes hands", _memory),
    constant("model", "LISTED_SCORE", "rings", "even odds", unit="probability", scale=odds),
    _likeness("EDGES", "evidence", JUDGED, unit="of the ranking", scale=_edges),
    _likeness("STATED", "weights", JUDGED, unit="probabilities", scale=_stated),
    _likeness("PRIOR_PAIRS", "weights", JUDGED, unit="pairs"),
    _likeness("SCEPTIC", "communities", JUDGED, unit="members"),
    _likeness("STEPS", "weights", "where the likelihood hardly rises any more", unit="steps"),
    _likeness("GAIN", "weights", JUDGED, unit="bits"),
    _likeness("GAIN_EACH", "weights", "null models of 3,000 and 20,000 accounts, which gain half of it at most",
              unit="bits an account"),
    _likeness("SAMPLE", "weights", "cost", unit="pairs"),
    _likeness("EACH", "rings", "cost", unit="members"),
    _likeness("CELLS", "communities", "cost; as fine as the finest of `EDGES`", unit="cells"),
    constant("evidence.hubs", "HUB_DEGREE", "evidence", f"cost; {JUDGED}", unit="accounts"),
    constant("evidence.pairs", "HUB_TIES", "communities", f"cost; {JUDGED}", unit="accounts",
             what="The holder of a hub is tied to so many others, half of them by a fixed scattered order and half by "
             "that of sign-ups"),
    _candidates("RUNGS", "communities", JUDGED, unit="gammas", what="So many gammas are tried"),
    _candidates("STEP", "communities", JUDGED, what="Each gamma is this part of the one before"),
    _candidates("RUNS", "communities", "cost against steadiness", unit="partitions"),
    _candidates("ROUNDS", "communities", JUDGED, unit="rounds"),
    _candidates("JOIN_BITS", "communities", JUDGED, unit="bits"),
    _candidates("GROUP_BITS", "communities", "derived: log2 of `PARTNERS`", unit="bits"),
    _unite("LIKE", "rings", JUDGED, unit="bits"),
    _unite("LEAST", "rings", "cost", unit="bits"),
    _unite("HOLDERS", "rings", "cost", unit="groups"),
    _unite("SLACK", "rings", "judgement: bits are not known to a tenth", unit="bits"),
    _unite("ROUNDS", "rings", "cost", unit="rounds", what="So often pairs of groups are put together, at most"),
    constant("rings.score", "BASE", "rings", SET_ON_WORLDS, unit="bits", what="What every group's score starts from"),
    constant("rings.score", "KNOWN_LIVES", "rings", SET_ON_WORLDS, unit="bits",
             what="The same again, where it is known how accounts live"),
    constant("rings.score", "EXPLAINED_SHARE", "rings", JUDGED, unit="of members", scale=share),
    *(_factor(factor) for factor in FACTORS),
    constant("rings.features", "INSIDE", "rings", JUDGED, unit="of users", scale=share),
    constant("rings.members", "OWNER_DAYS", "rings", JUDGED, unit="days"),
)  # fmt: skip
