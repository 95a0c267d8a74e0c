"""One projection a table: raw columns in, the case's columns, the reason of a reject and its excerpt out.

raw        the file's columns, all text
clean      trimmed, placeholders emptied and counted
read       times, numbers, canonical addresses
judged     reason and column of a broken row
kept       hashed and masked: what may reach the disk
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from linkage.ingest import normalise as n
from linkage.ingest.card_numbers import CARD, DIGITS, LOOKS
from linkage.ingest.normalise import DERIVED_KINDS, Rules
from linkage.model import BUILT_IN_KINDS, TABLES, Column

EXCERPT: Final = 40
"""A reject keeps the text of the offending column up to this length; what is longer may be prose."""

CARD_REASON: Final = "is a full card number: never export those"

# Tables with phone or card numbers.
_NUMBERED: Final = frozenset({"accounts", "payments", "identifiers"})

# Free text that is shown, not compared: a country may be called NA.
_KEEP_PLACEHOLDERS: Final = frozenset({"country", "plan", "method", "model", "prompt"})

# Text in which a number may stand; other columns hold names.
_PROSE: Final = frozenset({"user_agent", "plan", "country", "status", "method", "payment_id", "value"})

_PLAIN_KIND: Final = "[a-z0-9][a-z0-9_.-]{0,63}"

STORED: Final[dict[str, tuple[str, ...]]] = {
    "accounts": (
        "account_id", "created_at", "banned_at", "email", "email_label", "email_domain", "phone", "phone_label",
        "org_id", "org_verified", "status", "country", "plan",
    ),
    "payments": ("account_id", "payment_id", "method", "added_at"),
    "logins": ("account_id", "ip", "ip_net", "device_id", "user_agent", "at"),
    "exchanges": (
        "account_id", "at", "exchange_id", "ip", "ip_net", "device_id", "user_agent", "model", "prompt_fingerprint",
        "input_tokens", "output_tokens", "prompt",
    ),
    "identifiers": ("account_id", "kind", "value", "label", "ip_net", "at"),
    "links": ("account_id", "other_account_id", "kind", "at"),
    "aliases": ("account_id", "kind", "value"),
}  # fmt: skip
"""The columns that the case keeps of each table, in the order of `case_schema.SCHEMA`."""


@dataclass(frozen=True)
class Check:
    """A way for a row to break the contract: `sql` holds for such a row."""

    column: str
    reason: str
    sql: str


def projection(
    table: str, columns: Mapping[str, str], source: str, rules: Rules, carried: Sequence[str] = (),
    by_chance: Collection[str] = (),
) -> str:  # fmt: skip
    """The SELECT that reads `source`.

    Args:
        table: a contract table.
        columns: contract column to the SQL that gives its raw text; columns that the file lacks are left out.
        source: what stands behind FROM.
        rules: what is hashed.
        carried: columns of `source` that come out too, as they are.
        by_chance: columns whose numbers pass for those of cards by chance alone, and are kept.

    Returns:
        SQL with the columns of `STORED[table]`, then `tokens`, `sketch` and `words` (of a raw prompt, or NULL; `words`
        only where skeletons are kept), `broken` (the first of `checks` that the row fails, or NULL), `excerpt`,
        `placeholders`, and `looks` and `cards`: of which columns of `readable(table)`, as bits, the value looks like a
        card's number, and is one.
    """
    contract = TABLES[table]
    present = [column for column in contract if column.name in columns]
    raw = ", ".join(f'{n.text(columns[c.name])} AS "{c.name}"' for c in present)
    clean = ", ".join(f'{_clean(table, c)} AS "{c.name}", "{c.name}" AS "raw {c.name}"' for c in present)
    emptied = " + ".join(
        f'("raw {c.name}" IS NOT NULL AND "{c.name}" IS NULL)::UTINYINT' for c in present if c.kind or c.name == "value"
    )
    absent = ", ".join(
        f'NULL::VARCHAR AS "{c.name}", NULL::VARCHAR AS "raw {c.name}"' for c in contract if c not in present
    )
    times = [c.name for c in contract if c.type == "time"]
    # A time is read in two steps, so that what is not plausible is told by one comparison of what was parsed.
    reads = {f"{'parsed' if name in times else 'read'} {name}": sql for name, sql in _reads(table).items()}
    reads |= {f"card {name}": sql if name in columns else "0" for name, sql in readable(table).items()}
    read = ", ".join(f'{sql} AS "{name}"' for name, sql in reads.items())
    plausible = "".join(f""", {n.plausible(f'"parsed {name}"')} AS "read {name}\"""" for name in times)
    tests = checks(table, by_chance)
    broken = "CASE " + " ".join(f"WHEN {check.sql} THEN {at}" for at, check in enumerate(tests)) + " END::UTINYINT"
    # A number that is refused must not reach the disk on its way to being rejected.
    refused = {name for name in readable(table) if name in columns and name not in by_chance}
    stored = ", ".join(
        f'CASE WHEN "card {name}" = {CARD} THEN NULL ELSE {sql} END AS "{name}"'
        if name in refused
        else f'{sql} AS "{name}"'
        for name, sql in zip(STORED[table], _stored(table, rules), strict=True)
    )
    sketch = '"read prompt".tokens, "read prompt".sketch' if "prompt" in columns else "NULL AS tokens, NULL AS sketch"
    words = "NULL::UBIGINT[]"
    if rules.skeletons and "prompt" in columns:
        words = 'CASE WHEN broken IS NULL THEN prompt_words("prompt", "account_id") END'
    private = {column.name for column in contract if column.private}
    excerpts = " ".join(
        f"WHEN {at} THEN " + ("'***'" if check.column in private else _excerpt(f'"raw {check.column}"', table))
        for at, check in enumerate(tests)
    )
    along = "".join(f", {name}" for name in carried)
    looks, cards = (_bits(table, least) for least in (LOOKS, CARD))
    return f"""
    SELECT {stored}, {sketch}, {words} AS words, broken, CASE broken {excerpts} END AS excerpt, placeholders,
        {looks} AS looks, {cards} AS cards{along}
    FROM (SELECT *, {broken} AS broken
    FROM (SELECT *{plausible}
    FROM (SELECT *, {read}
    FROM (SELECT *, {emptied or "0::UTINYINT"} AS placeholders
    FROM (SELECT {", ".join(part for part in (clean, absent) if part)}{along}
    FROM (SELECT {raw}{along} FROM {source}))))))
    """


