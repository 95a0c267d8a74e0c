"""Check the audit of a case: the chain of its entries, the copy beside it, and the records that the entries speak of.

1. Both the entries of the case and those of the file beside it must be a chain under the key: numbered from 1, none
   changed, missing, added or out of order.
2. Both must be the same entries. One that lost its end alone is so found; where both did, only a head that was noted
   elsewhere tells.
3. Decisions and allowances must be as the newest entry on each says.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final

from linkage import allowances, audit, decisions, store
from linkage.audit import Entry
from linkage.errors import UsageError, translate
from linkage.secret import Key

_HEAD: Final = re.compile(r"([1-9]\d{0,17}):([0-9a-f]{64})")
_RECORDS: Final = {"decision": "review", "allowance": "allow"}


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        entries: how many there are.
        head: of the last one, to note elsewhere; "" where there is none.
        findings: what is not as it must be, in sentences; empty where nothing is.
    """

    entries: int
    head: str
    findings: tuple[str, ...]


def check(case: Path, head: str = "") -> Checked:
    """Check the audit of the case at `case`; nothing is written.

    Args:
        case: the case file.
        head: one that was noted earlier; the chain must still hold it.

    Raises:
        UsageError: `head` is none.
        LinkageError: as `audit.key_of`; the file beside the case cannot be read.
    """
    wanted = _HEAD.fullmatch(head.strip()) if head else None
    if head and wanted is None:
        raise UsageError(f"{head!r} is no head of an audit.", "It looks like 12:ab34…: linkage audit verify prints it.")
    key = audit.key_of(case)
    with store.reading(case) as con:
        found, start = audit.of_case(con), audit.beginning(con)
    copied, findings = _copied(audit.beside(case))
    findings += [f"In the case {fault}." for fault in _faults(key, start, found)]
    findings += [f"In {audit.beside(case).name} {fault}." for fault in _faults(key, start, copied)]
    findings += _differences(found, copied)
    if wanted and not any(entry.head == wanted[0] for entry in found):
        findings.append(f"The case does not hold the head that was noted, entry {wanted[1]}: its end was removed.")
    findings += _records(case, key, found)
    return Checked(len(found), found[-1].head if found else "", tuple(findings))


def _copied(path: Path) -> tuple[list[Entry], list[str]]:
    """The entries of the file beside the case; a line that is none ends them."""
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as exc:
        raise translate(exc, f"reading {path}") from None
    found: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = _entry(json.loads(line))
            if audit.line(entry) != line + b"\n":
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return found, [f"Line {number} of {path.name} is no entry."]
        found.append(entry)
    return found, []


def _entry(body: Mapping[str, Any]) -> Entry:
    facts = json.dumps(body["facts"], ensure_ascii=False)
    at = datetime.fromisoformat(body["at"].removesuffix("Z"))
    return Entry(int(body["entry"]), at, str(body["by"]), str(body["deed"]), facts, str(body["code"]))


def _faults(key: Key, start: str, entries: Iterable[Entry]) -> list[str]:
    """Where the chain breaks; behind that nothing is proven, so nothing more is said."""
    before = start
    for number, entry in enumerate(entries, start=1):
        if entry.number != number:
            return [f"entry {number} is missing, or out of its place"]
        if not compare_digest(audit.code(key, before, entry), entry.code):
            return [f"entry {number} was changed, or one before it was removed, added or moved"]
        before = entry.code
    return []


def _differences(found: Sequence[Entry], copied: Sequence[Entry]) -> list[str]:
    for one, other in zip(found, copied, strict=False):
        if one != other:
            return [f"Entry {one.number} of the case is not what the file beside it says."]
    if len(copied) > len(found):
        return [f"The case lacks entries {len(found) + 1} to {len(copied)}, which the file beside it has."]
    if len(found) > len(copied):
        return [
            f"The file beside the case lacks entries {len(copied) + 1} to {len(found)}: somebody cut it, or a "
            "command was interrupted. The next deed writes them again."
        ]
    return []


def _records(case: Path, key: Key, entries: Iterable[Entry]) -> list[str]:
    """Decisions and allowances that are not what the newest entry on each says."""
    said: dict[str, dict[int, str]] = {name: {} for name in _RECORDS}
    for entry in entries:
        facts = json.loads(entry.facts)
        for name, deed in _RECORDS.items():
            if entry.deed == deed:
                said[name][int(facts[name])] = str(facts["digest"])
            elif entry.deed == "forget":
                said[name] |= {int(number): str(value) for number, value in facts[f"{name}s"].items()}
    with store.reading(case) as con:
        there = {
            "decision": decisions.lines_of(con),
            "allowance": allowances.lines_of(con),
        }
    findings = []
    for name, digests in said.items():
        first = min(digests, default=0)
        for number in sorted(digests.keys() | {at for at in there[name] if first and at > first}):
            line = there[name].get(number)
            if line is None:
                findings.append(f"The {name} {number} was removed.")
            elif number not in digests:
                findings.append(f"The {name} {number} was added past linkage.")
            elif not compare_digest(audit.digest(key, line), digests[number]):
                findings.append(f"The {name} {number} was changed.")
    return findings
