"""The queue, decisions made by command, and decisions that disagree."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from linkage import decisions, results
from linkage.commands import cli
from linkage.decisions import Decision
from linkage.detect import detect
from linkage.errors import NotFoundError
from linkage.review import conflicts, decide, queue
from tests.cases import add_rows, make_case
from tests.test_detect import accounts


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """Two rings, on a card, a device and a key each, found once."""
    made = make_case(tmp_path / "case.duckdb", accounts=[*accounts("x", 8), *accounts("y", 7), *accounts("z", 200)])
    for name, count in (("x", 8), ("y", 7)):
        join(made, name, range(count))
    detect(made, nulls=0)
    assert [ring.accounts for ring in results.rings(made)] == [8, 7]
    return made


def join(case: Path, name: str, numbers: range) -> None:
    """Accounts that share a ring's card, device and key."""
    add_rows(
        case,
        payments=[{"account_id": f"{name}{at:03}", "payment_id": f"{name}-card"} for at in numbers],
        logins=[{"account_id": f"{name}{at:03}", "device_id": f"{name}-device"} for at in numbers],
        identifiers=[{"account_id": f"{name}{at:03}", "kind": "tax_id", "value": f"{name}-key"} for at in numbers],
    )


def test_the_queue_is_the_undecided_rings_by_rank_and_decisions_take_them_out(case: Path) -> None:
    first, second = (ring.ring_id for ring in results.rings(case))
    assert [due.ring.ring_id for due in queue(case)] == [first, second]
    assert queue(case)[0].reason == "the surest of 2 rings that nobody decided on"
    made = decide(case, "1", "confirm", note="seen in the logs", tags=("wave",), by="ada")
    assert made is not None
    assert (made.ring_id, made.run, made.source) == (first, 1, "linkage")
    assert results.rings(case)[0].status == "confirmed"
    assert [due.ring.ring_id for due in queue(case)] == [second]
    assert decide(case, first, "confirm", note="seen in the logs", tags=("wave",), by="ada") is None
    decide(case, second, "watch")
    assert queue(case) == []
    decide(case, second, "open")
    assert [due.ring.ring_id for due in queue(case)] == [second]
    with pytest.raises(NotFoundError):
        decide(case, "nothing", "confirm")


def test_rings_come_back_when_they_changed_enough(case: Path) -> None:
    first, second = (ring.ring_id for ring in results.rings(case))
    decide(case, first, "confirm")
    decide(case, second, "dismiss")
    join(case, "x", range(8, 10))
    join(case, "y", range(7, 8))
    detect(case, nulls=0)
    # One of eight is not enough to ask again about what was dismissed.
    assert [(due.ring.ring_id, due.reason) for due in queue(case)] == [
        (first, "2 accounts joined since it was confirmed")
    ]
    join(case, "y", range(8, 10))
    detect(case, nulls=0)
    assert [due.reason for due in queue(case)] == [
        "2 accounts joined since it was confirmed",
        "dismissed, but 3 of its accounts joined since",
    ]
    decide(case, second, "watch")
    decide(case, first, "confirm", note="again")
    assert queue(case) == []


def test_the_latest_counts_wherever_it_was_made_and_disagreement_is_listed(case: Path) -> None:
    ring_id = results.rings(case)[0].ring_id
    assert conflicts(case) == []
    made = decide(case, ring_id, "confirm", by="ada")
    assert made is not None
    before = Decision(ring_id, "dismiss", "", (), "bob", made.at - timedelta(days=1), "neo4j")
    assert len(decisions.record(case, [before])) == 1
    # It was made before, though it came later.
    assert results.rings(case)[0].status == "confirmed"
    # The graph still says so at every pull: that is nothing new.
    assert decisions.record(case, [before]) == []
    (conflict,) = conflicts(case)
    assert (conflict.counts.by, conflict.other.by) == ("ada", "bob")
    # A time to come does not win for ever.
    future = Decision(ring_id, "watch", "", (), "bob", datetime(2100, 1, 1), "neo4j")
    decisions.record(case, [future])
    assert results.rings(case)[0].status == "watch"
    decide(case, ring_id, "confirm", note="still", by="ada")
    assert results.rings(case)[0].status == "confirmed"
    assert len(decisions.beside(case).read_text().splitlines()) == 4


def test_the_command(case: Path) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, ["review", *words, "--case", str(case)])
        assert done.exit_code == 0, done.output
        return done.output

    first, second = (ring.ring_id for ring in results.rings(case))
    shown = run()
    assert first in shown and "Next because: the surest of 2 rings" in shown and "1 more wait" in shown
    assert second in run("--list")
    assert "Nobody decided" in run(first)
    made = run(first, "confirm", "--by", "ada", "--note", "card seen \x1b[31m")
    assert "confirm by ada" in made and f"linkage ring {first} --packet DIR" in made
    history = run(first)
    assert "card seen" in history and "\x1b" not in history
    assert json.loads(run(first, "--json"))["rows"][0]["note"] == "card seen \x1b[31m"
    assert second in run() and "the last that nobody decided on" in run()
    assert "nothing was added" in run(first, "confirm", "--by", "ada", "--note", "card seen \x1b[31m")
    run(second, "dismiss")
    assert "No ring waits" in run()
    assert "agree on every ring" in run("--conflicts")
    refused = CliRunner().invoke(cli, ["review", "--note", "x", "--case", str(case)])
    assert refused.exit_code == 2
    assert "go with a verdict" in refused.output