def _bits(table: str, least: int) -> str:
    """Of which columns of `readable` the state is so high."""
    parts = [f'CASE WHEN "card {name}" >= {least} THEN {1 << at} ELSE 0 END' for at, name in enumerate(readable(table))]
    return " + ".join(parts)


def _excerpt(sql: str, table: str) -> str:
    """The text, masked where it looks private: in a row whose columns are shifted, an e-mail may stand as a time."""
    looks = [f"strlen({sql}) > {EXCERPT}", f"contains({sql}, '@')", f"regexp_matches({sql}, '{DIGITS}')"]
    if table in _NUMBERED:
        looks.append(
            f"regexp_full_match({sql}, '[+(]?[0-9][0-9 ()./-]{{6,}}') "
            f"AND NOT regexp_full_match({sql}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
        )
    return f"CASE WHEN {' OR '.join(looks)} THEN '***' ELSE {sql} END"


def _clean(table: str, column: Column) -> str:
    name = f'"{column.name}"'
    if table == "identifiers" and column.name == "value":
        kinds = " ".join(f"WHEN '{kind}' THEN {n.no_placeholder(name, kind)}" for kind in n.LONG_PLACEHOLDERS)
        return f"CASE lower(kind) {kinds} ELSE {n.no_placeholder(name)} END"
    return name if column.name in _KEEP_PLACEHOLDERS or column.type != "text" else n.no_placeholder(name, column.kind)


