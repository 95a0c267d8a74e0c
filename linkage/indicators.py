"""Compare identifiers with a partner without showing them: keyed hashes of those that tie rings.

Two providers hold one secret key. An identifier becomes HMAC-SHA256 (RFC 2104) of its kind and its value in the one
spelling that ingest gives it, so equal values have equal hashes, and whoever lacks the key can learn nothing of them.
Whoever has it can try values: every IPv4 address, say. So a key is for two who trust each other, and against others.

    message = "linkage indicator 1" NUL kind NUL value (Unicode NFC, UTF-8)
"""

import json
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hmac import digest
from pathlib import Path
from typing import Any, Final

import duckdb

from linkage import store
from linkage.errors import InputError, MachineError, NotFoundError, UsageError, translate
from linkage.model import BUILT_IN_KINDS
from linkage.networks import is_private
from linkage.secret import Key, make_key_file

LARGEST: Final = 128 * 1024 * 1024
"""A bundle of more bytes is not read: its 200,000 indicators would take more than a gigabyte of memory."""

LEAST_KEY: Final = 32
"""Bytes of a key."""

_LONGEST_KEY_FILE: Final = 4096
_PREFIX: Final = b"linkage indicator 1\0"
_BATCH: Final = 50_000

OBSERVABLE: Final = "x-linkage-identifier"
"""How the pattern of an indicator names an identifier: a custom object of STIX 2.1."""

_PATTERN: Final = re.compile(
    rf"\[{OBSERVABLE}:key_id = '([0-9a-f]{{16}})' AND {OBSERVABLE}:kind = '([a-z0-9][a-z0-9_.-]{{0,63}})' "
    rf"AND {OBSERVABLE}:hmac_sha256 = '([0-9a-f]{{64}})'\]"
)

_OWN_KEY: Final = "hashed under this case's own key"
_TOO_COMMON: Final = "too many innocent accounts have one"
_OWN_NAME: Final = "means nothing to another provider"
_WITHHELD: Final = {
    "email": _OWN_KEY, "phone": _OWN_KEY, "ip_net": _TOO_COMMON, "user_agent": _TOO_COMMON, "org": _OWN_NAME,
    "burst": _OWN_NAME, "handoff": _OWN_NAME, "balance": _OWN_NAME,
}  # fmt: skip
_OF_A_SKETCH: Final = ("exact:", "template:", "opening:", "ending:")

# Where the rows of a case hold values of a kind; other kinds stand in `identifiers` alone.
_ROWS: Final = {
    "payment": ("SELECT account_id, payment_id AS value FROM payments",),
    "ip": ("SELECT account_id, ip FROM logins", "SELECT account_id, ip FROM exchanges"),
    "device": ("SELECT account_id, device_id FROM logins", "SELECT account_id, device_id FROM exchanges"),
    "prompt": ("SELECT account_id, prompt_fingerprint FROM exchanges",),
    "email_domain": ("SELECT account_id, email_domain FROM accounts",),
}


@dataclass(frozen=True)
class Known:
    """An identifier of ours that the partner knows, too.

    Attributes:
        kind, value: as in the case.
        accounts: ours that were seen with it, sorted.
        rings: of ours, listed, that these are members of, by rank.
        confidence: how sure the partner is that it belongs to a ring, 0 to 100; None if the bundle does not say.
        indicator: id of the partner's indicator, to talk about.
    """

    kind: str
    value: str
    accounts: tuple[str, ...]
    rings: tuple[str, ...]
    confidence: int | None
    indicator: str


@dataclass(frozen=True)
class Match:
    """What a bundle and a case have in common.

    Attributes:
        known: the most of our rings first, then the most accounts.
        indicators: indicators of the bundle under the key, each identifier once.
        revoked: indicators that the partner took back; they match nothing.
        other_key: indicators under another key.
        withheld: indicators of kinds that this case cannot compare, by kind.
    """

    known: tuple[Known, ...]
    indicators: int
    revoked: int
    other_key: int
    withheld: dict[str, int]


@dataclass(frozen=True)
class _Theirs:
    indicator: str
    confidence: int | None


def make_key(path: Path) -> Key:
    """Make a key to share with one partner.

    Raises:
        UsageError: there is a file already; a key is never overwritten.
        MachineError: it cannot be written.
    """
    try:
        made = make_key_file(path)
    except OSError as exc:
        raise translate(exc, f"writing the key file {path}") from None
    if not made:
        raise UsageError(f"{path} is there already.", "Name another file, or use the key that is there.")
    return read_key(path)


