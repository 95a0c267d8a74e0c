"""Raw prompts through ingest: kept once, placed alike whatever the way they came, and never as text."""

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from linkage import store
from linkage.case_schema import SCHEMA_VERSION
from linkage.detect import detect
from linkage.errors import InputError
from linkage.export import export
from linkage.ingest import ingest, load, place, rejects
from linkage.prompts import near_duplicates
from linkage.prompts.sketch import SketchKey, identified_sketches
from linkage.secret import load_or_make_key
from tests.cases import forget_places
from tests.test_decisions import PROMPT_TABLES

Row = tuple[str, str, str]
"""Account, time, prompt."""

START = datetime(2026, 2, 1)


def rows(case: Path, sql: str) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql).fetchall()


def spelled(seed: int, count: int) -> list[str]:
    chance = Random(seed)
    return ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(count)]


def filled(template: int, value: int) -> str:
    """A prompt of a template: an opening, a task with a short slot and a passage in it, and an ending."""
    words = spelled(template, 70)
    passage = " ".join(spelled(10_000 + template * 1_000 + value, 12))
    head, task, end = " ".join(words[:20]), words[20:55], " ".join(words[55:])
    return f"{head}.\n{' '.join(task[:20])} {value} {passage} {' '.join(task[20:])}\n{end}"


