"""Each kind of evidence: a world where it must fire, and an innocent one where it must stay silent."""

from pathlib import Path

import pytest

from linkage import results
from linkage.detect import detect
from linkage.errors import UsageError
from linkage.evaluate import evaluate_case
from linkage.ingest import ingest
from linkage.model import BUILT_IN_KINDS, FLAGGED
from linkage.simulate.worlds import KINDS, Tables, fires, silent, write


def found(tables: Tables, folder: Path) -> results.Listed:
    files = write(tables, folder / "world")
    case = folder / "case.duckdb"
    report = ingest([path for path in files if path.name != "truth.csv"], case)
    assert report.rejected == 0
    detect(case)
    return results.listed(case)


@pytest.mark.parametrize("kind", KINDS)
def test_where_it_must_fire(kind: str, tmp_path: Path) -> None:
    listed = found(fires(kind), tmp_path)
    (ring,) = listed.rings
    assert ring.status == "open"
    assert {member.account_id for member in listed.members} == {f"crew-{at:02}" for at in range(6)}
    # The value that the world is about: at most one of the six lacks it, and nobody else has it.
    assert any(row.kind == kind and row.bits > 0 and row.accounts >= 5 and not row.outsiders for row in listed.evidence)
    measured = evaluate_case(tmp_path / "case.duckdb", tmp_path / "world" / "truth.csv")
    assert (measured.account.f1, measured.pairwise.f1, measured.absent) == (1.0, 1.0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_where_it_must_stay_silent(kind: str, tmp_path: Path) -> None:
    listed = found(silent(kind), tmp_path)
    assert [ring.why for ring in listed.rings if ring.status in FLAGGED] == []


def test_every_kind_that_detect_knows_has_its_worlds() -> None:
    # No detector makes these two yet.
    assert set(BUILT_IN_KINDS) - set(KINDS) == {"handoff", "balance"}
    with pytest.raises(UsageError, match="no world for 'aura'"):
        fires("aura")


@pytest.mark.parametrize("kind", KINDS)
def test_worlds_are_the_same_every_time_and_differ_only_by_their_group(kind: str) -> None:
    assert fires(kind) == fires(kind)
    strangers = [
        [row for row in world["exchanges"] if row["account_id"].startswith("stranger-")]
        for world in (fires(kind), silent(kind))
    ]
    assert strangers[0] == strangers[1]
    assert any(row["ring"] for row in fires(kind)["truth"])
    assert not any(row["ring"] for row in silent(kind)["truth"])
