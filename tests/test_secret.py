"""The key, and the hashes made with it."""

import hashlib
import hmac
import os
import threading
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage import store
from linkage.errors import InputError, LinkageError, MachineError
from linkage.ingest import ingest, normalise
from linkage.secret import Key, key_file, load_or_make_key


@given(st.binary(min_size=1, max_size=100), st.text(max_size=30), st.sampled_from(["email", "o'kind", "prompt"]))
@settings(deadline=None, max_examples=40)
def test_the_engines_hmac_is_pythons(key: bytes, value: str, kind: str) -> None:
    with duckdb.connect() as con:
        normalise.prepare(con, Key(key))
        found = con.execute(f"SELECT {normalise.hmac(kind, 'v')} FROM (SELECT ?::VARCHAR AS v)", [value]).fetchall()
    assert found == [(hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()[:32],)]


@pytest.mark.parametrize(
    ("kind", "typed", "same"),
    [
        ("email", " Sam.Lee+x@GoogleMail.com ", "samlee@gmail.com"),
        ("phone", "0044 (20) 7946-0000", "+442079460000"),
        ("ip", "::ffff:8.8.4.4", "8.8.4.4"),
        ("prompt", "Hello\n  WORLD", "hello world"),
        ("recovery_email", "A+b@X.com", "a@x.com"),
        ("payment", " fp_1 ", "fp_1"),
    ],
)
def test_what_people_type_is_what_the_case_keeps(tmp_path: Path, kind: str, typed: str, same: str) -> None:
    case, path = tmp_path / "c.duckdb", tmp_path / "identifiers.csv"
    path.write_text(f'account_id,kind,value\na,{kind},"{typed}"\n')
    ingest([path], case)
    with store.reading(case) as con:
        ((kept,),) = con.execute("SELECT value FROM identifiers").fetchall()
    key = load_or_make_key(case)
    assert kept == normalise.stored_value(kind, typed, key) == normalise.stored_value(kind, same, key)


@pytest.mark.parametrize(("kind", "typed"), [("ip", "8.8.8"), ("email", "sam"), ("phone", "12"), ("device", "n/a")])
def test_what_is_no_value_of_its_kind_is_refused(kind: str, typed: str) -> None:
    with pytest.raises(InputError):
        normalise.stored_value(kind, typed, Key(b"k"))


def test_a_key_shows_nowhere() -> None:
    key = Key(b"hush-hush")
    assert "hush" not in repr(key)
    assert "hush" not in key.id
    assert key.id != Key(b"other").id


def test_a_new_key_is_private_and_stays(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    key = load_or_make_key(case)
    assert key_file(case).stat().st_mode & 0o777 == 0o600
    assert load_or_make_key(case) == key
    assert [path.name for path in tmp_path.iterdir()] == ["c.duckdb.key"]


def test_processes_that_make_a_key_at_once_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, barrier, keys = tmp_path / "c.duckdb", threading.Barrier(4), []
    real = os.link

    def link(source: Path, target: Path) -> None:
        barrier.wait(timeout=30)  # all four have found no key by now
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    threads = [threading.Thread(target=lambda: keys.append(load_or_make_key(case))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 4
    assert len(set(keys)) == 1


def test_a_crash_while_a_key_is_made_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(MachineError, match="disk is full"):
        load_or_make_key(tmp_path / "c.duckdb")
    assert not list(tmp_path.iterdir())


def test_any_bytes_are_a_key_but_none_are_not(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    key_file(case).write_bytes(b"\xff\xfe\x00key\n")
    assert load_or_make_key(case) == Key(b"\xff\xfe\x00key")
    key_file(case).write_bytes(b"\n")
    with pytest.raises(InputError, match="empty"):
        load_or_make_key(case)
    key_file(case).unlink()
    key_file(case).mkdir()
    with pytest.raises(LinkageError):
        load_or_make_key(case)


def test_a_case_whose_key_is_gone_gets_no_new_one(tmp_path: Path) -> None:
    case, path = tmp_path / "c.duckdb", tmp_path / "accounts.csv"
    path.write_text("account_id\na\n")
    ingest([path], case)
    key_file(case).unlink()
    with pytest.raises(MachineError, match="missing"):
        load_or_make_key(case)
    assert not key_file(case).exists()
