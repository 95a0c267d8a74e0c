"""From the prompts of the case to works in the scratch database: which template each account's prompts follow.

A prompt follows the template of its near-duplicates, which ingest has placed (`linkage.ingest.place`), unless all
that its account sends shows one that it shares with other accounts (`linkage.prompts.outlines`, `alike`). Only the
latter can link accounts by itself: near-duplicates of single prompts may share a passage and be other work.
"""

from collections.abc import Iterator
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linkage.model import HEAVY_USES, NEAR_PROMPT, PROMPT_EDGE, WORKED_PROMPT
from linkage.prompts.alike import same
from linkage.prompts.outlines import SAMPLE, Outlines, Sent, follow, outlines, rarities, recurring
from linkage.prompts.popular import speakers, takes_part
from linkage.prompts.sketch import words
from linkage.scripts import Scripts

PART_PROMPTS: Final = 1_000_000
"""Prompts that are looked at at once: about 1 GiB of memory."""

FEW_PROMPTS: Final = 16
"""Prompts of an account from which it is told whether it sends a template now and then."""

LIGHTLY: Final = 1 / 8
"""Who sends a template this part as often as those who work with it counts against it."""

SHORT_PROMPT: Final = 16
"""Tokens: about a sentence. Fewer are a phrase, which says something only of an account that repeats it."""

REPEATED: Final = 3
"""So often."""

SENT: Final = """
CREATE TABLE sent AS SELECT account, prompt, count(*) AS n, epoch_us(min("at")) AS first, epoch_us(max("at")) AS last
FROM kase.exchanges JOIN ids USING (account_id) WHERE prompt IS NOT NULL GROUP BY account, prompt;
"""

_SAMPLE: Final = """
-- Accounts that send too little have no work that anybody could tell from a coincidence.
CREATE TABLE busy AS SELECT account, (sum(count(*)) OVER (ORDER BY account) // {part})::INTEGER AS part
FROM sent GROUP BY account HAVING sum(n) >= {heavy};

CREATE TABLE sample AS SELECT account, part, prompt, n, body, sketch FROM (
    SELECT account, part, prompt, n FROM sent JOIN busy USING (account)
    QUALIFY row_number() OVER (PARTITION BY account ORDER BY prompt) <= {most})
JOIN kase.templates USING (prompt) JOIN kase.prompts USING (prompt);

CREATE TABLE followed (account INTEGER, prompt UBIGINT, template UBIGINT);

-- Accounts that send a template now and then, though less than those that work with it.
CREATE TABLE others (template UBIGINT, accounts BIGINT);
"""

_REST: Final = """
SELECT s.account, s.prompt, s.n, t.body, p.sketch FROM sent s SEMI JOIN working USING (account)
JOIN kase.templates t USING (prompt) JOIN kase.prompts p USING (prompt)
ORDER BY s.account, s.prompt
"""

_FEW: Final = """
WITH few AS (SELECT account, prompt, n, sum(n) OVER (PARTITION BY account) AS total FROM sent
    WHERE account % $step = 0 QUALIFY row_number() OVER (PARTITION BY account ORDER BY prompt) <= $few)
SELECT account, prompt, n, (total / sum(n) OVER (PARTITION BY account))::DOUBLE AS scale, body, sketch
FROM few JOIN kase.templates USING (prompt) JOIN kase.prompts USING (prompt) ORDER BY account, prompt
"""

_WORKS: Final = """
CREATE TABLE work_of AS
WITH placed AS (SELECT s.account, s.prompt, s.n, s.first, s.last, coalesce(f.template, t.body) AS template, t.opening,
        t.ending, p.tokens, f.template IS NOT NULL AS common, count(*) OVER (PARTITION BY s.prompt) AS sent_by
    FROM sent s JOIN kase.templates t USING (prompt) JOIN kase.prompts p USING (prompt)
        LEFT JOIN followed f USING (account, prompt)),
sizes AS (SELECT template, min(prompt) <> max(prompt) AS several FROM placed GROUP BY template)
SELECT account, prompt, n, first, last, tokens, common,
    CASE WHEN several THEN 'template:' ELSE 'exact:' END || format('{:016x}', template) AS value,
    CASE WHEN several AND sent_by > 1 THEN 'exact:' || format('{:016x}', prompt) END AS exact,
    'opening:' || format('{:016x}', opening) AS opening, 'ending:' || format('{:016x}', ending) AS ending
FROM placed JOIN sizes USING (template);
"""

