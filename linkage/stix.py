"""Rings as a STIX 2.1 bundle (OASIS, 2021) for a partner: an indicator an identifier, a grouping a ring.

No account, no value and no label is in it: `linkage.indicators` says what an indicator's pattern holds. All ids are
UUIDv5 (RFC 9562) of the case, the key and what they stand for, so that exporting again gives the same bytes, and a
later run's bundle brings new versions of the same objects.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Final

import duckdb

from linkage import results, store
from linkage.errors import MachineError, UsageError
from linkage.indicators import fingerprint, hashed_kinds, pattern, withheld
from linkage.model import FLAGGED, kind_of
from linkage.results import EvidenceRow, Listed, RingRow
from linkage.secret import Key

_NAMESPACE: Final = uuid.UUID("5b7f3f0e-64c1-4d0e-9a53-0d3f1a6a7c52")

SUREST: Final = 99
"""A ring is a lead: no indicator is certain."""


@dataclass(frozen=True)
class Origin:
    """What a bundle needs to know of its case: id, kinds that are hashed, when the first and the newest run began."""

    case_id: str
    hashed: frozenset[str]
    first_run: datetime
    newest_run: datetime


def origin(con: duckdb.DuckDBPyConnection) -> Origin:
    """The case's, which must have a run."""
    first, newest = (at.replace(tzinfo=UTC) for at in results.started(con))
    return Origin(store.meta(con, "case_id"), hashed_kinds(con), first, newest)


@dataclass
class Bundle:
    """A bundle.

    Attributes:
        content: the file.
        indicators: how many.
        withheld: how many lines of evidence were left out, by kind and reason.
    """

    content: bytes
    indicators: int
    withheld: dict[str, int] = field(default_factory=dict)


@dataclass
class _Shared:
    """An identifier and the rings that it ties."""

    kind: str
    value: str
    rings: list[RingRow] = field(default_factory=list)
    lines: list[EvidenceRow] = field(default_factory=list)


def bundle(listed: Listed, made_by: Origin, key: Key, *, chosen: bool) -> Bundle:
    """The identifiers that tie these rings, each as a keyed hash.

    Args:
        listed: the rings. Those that are dismissed or explained are left out: innocent people stand behind them.
        made_by: the case that they are of.
        key: what both partners hold.
        chosen: the rings were named one by one.

    Raises:
        UsageError: a ring was named that must not be shared.
        MachineError: the package stix2 is not installed.
    """
    stix2 = _stix2()
    rings = {row.ring_id: row for row in listed.rings if row.status in FLAGGED}
    if chosen and len(rings) < len(listed.rings):
        row = next(row for row in listed.rings if row.ring_id not in rings)
        raise UsageError(f"Ring {row.ring_id} is {row.status}: its identifiers are not shared.", "Name other rings.")
    shared, left = _shared(listed.evidence, rings, made_by.hashed)
    versions = {"created": made_by.first_run, "modified": made_by.newest_run}

    def named(type_: str, *parts: str) -> str:
        return f"{type_}--{uuid.uuid5(_NAMESPACE, chr(0).join((made_by.case_id, key.id, type_, *parts)))}"

    us = named("identity")
    common = {**versions, "created_by_ref": us, "object_marking_refs": [stix2.TLP_AMBER.id]}
    identity = stix2.Identity(
        id=us, **versions, identity_class="system", name=f"linkage {us[-12:]}",
        object_marking_refs=[stix2.TLP_AMBER.id],
    )  # fmt: skip
    objects: list[Any] = [stix2.TLP_AMBER, identity]
    held: dict[str, list[str]] = {}
    for item in shared:
        indicator = named("indicator", item.kind, fingerprint(key, item.kind, item.value))
        objects.append(stix2.Indicator(id=indicator, **_indicator(item, key, made_by.newest_run), **common))
        for row in item.rings:
            held.setdefault(row.ring_id, []).append(indicator)
    for ring_id, refs in held.items():
        row = rings[ring_id]
        objects.append(
            stix2.Grouping(
                id=named("grouping", ring_id), name=f"Ring {ring_id}",
                description=f"{row.accounts:,} accounts that may be of one hand. A lead to check, not a verdict.",
                context="suspicious-activity", confidence=_confidence(row), object_refs=refs, **common,
            )
        )  # fmt: skip
    # One object a line: the library's own pretty printing takes a minute for what this does in a second.
    whole = stix2.Bundle(id=named("bundle", made_by.newest_run.isoformat(), *sorted(held)), objects=objects)
    lines = ",\n".join(item.serialize(ensure_ascii=True) for item in whole.objects)
    content = f'{{"type": "bundle", "id": "{whole.id}", "objects": [\n{lines}\n]}}\n'
    return Bundle(content.encode(), len(shared), left)


def _shared(
    evidence: Sequence[EvidenceRow], rings: dict[str, RingRow], hashed: frozenset[str]
) -> tuple[list[_Shared], dict[str, int]]:
    found: dict[tuple[str, str], _Shared] = {}
    left: Counter[str] = Counter()
    for line in evidence:
        if line.ring_id not in rings:
            continue
        why = withheld(line.kind, line.value, line.label, hashed)
        if not why and line.outsiders > line.accounts:
            why = "more others than members have it"
        if why:
            left[f"{line.kind} ({why})"] += 1
            continue
        item = found.setdefault((line.kind, line.value), _Shared(line.kind, line.value))
        item.rings.append(rings[line.ring_id])
        item.lines.append(line)
    return list(found.values()), dict(sorted(left.items()))


def _indicator(item: _Shared, key: Key, run_at: datetime) -> dict[str, Any]:
    times = [line.first_seen for line in item.lines if line.first_seen]
    # To the day: a time to the second could tell which account it was.
    first = min(times, default=run_at).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    accounts = sum(line.accounts for line in item.lines)
    return {
        "valid_from": first,
        "name": f"{kind_of(item.kind).words} of a suspected ring",
        "description": f"Seen with {accounts:,} of its accounts. A lead to check, not a verdict.",
        "indicator_types": ["anomalous-activity"],
        "pattern": pattern(key, item.kind, item.value),
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "confidence": max(_confidence(row) for row in item.rings),
    }


def _confidence(row: RingRow) -> int:
    return min(round(row.score * 100), SUREST)


def _stix2() -> ModuleType:
    try:
        import stix2  # noqa: PLC0415 (an extra: whoever shares nothing need not have it)
    except ImportError:
        raise MachineError(
            "STIX bundles need the package stix2, which is not installed.",
            "Install it: pip install 'account-linkage[stix]'",
        ) from None
    return stix2  # type: ignore[no-any-return]
