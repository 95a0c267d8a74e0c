"""How well the rings match a known truth.

Flagged accounts are the members of rings whose status is open, watch or confirmed. Formulas and sources stand in
`docs/evaluate.md`. A value that is not defined (a precision of nothing) is None.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from linkage import results, store
from linkage.calibration import Calibration, calibrate
from linkage.errors import InputError
from linkage.model import FLAGGED
from linkage.structures import Line, Structures, by_structure, read_columns, read_structures

FIRST: Final = 20
"""Innocent rings are counted among the first so many."""

# An account that appears only in the events is an account all the same.
_ACCOUNTS: Final = """SELECT account_id FROM account_rows UNION SELECT account_id FROM payments
    UNION SELECT account_id FROM logins UNION SELECT account_id FROM exchanges
    UNION SELECT account_id FROM identifiers
    UNION SELECT account_id FROM links UNION SELECT other_account_id FROM links"""


@dataclass(frozen=True)
class Triple:
    """Precision, recall and their harmonic mean; None where undefined."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Evaluation:
    """All measures.

    Attributes:
        accounts, fraudulent, flagged: accounts in the truth, those in a true ring, and members of flagged rings.
        unknown: members of flagged rings that the truth does not name; they count as innocent.
        absent: accounts of the truth that the case does not hold, which no detection could find; many of them mean
            that case and truth are not of the same export. None where no case was looked at.
        true_rings, rings: how many there are.
        account: of flagged accounts against accounts in a true ring.
        pairwise: of pairs within one ring against pairs within one true ring.
        b_cubed: mean over accounts in a ring or a true ring.
        ring_recall_50, ring_recall_80: share of true rings that a ring matches with Jaccard >= 0.5, 0.8.
        average_precision: of the ranking of rings; a ring is relevant if most of its members are in one true ring.
        account_average_precision: of the accounts in the order of their rings' ranks; who was never flagged earns
            nothing.
        innocent_first: rings among the first 20 most of whose members are innocent.
        calibration: how far the scores of all judged groups are from the truth; None where no case was looked at.
        structures: what was found of each fraud tactic and hit of each innocent structure; None where not given.
    """

    accounts: int
    fraudulent: int
    flagged: int
    unknown: int
    true_rings: int
    rings: int
    account: Triple
    pairwise: Triple
    b_cubed: Triple
    ring_recall_50: float | None
    ring_recall_80: float | None
    average_precision: float | None
    innocent_first: int
    account_average_precision: float | None
    absent: int | None = None
    calibration: Calibration | None = None
    structures: Structures | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"schema": "linkage.evaluation/1", **asdict(self)}


def evaluate_case(case: Path, truth: Path, structures: Path | None = None) -> Evaluation:
    """Compare the newest run of the case with the truth.

    Args:
        case: the case file.
        truth: CSV with the columns `account_id` and `ring` (empty for an innocent account).
        structures: CSV with the columns `account_id`, `structure`, `instance` and `ring`; see `read_structures`.

    Raises:
        NotFoundError: no such file, or no run yet.
        InputError: a file lacks a column, says two things of one account, or the two contradict each other.
    """
    judged = results.judged(case)
    known = read_truth(truth)
    lines = read_structures(structures) if structures else None
    with store.reading(case) as con:
        held = {row[0] for row in con.execute(_ACCOUNTS).fetchall()}
    found = evaluate(
        known, [accounts for ring, accounts in judged if ring.listed and ring.status in FLAGGED], structures=lines
    )
    scored = [(ring.score, accounts) for ring, accounts in judged if ring.status != "explained"]
    return replace(found, absent=len(known.keys() - held), calibration=calibrate(known, scored))


def read_truth(path: Path) -> dict[str, str]:
    """The ring of each account, "" for an innocent one; see `evaluate_case`."""
    found: dict[str, str] = {}
    for line, (account, ring) in read_columns(path, ("account_id", "ring")):
        if not account:
            raise InputError(f"{path}, line {line}: account_id is missing.")
        if found.setdefault(account, ring) != ring:
            raise InputError(f"{path}, line {line}: account {account} is in two rings.")
    if not found:
        raise InputError(f"{path} names no accounts.")
    return found