# Who works with a prompt is linked by it; who sent it now and then is not, and says nothing about those who do.
_WORKED: Final = """
CREATE TABLE workers AS
SELECT account, value FROM work_of WHERE common GROUP BY account, value HAVING sum(n) >= {heavy}
UNION
SELECT account, value FROM seen WHERE kind = 'prompt' AND n >= {heavy} AND NOT regexp_full_match(value, '{ours}');

CREATE TABLE trusted AS
SELECT 'prompt' AS kind, value, '{worked}' AS trust FROM workers GROUP BY value HAVING count(*) >= 2
UNION ALL
SELECT DISTINCT 'prompt', value, '{edge}' FROM seen WHERE kind = 'prompt' AND regexp_full_match(value, '{edges}')
UNION ALL
SELECT DISTINCT 'prompt', value, '{near}' FROM seen ANTI JOIN (SELECT value FROM workers GROUP BY value
    HAVING count(*) >= 2) USING (value) WHERE kind = 'prompt' AND regexp_full_match(value, '{templates}');

-- A few words that somebody sent now and then could be anybody's.
DELETE FROM seen WHERE kind = 'prompt' AND n < {repeated} AND (account, value) IN (
    SELECT (account, value) FROM work_of GROUP BY account, value HAVING max(tokens) < {short}
    UNION ALL SELECT (account, exact) FROM work_of WHERE tokens < {short});

-- Whoever sends it too, if not once in a while only.
CREATE TABLE rivals AS
WITH usual AS (SELECT value, median(n) AS n FROM seen JOIN workers USING (account, value) WHERE kind = 'prompt'
    GROUP BY value)
SELECT 'prompt' AS kind, value, count(*) AS rivals
FROM seen ANTI JOIN workers USING (account, value) JOIN usual USING (value)
WHERE kind = 'prompt' AND seen.n >= {lightly} * usual.n AND NOT regexp_full_match(value, '{ours}') GROUP BY value
UNION ALL SELECT 'prompt', value, max(accounts) FROM others JOIN (SELECT DISTINCT value, template FROM work_of
    JOIN followed USING (account, prompt)) USING (template) GROUP BY value;

DELETE FROM seen WHERE kind = 'prompt' AND value IN (SELECT value FROM trusted WHERE trust = '{worked}')
    AND NOT EXISTS (SELECT 1 FROM workers WHERE workers.account = seen.account AND workers.value = seen.value);
"""


def find_works(con: duckdb.DuckDBPyConnection) -> None:
    """Leave the works of all accounts in the scratch database `con`.

    Tables left: `work_of` (account, prompt, n, first, last, tokens, common, value, exact, opening, ending), where
    `value` is what stands for the prompt: its template, or itself where nobody sent another prompt of that
    template; `exact` is the prompt itself where it has a template and others sent it too; `common` says that the
    account shares the template with others by all that it sends. `followed` (account, prompt, template) has the
    latter, `others` (template, accounts) how many other accounts send such a template, but less.
    Reads `ids`; the case is attached as `kase`.
    """
    con.execute(SENT)
    works_of_sent(con)


def works_of_sent(con: duckdb.DuckDBPyConnection) -> None:
    """`find_works` from a table `sent` (account, prompt, n, first, last) that is there already."""
    con.execute(_SAMPLE.format(part=PART_PROMPTS, heavy=HEAVY_USES, most=SAMPLE))
    found, prompt, body = _outlines(con)
    template = same(found)
    # What no other account works with is nobody's link.
    shared = np.bincount(template)[template] > 1 if len(template) else np.zeros(0, np.bool_)
    if shared.any():
        name = _names(template, prompt, body)
        _follow(con, found.only(shared), name[template][shared])
        _count_others(con, found.only(shared), template[shared], name)
    con.execute("DROP TABLE sample")
    con.execute(_WORKS)


def trust_prompts(tables: Scripts) -> None:
    """Say what prompts in `seen` are weighed as, and leave those who work with one as its only sightings.

    Tables left: `trusted` (kind, value, trust) and `rivals` (kind, value, rivals): accounts that send the value too,
    but so little that no sighting says so. Reads `seen` and what `find_works` left.
    """
    levels = {
        name: f"({words}):[0-9a-f]{{16}}"
        for name, words in (
            ("edges", "opening|ending"),
            ("templates", "template"),
            ("ours", "opening|ending|template|exact"),
        )
    }
    trusts = {"worked": WORKED_PROMPT, "near": NEAR_PROMPT, "edge": PROMPT_EDGE}
    tables.execute(
        _WORKED.format(heavy=HEAVY_USES, short=SHORT_PROMPT, repeated=REPEATED, lightly=LIGHTLY, **trusts, **levels)
    )


def _parts(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[Sent, NDArray[np.uint64]]]:
    """The sample, some accounts at a time, and the ids of its prompts."""
    for (part,) in con.execute("SELECT DISTINCT part FROM busy ORDER BY part").fetchall():
        rows = con.sql(
            "SELECT account, prompt, n, body, sketch FROM sample WHERE part = $part ORDER BY account, prompt",
            params={"part": part},
        ).to_arrow_table()
        if len(rows):
            yield _sent(rows)


def _sent(rows: pa.Table) -> tuple[Sent, NDArray[np.uint64]]:
    sketches = rows["sketch"].combine_chunks()
    hashes, where, start = words(sketches)
    sent = Sent(
        account=rows["account"].to_numpy().astype(np.int32),
        uses=rows["n"].to_numpy().astype(np.int64),
        near=rows["body"].to_numpy().astype(np.uint64).view(np.int64),
        words=hashes,
        places=where,
        start=start,
    )
    return sent, rows["prompt"].to_numpy().astype(np.uint64)