def _reads(table: str) -> dict[str, str]:
    """Columns whose text is read into something else, by name."""
    found = {}
    for column in TABLES[table]:
        sql = f'"{column.name}"'
        if column.type == "time":
            found[column.name] = n.time(sql)
        elif column.type == "bool":
            found[column.name] = n.boolean(sql)
        elif column.type == "integer":
            found[column.name] = n.integer(sql)
        elif column.kind == "ip":
            found[column.name] = n.ip(sql)
        elif column.kind == "email":
            found[column.name] = n.email(sql)
        elif column.kind == "phone":
            found[column.name] = n.phone(sql)
        elif column.name == "prompt":
            found[column.name] = n.prompt(sql)
    if table == "identifiers":
        found["kind"] = "lower(kind)"
        found["value"] = (
            f"CASE lower(kind) WHEN 'ip' THEN {n.ip('value')} WHEN 'email' THEN {n.email('value')} "
            f"WHEN 'phone' THEN {n.phone('value')} ELSE {_own('lower(kind)', 'value', n.email('value'), 'value')} END"
        )
    return found


def readable(table: str) -> dict[str, str]:
    """The columns of a table whose text the case keeps readable, and SQL of `normalise.card` for each."""
    found = {
        column.name: n.card(f'"{column.name}"', name=column.name not in _PROSE)
        for column in TABLES[table]
        if column.type == "text" and column.kind not in ("ip", "email", "phone") and column.name != "prompt"
    }
    if table == "identifiers":
        found["value"] = f"CASE WHEN lower(kind) IN ('email', 'phone') THEN 0 ELSE {found['value']} END"
    if table == "exchanges":
        # A fingerprint with blanks is a text, of which the case keeps a sketch.
        given = found["prompt_fingerprint"]
        found["prompt_fingerprint"] = f"CASE WHEN contains(prompt_fingerprint, ' ') THEN 0 ELSE {given} END"
    return found


def checks(table: str, by_chance: Collection[str] = ()) -> list[Check]:
    """The ways for a row of a table to break the contract, the first that holds is told.

    Args:
        table: a contract table.
        by_chance: as in `projection`.
    """
    found = [
        Check(
            "account_id", "the row is the header again", "strlen(account_id) = 10 AND lower(account_id) = 'account_id'"
        ),
        # Spreadsheets are told so to take digits for text.
        Check("account_id", "account_id is a formula", "starts_with(account_id, '=\"')"),
        Check("account_id", "the row is a total, no account's", _total("account_id")),
    ]
    for column in TABLES[table]:
        if column.required:
            found.append(Check(column.name, f"{column.name} is missing", f'"{column.name}" IS NULL'))
    words = {
        "time": "is no time",
        "bool": "is neither true nor false",
        "integer": "is no whole number of at least 0",
    }
    for column in TABLES[table]:
        given = f'"{column.name}" IS NOT NULL AND "read {column.name}" IS NULL'
        if column.type in words:
            found.append(Check(column.name, f"{column.name} {words[column.type]}", given))
        elif column.kind == "ip":
            found.append(Check(column.name, "ip is no IP address", given))
        elif column.kind == "email":
            found.append(Check(column.name, "email is no e-mail address", given))
        elif column.kind == "phone":
            found.append(Check(column.name, "phone is no phone number", given))
    for name in readable(table):
        held = "false" if name in by_chance else f'"card {name}" = {CARD}'
        found.append(Check(name, f"{name} {CARD_REASON}", held))
    card = "regexp_matches({0}, '^[0-9][0-9 -]{{11,30}}$') AND is_card_number({0})"
    if table == "payments":
        found.append(Check("payment_id", f"payment_id {CARD_REASON}", card.format("payment_id")))
    if table == "identifiers":
        derived = ", ".join(f"'{kind}'" for kind in DERIVED_KINDS)
        found += [
            Check("kind", "kind is worked out by linkage and cannot be given", f'"read kind" IN ({derived})'),
            Check("kind", "kind is no plain name", f"NOT regexp_full_match(\"read kind\", '{_PLAIN_KIND}')"),
            Check("value", "value is none of its kind", '"read value" IS NULL'),
            Check(
                "value",
                f"value {CARD_REASON}",
                f"\"read kind\" NOT IN ('device', 'phone') AND {card.format('value')}",
            ),
        ]
    return found


