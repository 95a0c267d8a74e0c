"""No raw prompt, e-mail, phone number, card number or secret reaches the disk: every byte of it is searched."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from linkage import store
from linkage.ingest import ingest
from tests import leaks
from tests.cases import Output
from tests.leaks import PLANTED, on_disk, plant, search, unpacked


@pytest.fixture(autouse=True)
def _pepper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_PEPPER", leaks.PEPPER)


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    for at, text in enumerate(PLANTED):
        for spelled in leaks.spellings(text):
            (tmp_path / f"f{at}").write_bytes(b"\x01" + spelled + b"\xff")
            assert (str(tmp_path / f"f{at}"), text) in search(on_disk(tmp_path))[1]
        (tmp_path / f"f{at}").unlink()
    planted = plant(tmp_path / "in")
    found = {text for _, text in search(on_disk(tmp_path))[1]}
    # The words stand there with a capital, and the key in the environment.
    assert found == set(PLANTED) - {leaks.PEPPER, leaks.WORDS}
    assert len(planted) == 5


def test_no_planted_value_is_in_any_byte_of_a_case_or_of_what_is_made_of_it(
    tmp_path: Path, linkage: Callable[..., Output]
) -> None:
    exports = tmp_path / "exports"
    plant(exports)
    work = tmp_path / "work"
    work.mkdir()
    case = work / "c.duckdb"
    at = ("--case", case)
    said = []

    def tell(*words: object) -> str:
        code, out, err = linkage(*words)
        said.append((" ".join(map(str, words[:2])), f"{out}\n{err}".encode()))
        assert code in (0, 3), (words, out, err)
        return out

    tell("ingest", exports, *at, "-v")
    tell("detect", *at, "--nulls", "0", "-v")
    tell("allow", "email", leaks.MAIL, *at, "--reason", "hers")
    tell("allow", "phone", leaks.PHONE, *at, "--reason", "hers")
    rings = tell("rings", *at, "--all")
    assert "accounts share" in rings
    for words in (
        ("rejects", *at), ("rejects", *at, "--export", work / "rejects.csv"), ("ring", "1", *at),
        ("why", "c1", "c2", *at),
        ("ring", "1", "--packet", work / "packet", *at), ("ring", "1", "--sources", *at, "--json"), ("templates", *at),
        ("report", "1", "-o", work / "r.html", *at), ("export", work / "csv", *at, "--ring", "1"), ("audit", *at),
        ("export", work / "parquet", *at, "--format", "parquet"), ("hubs", *at), ("aliases", *at),
        ("export", work / "jsonl", *at, "--format", "jsonl", "--ring", "1"), ("runs", *at, "--json"), ("allow", *at),
        ("export", work / "graph", *at, "--format", "graphml", "--ring", "1"),
    ):  # fmt: skip
        tell(*words)
    with store.reading(case) as con:
        assert con.execute("SELECT count(*) FROM prompts").fetchall() != [(0,)]
        assert con.execute("SELECT count(*) FROM rejects").fetchall()[0][0] >= 14
    searched, found = search([*on_disk(work), *unpacked(case), *said])
    assert found == set()
    leaks.reported(searched)


def test_skeletons_keep_words_that_five_accounts_use_and_nothing_else(tmp_path: Path) -> None:
    case = tmp_path / "work" / "c.duckdb"
    case.parent.mkdir()
    ingest(plant(tmp_path / "exports"), case, keep_skeletons=True)
    with store.reading(case) as con:
        assert ("ferment",) in con.execute('SELECT "text" FROM words').fetchall()
    # Single words, not their order: a table has them by their hashes.
    searched, found = search([*on_disk(case.parent), *unpacked(case)])
    assert found == set()
    leaks.reported(searched)


@pytest.mark.parametrize("where", ["merge_prompts", "place"])
def test_nor_is_it_in_what_a_killed_ingest_leaves(tmp_path: Path, where: str) -> None:
    paths = plant(tmp_path / "exports")
    work = tmp_path / "work"
    work.mkdir()
    child = os.fork()
    if child == 0:
        import linkage.ingest.load as load

        setattr(load, where, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        try:
            ingest(paths, work / "c.duckdb", keep_skeletons=True)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    searched, found = search(on_disk(work))
    assert found == set()
    assert any(path.suffix == ".scratch" for path in work.iterdir())
    leaks.reported(searched)
