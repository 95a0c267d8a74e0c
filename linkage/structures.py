"""What was found of each fraud tactic, and who was hit among the innocent structures of a simulated world."""

import csv
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from linkage.errors import InputError, NotFoundError, translate

MATCH: Final = 0.5
"""A true ring counts as found from this Jaccard index with a flagged ring on."""

BACKGROUND: Final = "background"
"""Names the innocent accounts that stand in no structure."""

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Line:
    """An account's place in the world.

    Attributes:
        account_id: an account can stand in several structures.
        structure: its kind, e.g. `campus` or `chain`.
        instance: which one; unique over all structures.
        ring: whether the instance is a fraud ring.
    """

    account_id: str
    structure: str
    instance: str
    ring: bool


@dataclass(frozen=True)
class Tactic:
    """What was found of the rings that follow one tactic.

    Attributes:
        structure: the tactic.
        rings, rings_found: true rings, and those that a flagged ring matches with Jaccard >= 0.5.
        accounts, flagged: members of the tactic's instances, and those of them that are flagged.
        recall, ring_recall: flagged / accounts, rings_found / rings.
    """

    structure: str
    rings: int
    rings_found: int
    accounts: int
    flagged: int
    recall: float
    ring_recall: float


@dataclass(frozen=True)
class Innocent:
    """Who was hit in an innocent structure.

    Attributes:
        structure: its kind; `background` is everybody who stands in none.
        instances: how many there are; 0 for the background.
        accounts, flagged: innocent accounts in it, and those of them that are flagged. Members of a true ring who
            also stand there, such as a ring that hides on a campus, are no innocents and are not counted.
        share: flagged / accounts, or None where there are no innocent accounts.
        instances_hit, instances_half: those with an innocent account that is flagged, with at least half of them.
    """

    structure: str
    instances: int
    accounts: int
    flagged: int
    share: float | None
    instances_hit: int
    instances_half: int


@dataclass(frozen=True)
class Structures:
    """Fraud tactics and innocent structures, each by name, the background last."""

    tactics: tuple[Tactic, ...]
    innocent: tuple[Innocent, ...]


def read_structures(path: Path) -> list[Line]:
    """The lines of a CSV file with the columns `account_id`, `structure`, `instance`, `ring` (true or false).

    Raises:
        NotFoundError: no such file.
        InputError: a column or a value is missing, or one instance is said to be two things.
    """
    found: list[Line] = []
    seen: dict[str, tuple[str, bool]] = {}
    for at, (account, structure, instance, flag) in read_columns(path, ("account_id", "structure", "instance", "ring")):
        if not (account and structure and instance):
            raise InputError(f"{path}, line {at}: account_id, structure or instance is missing.")
        ring = _FLAGS.get(flag.lower())
        if ring is None:
            raise InputError(f"{path}, line {at}: ring is {flag!r}.", "Write true or false.")
        if seen.setdefault(instance, (structure, ring)) != (structure, ring):
            raise InputError(f"{path}, line {at}: instance {instance} is of two structures.")
        found.append(Line(account, structure, instance, ring))
    return found


def read_columns(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line number and the named columns, stripped, of each row of a CSV file; further columns are ignored.

    Raises:
        NotFoundError: no such file.
        InputError: a column is missing, or the file is no CSV file in UTF-8.
        MachineError: it cannot be read.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = {name.strip().lower(): name for name in reader.fieldnames or () if name}
            if not set(columns) <= set(names):
                listed = f"{', '.join(columns[:-1])} and {columns[-1]}"
                raise InputError(f"{path} lacks the columns {listed}.", "Write them in its first line.")
            for row in reader:
                yield reader.line_num, tuple((row[names[column]] or "").strip() for column in columns)
    except UnicodeDecodeError:
        raise InputError(f"{path} is no UTF-8 text.", "Export it as UTF-8.") from None
    except csv.Error as exc:
        raise InputError(f"{path} is no CSV file: {exc}.") from None
    except OSError as exc:
        raise translate(exc, f"reading {path}") from None


def by_structure(
    lines: Iterable[Line], truth: Mapping[str, str], flagged: Collection[str], matches: Mapping[str, float]
) -> Structures:
    """Count what was found and hit.

    Args:
        lines: see `read_structures`.
        truth: the true ring of each account, "" for an innocent one.
        flagged: accounts that are members of flagged rings.
        matches: for each true ring the Jaccard index of the flagged ring that matches it best.

    Raises:
        InputError: a member of a fraud ring's instance is innocent by the truth.
    """
    tactics: dict[str, set[str]] = defaultdict(set)
    innocent: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    placed: set[str] = set()
    for line in lines:
        placed.add(line.account_id)
        true = truth.get(line.account_id, "")
        if line.ring:
            if not true:
                raise InputError(
                    f"Account {line.account_id} is in the ring {line.instance}, but innocent by the truth.",
                    "Take structures and truth from one world.",
                )
            tactics[line.structure].add(line.account_id)
        else:
            members = innocent[line.structure][line.instance]
            if not true:
                members.add(line.account_id)
    rest = {account for account, ring in truth.items() if not ring} - placed
    rows = [_innocent(name, list(instances.values()), flagged) for name, instances in sorted(innocent.items())]
    background = _innocent(BACKGROUND, [rest], flagged)
    return Structures(
        tuple(_tactic(name, accounts, truth, flagged, matches) for name, accounts in sorted(tactics.items())),
        (*rows, Innocent(BACKGROUND, 0, background.accounts, background.flagged, background.share, 0, 0)),
    )


def _tactic(
    name: str,
    accounts: set[str],
    truth: Mapping[str, str],
    flagged: Collection[str],
    matches: Mapping[str, float],
) -> Tactic:
    rings = {truth[account] for account in accounts}
    found = sum(matches[ring] >= MATCH for ring in rings)
    hits = len(accounts.intersection(flagged))
    return Tactic(name, len(rings), found, len(accounts), hits, hits / len(accounts), found / len(rings))


def _innocent(name: str, instances: list[set[str]], flagged: Collection[str]) -> Innocent:
    accounts = set().union(*instances)
    hits = len(accounts.intersection(flagged))
    struck = [(len(members.intersection(flagged)), len(members)) for members in instances]
    return Innocent(
        structure=name,
        instances=len(instances),
        accounts=len(accounts),
        flagged=hits,
        share=hits / len(accounts) if accounts else None,
        instances_hit=sum(hit > 0 for hit, _ in struck),
        instances_half=sum(hit > 0 and 2 * hit >= size for hit, size in struck),
    )