def written(path: Path, exchanges: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    made = csv.writer(text, lineterminator="\n")
    made.writerow(("account_id", "at", "prompt"))
    made.writerows(exchanges)
    path.write_text(text.getvalue())
    return path


def new_case(path: Path) -> Path:
    """Where a case will be made whose ids are the same as those of any other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + ".key").write_text("same key")
    return path


def world(templates: int = 4, each: int = 12, accounts: int = 2) -> list[Row]:
    """Exchanges of some accounts, so many to a template, with a prompt that all know and some short ones."""
    sent = []
    for template in range(templates):
        for value in range(each):
            sent.append((f"a{template}{value % accounts}", filled(template, value)))
    sent += [(f"a{at % templates}0", "yes please, go on") for at in range(6)]
    sent += [(f"b{at}", " ".join(spelled(900 + at, 30))) for at in range(6)]
    return [(account, str(START + timedelta(minutes=at)), text) for at, (account, text) in enumerate(sent)]


def prompt_tables(case: Path) -> list[list[tuple[Any, ...]]]:
    columns = 'account_id, "at", prompt, prompt_fingerprint'
    return [rows(case, f"SELECT {columns} FROM exchanges ORDER BY ALL")] + [
        rows(case, f"SELECT * FROM {table} ORDER BY ALL")
        for table in ("prompts", "templates", "exchange_templates")
    ]  # fmt: skip


def body_of(case: Path, text: str) -> int:
    key = SketchKey.of(load_or_make_key(case).secret)
    identity = identified_sketches(pa.array([text]), key).field("id")[0].as_py()
    ((body,),) = rows(case, f"SELECT body FROM templates WHERE prompt = {identity}")
    return int(body)


# Once each, and placed.


def test_every_distinct_text_is_kept_once_and_placed(tmp_path: Path) -> None:
    sent = world()
    again = [(account, at, f"  {text.upper()} ") for account, at, text in sent]
    case = tmp_path / "c.duckdb"
    ingest([written(tmp_path / "exchanges-1.csv", sent + again), written(tmp_path / "exchanges-2.csv", sent[:9])], case)
    distinct = len({text for _, _, text in sent})
    assert rows(case, "SELECT count(*), count(DISTINCT prompt) FROM prompts") == [(distinct, distinct)]
    assert rows(case, "SELECT count(*), count(DISTINCT prompt), count(body) FROM templates") == [(distinct,) * 3]
    assert rows(case, "SELECT count(*), count(DISTINCT prompt) FROM exchanges") == [(2 * len(sent), distinct)]
    # Four templates, a short prompt and six others; each is named by the smallest of its prompts.
    assert rows(case, "SELECT count(DISTINCT body), min(body = least) FROM (SELECT *, min(prompt) OVER "
                "(PARTITION BY body) AS least FROM templates)") == [(11, True)]  # fmt: skip
    assert len({body_of(case, filled(0, value)) for value in range(12)}) == 1
    assert len({body_of(case, filled(template, 3)) for template in range(4)}) == 4
    parts = "count(DISTINCT opening), count(opening), count(DISTINCT ending), count(ending)"
    assert rows(case, f"SELECT {parts} FROM templates") == [(4, 48, 4, 48)]


def test_tokens_and_sketch_are_those_of_the_text(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    ingest([written(tmp_path / "exchanges.csv", [("a", "2026-02-01", "Sort the 17 rows"), *world(1)])], case)
    ((tokens, size),) = rows(
        case,
        "SELECT tokens, octet_length(sketch) FROM prompts SEMI JOIN (SELECT prompt FROM exchanges "
        "WHERE account_id = 'a') USING (prompt)",
    )
    # Three words of three bytes or more, three pairs and two shingles behind a head of fourteen bytes.
    assert (tokens, size) == (4, 14 + 4 * (3 + 3 + 2))


def test_an_empty_prompt_is_none(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    ingest([written(tmp_path / "exchanges.csv", [("a", "2026-02-01", ""), ("b", "2026-02-01", " \n\t ")])], case)
    assert rows(case, "SELECT count(*), count(prompt) FROM exchanges") == [(2, 0)]
    assert rows(case, "SELECT count(*) FROM prompts") == [(0,)]


@pytest.mark.parametrize("seed", range(2))
def test_no_order_no_split_and_no_number_of_commands_changes_a_name(tmp_path: Path, seed: int) -> None:
    # Six rings of three accounts.
    sent, chance = world(6, 75, 3), Random(seed)
    whole = new_case(tmp_path / "whole" / "c.duckdb")
    ingest([written(tmp_path / "whole" / "exchanges.csv", sent)], whole)
    chance.shuffle(sent)
    cuts = sorted(chance.sample(range(1, len(sent)), 4))
    pieces = [sent[low:high] for low, high in zip([0, *cuts], [*cuts, None], strict=True)]
    files = [written(tmp_path / f"exchanges-{at}.csv", piece) for at, piece in enumerate(pieces)]
    one_command = new_case(tmp_path / "one" / "c.duckdb")
    ingest(files, one_command)
    several = new_case(tmp_path / "several" / "c.duckdb")
    for part in (files[3:], files[:1], files[1:3]):
        ingest(part, several)
    assert prompt_tables(one_command) == prompt_tables(whole)
    assert prompt_tables(several) == prompt_tables(whole)
    contents = []
    for case in (whole, several):
        detect(case)
        export(case, case.parent / "out")
        # The names that templates once had are history.
        files = sorted(path for path in (case.parent / "out").iterdir() if path.stem != "template_aliases")
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1]


def test_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = world(3, 1_500)
    path = tmp_path / "exchanges.parquet"
    with duckdb.connect() as con:
        columns = dict(zip(("account_id", "at", "prompt"), map(list, zip(*sent, strict=True)), strict=True))
        lists = ", ".join(f"unnest($c{at}) AS {name}" for at, name in enumerate(columns))
        con.execute(
            f"COPY (SELECT {lists}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)",
            {f"c{at}": values for at, values in enumerate(columns.values())},
        )
    found = []
    for threads in ("1", "4"):
        monkeypatch.setenv("LINKAGE_THREADS", threads)
        case = new_case(tmp_path / f"{threads}.duckdb")
        ingest([path], case)
        found.append(prompt_tables(case))
    assert found[0] == found[1]
    assert len(found[0][1]) == 4_507


# Templates that later prompts join.


def between(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """Prompts that lead from one text to another: windows over both, each mostly like the one before."""
    words = [*left, *right]
    return [" ".join(words[at : at + len(left)]) for at in range(8, len(left), 8)]


ONE, TWO = spelled(71, 40), spelled(72, 40)
APART = [" ".join(ONE), " ".join(TWO)]


def sent_by(*texts: str) -> list[Row]:
    return [(f"a{at}", str(START + timedelta(minutes=at)), text) for at, text in enumerate(texts)]


def test_a_later_file_joins_two_templates_and_their_names_stay_findable(tmp_path: Path) -> None:
    case = new_case(tmp_path / "c.duckdb")
    ingest([written(tmp_path / "exchanges-1.csv", sent_by(*APART))], case)
    before = {body_of(case, text) for text in APART}
    assert len(before) == 2
    assert rows(case, "SELECT * FROM former_templates") == []
    ingest([written(tmp_path / "exchanges-2.csv", sent_by(*between(ONE, TWO)))], case)
    ((name,),) = rows(case, "SELECT DISTINCT body FROM templates")
    assert name == min(row[0] for row in rows(case, "SELECT prompt FROM templates"))
    former = before - {name}
    assert former
    aliases = rows(case, "SELECT part, alias, template FROM template_aliases ORDER BY alias")
    assert aliases == [("body", alias, name) for alias in sorted(former)]
    assert rows(case, "SELECT template, count(*) FROM exchange_templates GROUP BY 1") == [(name, 6)]


def test_an_alias_points_at_the_newest_name_however_often_it_changes(tmp_path: Path) -> None:
    words = [spelled(80 + at, 40) for at in range(4)]
    alone = [" ".join(text) for text in words]
    bridges = [between(left, right) for left, right in pairwise(words)]
    case, whole = new_case(tmp_path / "c.duckdb"), new_case(tmp_path / "whole.duckdb")
    ingest([written(tmp_path / "exchanges-0.csv", sent_by(*alone))], case)
    names = {body_of(case, text) for text in alone}
    # The ends first, so that what is joined last joins templates that were joined before.
    for number, at in enumerate((0, 2, 1), start=1):
        ingest([written(tmp_path / f"exchanges-{number}.csv", sent_by(*bridges[at]))], case)
        names |= {row[0] for row in rows(case, "SELECT body FROM templates")}
    ((name,),) = rows(case, "SELECT DISTINCT body FROM templates")
    found = rows(case, "SELECT alias, template FROM template_aliases ORDER BY alias")
    assert found == [(alias, name) for alias in sorted(names - {name})]
    ingest(sorted(tmp_path.glob("exchanges-*.csv")), whole)
    assert prompt_tables(whole)[1:3] == prompt_tables(case)[1:3]
    assert rows(whole, "SELECT * FROM former_templates") == []


def test_a_template_that_another_process_placed_meanwhile_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, real = new_case(tmp_path / "c.duckdb"), near_duplicates
    slow = written(tmp_path / "exchanges-1.csv", sent_by(*APART))
    quick = written(tmp_path / "exchanges-2.csv", sent_by(*between(ONE, TWO)))
    script = (
        "import sys; from pathlib import Path; from linkage.ingest import ingest; "
        "ingest([Path(sys.argv[1])], Path(sys.argv[2]))"
    )
    calls = []

    def overtaken(*arguments: Any) -> Any:
        calls.append(1)
        found = real(*arguments)
        if len(calls) == 1:
            subprocess.run([sys.executable, "-c", script, str(quick), str(case)], check=True)
        return found

    monkeypatch.setattr(place, "near_duplicates", overtaken)
    ingest([slow], case)
    assert rows(case, "SELECT count(*), count(DISTINCT body) FROM templates") == [(6, 1)]
    assert body_of(case, APART[0]) == min(row[0] for row in rows(case, "SELECT prompt FROM prompts"))


# What is left of a run that was killed.


def test_prompts_without_a_template_are_placed_by_the_next_ingest(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    path = written(tmp_path / "exchanges.csv", world())
    ingest([path], case)
    before = prompt_tables(case)
    for killed in ("DELETE FROM templates", "DELETE FROM templates WHERE prompt % 3 = 0"):
        with store.writing(case) as con:
            con.execute(killed)
        assert prompt_tables(case) != before
        (report,) = ingest([path], case).files
        assert report.already
        assert prompt_tables(case) == before


def test_a_run_that_dies_before_it_places_prompts_is_mended(tmp_path: Path) -> None:
    path = written(tmp_path / "in" / "exchanges.csv", world())
    case, whole = new_case(tmp_path / "case" / "c.duckdb"), new_case(tmp_path / "whole" / "c.duckdb")
    script = (
        "import os, sys; from pathlib import Path; from linkage.ingest import ingest, load; "
        "load.place = lambda *_: os._exit(9); ingest([Path(sys.argv[1])], Path(sys.argv[2]))"
    )
    died = subprocess.run([sys.executable, "-c", script, str(path), str(case)], check=False)
    assert died.returncode == 9
    left = sorted(path.name for path in case.parent.iterdir())
    assert any(name.endswith(".scratch") for name in left)
    nothing_private(case.parent, [text for _, _, text in world()])
    assert rows(case, "SELECT (SELECT count(*) FROM templates), (SELECT count(*) FROM prompts) > 50") == [(0, True)]
    ingest([path], case)
    ingest([path], whole)
    assert prompt_tables(case) == prompt_tables(whole)
    assert {path.name for path in case.parent.iterdir()} == {"c.duckdb", "c.duckdb.key", "c.duckdb.audit.jsonl"}


# No text.


def long_words(texts: Sequence[str]) -> set[str]:
    return {word for text in texts for word in text.lower().split() if len(word) >= 8 and word.isalpha()}


def nothing_private(folder: Path, texts: Sequence[str]) -> None:
    """No long word of the texts stands in any file of the folder, nor in any value of a database among them."""
    words = long_words(texts)
    assert words
    for path in folder.rglob("*"):
        if path.is_dir():
            continue
        content = path.read_bytes().lower()
        assert not [word for word in words if word.encode() in content], path
        if path.suffix == ".duckdb":
            assert not words & set(values(path)), path


def values(path: Path) -> list[str]:
    """Words of all that a database holds as text: its blocks may be compressed."""
    found: list[str] = []
    with duckdb.connect(str(path), read_only=True) as con:
        for table in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            for row in con.execute(f'SELECT * FROM "{table[0]}"').fetchall():
                found += " ".join(map(str, row)).lower().split()
    return found


def test_no_word_of_a_prompt_reaches_the_disk_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [filled(5, value) for value in range(40)]
    good = [("a", "2026-02-01", text) for text in texts]
    broken = [
        ("b", "never", texts[0]),
        ("c", texts[1], "2026-02-01"),
        ("", "2026-02-01", texts[2]),
        ("d", "", texts[3]),
    ]
    folder, case = tmp_path / "in", tmp_path / "case" / "c.duckdb"
    case.parent.mkdir()
    written(folder / "exchanges.csv", [*good, *broken])
    with (folder / "exchanges.csv").open("a") as file:
        file.write(f'e,2026-02-01,"{texts[4]}",one too many\nf,2026-02-01,"{texts[5]}" and more\ng\n')
    shifted = "account_id,at,prompt_fingerprint,model\n" + "".join(f'h,2026-02-01,"{text}",m\n' for text in texts[6:9])
    (folder / "exchanges-shifted.csv").write_text(shifted)
    (folder / "identifiers.csv").write_text(f'account_id,kind,value\na,prompt,"{texts[9]}"\n')
    seen = []

    def looking(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            if arguments[0]:
                arguments[0].execute("CHECKPOINT")
            look(case.parent, texts)
            seen.append(real.__name__)
            return real(*arguments)

        return step

    def look(folder: Path, texts: list[str]) -> None:
        words = long_words(texts)
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes().lower()
                assert not [word for word in words if word.encode() in content], path

    monkeypatch.setattr(load, "_insert_rejects", looking(load._insert_rejects))
    monkeypatch.setattr(load, "place", looking(place.place))
    ingest([folder], case)
    assert seen.count("place") == 1 and len(seen) == 4
    nothing_private(case.parent, texts)
    with pytest.raises(AssertionError):
        nothing_private(folder, texts)
    told = [(reject.line, reject.reason, reject.excerpt) for reject in rejects(case)]
    assert [excerpt for _, _, excerpt in told if excerpt] == ["never", "***"]
    assert len(told) >= 6
    assert rows(case, "SELECT count(*) FROM prompts") == [(40,)]
    assert rows(case, "SELECT count(*) FROM exchanges WHERE starts_with(prompt_fingerprint, 'exact:')") == [(3,)]


# Fingerprints beside raw prompts.


def test_a_fingerprint_and_a_prompt_in_one_row_both_count(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.csv"
    text = io.StringIO()
    made = csv.writer(text, lineterminator="\n")
    made.writerow(("account_id", "at", "prompt", "prompt_fingerprint"))
    for account in range(2):
        for value in range(25):
            at = START + timedelta(minutes=value * 2 + account)
            made.writerow((f"a{account}", at, filled(3, value + 100 * account), "fp-7"))
    made.writerows((f"o{at}", START, " ".join(spelled(500 + at, 40)), f"fp-{100 + at}") for at in range(60))
    path.write_text(text.getvalue())
    case = tmp_path / "c.duckdb"
    ingest([path], case)
    assert rows(case, "SELECT DISTINCT prompt_fingerprint FROM exchanges WHERE account_id < 'b'") == [("fp-7",)]
    ((template,),) = rows(case, "SELECT DISTINCT template FROM exchange_templates WHERE account_id < 'b'")
    detect(case)
    shared = dict(rows(case, "SELECT value, accounts FROM shared WHERE kind = 'prompt'"))
    assert shared["fp-7"] == shared[f"template:{template:016x}"] == 2


# Cases of an older version.


def made_older(case: Path) -> None:
    """Take back what version 3 of the case brought."""
    with store.writing(case) as con:
        for name in ("exchange_templates", "template_aliases"):
            con.execute(f"DROP VIEW {name}")
        for name in (*PROMPT_TABLES, "ring_kinds", "ring_strongest", "lives", "likeness"):
            con.execute(f"DROP TABLE {name}")
        forget_places(con)
        con.execute("ALTER TABLE exchanges DROP COLUMN prompt; ALTER TABLE shared DROP COLUMN trust")
        store.set_meta(con, "schema_version", "2")


def shape(case: Path) -> list[tuple[Any, ...]]:
    columns = rows(case, "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
                         "WHERE NOT internal ORDER BY table_name, column_index")  # fmt: skip
    return columns + rows(case, "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY view_name")


@pytest.mark.parametrize("fingerprint", ["fp-1", ""])
def test_an_older_case_without_prompts_takes_them(tmp_path: Path, fingerprint: str) -> None:
    case, fresh = tmp_path / "c.duckdb", tmp_path / "fresh.duckdb"
    (tmp_path / "exchanges-0.csv").write_text(f"account_id,at,prompt_fingerprint\nz,2026-01-01,{fingerprint}\n")
    ingest([tmp_path / "exchanges-0.csv"], case)
    made_older(case)
    ingest([written(tmp_path / "exchanges-1.csv", world())], case)
    assert rows(case, "SELECT value FROM meta WHERE key = 'schema_version'") == [(str(SCHEMA_VERSION),)]
    assert rows(case, "SELECT count(prompt), count(prompt_fingerprint) FROM exchanges") == [
        (len(world()), int(bool(fingerprint)))
    ]
    store.create(fresh)
    assert shape(case) == shape(fresh)


def test_an_older_case_with_prompts_of_its_own_refuses_raw_ones(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    (tmp_path / "exchanges-0.csv").write_text("account_id,at,prompt_fingerprint\nz,2026-01-01,exact:00ff\n")
    ingest([tmp_path / "exchanges-0.csv"], case)
    made_older(case)
    raw = written(tmp_path / "exchanges-1.csv", world())
    for _ in range(2):
        with pytest.raises(InputError, match="raw prompts") as refused:
            ingest([raw], case)
        assert "new case" in str(refused.value.message)
    # What else comes with them goes in, and what was there stays.
    (tmp_path / "logins.csv").write_text("account_id,ip\nz,8.8.8.8\n")
    (tmp_path / "exchanges-2.csv").write_text("account_id,at,prompt_fingerprint\ny,2026-01-02,exact:00ff\n")
    report = ingest([raw, tmp_path / "logins.csv", tmp_path / "exchanges-2.csv"], case)
    assert [file.path for file in report.refused] == [raw]
    found = rows(case, "SELECT account_id, prompt_fingerprint, prompt FROM exchanges ORDER BY 1")
    assert found == [("y", "exact:00ff", None), ("z", "exact:00ff", None)]
    assert rows(case, "SELECT count(*) FROM prompts") == [(0,)]