def _total(sql: str) -> str:
    """Whether a row sums up those above it, as spreadsheets and database shells write at the end."""
    words = "(grand |sub)?totals?:?|sum(me)?:?|[(][0-9,.]+ rows?( affected)?[)]"
    starts = ", ".join(str(ord(char)) for char in "tTsSgG(")
    return f"CASE WHEN ascii({sql}) IN ({starts}) THEN regexp_full_match(lower({sql}), '{words}') ELSE false END"


def _stored(table: str, rules: Rules) -> tuple[str, ...]:
    """SQL for each column of `STORED[table]`."""
    ip = '"read ip"'
    ip_columns = (rules.kept("ip", ip), n.ip_net(ip) if "ip" in rules.hashed else "NULL::VARCHAR")
    by_table = {
        "accounts": (
            "account_id", '"read created_at"', '"read banned_at"', n.hmac("email", '"read email"'),
            n.email_label('"read email"'), n.email_domain('"read email"'), n.hmac("phone", '"read phone"'),
            n.phone_label('"read phone"'), rules.kept("org", "org_id"), '"read org_verified"', "lower(status)",
            "country", "plan",
        ),
        "payments": ("account_id", rules.kept("payment", "payment_id"), "lower(method)", '"read added_at"'),
        "logins": (
            "account_id", *ip_columns, rules.kept("device", "device_id"), rules.kept("user_agent", "user_agent"),
            '"read at"',
        ),
        "exchanges": (
            "account_id", '"read at"', "exchange_id", *ip_columns, rules.kept("device", "device_id"),
            rules.kept("user_agent", "user_agent"), "model",
            n.given_prompt("prompt_fingerprint"), '"read input_tokens"', '"read output_tokens"', '"read prompt".id',
        ),
        "identifiers": ("account_id", '"read kind"', *_identifier(rules), '"read at"'),
        "links": ("account_id", "other_account_id", "coalesce(lower(kind), 'link')", '"read at"'),
        "aliases": ("account_id", "coalesce(lower(kind), 'alias')", n.account_name("value")),
    }  # fmt: skip
    if table not in ("payments", "identifiers"):
        return by_table[table]
    # A row that is refused for its card number must not reach the disk on its way to being rejected.
    return tuple(f"CASE WHEN broken IS NULL THEN {sql} END" for sql in by_table[table])


def _identifier(rules: Rules) -> tuple[str, str, str]:
    """Value, label and network of the `identifiers` table, whose kind decides what is private."""
    kind, value = '"read kind"', '"read value"'
    hashed = "".join(
        f" WHEN '{kind}' THEN {n.hmac(kind, value)}" for kind in sorted(rules.hashed - {"email", "phone", "prompt"})
    )
    own_email = n.hmac_of(f"{kind} || ':' || {value}")
    kept = (
        f"CASE {kind} WHEN 'email' THEN {n.hmac('email', value)} WHEN 'phone' THEN {n.hmac('phone', value)} "
        f"WHEN 'prompt' THEN {n.given_prompt(value)}{hashed} ELSE {_own(kind, value, own_email, value)} END"
    )
    label = (
        f"CASE {kind} WHEN 'email' THEN {n.email_label(value)} WHEN 'phone' THEN {n.phone_label(value)} "
        f"ELSE {_own(kind, value, n.email_label(value), 'NULL')} END"
    )
    net = f"CASE WHEN \"read kind\" = 'ip' THEN {n.ip_net(value)} END" if "ip" in rules.hashed else "NULL::VARCHAR"
    return kept, label, net


def _own(kind: str, value: str, email: str, other: str) -> str:
    """`email` where the value is an e-mail address under a kind of the user's own, such as `recovery_email`."""
    built_in = ", ".join(f"'{name}'" for name in BUILT_IN_KINDS)
    return f"CASE WHEN {kind} NOT IN ({built_in}) AND {n.is_email(value)} THEN {email} ELSE {other} END"
