"""How well the rings match a known truth.

Flagged accounts are the members of rings whose status is open, watch or confirmed. Formulas and sources stand in
`docs/evaluate.md`. A value that is not defined (a precision of nothing) is None.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from linkage import results, store
from linkage.errors import InputError, NotFoundError, translate
from linkage.model import FLAGGED

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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"schema": "linkage.evaluation/1", **asdict(self)}


def evaluate_case(case: Path, truth: Path) -> Evaluation:
    """Compare the newest run of the case with the truth.

    Args:
        case: the case file.
        truth: CSV with the columns `account_id` and `ring` (empty for an innocent account).

    Raises:
        NotFoundError: no such file, or no run yet.
        InputError: the truth lacks a column, or says two things of one account.
    """
    listed = results.listed(case)
    members: dict[str, list[str]] = {ring.ring_id: [] for ring in listed.rings if ring.status in FLAGGED}
    for member in listed.members:
        if member.ring_id in members:
            members[member.ring_id].append(member.account_id)
    with store.reading(case) as con:
        held = {row[0] for row in con.execute(_ACCOUNTS).fetchall()}
    known = read_truth(truth)
    return replace(evaluate(known, list(members.values())), absent=len(known.keys() - held))


def read_truth(path: Path) -> dict[str, str]:
    """The ring of each account, "" for an innocent one; see `evaluate_case`."""
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}.")
    found: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = {name.strip().lower(): name for name in reader.fieldnames or () if name}
            if not {"account_id", "ring"} <= set(names):
                raise InputError(f"{path} lacks the columns account_id and ring.", "Write them in its first line.")
            for row in reader:
                account = (row[names["account_id"]] or "").strip()
                ring = (row[names["ring"]] or "").strip()
                if not account:
                    raise InputError(f"{path}, line {reader.line_num}: account_id is missing.")
                if found.setdefault(account, ring) != ring:
                    raise InputError(f"{path}, line {reader.line_num}: account {account} is in two rings.")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no UTF-8 text.", "Export it as UTF-8.") from None
    except csv.Error as exc:
        raise InputError(f"{path} is no CSV file: {exc}.") from None
    except OSError as exc:
        raise translate(exc, f"reading {path}") from None
    if not found:
        raise InputError(f"{path} names no accounts.")
    return found


def evaluate(truth: Mapping[str, str], rings: Sequence[Iterable[str]]) -> Evaluation:
    """Compare rings with the truth.

    Args:
        truth: the true ring of each account, "" for an innocent one.
        rings: the accounts of each flagged ring, the first-ranked first; an account is in one ring at most.

    Raises:
        InputError: an account is in two rings, or a ring has no accounts: the measures mean nothing then.
    """
    found = [sorted(set(ring)) for ring in rings]
    flagged = {account for ring in found for account in ring}
    if len(flagged) < sum(map(len, found)) or not all(found):
        raise InputError("Rings to evaluate overlap, or one is empty.", "Give each account to one ring at most.")
    fraudulent = {account for account, ring in truth.items() if ring}
    true_size = Counter(ring for ring in truth.values() if ring)
    # Members by true ring, for each ring; "" are the innocent.
    inside = [Counter(truth.get(account, "") for account in ring) for ring in found]
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
        ring_recall_50=_ring_recall(found, inside, true_size, 0.5),
        ring_recall_80=_ring_recall(found, inside, true_size, 0.8),
        average_precision=_average_precision(found, inside),
        innocent_first=sum(
            2 * counts[""] > len(ring) for ring, counts in list(zip(found, inside, strict=True))[:FIRST]
        ),
        account_average_precision=_account_average_precision(found, inside, len(fraudulent)),
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


def _ring_recall(
    found: list[list[str]], inside: list[Counter[str]], true_size: Counter[str], least: float
) -> float | None:
    best: dict[str, float] = defaultdict(float)
    for ring, counts in zip(found, inside, strict=True):
        for true, common in counts.items():
            if true:
                best[true] = max(best[true], common / (len(ring) + true_size[true] - common))
    return sum(value >= least for value in best.values()) / len(true_size) if true_size else None


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
