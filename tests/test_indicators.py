"""A bundle for a partner: nothing of ours can be read in it, and equal values meet."""

import hashlib
import hmac
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stix2

from linkage import indicators, results, store
from linkage.api import Case
from linkage.errors import ExitCode, InputError, LinkageError, MachineError, NotFoundError, UsageError
from linkage.export import export
from linkage.indicators import fingerprint, make_key, match, pattern, read_key, withheld
from linkage.ingest import ingest
from linkage.model import FLAGGED
from linkage.secret import Key
from tests.cases import Output, make_case


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "partner.key"
    make_key(path)
    return path


@pytest.fixture(scope="module")
def bundle(sample_case: Path, key_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's rings as a partner gets them."""
    (path,) = export(sample_case, tmp_path_factory.mktemp("bundle"), format="stix", key=key_file).files
    return path


def written(path: Path, *objects: Any) -> Path:
    path.write_text(json.dumps({"type": "bundle", "id": "bundle--x", "objects": objects}))
    return path


def indicator(key: Key, kind: str, value: str, **more: Any) -> dict[str, Any]:
    return {"type": "indicator", "id": "indicator--1", "pattern": pattern(key, kind, value), **more}


# The bundle.


def test_the_library_reads_it_and_nothing_of_ours_stands_in_it(sample_case: Path, bundle: Path) -> None:
    text = bundle.read_text()
    parsed = stix2.parse(text)
    kinds = [item["type"] for item in parsed.objects]
    assert set(kinds) == {"marking-definition", "identity", "indicator", "grouping"}
    listed = results.listed(sample_case)
    flagged = {row.ring_id for row in listed.rings if row.status in FLAGGED}
    assert any(row.status == "explained" for row in listed.rings)
    groupings = [item for item in parsed.objects if item["type"] == "grouping"]
    assert {item["name"].removeprefix("Ring ") for item in groupings} <= flagged
    sent = {item["id"]: item for item in parsed.objects if item["type"] == "indicator"}
    assert {ref for item in groupings for ref in item["object_refs"]} == set(sent)
    assert all(item["confidence"] <= 99 and "verdict" in item["description"] for item in sent.values())
    # Whole days alone: a time to the second could tell which account it was.
    assert {f"{item['valid_from']:%H%M%S}" for item in sent.values()} == {"000000"}
    with store.reading(sample_case) as con:
        ours = con.execute("SELECT account_id FROM accounts UNION SELECT value FROM shared").fetchall()
    assert len(ours) > 3000
    assert not [value for (value,) in ours if len(value) > 4 and value in text]


def test_what_ties_flagged_rings_is_shared_and_nothing_else(sample_case: Path, bundle: Path, key_file: Path) -> None:
    key, text = read_key(key_file), bundle.read_text()
    listed = results.listed(sample_case)
    flagged = {row.ring_id for row in listed.rings if row.status in FLAGGED}
    may = {"payment", "ip", "device", "email_domain", "api_key"}
    wanted = {
        (line.kind, line.value)
        for line in listed.evidence
        if line.ring_id in flagged and line.kind in may and line.outsiders <= line.accounts
    }
    assert {kind for kind, _ in wanted} >= {"payment", "ip", "api_key"}
    assert {pattern(key, kind, value) in text for kind, value in wanted} == {True}
    assert text.count('"type": "indicator"') == len(wanted)


def test_exporting_again_gives_the_same_bytes(sample_case: Path, bundle: Path, key_file: Path, tmp_path: Path) -> None:
    report = export(sample_case, tmp_path, format="stix", key=key_file, rings=["1"])
    part = json.loads(report.files[0].read_text())["objects"]
    whole = json.loads(bundle.read_text())["objects"]
    # The same objects also when fewer rings are chosen.
    assert [item for item in whole if item in part] == part
    assert not export(sample_case, tmp_path, format="stix", key=key_file, rings=["1"]).changed
    assert sum("hashed under this case's own key" in what for what in report.withheld) == 1
    assert report.withheld["prompt (hashed under this case's own key)"] > 100
    make_key(tmp_path / "other.key")
    export(sample_case, tmp_path, format="stix", key=tmp_path / "other.key", rings=["1"])
    other = json.loads(report.files[0].read_text())["objects"]
    assert not {item["id"] for item in other[1:]} & {item["id"] for item in whole}


def test_rings_of_innocent_people_are_not_shared(sample_case: Path, key_file: Path, tmp_path: Path) -> None:
    explained = next(row for row in results.rings(sample_case) if row.status == "explained")
    with pytest.raises(UsageError, match="is explained"):
        export(sample_case, tmp_path, format="stix", key=key_file, rings=["1", explained.ring_id])
    assert list(tmp_path.iterdir()) == []


def test_without_the_library_it_is_named(
    sample_case: Path, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "stix2", None)
    with pytest.raises(MachineError, match="stix2") as told:
        export(sample_case, tmp_path, format="stix", key=key_file)
    assert "account-linkage[stix]" in told.value.hint


@pytest.mark.parametrize(
    ("kind", "value", "label", "why"),
    [
        ("email", "0a1b", "a***@x.org", "own key"),
        ("recovery_email", "0a1b", "a***@x.org", "own key"),
        ("device", "0a1b", None, "own key"),
        ("prompt", "template:00000000000000ff", None, "own key"),
        ("ip", "192.168.1.9", None, "private"),
        ("ip_net", "81.2.69.0/24", None, "innocent"),
        ("link:referral", "acct_1", None, "account"),
        ("burst", "b", None, "another provider"),
        ("prompt", "fp_77", None, ""),
        ("ip", "81.2.69.142", None, ""),
        ("tax_id", "12", None, ""),
    ],
)
def test_what_cannot_be_compared(kind: str, value: str, label: str | None, why: str) -> None:
    said = withheld(kind, value, label, frozenset({"device"}))
    assert why in said
    assert bool(why) == bool(said)


def test_the_hash_is_what_the_page_says() -> None:
    key = Key(bytes(range(32)))
    message = b"linkage indicator 1\0tax_id\0\xc3\xa9"
    assert fingerprint(key, "tax_id", "e\u0301") == hmac.new(key.secret, message, hashlib.sha256).hexdigest()


# Matching.


def test_a_partner_learns_what_both_know(sample_case: Path, bundle: Path, key_file: Path, tmp_path: Path) -> None:
    evidence = results.listed(sample_case, ["1"]).evidence
    card = next(line.value for line in evidence if line.kind == "payment")
    address = next(line.value for line in evidence if line.kind == "ip" and ":" in line.value)
    case = tmp_path / "partner.duckdb"
    # Spelt otherwise, and each with one account alone: no run has ever looked at them.
    (tmp_path / "payments.csv").write_text(f"account_id,payment_id\np1, {card} \np2,card_of_nobody\n")
    (tmp_path / "logins.csv").write_text(f"account_id,ip\np3,{address.upper()}\np4,{address.upper()}\np5,8.8.8.8\n")
    ingest([tmp_path / "payments.csv", tmp_path / "logins.csv"], case)
    found = match(case, bundle, read_key(key_file))
    assert [(k.kind, k.value, k.accounts, k.rings) for k in found.known] == [
        ("ip", address, ("p3", "p4"), ()),
        ("payment", card, ("p1",), ()),
    ]
    assert all(k.confidence == 99 and k.indicator.startswith("indicator--") for k in found.known)
    assert found.indicators == bundle.read_text().count('"type": "indicator"')
    frame = Case(case).match(bundle, key_file)
    assert list(frame["value"]) == [address, card]


def test_our_own_rings_are_named(
    linkage: Callable[..., Output], sample_case: Path, bundle: Path, key_file: Path
) -> None:
    found = match(sample_case, bundle, read_key(key_file))
    assert len(found.known) == found.indicators > 100
    first = results.rings(sample_case)[0].ring_id
    assert first in {ring for known in found.known for ring in known.rings}
    line = next(line for line in results.ring(sample_case, first).evidence if line.kind == "payment")
    (known,) = (k for k in found.known if (k.kind, k.value) == ("payment", line.value))
    assert len(known.accounts) == line.accounts + line.outsiders
    at = ("indicators", "match", bundle, "--case", sample_case, "--key", key_file)
    code, out, err = linkage(*at)
    assert (code, "There are more" in err, f"of {found.indicators} indicators" in err) == (0, True, True)
    assert len(out.splitlines()) == 52
    document = json.loads(linkage(*at, "--json")[1])
    assert (document["schema"], len(document["known"])) == ("linkage.indicators-match/1", len(found.known))
    (line_,) = linkage(*at, "--jsonl", "--limit", 1)[1].splitlines()
    assert json.loads(line_) == document["known"][0]


def test_every_place_of_a_value_is_looked_at(tmp_path: Path) -> None:
    key = Key(os.urandom(32))
    case = make_case(
        tmp_path / "c.duckdb",
        accounts=[{"account_id": "a", "email": "hash", "email_label": "x***@y.org", "email_domain": "y.org"}],
        payments=[{"account_id": "b", "payment_id": "card"}],
        logins=[{"account_id": "c", "ip": "8.8.4.4", "device_id": "d1"}, {"account_id": "c", "ip": "10.0.0.1"}],
        exchanges=[
            {"account_id": "d", "at": "2026-01-01", "ip": "8.8.8.8", "device_id": "d2", "prompt_fingerprint": "fp"},
            {"account_id": "d", "at": "2026-01-02", "prompt_fingerprint": "exact:00000000000000ff"},
        ],
        identifiers=[
            {"account_id": "e", "kind": "tax_id", "value": "\x1b=1"},
            {"account_id": "e", "kind": "ip", "value": "8.8.4.4"},
            {"account_id": "e", "kind": "backup", "value": "hash", "label": "x***@y.org"},
        ],
    )
    theirs = [
        ("email_domain", "y.org"), ("payment", "card"), ("ip", "8.8.4.4"), ("ip", "8.8.8.8"), ("ip", "10.0.0.1"),
        ("device", "d1"), ("device", "d2"), ("prompt", "fp"), ("prompt", "exact:00000000000000ff"),
        ("tax_id", "\x1b=1"), ("backup", "hash"), ("email", "hash"),
    ]  # fmt: skip
    path = written(tmp_path / "b.json", *(indicator(key, kind, value) for kind, value in theirs))
    found = match(case, path, key)
    assert {(k.kind, k.value): k.accounts for k in found.known} == {
        ("ip", "8.8.4.4"): ("c", "e"), ("ip", "8.8.8.8"): ("d",), ("device", "d1"): ("c",), ("device", "d2"): ("d",),
        ("email_domain", "y.org"): ("a",), ("payment", "card"): ("b",), ("prompt", "fp"): ("d",),
        ("tax_id", "\x1b=1"): ("e",),
    }  # fmt: skip
    assert (found.indicators, found.withheld) == (len(theirs), {"email": 1})
    with store.writing(case) as con:
        store.set_meta(con, "hashed_kinds", "ip,device")
    assert match(case, path, key).withheld == {"device": 2, "email": 1, "ip": 3}


def test_values_move_no_terminal(linkage: Callable[..., Output], tmp_path: Path, key_file: Path) -> None:
    case = make_case(tmp_path / "c.duckdb", identifiers=[{"account_id": "e", "kind": "t", "value": "\x1b[2J"}])
    path = written(tmp_path / "b.json", indicator(read_key(key_file), "t", "\x1b[2J"))
    code, out, err = linkage("indicators", "match", path, "--case", case, "--key", key_file)
    assert (code, "\\x1b[2J" in out, "\x1b" in out + err) == (0, True, False)


# What a partner, or somebody else, may send.


def test_another_key_matches_nothing_and_says_so(
    linkage: Callable[..., Output], sample_case: Path, bundle: Path, tmp_path: Path
) -> None:
    mine = make_key(tmp_path / "k")
    code, out, err = linkage("indicators", "match", bundle, "--case", sample_case, "--key", tmp_path / "k")
    assert (code, out) == (ExitCode.INPUT, "")
    assert f"another key (id " in err  # noqa: F541
    assert mine.id in err


def test_some_are_passed_over_and_counted(linkage: Callable[..., Output], tmp_path: Path, key_file: Path) -> None:
    key, other = read_key(key_file), Key(os.urandom(32))
    case = make_case(tmp_path / "c.duckdb", payments=[{"account_id": "a", "payment_id": name} for name in "uvwxy"])
    path = written(
        tmp_path / "b.json",
        indicator(key, "payment", "u", confidence=10),
        indicator(key, "payment", "u", confidence=70),
        indicator(key, "payment", "v", revoked=True),
        indicator(other, "payment", "w"),
        indicator(key, "payment", "x", confidence="high", id=7),
        {**indicator(key, "payment", "y"), "type": "note"},
        {"type": "indicator", "pattern": "[ipv4-addr:value = '8.8.8.8']", "pattern_type": "stix"},
        {"type": "indicator", "pattern": 5},
        "text", None, [1],
    )  # fmt: skip
    found = match(case, path, key)
    assert [(k.value, k.confidence, k.indicator) for k in found.known] == [("u", 70, "indicator--1"), ("x", None, "")]
    assert (found.indicators, found.revoked, found.other_key) == (2, 1, 1)
    err = linkage("indicators", "match", path, "--case", case, "--key", key_file)[2]
    assert "1 indicators under another key" in err
    assert "1 indicators that the partner took back" in err
    nothing = make_case(tmp_path / "empty.duckdb")
    code, out, err = linkage("indicators", "match", path, "--case", nothing, "--key", key_file)
    assert (code, out, "None of 2" in err) == (0, "", True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"PK\x03\x04", "no JSON"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"type": "bundle", "objects": ' + b'{"a":' * 200_000, "nested too deep"),
        (b"9" * 10_000, "no JSON"),
        (b"[]", "no STIX bundle"),
        (b'{"type": "indicator"}', "no STIX bundle"),
        (b'{"type": "bundle", "objects": {"a": 1}}', "no list"),
        (b'{"type": "bundle"}', "no indicators of linkage"),
        (b'{"type": "bundle", "objects": [null, 1, {"type": ["indicator"], "pattern": {}}]}', "no indicators"),
        (b'{"type": "bundle", "objects": []}' + b" " * 2**20, "larger than"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_bundle_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key_file: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(content)
    monkeypatch.setattr(indicators, "LARGEST", 2**20 + 10)
    with pytest.raises(InputError, match=said):
        match(tmp_path / "no-case", path, read_key(key_file))


def test_a_bundle_that_is_no_file(tmp_path: Path, key_file: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "none", NotFoundError), (tmp_path, InputError), (tmp_path / "pipe", InputError)):
        with pytest.raises(kind):
            match(tmp_path / "no-case", path, read_key(key_file))


# Keys.


def test_a_key_is_made_once_and_for_its_owner(linkage: Callable[..., Output], tmp_path: Path) -> None:
    path = tmp_path / "k"
    code, out, _ = linkage("indicators", "key", path)
    assert (code, path.stat().st_mode & 0o777) == (0, 0o600)
    text = path.read_text()
    assert len(bytes.fromhex(text)) == 32
    assert read_key(path).id in out
    assert text.strip() not in out
    code, _, err = linkage("indicators", "key", path)
    assert (code, "there already" in err, path.read_text()) == (ExitCode.USAGE, True, text)
    assert linkage("indicators", "key", tmp_path / "none" / "k")[0] == ExitCode.NOT_FOUND
    assert [item.name for item in tmp_path.iterdir()] == ["k"]
    # As another program writes it.
    path.write_text(f"  {text.strip().upper()}\r\n")
    assert read_key(path).secret == bytes.fromhex(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no key"),
        (b"\n", "is no key"),
        (b"correct horse battery staple correct horse battery staple correct", "is no key"),
        (os.urandom(32).hex().encode() + b"0", "is no key"),
        (bytes(range(31)).hex().encode(), "31 bytes"),
        (b"00" * 32, "not random"),
        (b"deadbeef" * 8, "not random"),
        (os.urandom(4096).hex().encode(), "is no key"),
        (b"\xff" * 64, "is no key"),
    ],
    ids=["empty", "blank", "words", "odd", "short", "zeros", "pattern", "long", "bytes"],
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(InputError, match=said) as told:
        read_key(path)
    assert content.decode("latin-1").strip()[:8] not in told.value.message or not content.strip()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k"
    make_key(path)
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(MachineError, match="Others") as told:
            read_key(path)
        assert "chmod 600" in told.value.hint
    os.mkfifo(tmp_path / "pipe", 0o600)
    missing: list[tuple[Path, type[LinkageError]]] = [
        (tmp_path / "none", NotFoundError), (tmp_path, InputError), (tmp_path / "pipe", InputError),
    ]  # fmt: skip
    for where, kind in missing:
        with pytest.raises(kind):
            read_key(where)
