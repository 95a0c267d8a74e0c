"""What `--keep-skeletons` adds to the case: words of prompts as keyed hashes, and the text of those that many use.

Without the option nothing here runs. With it, the staged rows carry each prompt's words as hashes; at the end of a
file, the text of the words that enough accounts used is read off the file once more, and nothing else of any prompt.
"""

from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from linkage import store
from linkage.ingest.merge import PART_ROWS
from linkage.prompts.skeleton import PROMPTS
from linkage.prompts.sketch import SketchKey
from linkage.prompts.words import SKELETON_ACCOUNTS, Texts, WordCounts
from linkage.scripts import conditions
from linkage.secret import Key

MOST_PAIRS: Final = 10_000_000
"""Pairs of a word and an account that a case remembers; beyond them, words of one account are forgotten."""

# The prompts that a skeleton is read off: those of smallest id of each template that enough accounts send. What people
# ask by themselves is none of them.
_CHOSEN: Final = """
CREATE OR REPLACE TEMP TABLE chosen AS
WITH sent AS (SELECT DISTINCT account_id, prompt FROM kase.exchanges WHERE prompt IS NOT NULL),
parts AS (SELECT prompt, 'body' AS part, body AS template FROM kase.templates
    UNION ALL SELECT prompt, 'opening', opening FROM kase.templates WHERE opening IS NOT NULL
    UNION ALL SELECT prompt, 'ending', ending FROM kase.templates WHERE ending IS NOT NULL),
enough AS (SELECT part, template FROM sent JOIN parts USING (prompt) GROUP BY part, template
    HAVING count(DISTINCT account_id) >= $accounts),
known AS (SELECT prompt FROM held_words UNION SELECT prompt FROM kase.prompt_words)
SELECT DISTINCT prompt FROM (SELECT prompt, part, template FROM parts JOIN enough USING (part, template)
    SEMI JOIN known USING (prompt) QUALIFY row_number() OVER (PARTITION BY part, template ORDER BY prompt) <= $most);
"""


class Skeletons:
    """Gathers words beside the rows of each file; `con` gets the functions `prompt_words` and `note_words`."""

    def __init__(self, con: duckdb.DuckDBPyConnection, key: Key) -> None:
        self._con = con
        self._key = SketchKey.of(key.secret)
        self._counts = WordCounts(self._key)
        self._known = np.zeros(0, np.uint64)
        self._texts = Texts(self._key, self._known)
        # In the scratch database, which goes with the call: what is not chosen in the end never was in the case.
        con.execute("CREATE TABLE held_words (prompt UBIGINT NOT NULL, words UBIGINT[] NOT NULL)")
        con.create_function(
            "prompt_words", lambda texts, accounts: self._counts.sequences(texts, accounts), ["VARCHAR", "VARCHAR"],
            "UBIGINT[]", type=PythonUDFType.ARROW, null_handling=FunctionNullHandling.SPECIAL, side_effects=True,
        )  # fmt: skip
        con.create_function(
            "note_words", lambda texts: self._texts.note(texts), ["VARCHAR"], "BIGINT", type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL, side_effects=True,
        )  # fmt: skip

    def begin(self, case: Path) -> None:
        """Begin a file with what the case knows; what a file that was refused left behind is forgotten."""
        with store.reading(case) as con:
            known = con.execute("SELECT word FROM words ORDER BY word").fetchnumpy()
            pairs = con.execute("SELECT word, account FROM word_accounts ORDER BY word, account").fetchnumpy()
        self._known = np.asarray(known["word"], np.uint64)
        self._counts.load(self._known, np.asarray(pairs["word"], np.uint64), np.asarray(pairs["account"], np.uint32))
        self._texts = Texts(self._key, np.zeros(0, np.uint64))

    def gather(self, noting: str, parameters: list[object]) -> None:
        """Once a file is staged, hold the words of its prompts, and read off it the text of those that many use.

        Args:
            noting: gives `note_words` all raw prompts of the file.
            parameters: of it.
        """
        con = self._con
        (rows,) = con.execute("SELECT count(*) FROM stage").fetchall()[0]
        for part in conditions("prompt", 1 + rows // PART_ROWS):
            con.execute(
                f"""INSERT INTO held_words SELECT prompt, any_value(words) FROM stage
                WHERE broken IS NULL AND words IS NOT NULL AND {part} GROUP BY prompt
                HAVING prompt NOT IN (SELECT prompt FROM held_words)"""
            )
        wanted = np.setdiff1d(self._counts.enough(), self._known)
        self._texts = Texts(self._key, wanted)
        if len(wanted):
            con.execute(noting, parameters).fetchall()

    def merge(self) -> None:
        """Write texts and counts of words into `kase`, inside the file's transaction."""
        con = self._con
        found = sorted(self._texts.found.items())
        words, accounts = self._counts.pairs()
        con.register(
            "found_words",
            pa.table({"word": pa.array([w for w, _ in found], pa.uint64()), "text": [text for _, text in found]}),
        )
        con.register("found_pairs", pa.table({"word": words, "account": accounts}))
        con.execute("INSERT INTO kase.words SELECT * FROM found_words ANTI JOIN kase.words USING (word)")
        con.execute(
            """INSERT INTO kase.word_accounts
            SELECT * FROM found_pairs ANTI JOIN kase.word_accounts USING (word, account)"""
        )
        con.execute("DELETE FROM kase.word_accounts WHERE word IN (SELECT word FROM kase.words)")
        if con.execute("SELECT count(*) FROM kase.word_accounts").fetchall()[0][0] > MOST_PAIRS:
            con.execute(
                """DELETE FROM kase.word_accounts WHERE word IN (
                SELECT word FROM kase.word_accounts GROUP BY word HAVING count(*) = 1)"""
            )
        con.unregister("found_words")
        con.unregister("found_pairs")

    def finish(self, case: Path) -> None:
        """Once all prompts are placed, keep the words of those that skeletons are read off, and of no others."""
        con = self._con
        with store.attached(con, case, read_only=False):
            con.execute(_CHOSEN, {"accounts": SKELETON_ACCOUNTS, "most": PROMPTS})
            con.execute("DELETE FROM kase.prompt_words WHERE prompt NOT IN (SELECT prompt FROM chosen)")
            con.execute(
                """INSERT INTO kase.prompt_words SELECT * FROM held_words SEMI JOIN chosen USING (prompt)
                ANTI JOIN kase.prompt_words USING (prompt) ORDER BY prompt"""
            )
        con.execute("DROP TABLE chosen; DELETE FROM held_words")