def evaluate(
    truth: Mapping[str, str], rings: Sequence[Iterable[str]], *, structures: Sequence[Line] | None = None
) -> Evaluation:
    """Compare rings with the truth.

    Args:
        truth: the true ring of each account, "" for an innocent one.
        rings: the accounts of each flagged ring, the first-ranked first; an account is in one ring at most.
        structures: what each account belongs to; see `read_structures`.

    Raises:
        InputError: an account is in two rings, or a ring has no accounts: the measures mean nothing then. Or the
            structures contradict the truth.
    """
    found = [sorted(set(ring)) for ring in rings]
    flagged = {account for ring in found for account in ring}
    if len(flagged) < sum(map(len, found)) or not all(found):
        raise InputError("Rings to evaluate overlap, or one is empty.", "Give each account to one ring at most.")
    fraudulent = {account for account, ring in truth.items() if ring}
    true_size = Counter(ring for ring in truth.values() if ring)
    # Members by true ring, for each ring; "" are the innocent.
    inside = [Counter(truth.get(account, "") for account in ring) for ring in found]
    matches = _best_jaccard(found, inside, true_size)
    hits = len(flagged & fraudulent)
    return Evaluation(
        accounts=len(truth),
        fraudulent=len(fraudulent),
        flagged=len(flagged),
        unknown=len(flagged - truth.keys()),
        true_rings=len(true_size),
        rings=len(found),
        account=_triple(hits, len(flagged), len(fraudulent)),
        pairwise=_pairwise(found, inside, true_size),
        b_cubed=_b_cubed(found, inside, true_size, truth),
        ring_recall_50=_ring_recall(matches, 0.5),
        ring_recall_80=_ring_recall(matches, 0.8),
        average_precision=_average_precision(found, inside),
        innocent_first=sum(
            2 * counts[""] > len(ring) for ring, counts in list(zip(found, inside, strict=True))[:FIRST]
        ),
        account_average_precision=_account_average_precision(found, inside, len(fraudulent)),
        structures=by_structure(structures, truth, flagged, matches) if structures is not None else None,
    )


def _triple(hits: float, found: float, relevant: float) -> Triple:
    precision = hits / found if found else None
    recall = hits / relevant if relevant else None
    f1 = 2 * hits / (found + relevant) if found + relevant else None
    return Triple(precision, recall, f1)


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def _pairwise(found: list[list[str]], inside: list[Counter[str]], true_size: Counter[str]) -> Triple:
    """By contingency: no pair is enumerated."""
    common = sum(_pairs(count) for counts in inside for ring, count in counts.items() if ring)
    return _triple(common, sum(_pairs(len(ring)) for ring in found), sum(map(_pairs, true_size.values())))


def _b_cubed(
    found: list[list[str]], inside: list[Counter[str]], true_size: Counter[str], truth: Mapping[str, str]
) -> Triple:
    """Innocent and unflagged accounts are clusters of one; accounts that are both are left out."""
    precision = recall = 0.0
    flagged = set()
    for ring, counts in zip(found, inside, strict=True):
        for account in ring:
            true = truth.get(account, "")
            common = counts[true] if true else 1
            precision += common / len(ring)
            recall += common / true_size[true] if true else 1.0
            flagged.add(account)
    missed = [ring for account, ring in truth.items() if ring and account not in flagged]
    precision += len(missed)
    recall += sum(1 / true_size[ring] for ring in missed)
    total = len(flagged) + len(missed)
    if not total:
        return Triple(None, None, None)
    p, r = precision / total, recall / total
    return Triple(p, r, 2 * p * r / (p + r))


def _best_jaccard(found: list[list[str]], inside: list[Counter[str]], true_size: Counter[str]) -> dict[str, float]:
    """For each true ring the Jaccard index of the found ring that matches it best."""
    best = dict.fromkeys(true_size, 0.0)
    for ring, counts in zip(found, inside, strict=True):
        for true, common in counts.items():
            if true:
                best[true] = max(best[true], common / (len(ring) + true_size[true] - common))
    return best


def _ring_recall(matches: Mapping[str, float], least: float) -> float | None:
    return sum(value >= least for value in matches.values()) / len(matches) if matches else None


def _average_precision(found: list[list[str]], inside: list[Counter[str]]) -> float | None:
    """Mean of the precision at each relevant ring; None if no ring is relevant."""
    relevant = 0
    total = 0.0
    for rank, (ring, counts) in enumerate(zip(found, inside, strict=True), start=1):
        if max((count for true, count in counts.items() if true), default=0) * 2 > len(ring):
            relevant += 1
            total += relevant / rank
    return total / relevant if relevant else None


def _account_average_precision(found: list[list[str]], inside: list[Counter[str]], fraudulent: int) -> float | None:
    """Sum over rings of the recall they add times the precision down to them; None if there is nothing to find.

    The accounts of one ring have one rank, so they come in together, whatever order they are listed in.
    """
    seen = hits = 0
    total = 0.0
    for ring, counts in zip(found, inside, strict=True):
        gained = len(ring) - counts[""]
        seen += len(ring)
        hits += gained
        total += gained * hits / seen
    return total / fraudulent if fraudulent else None
