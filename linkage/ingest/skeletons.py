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
from linkage.prompts.skeleton import PROMPTS
from linkage.prompts.sketch import SketchKey
from linkage.prompts.words import Texts, WordCounts
from linkage.secret import Key

MOST_PAIRS: Final = 10_000_000
"""Pairs of a word and an account that a case remembers; beyond them, words of one account are forgotten."""

# A later prompt with a smaller id only ever takes a place of these, so the rest is of no use any more.
_PRUNE: Final = """
DELETE FROM prompt_words WHERE prompt NOT IN (
    SELECT prompt FROM (SELECT prompt, body AS template FROM templates SEMI JOIN prompt_words USING (prompt))
    QUALIFY row_number() OVER (PARTITION BY template ORDER BY prompt) <= $most
    UNION ALL
    SELECT prompt FROM (SELECT prompt, opening AS template FROM templates SEMI JOIN prompt_words USING (prompt)
        WHERE opening IS NOT NULL) QUALIFY row_number() OVER (PARTITION BY template ORDER BY prompt) <= $most
    UNION ALL
    SELECT prompt FROM (SELECT prompt, ending AS template FROM templates SEMI JOIN prompt_words USING (prompt)
        WHERE ending IS NOT NULL) QUALIFY row_number() OVER (PARTITION BY template ORDER BY prompt) <= $most)
"""


class Skeletons:
    """Gathers words beside the rows of each file; `con` gets the functions `prompt_words` and `note_words`."""

    def __init__(self, con: duckdb.DuckDBPyConnection, key: Key) -> None:
        self._con = con
        self._key = SketchKey.of(key.secret)
        self._counts = WordCounts(self._key)
        self._known = np.zeros(0, np.uint64)
        self._texts = Texts(self._key, self._known)
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

    def read_texts(self, select: str, parameters: list[object]) -> None:
        """Read off the file the text of words that enough accounts used.

        Args:
            select: gives `note_words` all raw prompts of the file.
            parameters: of it.
        """
        wanted = np.setdiff1d(self._counts.enough(), self._known)
        self._texts = Texts(self._key, wanted)
        if len(wanted):
            self._con.execute(select, parameters).fetchall()

    def merge(self, parts: list[str]) -> None:
        """Write it into `kase`, inside the file's transaction.

        Args:
            parts: conditions that split the staged rows by prompt.
        """
        con = self._con
        for part in parts:
            con.execute(
                f"""INSERT INTO kase.prompt_words SELECT prompt, any_value(words) FROM stage
                WHERE broken IS NULL AND words IS NOT NULL AND {part} GROUP BY prompt
                HAVING prompt NOT IN (SELECT prompt FROM kase.prompt_words WHERE {part})"""
            )
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


def prune(case: Path) -> None:
    """Forget the words of prompts that no skeleton is read off."""
    with store.writing(case) as con:
        con.execute(_PRUNE, {"most": PROMPTS})
