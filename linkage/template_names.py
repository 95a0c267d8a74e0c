"""Names of templates: from what a person types to the template that it names today.

A name is `template:`, `opening:`, `ending:` or `exact:` and 16 hexadecimal digits, or a fingerprint that the provider
gave. Names that a template had before later prompts joined it to another stay valid.
"""

import re
from typing import Final

import duckdb

from linkage.errors import NotFoundError

LEVELS: Final = ("template", "opening", "ending", "exact")
"""What a name of ours is of: the whole prompt, its opening or its ending up to near-duplicates, or one very text."""

SHORTEST: Final = 6
"""A name may be cut to so many characters."""

_NAME: Final = re.compile(r"(?:(template|opening|ending|exact):)?([0-9a-f]{6,16})", re.IGNORECASE)

PROMPTED: Final = """
-- Each use of a prompt; what the export gives as an identifier is one too.
CREATE TEMP VIEW prompted AS
SELECT account_id, "at", model, prompt, prompt_fingerprint AS given FROM exchanges
WHERE prompt IS NOT NULL OR prompt_fingerprint IS NOT NULL
UNION ALL SELECT account_id, "at", NULL, NULL, value FROM identifiers WHERE kind = 'prompt';
"""
"""Makes the view that the functions here read, on a connection to a case."""

# The numbers between $low and $high that are a name, and the template that each names today.
_KNOWN: Final = {
    "template": """SELECT body AS name, body AS today FROM templates WHERE body BETWEEN $low AND $high
        UNION SELECT template, template FROM followed WHERE template BETWEEN $low AND $high
        UNION SELECT alias, template FROM template_aliases WHERE part = 'body' AND alias BETWEEN $low AND $high""",
    "opening": """SELECT opening AS name, opening AS today FROM templates WHERE opening BETWEEN $low AND $high
        UNION SELECT alias, template FROM template_aliases WHERE part = 'opening' AND alias BETWEEN $low AND $high""",
    "ending": """SELECT ending AS name, ending AS today FROM templates WHERE ending BETWEEN $low AND $high
        UNION SELECT alias, template FROM template_aliases WHERE part = 'ending' AND alias BETWEEN $low AND $high""",
    "exact": """SELECT prompt AS name, prompt AS today FROM prompts WHERE prompt BETWEEN $low AND $high
        UNION SELECT n, n FROM (SELECT DISTINCT ('0x' || substr(given, 7))::UBIGINT AS n FROM prompted
            WHERE regexp_full_match(given, 'exact:[0-9a-f]{16}')) WHERE n BETWEEN $low AND $high""",
}


def resolve(con: duckdb.DuckDBPyConnection, asked: str) -> tuple[str, str, str | None]:
    """The template that a typed name means.

    Digits alone mean a template first, then an opening, an ending and an exact prompt.

    Returns:
        level (one of `LEVELS`, or `given`), digits (or the fingerprint as given), and the digits that were asked for
        where these are an alias.

    Raises:
        NotFoundError: nothing has that name, several have it, or the case holds no prompts.
    """
    ours = _NAME.fullmatch(asked)
    own_exact = re.fullmatch("exact:[0-9a-f]{16}", asked)
    if not own_exact and con.execute("SELECT 1 FROM prompted WHERE given = ? LIMIT 1", [asked]).fetchone():
        return "given", asked, None
    found: list[tuple[str, str, str]] = []
    if ours:
        digits = ours[2].lower()
        ends = {"low": int(digits.ljust(16, "0"), 16), "high": int(digits.ljust(16, "f"), 16)}
        for level in (ours[1].lower(),) if ours[1] else LEVELS:
            rows = con.execute(_KNOWN[level], ends).fetchall()
            # A name that is in use is that template's, even where it was another's before.
            today = {name for name, now in rows if name == now}
            found = [(level, f"{now:016x}", f"{name:016x}") for name, now in rows if name == now or name not in today]
            if found:
                break
    if len(asked) >= SHORTEST and (not ours or not ours[1]):
        rows = con.execute(
            "SELECT DISTINCT given FROM prompted WHERE starts_with(given, ?) AND NOT starts_with(given, 'exact:')",
            [asked],
        ).fetchall()
        found += [("given", given, given) for (given,) in rows]
    return _single(con, asked, found)


def _single(
    con: duckdb.DuckDBPyConnection, asked: str, found: list[tuple[str, str, str]]
) -> tuple[str, str, str | None]:
    distinct = sorted({(level, now) for level, now, _ in found})
    if not distinct:
        if not con.execute("SELECT 1 FROM prompted LIMIT 1").fetchone():
            raise NotFoundError(
                "The case holds no prompts.", "Ingest exchanges with a column prompt or prompt_fingerprint."
            )
        cut = bool(re.fullmatch(r"(?:[a-z]+:)?[0-9a-fA-F]{0,5}", asked))
        raise NotFoundError(
            f"The case knows no template {asked!r}.",
            f"Write at least {SHORTEST} of its digits." if cut else "See them: linkage templates",
        )
    if len(distinct) > 1:
        names = [now if level == "given" else f"{level}:{now}" for level, now in distinct]
        more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
        raise NotFoundError(
            f"{len(names):,} templates begin with {asked!r}: {', '.join(names[:5])}{more}.", "Write more of it."
        )
    ((level, now),) = distinct
    named = {name for _, _, name in found}
    alias = None if now in named else min(named)
    if level == "template":
        moved = _followed_instead(con, now)
        if moved:
            return level, moved, alias or now
        if asked[0] != "t" and alias is None and _is_one_prompt(con, now):
            return "exact", now, None
    return level, now, alias


def _is_one_prompt(con: duckdb.DuckDBPyConnection, digits: str) -> bool:
    """Whether a template is of one prompt only: then it is called by that."""
    rows = con.execute(
        "SELECT min(prompt), max(prompt) FROM exchange_templates WHERE template = ('0x' || ?)::UBIGINT", [digits]
    ).fetchall()
    return rows[0][0] is not None and rows[0][0] == rows[0][1]


def _followed_instead(con: duckdb.DuckDBPyConnection, digits: str) -> str | None:
    """Where the prompts of a template went that the newest run found to follow another one, all of them."""
    rows = con.execute(
        """SELECT f.template, count(*) FROM followed f JOIN templates t USING (prompt)
        WHERE t.body = ('0x' || $digits)::UBIGINT AND NOT EXISTS (
            SELECT 1 FROM exchange_templates WHERE template = ('0x' || $digits)::UBIGINT)
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1""",
        {"digits": digits},
    ).fetchall()
    return f"{rows[0][0]:016x}" if rows else None


def aliases(con: duckdb.DuckDBPyConnection, level: str, digits: str) -> tuple[str, ...]:
    """Names that a template had before."""
    if level not in ("template", "opening", "ending"):
        return ()
    rows = con.execute(
        """SELECT DISTINCT alias FROM template_aliases
        WHERE part = ? AND template = ('0x' || ?)::UBIGINT AND alias <> template ORDER BY alias""",
        ["body" if level == "template" else level, digits],
    ).fetchall()
    return tuple(f"{level}:{alias:016x}" for (alias,) in rows)