def _names(template: NDArray[np.int64], prompt: NDArray[np.uint64], body: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The name of each template: that of its near-duplicates, or its smallest prompt where others would have it too."""
    names = np.full((2, int(template.max()) + 1), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(names[0], template, body)
    np.minimum.at(names[1], template, prompt)
    _, inverse, count = np.unique(names[0], return_inverse=True, return_counts=True)
    chosen: NDArray[np.uint64] = np.where(count[inverse] == 1, names[0], names[1])
    return chosen


def _outlines(con: duckdb.DuckDBPyConnection) -> tuple[Outlines, NDArray[np.uint64], NDArray[np.uint64]]:
    """All accounts' outlines, and for each the smallest id and the smallest near-duplicate template of its prompts."""
    repeated, accounts = [np.zeros(0, np.uint32)], 0
    for sent, _ in _parts(con):
        repeated.append(recurring(sent))
        accounts += len(np.unique(sent.account))
    vocabulary, rarity = rarities(np.concatenate(repeated), accounts)
    parts: list[Outlines] = []
    none = np.iinfo(np.uint64).max
    prompts, bodies = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    for sent, ids in _parts(con):
        found, prompt = outlines(sent, vocabulary, rarity, HEAVY_USES)
        parts.append(found)
        inside = prompt >= 0
        for smallest, values in ((prompts, ids), (bodies, sent.near.view(np.uint64))):
            smallest.append(np.full(len(found.account), none, np.uint64))
            np.minimum.at(smallest[-1], prompt[inside], values[inside])
    return Outlines.together(parts), np.concatenate(prompts), np.concatenate(bodies)


def _follow(con: duckdb.DuckDBPyConnection, kept: Outlines, names: NDArray[np.uint64]) -> None:
    """Fill `followed`: all prompts of accounts whose outlines are those of another account too, and their names."""
    con.register("accounts_at_work", {"account": np.unique(kept.account)})
    con.execute("CREATE TABLE working AS SELECT account FROM accounts_at_work")
    con.unregister("accounts_at_work")
    account, prompt, goes_to = [np.zeros(0, np.int32)], [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    for batch in con.sql(_REST).to_arrow_reader(PART_PROMPTS // 4):
        rows = pa.Table.from_batches([batch])
        sent, ids = _sent(rows)
        outline = follow(sent, kept)
        account.append(sent.account[outline >= 0])
        prompt.append(ids[outline >= 0])
        goes_to.append(names[outline[outline >= 0]])
    columns = {"account": np.concatenate(account), "prompt": np.concatenate(prompt), "to": np.concatenate(goes_to)}
    con.register("moved", columns)
    con.execute('INSERT INTO followed SELECT account, prompt, "to" FROM moved')
    con.unregister("moved")


def _count_others(
    con: duckdb.DuckDBPyConnection, kept: Outlines, template: NDArray[np.int64], name: NDArray[np.uint64]
) -> None:
    """Fill `others`, from a sample of accounts and of their prompts.

    An account counts if it sends the template at least `LIGHTLY` times as often as the median account that works with
    it: who does so once, where others do so thousands of times, does something else.
    """
    uses = con.execute(
        """SELECT template, median(n)::DOUBLE FROM (SELECT account, template, sum(n) AS n FROM followed
            JOIN sent USING (account, prompt) GROUP BY ALL HAVING sum(n) >= ?) GROUP BY template""",
        [HEAVY_USES],
    ).fetchall()
    if not uses:
        return
    least = {int(value): LIGHTLY * float(usual) for value, usual in uses}
    standing = speakers(kept, template)
    found, of = kept.only(standing), template[standing]
    ((prompts,),) = con.execute(
        "SELECT sum(least(n, ?)) FROM (SELECT count(*) AS n FROM sent GROUP BY account)", [FEW_PROMPTS]
    ).fetchall()
    step = 1 + int(prompts) // PART_PROMPTS
    rows = con.sql(_FEW, params={"few": FEW_PROMPTS, "step": step}).to_arrow_table()
    sent, _ = _sent(rows)
    row, follows = takes_part(sent, found, of)
    # Uses of the sampled prompts, scaled to all that the account sent.
    counted = sent.uses[row] * rows["scale"].to_numpy()[row]
    cell, inverse = np.unique(np.stack((sent.account[row], follows), axis=1), axis=0, return_inverse=True)
    total = np.bincount(inverse, counted, minlength=len(cell))
    named = name[cell[:, 1]]
    enough = total >= np.array([least.get(value, np.inf) for value in named.tolist()])
    columns = {"account": cell[enough, 0], "template": named[enough]}
    con.register("taking_part", columns)
    con.execute(
        """INSERT INTO others SELECT template, count(*) * ? FROM taking_part ANTI JOIN
            (SELECT account, template FROM followed JOIN sent USING (account, prompt) GROUP BY ALL HAVING sum(n) >= ?)
            USING (account, template) GROUP BY template""",
        [step, HEAVY_USES],
    )
    con.unregister("taking_part")
