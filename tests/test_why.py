"""What ties two accounts."""

from datetime import datetime
from pathlib import Path

import pytest

from linkage.detect import detect
from linkage.errors import NotFoundError, UsageError
from linkage.why import why
from tests.cases import make_case

START = datetime(2026, 2, 1)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    ring = [f"r{n}" for n in range(6)]
    made = make_case(
        tmp_path / "c.duckdb",
        accounts=[{"account_id": account} for account in [*ring, "alone", "x", "y"]],
        payments=[
            *({"account_id": account, "payment_id": "card"} for account in ring[:4]),
            {"account_id": "x", "payment_id": "joint"},
            {"account_id": "y", "payment_id": "joint"},
        ],
        logins=[{"account_id": account, "device_id": "d", "at": START} for account in ring[2:]],
    )
    detect(made)
    return made


def test_two_that_share_a_card_and_a_device(case: Path) -> None:
    answer = why(case, "r2", "r3")
    assert [(tie.kind, tie.value, tie.accounts) for tie in answer.ties] == [("payment", "card", 4), ("device", "d", 4)]
    assert answer.bits == pytest.approx(sum(tie.counted for tie in answer.ties), abs=1e-3)
    assert answer.bits > answer.prior
    assert "likelier one hand than not" in answer.verdict
    assert answer.ring_id


def test_two_of_a_ring_that_share_nothing_are_joined_by_a_path(case: Path) -> None:
    answer = why(case, "r0", "r5")
    assert answer.ties == ()
    assert answer.path[0] == "r0"
    assert answer.path[-1] == "r5"
    assert answer.path[1] == "payment card"
    assert answer.path[2] in ("r2", "r3")
    assert "share nothing directly" in answer.verdict


def test_two_outside_of_any_ring_can_share_something_too(case: Path) -> None:
    answer = why(case, "x", "y")
    assert answer.ring_id is None
    assert [tie.value for tie in answer.ties] == ["joint"]


def test_nothing_ties_strangers(case: Path) -> None:
    answer = why(case, "alone", "r0")
    assert (answer.ties, answer.path, answer.verdict) == ((), (), "Nothing ties them.")


def test_unknown_accounts_equal_accounts_and_cases_without_a_run_are_told(case: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no account 'nobody'"):
        why(case, "r0", "nobody")
    with pytest.raises(UsageError):
        why(case, "r0", "r0")
    with pytest.raises(NotFoundError, match="no run yet"):
        why(make_case(tmp_path / "new.duckdb", accounts=[{"account_id": "a"}]), "a", "b")
