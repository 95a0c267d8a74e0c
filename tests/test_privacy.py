"""What is private stays so: hashed kinds, keys in files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linkage import store
from linkage.allow import allow
from linkage.detect import detect
from linkage.errors import InputError, MachineError, NotFoundError, UsageError
from linkage.graph.binding import bind
from linkage.graph.questions import Param, questions
from linkage.ingest import ingest
from linkage.reach import read
from linkage.secret import Key, load_or_make_key
from linkage.sources import sources
from tests.cases import Output, copied

HASHED = ["ip", "device", "payment"]
MD5 = "5d41402abc4b2a76b9719d911017c592"


def put(folder: Path, **tables: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    return [folder / f"{name}.csv" for name in tables]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same accounts, readable and hashed: five share a card, an address and a network, with a pool of others."""
    folder = tmp_path_factory.mktemp("twins")
    payments, logins, given = "account_id,payment_id\n", "account_id,ip,device_id,at\n", "account_id,kind,value\n"
    for at in range(60):
        payments += f"a{at},{'card_x' if at < 5 else f'card_{at}'}\n"
        logins += (
            f"a{at},{'8.8.4.4' if at < 5 else f'8.{at}.9.9'},{MD5 if at < 5 else f'd{at}'},2026-01-0{at % 9 + 1}\n"
        )
        logins += f"a{at},{'9.9.9.' if at < 5 else f'9.{at}.7.'}{at},,2026-01-02\n"
        given += f"a{at},ip,{'::ffff:8.8.4.4' if at < 5 else f'8.{at}.9.9'}\n"
    paths = put(folder, payments=payments, logins=logins, identifiers=given)
    plain, hashed = folder / "plain.duckdb", folder / "hashed.duckdb"
    ingest(paths, plain)
    ingest(paths, hashed, hash_kinds=HASHED)
    for case in (plain, hashed):
        detect(case, nulls=0)
    return plain, hashed


def ask(case: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql, list(values)).fetchall()


def test_hashed_kinds_give_the_same_rings_and_no_value(twins: tuple[Path, Path]) -> None:
    plain, hashed = twins
    for asked in (
        "SELECT account_id, tier, round(bits, 4) FROM members ORDER BY ALL",
        "SELECT kind, accounts, outsiders, round(bits, 4) FROM evidence ORDER BY ALL",
        "SELECT kind, count(*) FROM sightings GROUP BY kind ORDER BY kind",
    ):
        assert ask(plain, asked) == ask(hashed, asked) != []
    assert {row[0] for row in ask(hashed, "SELECT value FROM evidence WHERE kind = 'ip_net'")} <= {
        "8.8.4.0/24", "9.9.9.0/24",
    }  # fmt: skip
    counted = [[(row.kind, row.account_id, row.line) for row in sources(case, "1", limit=None)] for case in twins]
    assert sorted(counted[0], key=str) == sorted(counted[1], key=str) != []
    reached = []
    for case in twins:
        with store.reading(case) as con:
            found = read(con, ["a0", "a1"], [])
        reached.append(
            sorted((found.kind[of], int(account)) for of, account in zip(found.id, found.account, strict=True))
        )
    assert reached[0] == reached[1] != []
    for word in (b"8.8.4.4", b"card_x", MD5.encode()):
        assert word not in hashed.read_bytes()
    with store.reading(hashed) as con:
        for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            said = str(con.execute(f"SELECT * FROM {table}").fetchall())
            assert not any(word in said for word in ("8.8.4.4", "card_x", MD5)), table


@pytest.mark.parametrize(("kind", "typed"), [("ip", "::ffff:8.8.4.4"), ("payment", " card_x "), ("device", MD5)])
def test_what_people_type_is_hashed_the_same_way(twins: tuple[Path, Path], kind: str, typed: str) -> None:
    for case in twins:
        asked = ask(case, "SELECT value FROM evidence WHERE kind = ?", kind)
        assert len(asked) == 1
        made = allow(case, kind, typed, reason="ours")
        assert made is None or (made.value,) == asked[0]
        # As the commands show it.
        shown = allow(case, kind, asked[0][0], reason="ours")
        assert shown is None
        param = Param("value", "identifier", "required", "", None, None, "")
        asked_of = replace(questions()[0], params=(param, replace(param, name="kind", type="text")))
        assert bind(asked_of, {"kind": kind, "value": typed}, case=case)["value"] == asked[0][0]


def test_the_choice_is_for_good(twins: tuple[Path, Path], tmp_path: Path, linkage: Callable[..., Output]) -> None:
    plain, hashed = (copied(case, tmp_path) for case in twins)
    (more,) = put(tmp_path / "more", logins="account_id,ip\nb1,8.8.4.4\n")
    code, _, err = linkage("ingest", more, "--case", hashed, "--hash", "ip")
    assert (code, "--hash device,ip,payment, which cannot change" in err) == (3, True)
    code, _, err = linkage("ingest", more, "--case", plain, "--hash", "ip")
    assert (code, "--hash (nothing)" in err) == (3, True)
    assert linkage("ingest", more, "--case", hashed)[0] == 0
    assert ask(
        hashed, "SELECT count(DISTINCT ip) FROM logins WHERE account_id IN ('a0', 'b1') AND ip_net = '8.8.4.0/24'"
    )[0] == (1,)
    # What Spark has read has left its mark, too.
    case = tmp_path / "spark.duckdb"
    store.create(case)
    with store.writing(case) as con:
        con.execute("INSERT INTO runs VALUES (1, now()::TIMESTAMP, 1, '{}', '{}', '{}', '{}')")
    with pytest.raises(InputError, match="cannot change"):
        ingest([more], case, hash_kinds=["ip"])


def test_a_key_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, case = tmp_path / "pepper", tmp_path / "c.duckdb"
    file.write_bytes(b"hush\xff\n")
    file.chmod(0o600)
    monkeypatch.setenv("LINKAGE_PEPPER_FILE", str(file))
    assert load_or_make_key(case) == Key(b"hush\xff")
    assert not case.with_name("c.duckdb.key").exists()
    monkeypatch.setenv("LINKAGE_PEPPER", "hush")
    with pytest.raises(UsageError, match="both"):
        load_or_make_key(case)
    monkeypatch.delenv("LINKAGE_PEPPER")
    file.chmod(0o640)
    with pytest.raises(MachineError, match="Others than its owner"):
        load_or_make_key(case)
    file.chmod(0o600)
    file.write_bytes(b" \n")
    with pytest.raises(InputError, match="empty"):
        load_or_make_key(case)
    for missing in (tmp_path / "none", tmp_path, ""):
        monkeypatch.setenv("LINKAGE_PEPPER_FILE", str(missing))
        with pytest.raises(NotFoundError, match="names no file"):
            load_or_make_key(case)


def test_no_command_takes_the_key_as_an_option(linkage: Callable[..., Output]) -> None:
    assert linkage("ingest", ".", "--pepper", "hush")[0] == 2
    assert "hush" not in linkage("config", "show", "--json")[1]
