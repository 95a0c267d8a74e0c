"""Twenty-four days of one case: ingest, detect, publish, review, pull. `make test-deep`.

What a case takes on disk and in memory follows what it holds, and not how often it was used; a ring that stays keeps
its id; nothing is left lying about.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from benchmarks.increments import TIMES
from linkage import results, store
from linkage.graph import connect
from linkage.server import Server, process
from linkage.simulate import simulate
from tests.faults.states import beside, journals_agree
from tests.faults.workers import Done, finish
from tests.graphs import clear, target_of
from tests.reliability import figure

pytestmark = [pytest.mark.deep, pytest.mark.xdist_group("neo4j")]

DAYS: Final = 24

Row = dict[str, str]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A sample world by day: the last so many days of its events and new accounts, the first with all before."""
    folder = tmp_path_factory.mktemp("days")
    simulate(folder / "world", world="sample", accounts=1000, days=DAYS + 6, seed=1, prompts="raw", compress=False)
    tables: dict[str, list[Row]] = {}
    for table in TIMES:
        with (folder / "world" / f"{table}.csv").open(newline="") as file:
            tables[table] = list(csv.DictReader(file))
    last = date.fromisoformat(max(row["at"] for row in tables["exchanges"])[:10])
    made = []
    for number in range(DAYS):
        day = last - timedelta(days=DAYS - 1 - number)
        made.append(folder / f"{number + 1:02}")
        made[-1].mkdir()
        for table, rows in tables.items():
            times = [(row, date.fromisoformat(row[TIMES[table]][:10])) for row in rows]
            _write(made[-1] / f"{table}.csv", [row for row, at in times if at == day or (at < day and not number)])
    return made


def _write(path: Path, rows: list[Row]) -> None:
    if rows:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


@dataclass(frozen=True)
class Day:
    """What one day left: rows of the case and its bytes, memory of each command, the rings and their members."""

    rows: int
    size: int
    peak: dict[str, int]
    rings: dict[str, frozenset[str]]
    nodes: int


@pytest.fixture
def settings(neo4j_server: Server) -> Iterator[dict[str, str]]:
    where = target_of(neo4j_server)
    with connect(where) as graph:
        clear(graph)
    yield {
        "LINKAGE_NEO4J_URI": where.uri,
        "LINKAGE_NEO4J_USER": where.user,
        "LINKAGE_NEO4J_PASSWORD": where.password,
    }
    with connect(where) as graph:
        clear(graph)


def test_four_and_twenty_days(days: list[Path], settings: dict[str, str], tmp_path: Path, neo4j_server: Server) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    case = folder / "c.duckdb"
    log = tmp_path / "log"

    def run(*words: object) -> Done:
        done = finish([*words, "--case", case], log, setting=settings)
        assert done.code == 0, (words, done)
        return done

    server_before = process.look(neo4j_server.pid)
    lived: list[Day] = []
    for number, day in enumerate(days):
        peak = {"ingest": run("ingest", day).peak, "detect": run("detect", "--no-publish").peak}
        rings = results.rings(case)
        # Somebody decides here, and somebody in Neo4j.
        if rings:
            verdict = ("confirm", "watch", "dismiss")[number % 3]
            run("review", rings[number % len(rings)].ring_id, verdict, "--note", f"day {number + 1}")
        peak["publish"] = run("neo4j", "publish", "--how", "bolt").peak
        if rings:
            with connect(target_of(neo4j_server)) as graph:
                graph.write(
                    "MATCH (r:Ring {ring_id: $ring}) SET r.review = 'watch', r.review_note = $note, "
                    "r.review_at = datetime()",
                    ring=rings[-1].ring_id,
                    note=f"day {number + 1}",
                )
            run("neo4j", "pull")
        with store.reading(case) as con:
            tables = ("account_rows", "payments", "logins", "exchanges", "identifiers", "links")
            counts = " + ".join(f"(SELECT count(*) FROM {name})" for name in tables)
            ((rows,),) = con.execute(f"SELECT {counts}").fetchall()
            members = con.execute("SELECT ring_id, list(account_id) FROM members GROUP BY ring_id").fetchall()
        with connect(target_of(neo4j_server)) as graph:
            nodes = int(graph.one("MATCH (n) RETURN count(n)")[0])
        lived.append(Day(rows, case.stat().st_size, peak, {ring: frozenset(who) for ring, who in members}, nodes))
        assert beside(case) == []
        assert journals_agree(case)

    middle, end = lived[DAYS // 2 - 3 : DAYS // 2 + 3], lived[-6:]
    grown = mean(day.rows for day in end) / mean(day.rows for day in middle)
    size = mean(day.size for day in end) / mean(day.size for day in middle) / grown
    memory = {
        command: mean(day.peak[command] for day in end) / mean(day.peak[command] for day in middle) / grown
        for command in lived[0].peak
    }
    drifted = [
        (number, ring, other)
        for number, (before, after) in enumerate(pairwise(lived))
        for ring, who in before.rings.items()
        for other, found in after.rings.items()
        # The same ring by any measure: more than two thirds of both.
        if other != ring and 3 * len(who & found) > 2 * max(len(who), len(found))
    ]
    kept = set.intersection(*(set(day.rings) for day in end))
    figure(
        "soak", days=DAYS, rows=lived[-1].rows, bytes=lived[-1].size, rows_grown=round(grown, 3),
        size_ratio=round(size, 3), memory_ratio={name: round(ratio, 3) for name, ratio in memory.items()},
        peak_mb={name: peak >> 20 for name, peak in lived[-1].peak.items()}, drifted=len(drifted), kept=len(kept),
        nodes=lived[-1].nodes,
    )  # fmt: skip
    assert size < 1.15, [(day.rows, day.size) for day in lived]
    assert all(ratio < 1.15 for ratio in memory.values()), [day.peak for day in lived]
    assert not drifted
    assert len(kept) > 3
    # Nobody runs who did not before.
    assert process.look(neo4j_server.pid) == server_before


def mean(values: Iterable[int]) -> float:
    found = list(values)
    return sum(found) / len(found)
