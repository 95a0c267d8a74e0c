"""What becomes of each column: SQL expressions from raw text to what the case keeps.

Everything that a value needs happens here in one streaming projection: trimmed, placeholders emptied, times and numbers
read, addresses and e-mails brought to one spelling, private values replaced by HMACs. So raw prompts, e-mails and
phone numbers never reach a blocking operator, and never the disk. What a person types later (`stored_value`) goes
through the same expressions.
"""

from dataclasses import dataclass
from typing import Final

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from linkage.errors import InputError
from linkage.ingest.card_numbers import DIGITS, card_state, is_card_number
from linkage.ingest.sql import literal
from linkage.model import BUILT_IN_KINDS, TABLES
from linkage.networks import canonical_ip, is_private, net_of
from linkage.prompts.sketch import SketchKey, identified_sketches
from linkage.secret import Key

PLACEHOLDERS: Final = (
    "n/a", "na", "nan", "none", "null", "nil", "undefined", "unknown", "(null)", "(none)", "-", "--", "?",
    "0.0.0.0", "::",
)  # fmt: skip
"""What exports write for "nothing"; compared in lower case. Such a value is nobody's identifier."""

LONG_PLACEHOLDERS: Final = {
    "ip": ("::ffff:0.0.0.0", "::0", "0::0", "0:0:0:0:0:0:0:0"),
    "email": ("none@none.com", "no@email.com", "noemail@noemail.com"),
    "device": ("00000000-0000-0000-0000-000000000000",),
}
"""The same, for identifiers of one kind only."""

DERIVED_KINDS: Final = ("ip_net", "email_domain", "burst", "handoff", "balance")
"""Kinds that are worked out and cannot be given."""

DOTLESS_HOSTS: Final = ("gmail.com", "googlemail.com")
"""Mail hosts where dots in the local part mean nothing."""

EMAIL: Final = r"{0}*[^@.[:space:]\x00]{0}*@{0}*[^@.[:space:]\x00]{0}*".format(r"[^@[:space:]\x00]")
"""A regular expression for an e-mail address: one @, and something beside dots on either side of it.

No NUL, at which `nfc_normalize` would end it.
"""

_IPV4: Final = (
    r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
)
_LEAST_TIME, _MOST_TIME = "TIMESTAMP '1990-01-01'", "TIMESTAMP '2100-01-01'"
_LONGEST: Final = max(map(len, PLACEHOLDERS))


def prepare(con: duckdb.DuckDBPyConnection, key: Key) -> None:
    """Give `con` what the expressions use: the key as variables (never in SQL text), and two functions."""
    # DuckDB turns a list of five constants or more into a join, which gives rows back out of order: no reject could be
    # traced to its line. The join also runs for every row, where a CASE around the list spares most of them.
    con.execute("SET disabled_optimizers = 'in_clause'")
    inner, outer = key.pads()
    con.execute("SET VARIABLE linkage_inner = ?::BLOB", [inner])
    con.execute("SET VARIABLE linkage_outer = ?::BLOB", [outer])
    for name, function, returns in (
        ("canonical_ip", lambda text: canonical_ip(text) if text else None, "VARCHAR"),
        ("net_of", lambda text: net_of(text) if text else None, "VARCHAR"),
        ("is_private", lambda text: is_private(text) if text else False, "BOOLEAN"),
        ("is_card_number", lambda text: is_card_number(text) if text else False, "BOOLEAN"),
        ("card_state", lambda text: card_state(text) if text else 0, "INTEGER"),
    ):
        con.create_function(name, function, ["VARCHAR"], returns, null_handling=FunctionNullHandling.SPECIAL)
    sketch_key = SketchKey.of(key.secret)
    con.create_function(
        "prompt_sketch",
        lambda texts: identified_sketches(texts, sketch_key),
        ["VARCHAR"],
        "STRUCT(id UBIGINT, tokens USMALLINT, sketch BLOB)",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )


def card(sql: str, *, name: bool) -> str:
    """Whether the text holds a full card number (2), or what only looks like one (1); 0 for neither, or NULL.

    Args:
        sql: the text.
        name: it is a name, such as an account's id, and looked at only if it begins with a digit, which is ten times as
            quick.
    """
    # Few texts get past the first conditions, and fewer past the last: only they are worth a call of Python.
    begins = f"AND (ascii({sql}) BETWEEN 48 AND 57 OR ascii({sql}) > 127) " if name else ""
    looks = f"strlen({sql}) >= 13 {begins}AND regexp_matches({sql}, '{DIGITS}')"
    return f"CASE WHEN {looks} THEN card_state({sql}) ELSE 0 END"


def hmac(kind: str, sql: str) -> str:
    """HMAC-SHA256 of `kind:value`, its first 128 bits in hexadecimal (RFC 2104, composed from sha256)."""
    return hmac_of(f"{literal(kind + ':')} || {sql}")


