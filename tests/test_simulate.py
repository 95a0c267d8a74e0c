"""Simulated worlds: repeatable, complete, and safe to write."""

import gzip
import json
from pathlib import Path

import pytest

from linkage import store
from linkage.errors import LinkageError, MachineError, UsageError
from linkage.ingest import ingest
from linkage.model import TABLES
from linkage.networks import is_private
from linkage.sample import FOLDER, copy_to
from linkage.simulate import simulate
from linkage.simulate.files import write_csv
from linkage.simulate.sample import build
from linkage.simulate.sample.recipes import RECIPES


def plain(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_the_sample_is_what_the_simulator_makes(tmp_path: Path) -> None:
    report = simulate(tmp_path / "again")
    for path in report.files:
        # Compared unpacked: another zlib may pack the same rows otherwise.
        assert plain(path) == plain(FOLDER / path.name), path.name
    assert sum(path.stat().st_size for path in report.files) < 4_000_000


def test_another_seed_is_another_world_and_both_go_in_whole(tmp_path: Path) -> None:
    one = simulate(tmp_path / "one", accounts=1_000, seed=3, compress=False)
    two = simulate(tmp_path / "two", accounts=1_000, seed=4)
    assert (one.folder / "truth.csv").read_bytes() != (two.folder / "truth.csv").read_bytes()
    report = ingest([one.folder], tmp_path / "c.duckdb")
    assert {file.table for file in report.files} == set(TABLES) - {"aliases"}
    assert report.rejected == 0
    assert report.rows == sum(one.rows.values())
    with store.reading(tmp_path / "c.duckdb") as con:
        addresses = con.execute("SELECT DISTINCT ip FROM exchanges WHERE ip IS NOT NULL").fetchall()
    assert not any(is_private(row[0]) for row in addresses)


def test_what_is_planted_is_written_down() -> None:
    world = build(1_000, 5)
    rings = {group["name"] for group in world.groups if group["ring"]}
    assert rings == {ring for ring in world.truth.values() if ring}
    assert len(rings) >= 5
    assert sum(not group["ring"] for group in world.groups) >= 8
    for group in world.groups:
        for account in group["accounts"]:
            assert world.truth[account] == (group["name"] if group["ring"] else "")
    assert {row["account_id"] for row in world.tables["accounts"]} == set(world.truth)


def test_every_recipe_says_what_it_is_and_stands_in_the_docs() -> None:
    page = (Path(__file__).parent.parent / "docs" / "simulate.md").read_text()
    for planted in RECIPES:
        assert (planted.build.__doc__ or "").startswith(("Ring: ", "Innocent: ")), planted.build
        assert planted.build.__name__.replace("_", "-") in page, planted.build


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UsageError, match="something else"):
        simulate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(UsageError):
        simulate(tmp_path / "new", accounts=10)
    made = simulate(tmp_path / "new", accounts=1_000, compress=False)
    simulate(tmp_path / "new", accounts=1_000)
    assert not list((tmp_path / "new").glob("*accounts.csv"))
    simulate(tmp_path / "new", accounts=1_000, format="parquet")
    assert sorted(path.suffix for path in (tmp_path / "new").iterdir()) == [".csv", ".json", *[".parquet"] * 6]
    assert json.loads((made.folder / "world.json").read_text())["groups"]
    assert (copy_to(tmp_path / "copy") / "truth.csv").exists()


def test_the_same_seed_gives_the_same_bytes_in_every_format(tmp_path: Path) -> None:
    for options in ({"compress": True}, {"format": "parquet"}):
        one, two = (simulate(tmp_path / name, accounts=1_000, **options) for name in ("one", "two"))
        for a, b in zip(one.files, two.files, strict=True):
            assert a.read_bytes() == b.read_bytes(), a.name
    with pytest.raises(UsageError, match="no format 'xml'"):
        simulate(tmp_path / "three", format="xml")  # type: ignore[arg-type]


def test_parquet_holds_what_csv_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_PEPPER", "one pepper for both cases")
    cases = []
    for format in ("csv", "parquet"):
        folder = simulate(tmp_path / format, accounts=1_000, format=format).folder
        cases.append(tmp_path / f"{format}.duckdb")
        report = ingest([folder], cases[-1])
        assert report.rejected == 0
    rows = []
    for case in cases:
        with store.reading(case) as con:
            # A Parquet file counts rows, a CSV lines.
            columns = {name: "*" if name == "accounts" else "* EXCLUDE (line)" for name in TABLES}
            rows.append([con.execute(f"SELECT {columns[name]} FROM {name} ORDER BY ALL").fetchall() for name in TABLES])
    assert rows[0] == rows[1]


@pytest.mark.parametrize("marker", ["{}", "[]", "not JSON", '{"groups": [1]}', '{"groups": [{"name": "a game"}]}'])
def test_a_strange_world_json_does_not_give_an_export_away(tmp_path: Path, marker: str) -> None:
    (tmp_path / "world.json").write_text(marker)
    (tmp_path / "accounts.csv").write_text("account_id\nreal\n")
    with pytest.raises(UsageError, match="something else"):
        simulate(tmp_path, accounts=1_000)
    assert (tmp_path / "accounts.csv").read_text() == "account_id\nreal\n"


def test_a_simulation_that_was_interrupted_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("linkage.simulate.sample.generate.write_csv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "new", accounts=1_000)
    monkeypatch.undo()
    assert len(simulate(tmp_path / "new", accounts=1_000).files) == 8


def test_a_place_that_cannot_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(LinkageError) as caught:
            simulate(folder, accounts=1_000)
        assert isinstance(caught.value, MachineError)


def test_a_table_is_packed_alike_whatever_its_size_and_says_nothing_of_its_maker(tmp_path: Path) -> None:
    rows = [{"account_id": f"a{at}", "ring": "x" * 50} for at in range(40_000)]
    write_csv(tmp_path / "t.csv.gz", ("account_id", "ring"), rows)
    write_csv(tmp_path / "t.csv", ("account_id", "ring"), rows)
    packed = (tmp_path / "t.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "t.csv").read_bytes()
    # No name, no time.
    assert packed[:8] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0])
