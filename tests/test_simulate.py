"""Simulated worlds: repeatable, complete, and safe to write."""

import json
from pathlib import Path

import pytest

from linkage import store
from linkage.errors import UsageError
from linkage.ingest import ingest
from linkage.model import TABLES
from linkage.networks import is_private
from linkage.sample import FOLDER, copy_to
from linkage.simulate import simulate
from linkage.simulate.generate import build


def test_the_sample_is_what_the_simulator_makes(tmp_path: Path) -> None:
    report = simulate(tmp_path / "again")
    for path in report.files:
        assert path.read_bytes() == (FOLDER / path.name).read_bytes(), path.name
    assert sum(path.stat().st_size for path in report.files) < 4_000_000


def test_another_seed_is_another_world_and_both_go_in_whole(tmp_path: Path) -> None:
    one = simulate(tmp_path / "one", accounts=1_000, seed=3, compress=False)
    two = simulate(tmp_path / "two", accounts=1_000, seed=4)
    assert (one.folder / "truth.csv").read_bytes() != (two.folder / "truth.csv").read_bytes()
    report = ingest([one.folder], tmp_path / "c.duckdb")
    assert {file.table for file in report.files} == set(TABLES)
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
    assert json.loads((made.folder / "world.json").read_text())["groups"]
    assert (copy_to(tmp_path / "copy") / "truth.csv").exists()