def hmac_of(sql: str) -> str:
    """`hmac` where the kind is in the SQL too."""
    message = f"encode({sql})"
    inner = f"unhex(sha256(getvariable('linkage_inner') || {message}))"
    return f"left(sha256(getvariable('linkage_outer') || {inner}), 32)"


def text(sql: str) -> str:
    """Without white space around; NULL if nothing is left."""
    # Trimming costs more than all else together, and next to no value needs it. "!" is the character after the blank.
    dirty = f"{sql} < '!' OR suffix({sql}, ' ')"
    return f"CASE WHEN {dirty} THEN nullif(trim({sql}, e' \\t\\r\\n'), '') ELSE {sql} END"


def no_placeholder(sql: str, kind: str = "") -> str:
    """NULL where the text stands for "nothing", for an identifier of a kind."""
    # Few values are as short as a placeholder and begin like one: only those are compared with the whole list.
    emptied = f"CASE WHEN strlen({sql}) <= {_LONGEST} THEN {_without(PLACEHOLDERS, sql)} ELSE {sql} END"
    longer = LONG_PLACEHOLDERS.get(kind)
    return f"CASE WHEN {_without(longer, sql)} IS NULL THEN NULL ELSE {emptied} END" if longer else emptied


def _without(listed: tuple[str, ...], sql: str) -> str:
    """NULL where the text is in the list, in any case."""
    starts = ", ".join(str(code) for code in sorted({ord(c) for text in listed for c in text[0] + text[0].upper()}))
    inside = f"lower({sql}) IN ({', '.join(map(literal, listed))})"
    return f"CASE WHEN ascii({sql}) IN ({starts}) THEN CASE WHEN {inside} THEN NULL ELSE {sql} END ELSE {sql} END"


def time(sql: str) -> str:
    """ISO 8601 (no offset means UTC) or epoch seconds, milliseconds or microseconds by magnitude; NULL if neither."""
    number = f"TRY_CAST({sql} AS DOUBLE)"
    epoch = (
        f"CASE WHEN abs({number}) < 1e11 THEN make_timestamp(({number} * 1e6)::BIGINT) "
        f"WHEN abs({number}) < 1e14 THEN make_timestamp(({number} * 1e3)::BIGINT) "
        f"WHEN abs({number}) < 1e17 THEN make_timestamp({number}::BIGINT) END"
    )
    basic = f"coalesce(try_strptime({sql}, '%Y%m%dT%H%M%SZ'), try_strptime({sql}, '%Y%m%dT%H%M%S'))"
    # A cast to TIMESTAMP drops what follows the time, an offset or a zone's name, without a word. Only what can have
    # neither goes that way, which is twice as fast; the rest goes by TIMESTAMPTZ, in a session whose zone is UTC.
    padded = f"strlen({sql}) <= 19 AND substr({sql}, 8, 1) = '-' AND substr({sql}, 17, 1) IN ('', ':')"
    plain = f"suffix({sql}, 'Z') OR {padded} AND right({sql}, 1) <= '9'"
    tight = f"replace(replace({sql}, ' +', '+'), ' -', '-')"
    return (
        f"CASE WHEN NOT contains({sql}, '-') THEN coalesce({epoch}, {basic}) "
        f"WHEN {plain} THEN TRY_CAST({sql} AS TIMESTAMP) ELSE TRY_CAST({tight} AS TIMESTAMPTZ)::TIMESTAMP END"
    )


def plausible(sql: str) -> str:
    """NULL for a time that no export can mean: an infinite one, or one that a broken clock made."""
    return f"CASE WHEN {sql} >= {_LEAST_TIME} AND {sql} < {_MOST_TIME} THEN {sql} END"


def boolean(sql: str) -> str:
    """True and false in their usual spellings; NULL if neither."""
    return (
        f"CASE WHEN lower({sql}) IN ('true', 't', 'yes', 'y', '1') THEN true "
        f"WHEN lower({sql}) IN ('false', 'f', 'no', 'n', '0') THEN false END"
    )


def integer(sql: str) -> str:
    """A whole number of at least 0; NULL if it is none, or has points between its thousands."""
    number = f"TRY_CAST({sql} AS DOUBLE)"
    grouped = f"contains({sql}, '.') AND regexp_full_match({sql}, '[0-9]{{1,3}}([.][0-9]{{3}})+')"
    whole = f"{number} >= 0 AND {number} < 9e15 AND {number} = floor({number})"
    return f"CASE WHEN {grouped} THEN NULL WHEN {whole} THEN {number}::BIGINT END"


def ip(sql: str) -> str:
    """The canonical address; NULL if it is none."""
    return f"CASE WHEN regexp_full_match({sql}, '{_IPV4}') THEN {sql} ELSE canonical_ip({sql}) END"


def ip_net(sql: str) -> str:
    """The /24 or /64 of a canonical address."""
    return f"CASE WHEN contains({sql}, ':') THEN net_of({sql}) ELSE regexp_replace({sql}, '[0-9]+$', '0/24') END"


