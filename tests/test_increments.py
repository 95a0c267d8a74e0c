"""Day after day: what an increment brings is what a run from scratch finds, and null models are kept."""

import csv
import gzip
from pathlib import Path

import pytest

from benchmarks.increments import TIMES, rings
from linkage import store
from linkage.detect import DetectReport, detect
from linkage.ingest import ingest
from linkage.sample import FOLDER
from linkage.secret import key_file
from tests.cases import make_case


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sample export in two: its last day of events and of new accounts, and all before."""
    folder = tmp_path_factory.mktemp("days")
    before, after = folder / "1", folder / "2"
    for part in (before, after):
        part.mkdir()
    rows = {table: read(table) for table in TIMES}
    # The last hundredth of the exchanges.
    times = sorted(row["at"] for row in rows["exchanges"])
    cut = times[-len(times) // 100]
    for table, of_table in rows.items():
        time = TIMES[table]
        write(before / f"{table}.csv", [row for row in of_table if row[time] < cut])
        write(after / f"{table}.csv", [row for row in of_table if row[time] >= cut])
    return before, after


def read(table: str) -> list[dict[str, str]]:
    with gzip.open(FOLDER / f"{table}.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    if rows:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture(scope="module")
def grown(days: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[DetectReport]]:
    """A case that was searched after each day."""
    case = tmp_path_factory.mktemp("grown") / "case.duckdb"
    reports = []
    for day in days:
        ingest([day], case)
        reports.append(detect(case))
    return case, reports


def test_an_increment_gives_the_rings_of_a_run_from_scratch(
    days: tuple[Path, Path], grown: tuple[Path, list[DetectReport]], tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch.duckdb"
    # Under another key private values have other names.
    key_file(scratch).write_bytes(key_file(grown[0]).read_bytes())
    ingest(list(days), scratch)
    detect(scratch, nulls=0)
    assert len(rings(scratch)) > 10
    assert rings(grown[0]) == rings(scratch)


def test_null_models_are_kept_while_the_case_grows_by_little(grown: tuple[Path, list[DetectReport]]) -> None:
    case, (first, second) = grown
    assert (first.nulls_kept, second.nulls_kept) == (0, first.nulls)
    assert second.nulls >= first.nulls > 0
    with store.reading(case) as con:
        ties = con.execute("SELECT count(DISTINCT ties), count(*) FROM null_models").fetchall()
    # Those that were missing were drawn from the case as it is now.
    assert ties == [(1 + (second.nulls > first.nulls), second.nulls)]


def test_null_models_of_another_search_or_case_are_not_kept(tmp_path: Path) -> None:
    ring, others = (f"ring{n}" for n in range(8)), [f"other{n}" for n in range(200)]
    case = make_case(
        tmp_path / "case.duckdb",
        payments=[{"account_id": name, "payment_id": "card"} for name in ring]
        + [{"account_id": name, "payment_id": f"card-{name}"} for name in others],
    )
    assert detect(case, nulls=3).nulls_kept == 0
    assert detect(case, nulls=4).nulls_kept == 0
    # To search none forgets none.
    assert detect(case, nulls=0).nulls_kept == 0
    assert detect(case).nulls_kept == 4
    assert detect(case, min_accounts=4).nulls_kept == 0
    assert detect(case, min_accounts=4).nulls_kept > 0
    with store.writing(case) as con:
        con.execute("UPDATE null_models SET ties = ties * 1.06")
    assert detect(case, min_accounts=4).nulls_kept == 0
