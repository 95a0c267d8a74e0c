"""Allow an identifier, such as an office's address: from what a person types to what later runs obey."""

import re
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from linkage import allowances, networks, store
from linkage.allowances import Allowance
from linkage.errors import InputError, NotFoundError, UsageError
from linkage.ingest.card_numbers import is_card_number
from linkage.ingest.normalise import stored_value
from linkage.journal import must_be_text
from linkage.model import TABLES
from linkage.secret import load_or_make_key
from linkage.template_names import PROMPTED, resolve
from linkage.until import until, utc_now

_FOUND: Final = ("burst", "handoff", "balance")

# How the views and tables of a case call what is private or derived there.
_SEEN: Final = {
    kind: [(table, column.name) for table, columns in TABLES.items() for column in columns if column.kind == kind]
    for kind in {column.kind for columns in TABLES.values() for column in columns} - {"", "prompt"}
} | {"email_domain": [("accounts", "email_domain")], "prompt": [("exchanges", "prompt_fingerprint")]}


def allow(
    case: Path, kind: str, value: str, *, reason: str, by: str = "", end: str | datetime | None = None,
    unseen: bool = False, now: datetime | None = None,
) -> Allowance | None:  # fmt: skip
    """Let an identifier link nobody, from the next run on.

    Args:
        case: the case file.
        kind: of the identifier, as the contract names it.
        value: as a person types it; it is brought to one spelling and hashed as ingest does.
        reason, by: why, and who.
        end: when that is over, as in `until.until`; None has no end.
        unseen: also a value that the case has never seen.
        now: UTC without a zone; by default the time now.

    Returns:
        what was recorded, or None where the last one on that identifier says the same.

    Raises:
        UsageError: no reason, a kind that cannot be allowed, or an end that is none.
        InputError: the text is no value of that kind, or a full card number, or no text.
        NotFoundError: the case has never seen it.
        LinkageError: as `store.writing`.
    """
    now = now or utc_now()
    if not reason.strip():
        raise UsageError("It takes a reason.", "Say why: --reason TEXT")
    ends = until(end, now)
    kind, kept, seen = _identifier(case, kind, value)
    if not seen and not unseen:
        raise NotFoundError(
            f"The case has never seen that {kind}.", "Check its spelling, or allow it all the same: --unseen"
        )
    return allowances.record(case, Allowance(kind, kept, True, reason, by, now, ends))


def take_back(case: Path, kind: str, value: str, *, reason: str = "", by: str = "") -> Allowance:
    """Let an identifier link again, from the next run on; arguments as in `allow`.

    Raises:
        NotFoundError: it is not allowed.
    """
    now = utc_now()
    kind, kept, _ = _identifier(case, kind, value)
    with store.reading(case) as con:
        standing = {(one.kind, one.value) for one in allowances.standing(con, now)}
    made = (kind, kept) in standing and allowances.record(case, Allowance(kind, kept, False, reason, by, now))
    if not made:
        raise NotFoundError(f"That {kind} is not allowed.", "See what is: linkage allow")
    return made


def allowed(case: Path, *, everything: bool = False, now: datetime | None = None) -> list[Allowance]:
    """What is allowed now, by kind and value; or all that ever was and what took it back, the oldest first."""
    with store.reading(case) as con:
        return allowances.of_case(con) if everything else allowances.standing(con, now or utc_now())


def _identifier(case: Path, kind: str, typed: str) -> tuple[str, str, bool]:
    """Kind and value as the case keeps them, and whether it has ever seen that."""
    must_be_text(kind, typed)
    kind = kind.strip().lower()
    if not kind:
        raise UsageError("It takes a kind.", "Such as ip or payment: linkage allow KIND VALUE --reason TEXT")
    if kind not in ("device", "phone") and is_card_number(typed):
        raise InputError("That is a full card number.", "Name the payment by the reference that the exports have.")
    if kind in _FOUND:
        raise UsageError(
            f"A {kind} is what accounts did together, and has no value that comes again.",
            "Allow the prompts that it was found by: linkage allow prompt TEMPLATE --reason …",
        )
    with store.reading(case) as con:
        if kind == "prompt":
            con.execute(PROMPTED)
            try:
                level, name, _ = resolve(con, typed.strip())
            except NotFoundError:
                pass
            else:
                return kind, name if level == "given" else f"{level}:{name}", True
    if kind == "ip_net":
        network = networks.net_of(networks.canonical_ip(typed.partition("/")[0]) or "")
        if network is None or ("/" in typed and typed.strip() != network):
            raise InputError(f"{typed!r} is no network.", f"Write {network or '192.0.2.0/24, or 2001:db8::/64'}.")
        kept = network
    elif kind == "email_domain":
        kept = typed.strip().lower().removeprefix("@").rstrip(".")
    elif kind.startswith("link:"):
        kept = typed.strip()
    else:
        kept = stored_identifier(case, kind, typed)
    if not kept:
        raise InputError(f"That is no {kind}.")
    with store.reading(case) as con:
        return kind, kept, _is_seen(con, kind, kept)


def stored_identifier(case: Path, kind: str, typed: str) -> str:
    """A value of a kind that has hashes or may have them, as the case keeps it; a hash that it shows is taken as it is.

    Raises:
        InputError: the text is no value of that kind.
        LinkageError: as `secret.load_or_make_key`.
    """
    with store.reading(case) as con:
        hashed = frozenset(filter(None, store.meta(con, "hashed_kinds").split(",")))
        # A provider's own tokens may look like hashes, too.
        if re.fullmatch("[0-9a-f]{32}", typed) and (kind not in hashed or _is_seen(con, kind, typed)):
            return typed
    return stored_value(kind, typed, load_or_make_key(case), hashed)


def _is_seen(con: duckdb.DuckDBPyConnection, kind: str, value: str) -> bool:
    asked = [("identifiers WHERE kind = $kind AND value = $value", {"kind": kind, "value": value})]
    if kind.startswith("link:"):
        tie = "links WHERE lower(kind) = $kind AND $value IN (account_id, other_account_id)"
        asked = [(tie, {"kind": kind.removeprefix("link:"), "value": value})]
    elif kind == "ip_net":
        con.create_function("net_of", networks.net_of, ["VARCHAR"], "VARCHAR")
        ips = (("logins", "ip"), ("exchanges", "ip"), ("(FROM identifiers WHERE kind = 'ip') AS given", "value"))
        asked = [
            (f"{table} WHERE coalesce(ip_net, {networks.net_sql(column)}) = $value", {"value": value})
            for table, column in ips
        ]
    else:
        asked += [(f"{table} WHERE {column} = $value", {"value": value}) for table, column in _SEEN.get(kind, [])]
    return any(con.execute(f"SELECT 1 FROM {where} LIMIT 1", given).fetchall() for where, given in asked)  # noqa: S608