def is_email(sql: str) -> str:
    """Whether the text is an e-mail address."""
    return f"regexp_full_match({sql}, '{EMAIL}')"


def email(sql: str) -> str:
    """Lower case, no plus tag, no dots where they mean nothing; NULL if it is no address."""
    whole = f"lower(nfc_normalize({sql}))"
    domain = f"rtrim(split_part({whole}, '@', 2), '.')"
    local = f"split_part({whole}, '@', 1)"
    tagless = f"CASE WHEN strpos({local}, '+') > 1 THEN split_part({local}, '+', 1) ELSE {local} END"
    hosts = ", ".join(f"'{host}'" for host in DOTLESS_HOSTS)
    return (
        f"CASE WHEN NOT {is_email(sql)} THEN NULL "
        f"WHEN {domain} IN ({hosts}) THEN replace({tagless}, '.', '') || '@gmail.com' "
        f"ELSE ({tagless}) || '@' || {domain} END"
    )


def email_domain(sql: str) -> str:
    """The domain of a canonical e-mail."""
    return f"split_part({sql}, '@', 2)"


def email_label(sql: str) -> str:
    """The masked form that people see of a canonical e-mail: `a***@example.com`."""
    return f"left({sql}, 1) || '***@' || split_part({sql}, '@', 2)"


def account_name(sql: str) -> str:
    """What stands for an account that another system names `sql`: an e-mail address masked, with a part of its HMAC."""
    canonical = email(sql)
    masked = f"{email_label(canonical)} || '#' || left({hmac('email', canonical)}, 16)"
    return f"CASE WHEN contains({sql}, '@') AND {is_email(sql)} THEN {masked} ELSE {sql} END"


def phone(sql: str) -> str:
    """`+` and digits, 7 to 15 of them; NULL if it is no number."""
    # Signs go first: `(0049)` begins with 00, too.
    digits = f"regexp_replace(regexp_replace({sql}, '[^0-9+]', '', 'g'), '^00', '+')"
    return f"CASE WHEN regexp_full_match({digits}, '[+]?[0-9]{{7,15}}') THEN {digits} END"


def phone_label(sql: str) -> str:
    """The masked form that people see of a canonical phone number."""
    return f"left({sql}, 3) || '***' || right({sql}, 2)"


def prompt(sql: str) -> str:
    """The id and the sketch of a raw prompt, as a struct; NULL if there is none."""
    return f"prompt_sketch({sql})"


def exact_prompt(sql: str) -> str:
    """`exact:` and the id of a raw prompt: what stands for its normalised text."""
    return f"'exact:' || format('{{:016x}}', ({prompt(sql)}).id)"


def given_prompt(sql: str) -> str:
    """A fingerprint as given, unless it has white space or great length: then it is a text, and is treated as one."""
    spaces = " OR ".join(f"contains({sql}, {space})" for space in ("' '", "chr(10)", "chr(9)", "chr(13)"))
    return f"CASE WHEN strlen({sql}) > 256 OR {spaces} THEN {exact_prompt(sql)} ELSE {sql} END"


@dataclass(frozen=True)
class Rules:
    """How the values of a case are kept.

    Attributes:
        hashed: kinds that are hashed beside those that always are.
        skeletons: what is needed to show the fixed text of templates is kept too.
    """

    hashed: frozenset[str] = frozenset()
    skeletons: bool = False

    def kept(self, kind: str, sql: str) -> str:
        """A canonical value of a kind as the case keeps it."""
        return hmac(kind, sql) if kind in self.hashed else sql


def stored_value(kind: str, typed: str, key: Key, hashed: frozenset[str] = frozenset()) -> str:
    """What the case keeps of a value of `kind` that a person typed.

    Raises:
        InputError: the text is no value of that kind.
    """
    rules = Rules(hashed)
    source = f"({no_placeholder(text('$1::VARCHAR'), kind)})"
    expressions = {"email": hmac("email", "c"), "phone": hmac("phone", "c"), "prompt": "c"}
    forms = {"email": email("v"), "phone": phone("v"), "ip": ip("v"), "prompt": given_prompt("v")}
    canonical, kept = forms.get(kind, "v"), expressions.get(kind, rules.kept(kind, "c"))
    if kind not in BUILT_IN_KINDS:
        canonical = f"CASE WHEN {is_email('v')} THEN {email('v')} ELSE v END"
        kept = f"CASE WHEN {is_email('c')} THEN {hmac(kind, 'c')} ELSE {kept} END"
    with duckdb.connect() as con:
        prepare(con, key)
        row = con.execute(
            f"SELECT {kept} FROM (SELECT {canonical} AS c FROM (SELECT {source} AS v))", [typed]
        ).fetchone()
    if not row or row[0] is None:
        raise InputError(f"That is no {BUILT_IN_KINDS[kind].words if kind in BUILT_IN_KINDS else kind}.")
    return str(row[0])


assert all(kind in BUILT_IN_KINDS for kind in DERIVED_KINDS)
assert all(columns[0].name == "account_id" for columns in TABLES.values())
