"""Joins: the names that other systems give to an account."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage import store
from linkage.ingest import ingest, joins
from linkage.ingest.aliases import resolve
from tests.cases import Output
from tests.preset_samples import FOLDER


def rows(case: Path, sql: str) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql).fetchall()


def put(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


ACCOUNTS = "account_id,aliases\n" + "".join(f"acct_{at},cus_{at:04d};user_{at}\n" for at in range(40))
ALIASES = """account_id,kind,value
acct_1,email,U1@Mail.example
acct_2,customer,cus_0003
cus_0045,user,user_45
acct_45,,cus_0045
"""
LOGINS = "account_id,ip,at\nu1@mail.example,8.8.8.8,2026-01-01\nuser_45,8.8.4.4,2026-01-02\n"


def folders(root: Path) -> tuple[list[Path], list[Path]]:
    exports = root / "exports"
    return (
        [put(exports, "accounts.csv", ACCOUNTS), put(exports, "aliases.csv", ALIASES)],
        [put(exports, "logins.csv", LOGINS), FOLDER / "stripe.csv", FOLDER / "litellm.csv"],
    )


@pytest.mark.parametrize("order", ["aliases first", "aliases last", "at once"])
def test_names_are_joined_whenever_the_alias_comes(order: str, tmp_path: Path) -> None:
    said, events = folders(tmp_path)
    case = tmp_path / "c.duckdb"
    commands = {"aliases first": [said, events], "aliases last": [events, said], "at once": [said + events]}[order]
    for command in commands:
        report = ingest(command, case)
    assert rows(case, "SELECT account_id, ip FROM logins ORDER BY 1") == [("acct_1", "8.8.8.8"), ("acct_45", "8.8.4.4")]
    # An alias of an alias leads on; cus_0003 is claimed by two accounts and joins neither.
    names = {
        name
        for (name,) in rows(case, "SELECT DISTINCT account_id FROM payments UNION SELECT account_id FROM exchanges")
    }
    assert {name for name in names if name.startswith("cus_")} == {"cus_0003"} | {
        f"cus_{at:04d}" for at in range(40, 45)
    }
    assert {"acct_0", "acct_39", "acct_45", "user_44"} <= names
    assert report.joins is not None
    assert report.joins.ambiguous == ("cus_0003",)
    alone = {(row.source, row.accounts, row.alone) for row in report.joins.sources if row.source}
    assert alone == {("Stripe payments", 41, 6), ("LiteLLM spend logs", 46, 5)}
    # Once more, and a later export that overlaps: nothing counts twice.
    before = rows(case, "SELECT count(*) FROM payments")
    again = put(tmp_path / "exports", "stripe-2.csv", (FOLDER / "stripe.csv").read_text() + "\n")
    assert {file.table: file.added for file in ingest([again], case).files}["payments"] == 0
    assert rows(case, "SELECT count(*) FROM payments") == before
    disk = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"U1@Mail" not in disk


def test_what_stays_unjoined_is_counted_and_listed(linkage: Callable[..., Output], tmp_path: Path) -> None:
    said, events = folders(tmp_path)
    case = tmp_path / "c.duckdb"
    _, _, err = linkage("ingest", *said, *events, "--case", case)
    assert "Stripe payments: 6 of 41 accounts are named by no other source" in err
    assert "linkage aliases" in err
    code, out, err = linkage("aliases", "--case", case, "--limit", 3)
    assert code == 0
    assert "user_40" in out
    assert "cus_0003" in err
    found = json.loads(linkage("aliases", "--case", case, "--json")[1])
    assert found["schema"] == "linkage.aliases/1"
    assert {row["account_id"] for row in found["unjoined"]} == {f"user_{at}" for at in range(40, 45)} | {
        "cus_0003", *(f"cus_{at:04d}" for at in range(40, 45))
    }  # fmt: skip


def test_one_source_and_no_alias_cost_and_say_nothing(linkage: Callable[..., Output], tmp_path: Path) -> None:
    path = put(tmp_path, "logins.csv", LOGINS)
    _, _, err = linkage("ingest", path, "--case", tmp_path / "c.duckdb")
    assert "aliases" not in err
    assert joins(tmp_path / "c.duckdb").unjoined == ()


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=12))
def test_no_name_stands_for_two_accounts(claims: list[tuple[str, str]]) -> None:
    found, ambiguous = resolve(claims)
    assert resolve(claims[::-1]) == (found, ambiguous)
    assert not set(found) & set(ambiguous)
    for name, account in found.items():
        # What is joined is joined for good: the account itself leads nowhere else.
        assert account != name
        assert account not in found
    told = {name for name, account in claims if name != account}
    assert set(found) | set(ambiguous) == told


def test_a_long_chain_is_followed_to_its_end() -> None:
    chain = [(f"n{at}", f"n{at + 1}") for at in range(3_000)]
    found, ambiguous = resolve(chain)
    assert set(found.values()) == {"n3000"}
    assert not ambiguous
