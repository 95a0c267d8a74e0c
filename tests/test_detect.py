"""The road from a case to rings, on worlds small enough to judge by eye."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from linkage import record, store
from linkage.detect import detect
from linkage.errors import CaseBusyError, InputError, NotFoundError, UsageError
from tests.cases import add_rows, make_case

START = datetime(2026, 2, 1)


def accounts(prefix: str, count: int, **facts: Any) -> list[dict[str, Any]]:
    return [{"account_id": f"{prefix}{n:03}", "created_at": START, **facts} for n in range(count)]


def payments(prefix: str, count: int, card: str, **facts: Any) -> list[dict[str, Any]]:
    return [{"account_id": f"{prefix}{n:03}", "payment_id": card, "added_at": START, **facts} for n in range(count)]


def logins(prefix: str, count: int, **seen: Any) -> list[dict[str, Any]]:
    return [{"account_id": f"{prefix}{n:03}", "at": START, **seen} for n in range(count)]


def rings(case: Path) -> list[dict[str, Any]]:
    with store.reading(case) as con:
        con.execute("SELECT * FROM rings ORDER BY rank")
        names = [column[0] for column in con.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in con.fetchall()]
        for ring in found:
            rows = con.execute("SELECT account_id FROM members WHERE ring_id = ? ORDER BY 1", [ring["ring_id"]])
            ring["members"] = [row[0] for row in rows.fetchall()]
    return found


def everything(case: Path) -> list[list[tuple[Any, ...]]]:
    with store.reading(case) as con:
        return [
            con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()
            for table in (
                "rings",
                "members",
                "evidence",
                "bystanders",
                "hubs",
                "shared",
                "sightings",
                "memberships",
                "lineage",
            )
        ]


def test_accounts_that_share_a_card_and_a_device_are_a_ring_and_others_are_not(tmp_path: Path) -> None:
    case = make_case(
        tmp_path / "c.duckdb",
        accounts=[*accounts("ring", 6), *accounts("other", 40)],
        payments=[
            *payments("ring", 6, "card"),
            *({"account_id": f"other{n:03}", "payment_id": f"own{n}"} for n in range(40)),
        ],
        logins=logins("ring", 6, device_id="phone", ip="8.8.8.8"),
    )
    report = detect(case)
    (ring,) = rings(case)
    assert ring["members"] == [f"ring{n:03}" for n in range(6)]
    assert ring["listed"]
    assert ring["status"] == "open"
    assert "6 accounts share" in ring["why"]
    assert "payment method" in ring["why"]
    assert (report.rings, report.listed, report.members, report.accounts) == (1, 1, 6, 46)
    with store.reading(case) as con:
        rows = con.execute("SELECT kind, accounts, outsiders, bits FROM evidence ORDER BY bits DESC").fetchall()
    assert {row[0] for row in rows} == {"payment", "device", "ip"}
    assert all(row[1:3] == (6, 0) for row in rows)


def test_a_world_that_shares_nothing_has_no_rings(tmp_path: Path) -> None:
    case = make_case(tmp_path / "c.duckdb", accounts=accounts("a", 30), payments=[])
    assert detect(case).rings == 0
    assert rings(case) == []


def test_an_empty_case_and_a_missing_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no accounts"):
        detect(make_case(tmp_path / "c.duckdb"))
    with pytest.raises(NotFoundError, match="no case file"):
        detect(tmp_path / "missing.duckdb")


@pytest.mark.parametrize(("option", "value"), [("algorithm", "magic"), ("min_accounts", 1), ("hub_degree", 1)])
def test_arguments_out_of_range_are_refused(tmp_path: Path, option: str, value: Any) -> None:
    with pytest.raises(UsageError):
        detect(tmp_path / "c.duckdb", **{option: value})


def test_a_pool_of_weak_addresses_is_one_candidate_and_customers_of_it_alone_are_not_listed(tmp_path: Path) -> None:
    # 60 accounts, each seen at 12 of 40 addresses: no pair shares enough alone, the whole does.
    pool = [
        {"account_id": f"p{n:03}", "ip": f"{20 + (n * 7 + k * 11) % 40}.0.{k}.1", "at": START}
        for n in range(60)
        for k in range(12)
    ]
    case = make_case(tmp_path / "c.duckdb", accounts=accounts("p", 60), logins=pool)
    detect(case)
    found = rings(case)
    assert not any(ring["listed"] for ring in found), "a VPN's customers share addresses and nothing else"


def test_one_verified_organisation_explains_a_group(tmp_path: Path) -> None:
    office = {"org_id": "acme", "org_verified": True, "email_domain": "acme.example", "created_at": START}
    case = make_case(
        tmp_path / "c.duckdb",
        accounts=[{"account_id": f"w{n:03}", **office} for n in range(12)],
        payments=payments("w", 12, "company-card"),
        logins=logins("w", 12, ip="8.8.4.4", device_id="kiosk"),
    )
    detect(case)
    (ring,) = rings(case)
    assert ring["status"] == "explained"
    assert ring["why"].startswith("Explained: 100%")
    assert "verified organisation" in ring["doubts"]


def test_a_stolen_cards_owner_is_a_bystander(tmp_path: Path) -> None:
    early = START - timedelta(days=400)
    case = make_case(
        tmp_path / "c.duckdb",
        accounts=[*accounts("ring", 8), {"account_id": "victim", "created_at": early}],
        payments=[
            {"account_id": "victim", "payment_id": "card", "added_at": early},
            *payments("ring", 8, "card"),
        ],
        logins=[*logins("ring", 8, device_id="farm", ip="8.8.8.8"), {"account_id": "victim", "ip": "9.9.9.9"}],
    )
    detect(case)
    (ring,) = rings(case)
    assert "victim" not in ring["members"]
    assert len(ring["members"]) == 8
    with store.reading(case) as con:
        assert con.execute("SELECT account_id, reason FROM bystanders").fetchall() == [
            ("victim", "had the payment method before the others: may be its owner")
        ]


def test_a_ring_behind_a_campus_address_stays_itself(tmp_path: Path) -> None:
    case = make_case(
        tmp_path / "c.duckdb",
        accounts=[*accounts("ring", 10), *accounts("student", 300)],
        # Who has only what is shared says nothing of chance: students have cards and devices of their own.
        payments=[
            *payments("ring", 10, "card"),
            *({"account_id": f"student{n:03}", "payment_id": f"own{n}"} for n in range(300)),
        ],
        logins=[
            *logins("ring", 10, ip="8.8.8.8", device_id="farm"),
            *({"account_id": f"student{n:03}", "ip": "8.8.8.8", "device_id": f"d{n}", "at": START} for n in range(300)),
        ],
    )
    detect(case)
    listed = [ring for ring in rings(case) if ring["listed"]]
    assert [ring["members"] for ring in listed] == [[f"ring{n:03}" for n in range(10)]]
    with store.reading(case) as con:
        assert con.execute("SELECT kind, value, accounts FROM hubs WHERE kind = 'ip'").fetchall() == [
            ("ip", "8.8.8.8", 310)
        ]


def test_the_same_prompts_in_the_same_minutes_are_a_burst(tmp_path: Path) -> None:
    exchanges = [
        {
            "account_id": f"b{n:03}",
            "at": START + timedelta(days=day, minutes=day * 7 % 50, seconds=n),
            "prompt_fingerprint": f"exact:{day}",
        }
        for n in range(20)
        for day in range(6)
    ]
    # Others send a popular prompt too, each when it likes.
    exchanges += [
        {"account_id": f"o{n:03}", "at": START + timedelta(hours=n * 3, minutes=n % 59), "prompt_fingerprint": "hello"}
        for n in range(50)
    ]
    case = make_case(tmp_path / "c.duckdb", accounts=[*accounts("b", 20), *accounts("o", 50)], exchanges=exchanges)
    detect(case)
    (ring,) = rings(case)
    assert ring["members"] == [f"b{n:03}" for n in range(20)]
    assert ring["listed"]
    assert "same minutes" in ring["why"]
    assert (ring["exchanges"], ring["first_seen"]) == (120, START)


def test_private_addresses_are_no_evidence_unless_the_case_keeps_them(tmp_path: Path) -> None:
    def world(path: Path) -> Path:
        return make_case(
            path,
            accounts=accounts("a", 6),
            payments=payments("a", 6, "card"),
            logins=logins("a", 6, ip="10.0.0.7"),
        )

    plain, kept = world(tmp_path / "plain.duckdb"), world(tmp_path / "kept.duckdb")
    with store.writing(kept) as con:
        store.set_meta(con, "keep_private_ips", "1")
    for case, kinds in ((plain, {"payment"}), (kept, {"payment", "ip", "ip_net"})):
        detect(case)
        with store.reading(case) as con:
            assert {row[0] for row in con.execute("SELECT DISTINCT kind FROM shared").fetchall()} == kinds


def _mixed(path: Path, *, reverse: bool = False) -> Path:
    tables: dict[str, list[dict[str, Any]]] = {
        "accounts": [*accounts("x", 5), *accounts("y", 7), *accounts("z", 30)],
        "payments": [*payments("x", 5, "c1"), *payments("y", 7, "c2"), *payments("z", 2, "c3")],
        "logins": [*logins("x", 5, device_id="d1"), *logins("y", 7, ip="8.8.8.8", device_id="d2")],
        "links": [{"account_id": "x000", "other_account_id": "y000", "kind": "referral", "at": START}],
        "identifiers": [{"account_id": f"z{n:03}", "kind": "tax_id", "value": f"t{n // 3}"} for n in range(30)],
    }
    if reverse:
        tables = {name: rows[::-1] for name, rows in reversed(tables.items())}
    return make_case(path, **tables)


def test_row_order_changes_nothing_and_a_second_run_inherits_its_ring_ids(tmp_path: Path) -> None:
    one, two = _mixed(tmp_path / "one.duckdb"), _mixed(tmp_path / "two.duckdb", reverse=True)
    detect(one)
    detect(two)
    assert everything(one) == everything(two)
    before = {ring["ring_id"]: ring["members"] for ring in rings(one)}
    assert len(before) >= 2
    add_rows(
        one, payments=[{"account_id": "new", "payment_id": "c2"}], logins=[{"account_id": "new", "device_id": "d2"}]
    )
    assert detect(one).run == 2
    after = {ring["ring_id"]: ring["members"] for ring in rings(one)}
    assert set(after) == set(before)
    assert sum("new" in members for members in after.values()) == 1


def test_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for threads in ("1", "2"):
        monkeypatch.setenv("LINKAGE_THREADS", threads)
        case = _mixed(tmp_path / f"{threads}.duckdb")
        detect(case)
        results.append(everything(case))
    assert results[0] == results[1]


@pytest.mark.parametrize("algorithm", ["leiden", "louvain", "label-propagation", "wcc"])
def test_every_algorithm_finds_the_plain_ring(tmp_path: Path, algorithm: str) -> None:
    case = _mixed(tmp_path / "c.duckdb")
    detect(case, algorithm=algorithm)
    assert [f"y{n:03}" for n in range(7)] in [ring["members"] for ring in rings(case)]


def test_a_run_that_fails_leaves_the_last_ones_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = _mixed(tmp_path / "c.duckdb")
    detect(case)
    before = everything(case)
    monkeypatch.setattr("linkage.record._TABLES", ("rings", "members", "missing"))
    with pytest.raises(Exception, match="missing"):
        detect(case)
    assert everything(case) == before
    assert {path.name for path in tmp_path.iterdir()} == {"c.duckdb", "c.duckdb.key", "c.duckdb.audit.jsonl"}


def test_a_run_that_was_overtaken_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = _mixed(tmp_path / "c.duckdb")

    def overtaken(*arguments: Any) -> None:
        monkeypatch.undo()
        detect(case)
        record.stage(*arguments)

    monkeypatch.setattr("linkage.record.stage", overtaken)
    with pytest.raises(CaseBusyError, match="meanwhile"):
        detect(case)
    with store.reading(case) as con:
        assert con.execute("SELECT count(*) FROM runs").fetchone() == (1,)