def read_key(path: Path) -> Key:
    """The key that two partners share: a file with at least 32 random bytes, written as hexadecimal digits.

    Raises:
        NotFoundError: no such file.
        InputError: it is no such key, too short, or not random.
        MachineError: others than its owner may read or write it, or we may not.
    """
    hint = "Make one: linkage indicators key FILE"
    try:
        if not path.exists():
            raise NotFoundError(f"There is no key file {path}.", hint)
        # A pipe would make us wait for ever; of a device there is no end.
        if not path.is_file():
            raise InputError(f"{path} is no file.", hint)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise MachineError(f"Others than its owner may use the key file {path}.", f"Run: chmod 600 {path}")
        with path.open("rb") as file:
            text = file.read(_LONGEST_KEY_FILE + 1)
    except OSError as exc:
        raise translate(exc, f"reading the key file {path}") from None
    try:
        secret = bytes.fromhex(text.decode("ascii").strip()) if len(text) <= _LONGEST_KEY_FILE else b""
    except ValueError:
        secret = b""
    if not secret:
        raise InputError(f"{path} is no key: hexadecimal digits and nothing else are wanted.", hint)
    if len(secret) < LEAST_KEY:
        raise InputError(f"The key in {path} has {len(secret)} bytes; at least {LEAST_KEY} are wanted.", hint)
    # 32 random bytes have fewer than 16 different ones once in 10^15 times.
    if len(set(secret)) < LEAST_KEY // 2:
        raise InputError(f"The key in {path} is not random.", hint)
    return Key(secret)


def fingerprint(key: Key, kind: str, value: str) -> str:
    """HMAC-SHA256 of an identifier under a shared key, in hexadecimal."""
    message = f"{kind}\0{unicodedata.normalize('NFC', value)}".encode(errors="surrogatepass")
    return digest(key.secret, _PREFIX + message, "sha256").hex()


def pattern(key: Key, kind: str, value: str) -> str:
    """The pattern of an indicator for an identifier, in the language of STIX 2.1."""
    return (
        f"[{OBSERVABLE}:key_id = '{key.id}' AND {OBSERVABLE}:kind = '{kind}' "
        f"AND {OBSERVABLE}:hmac_sha256 = '{fingerprint(key, kind, value)}']"
    )


def withheld(kind: str, value: str, label: str | None, hashed: frozenset[str]) -> str:
    """Why an identifier cannot be compared with a partner's; "" if it can.

    Args:
        kind, value, label: as in the case.
        hashed: kinds that the case was told to hash (`--hash KIND`).

    >>> withheld("phone", "0a1b", "+44***89", frozenset()), withheld("payment", "fp_1", None, frozenset())
    ("hashed under this case's own key", '')
    """
    if kind in _WITHHELD:
        return _WITHHELD[kind]
    if kind.startswith("link:"):
        return "names an account"
    # A label stands beside what was hashed, such as an e-mail address under a kind of the user's own.
    if kind in hashed or label is not None or (kind == "prompt" and value.startswith(_OF_A_SKETCH)):
        return _OWN_KEY
    if kind == "ip" and is_private(value):
        return "is a private address"
    return ""


def hashed_kinds(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The kinds that the case was told to hash."""
    return frozenset(filter(None, store.meta(con, "hashed_kinds").split(",")))


def match(case: Path, bundle: Path, key: Key) -> Match:
    """Which of our identifiers a partner's bundle knows: all that the case's rows hold, shared or not.

    Args:
        case: the case file; it needs no run, but only a run tells rings.
        bundle: a STIX 2.1 bundle, as `linkage export --format stix` writes it. Objects that are no such indicators are
            passed over.
        key: the one that it was made with.

    Raises:
        NotFoundError: no such case or bundle.
        InputError: the bundle is too large, no JSON, no bundle, holds no indicators, or none under this key.
    """
    found = _read(bundle)
    kinds = {kind for _, kind, _ in found.theirs}
    ours = {(kind, hashed): theirs for (key_id, kind, hashed), theirs in found.theirs.items() if key_id == key.id}
    others = len(found.theirs) - len(ours)
    if not found.theirs and not found.revoked:
        raise InputError(f"{bundle} holds no indicators of linkage.", "Make one: linkage export DIR --format stix")
    if others and not ours:
        ids = sorted({key_id for key_id, _, _ in found.theirs})[:3]
        raise InputError(
            f"{bundle} was made with another key (id {', '.join(ids)}) than this one (id {key.id}).",
            "Use the key file that you share with this partner.",
        )
    with store.reading(case) as con:
        hashed = hashed_kinds(con)
        comparable = {kind for kind in kinds if not withheld(kind, "", None, hashed)}
        hits: dict[tuple[str, str], _Theirs] = {}
        for kind, value in _values(con, comparable):
            theirs = ours.get((kind, fingerprint(key, kind, value)))
            if theirs and not withheld(kind, value, None, hashed):
                hits[kind, value] = theirs
        known = _known(con, hits)
    left: dict[str, int] = {}
    for kind, _ in ours:
        if kind not in comparable:
            left[kind] = left.get(kind, 0) + 1
    return Match(tuple(known), len(ours), found.revoked, others, dict(sorted(left.items())))


@dataclass(frozen=True)
class _Bundle:
    theirs: dict[tuple[str, str, str], _Theirs]
    revoked: int


def _read(path: Path) -> _Bundle:
    """The indicators of a bundle by key id, kind and hash. Whatever else stands in it is passed over."""
    theirs: dict[tuple[str, str, str], _Theirs] = {}
    revoked = 0
    for item in _objects(path):
        said = item.get("pattern")
        if item.get("type") != "indicator" or not isinstance(said, str):
            continue
        parts = _PATTERN.fullmatch(said)
        if not parts:
            continue
        if item.get("revoked") is True:
            revoked += 1
            continue
        sure = item.get("confidence")
        confidence = sure if isinstance(sure, int) and not isinstance(sure, bool) and 0 <= sure <= 100 else None
        name = item.get("id")
        mine = _Theirs(name if isinstance(name, str) else "", confidence)
        at = (parts[1], parts[2], parts[3])
        if at not in theirs or (theirs[at].confidence or 0) < (confidence or 0):
            theirs[at] = mine
    return _Bundle(theirs, revoked)


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if not path.exists():
            raise NotFoundError(f"There is no bundle {path}.")
        if not path.is_file():
            raise InputError(f"{path} is no file.", "Name the bundle that your partner made.")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as exc:
        raise translate(exc, f"reading {path}") from None
    if len(content) > LARGEST:
        raise InputError(
            f"{path} is larger than {LARGEST // 1024**2} MiB.",
            "Let your partner export fewer rings at a time (--ring).",
        )
    try:
        document = json.loads(content)
    except RecursionError:
        raise InputError(f"{path} is nested too deep for a bundle.") from None
    except ValueError:
        raise InputError(f"{path} is no JSON document.", "Name a STIX 2.1 bundle.") from None
    if not isinstance(document, dict) or document.get("type") != "bundle":
        raise InputError(f"{path} is no STIX bundle.", "Name a STIX 2.1 bundle.")
    objects = document.get("objects", [])
    if not isinstance(objects, list):
        raise InputError(f"{path} is no STIX bundle: its objects are no list.")
    return (item for item in objects if isinstance(item, dict))


def _rows_of(kinds: set[str]) -> tuple[str, dict[str, Any]]:
    """SQL for (account_id, kind, value) of these kinds, and its parameters."""
    parts = [
        f"SELECT account_id, '{kind}' AS kind, value FROM ({rows}) AS t(account_id, value) WHERE value IS NOT NULL"  # noqa: S608
        for kind in sorted(kinds & set(_ROWS))
        for rows in _ROWS[kind]
    ]
    # One with a label was hashed.
    parts.append(
        """SELECT account_id, kind, value FROM identifiers
        WHERE label IS NULL AND kind IN (SELECT unnest($kinds::VARCHAR[]))"""
    )
    return " UNION ALL ".join(parts), {"kinds": sorted(kinds)}


def _values(con: duckdb.DuckDBPyConnection, kinds: set[str]) -> Iterator[tuple[str, str]]:
    rows, given = _rows_of(kinds)
    found = con.execute(f"SELECT DISTINCT kind, value FROM ({rows})", given)  # noqa: S608
    while batch := found.fetchmany(_BATCH):
        yield from batch


def _known(con: duckdb.DuckDBPyConnection, hits: dict[tuple[str, str], _Theirs]) -> Sequence[Known]:
    rows, given = _rows_of({kind for kind, _ in hits})
    held = con.execute(
        f"""WITH held AS (SELECT DISTINCT kind, value, account_id FROM ({rows})
            JOIN (SELECT unnest($hit_kinds::VARCHAR[]) AS kind, unnest($hit_values::VARCHAR[]) AS value)
                USING (kind, value)),
        listed AS (SELECT m.account_id, r.ring_id, r.rank FROM members m JOIN rings r USING (ring_id) WHERE r.listed)
        SELECT kind, value, list(account_id ORDER BY account_id),
            list(DISTINCT {{rank: rank, id: ring_id}} ORDER BY {{rank: rank, id: ring_id}}) FILTER (rank IS NOT NULL)
        FROM held LEFT JOIN listed USING (account_id) GROUP BY kind, value""",  # noqa: S608
        {**given, "hit_kinds": [kind for kind, _ in hits], "hit_values": [value for _, value in hits]},
    ).fetchall()
    known = []
    for kind, value, accounts, rings in held:
        theirs = hits[kind, value]
        names = tuple(ring["id"] for ring in rings or ())
        known.append(Known(kind, value, tuple(accounts), names, theirs.confidence, theirs.indicator))
    return sorted(known, key=lambda k: (-len(k.rings), -len(k.accounts), k.kind, k.value))


assert set(_ROWS) | set(_WITHHELD) == set(BUILT_IN_KINDS)
