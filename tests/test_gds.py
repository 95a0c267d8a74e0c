"""Graph Data Science as the engine of detect: same contract, same components, and nothing left behind."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from linkage import candidates, results, store
from linkage.commands import run
from linkage.communities import ALGORITHMS, Engine, Graph, Labels, communities, components
from linkage.detect import detect
from linkage.errors import Neo4jError, UsageError
from linkage.evidence import pair_edges, weigh
from linkage.export import export
from linkage.graph import driver, gds, refusals
from linkage.graph.gds import Gds
from linkage.identify import identify
from linkage.ingest import ingest
from linkage.sample import FOLDER
from linkage.server import Server
from tests.graphs import emptied

pytestmark = pytest.mark.xdist_group("neo4j")

TABLES = ("rings", "members", "evidence", "bystanders", "hubs", "shared", "sightings", "memberships")


@pytest.fixture
def graph(neo4j_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[driver.Graph]:
    """The test server, found by the environment; afterwards neither the database nor GDS may hold anything new."""
    monkeypatch.setenv("LINKAGE_NEO4J_URI", neo4j_server.bolt_url)
    monkeypatch.setenv("LINKAGE_NEO4J_PASSWORD", neo4j_server.password)
    with emptied(neo4j_server) as found:
        yield found
        assert projections(found) == []
        assert found.one("MATCH (n) RETURN count(n)") == (0,)


def projections(graph: driver.Graph) -> list[Any]:
    return [row[0] for row in graph.rows("CALL gds.graph.list() YIELD graphName RETURN graphName")]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample export, without a run: the first one's rings have ids that depend on nothing before."""
    case = tmp_path_factory.mktemp("gds") / "case.duckdb"
    ingest([FOLDER], case)
    return case


@pytest.fixture(scope="module")
def pairs(ingested: Path) -> Graph:
    """The pair graph of the sample."""
    with store.scratch(ingested) as con:
        weighed = weigh(identify(con, ingested))
    return Graph.from_edges(weighed.sightings.accounts, *pair_edges(weighed, 100))


@pytest.fixture
def fresh(ingested: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copies of the case without a run."""

    def copy(name: str) -> Path:
        target = tmp_path / f"{name}.duckdb"
        for path in ingested.parent.glob("case.duckdb*"):
            (tmp_path / path.name.replace("case.duckdb", target.name)).write_bytes(path.read_bytes())
        return target

    return copy


def contents(case: Path) -> list[Any]:
    with store.reading(case) as con:
        return [con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in TABLES]


def columns(case: Path) -> list[Any]:
    with store.reading(case) as con:
        return [con.execute(f"DESCRIBE {table}").fetchall() for table in TABLES]


def exported(case: Path, folder: Path) -> dict[str, bytes]:
    export(case, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def planted(sizes: list[int]) -> tuple[Graph, Labels]:
    """Cliques of 10 bits a pair, each member tied by one bit to anybody, and two accounts that nothing ties."""
    rng = np.random.default_rng(3)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    u, v = np.triu_indices(len(truth), 1)
    inside = truth[u] == truth[v]
    stray = rng.permutation(len(truth))
    ends = np.concatenate((u[inside], np.arange(len(truth)))), np.concatenate((v[inside], stray))
    weight = np.concatenate((np.full(int(inside.sum()), 10.0), np.ones(len(truth))))
    lone = len(sizes) + np.arange(2)
    whole = Graph.from_edges(len(truth) + 2, ends[0].astype(np.int32), ends[1].astype(np.int32), weight)
    return whole, np.concatenate((truth, lone)).astype(np.int64)


def test_gds_is_an_engine() -> None:
    engine: Engine = Gds()
    assert (engine.name, [engine.objective(name) for name in ALGORITHMS]) == (
        "gds",
        ["modularity", "modularity", None, None],
    )
    # Nobody is asked where there is nothing to ask about.
    none = np.zeros(0, np.int32)
    for nodes in (0, 3):
        lone = Graph.from_edges(nodes, none, none, np.zeros(0))
        assert engine.partition(lone, "leiden", 1).tolist() == list(range(nodes))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_gives_rings_in_the_same_contract(
    graph: driver.Graph, fresh: Callable[[str], Path], tmp_path: Path, sample_case: Path, algorithm: str
) -> None:
    first, second = fresh("first"), fresh("second")
    report = detect(first, algorithm=algorithm, engine=Gds(), seed=7, nulls=2)
    assert (report.rings > 0, report.nulls) == (True, 2)
    assert columns(first) == columns(sample_case)
    row = results.runs(first)[0]
    wanted = "modularity" if algorithm in ("leiden", "louvain") else None
    assert (row.parameters["engine"], row.parameters["objective"]) == ("gds", wanted)
    assert (row.versions["gds"], row.versions["neo4j-server"]) == ("2.13.9", graph.version)
    detect(second, algorithm=algorithm, engine=Gds(), seed=7, nulls=2)
    assert exported(first, tmp_path / "one") == exported(second, tmp_path / "two")
    ring = results.rings(first, unlisted=True)[0]
    assert ring.accounts == len(results.ring(first, ring.ring_id).members) >= 3
    assert results.ring(first, ring.ring_id).evidence


def test_components_are_our_own(graph: driver.Graph, fresh: Callable[[str], Path], pairs: Graph) -> None:
    assert Gds().partition(pairs, "wcc", 5).tolist() == components(pairs).tolist()
    ours, theirs = fresh("ours"), fresh("theirs")
    detect(ours, algorithm="wcc", nulls=2)
    detect(theirs, algorithm="wcc", engine=Gds(), nulls=2)
    assert contents(ours) == contents(theirs)
    assert results.runs(ours)[0].parameters["engine"] == "linkage"


@pytest.mark.parametrize("algorithm", ["leiden", "louvain", "label-propagation"])
def test_planted_groups_are_found(graph: driver.Graph, algorithm: str) -> None:
    whole, truth = planted([5, 8, 13, 21, 8, 5])
    for seed in (1, 2):
        assert Gds().partition(whole, algorithm, seed).tolist() == truth.tolist()


def test_small_cliques_in_a_long_row_are_merged(graph: driver.Graph) -> None:
    # The resolution limit, which the warning and the docs speak of; under CPM each stays itself.
    truth = np.repeat(np.arange(60), 5)
    u, v = np.triu_indices(300, 1)
    tied = (truth[u] == truth[v]) | ((v == u + 1) & (truth[u] != truth[v]))
    row = Graph.from_edges(300, u[tied].astype(np.int32), v[tied].astype(np.int32), np.ones(int(tied.sum())))
    assert communities(row, "leiden", gamma=0.5).tolist() == truth.tolist()
    assert len(set(Gds().partition(row, "leiden", 1).tolist())) < 60


def test_modularity_is_as_good_as_others_find_it(graph: driver.Graph, pairs: Graph) -> None:
    source = np.repeat(np.arange(pairs.nodes), np.diff(pairs.start))
    once = source < pairs.other
    plain: nx.Graph[int] = nx.Graph()
    plain.add_nodes_from(range(pairs.nodes))
    for a, b, bits in zip(source[once].tolist(), pairs.other[once].tolist(), pairs.weight[once].tolist(), strict=True):
        plain.add_edge(a, b, weight=bits + plain.get_edge_data(a, b, {"weight": 0.0})["weight"])

    def quality(labels: Labels) -> float:
        groups = [set(np.flatnonzero(labels == label).tolist()) for label in range(int(labels.max()) + 1)]
        return float(nx.community.modularity(plain, groups))

    best = quality(communities(pairs, "louvain", gamma=1.0))
    assert best > 0.3
    for algorithm in ("leiden", "louvain"):
        assert quality(Gds().partition(pairs, algorithm, 1)) >= 0.97 * best


def test_the_seed_matters_and_is_kept_to(graph: driver.Graph, pairs: Graph) -> None:
    # That the same seed gives the same is tested above, to the bytes of the export.
    for algorithm in ("leiden", "louvain", "label-propagation"):
        found = [Gds().partition(pairs, algorithm, seed).tolist() for seed in (1, 2**80)]
        assert found[0] != found[1], algorithm


# What is refused, and what is left behind.


def test_what_gds_cannot_do_is_refused(graph: driver.Graph, ingested: Path) -> None:
    for algorithm in ALGORITHMS:
        with pytest.raises(UsageError, match="no constant Potts model"):
            detect(ingested, algorithm=algorithm, engine=Gds(), resolution=1.0)
    with pytest.raises(UsageError, match="no algorithm"):
        detect(ingested, algorithm="magic", engine=Gds())
    with pytest.raises(UsageError, match="no algorithm"):
        Gds().prepare("magic", 0.0)
    with pytest.raises(Neo4jError, match="no database of that name"):
        detect(ingested, engine=Gds("elsewhere"))
    assert results.runs(ingested) == []


def test_no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ingested: Path) -> None:
    monkeypatch.setenv("LINKAGE_NEO4J_HOME", str(tmp_path))
    with pytest.raises(Neo4jError, match="No Neo4j is known") as refused:
        detect(ingested, engine=Gds())
    assert "linkage neo4j up" in refused.value.hint
    monkeypatch.setenv("LINKAGE_NEO4J_URI", "bolt://127.0.0.1:9")
    with pytest.raises(Neo4jError, match="does not answer"):
        detect(ingested, engine=Gds())


def test_a_server_without_gds(graph: driver.Graph, monkeypatch: pytest.MonkeyPatch, ingested: Path) -> None:
    ask = driver.Graph.one

    def one(self: driver.Graph, cypher: str, **parameters: Any) -> tuple[Any, ...]:
        return ask(self, cypher.replace("'gds.version'", "'gds.none'"), **parameters)

    with monkeypatch.context() as patch:
        patch.setattr(driver.Graph, "one", one)
        with pytest.raises(Neo4jError, match="has no Graph Data Science") as refused:
            detect(ingested, engine=Gds())
    assert "linkage neo4j up" in refused.value.hint


def test_nothing_is_left_after_a_failure(graph: driver.Graph, monkeypatch: pytest.MonkeyPatch, pairs: Graph) -> None:
    before = gds._PROCEDURES["leiden"]
    monkeypatch.setitem(gds._PROCEDURES, "leiden", ("gds.none.stream", "communityId"))
    with pytest.raises(Neo4jError, match="lacks a procedure"):
        Gds().partition(pairs, "leiden", 1)
    assert projections(graph) == []
    monkeypatch.setitem(gds._PROCEDURES, "leiden", before)
    seen: list[Any] = []
    ask = driver.Graph.rows

    def interrupted(self: driver.Graph, cypher: str, **parameters: Any) -> Iterator[tuple[Any, ...]]:
        if "gds.leiden" in cypher:
            seen.extend(projections(graph))
            raise KeyboardInterrupt
        return ask(self, cypher, **parameters)

    monkeypatch.setattr(driver.Graph, "rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Gds().partition(pairs, "leiden", 1)
    assert [name.startswith(gds.PREFIX) for name in seen] == [True]


def test_ctrl_c_while_edges_travel(graph: driver.Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    u, v = rng.integers(0, 100_000, (2, 600_000)).astype(np.int32)
    whole = Graph.from_edges(100_000, u, v, np.ones(len(u)))
    ask = driver.Graph.rows
    # Soon after the start of what takes seconds: a signal that came too late would end the tests.
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))

    def rows(self: driver.Graph, cypher: str, **parameters: Any) -> Iterator[tuple[Any, ...]]:
        if "gds.graph.project" in cypher:
            timer.start()
        return ask(self, cypher, **parameters)

    # Who runs the tests in the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(driver.Graph, "rows", rows)
            Gds().partition(whole, "louvain", 1)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ClientError.Procedure.ProcedureCallFailed", "Procedure was blocked since minimum estimated memory (9 GiB)"),
        ("ClientError.Procedure.ProcedureCallFailed", "Caused by: java.lang.OutOfMemoryError: Java heap space"),
        ("TransientError.General.OutOfMemoryError", "There is not enough memory to perform the current task."),
    ],
)
def test_too_little_memory_is_said_so(code: str, text: str) -> None:
    class Refusal(Exception):
        """As the driver's, which nobody but the driver can make."""

        code = ""

    Refusal.code = f"Neo.{code}"
    error = refusals.explained(Refusal(text), driver.Target("bolt://x"))
    assert (type(error), "too little memory" in error.message, "--heap" in error.hint) == (Neo4jError, True, True)


def test_a_server_that_hangs_up(graph: driver.Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = planted([5, 5])
    ask = driver.Graph.rows

    def hang_up(self: driver.Graph, cypher: str, **parameters: Any) -> Iterator[tuple[Any, ...]]:
        if "gds.graph.project" in cypher:
            raise refusals.explained(OSError("broken"), self.target)
        return ask(self, cypher, **parameters)

    monkeypatch.setattr(driver.Graph, "rows", hang_up)
    with pytest.raises(Neo4jError, match=r"broke off while .* may have too little memory"):
        Gds().partition(whole, "wcc", 1)


def test_candidates_take_any_partition(ingested: Path) -> None:
    with store.scratch(ingested) as con:
        weighed = weigh(identify(con, ingested))
    found = candidates.find(weighed, partition=components)
    assert found.labels.tolist() == candidates.find(weighed, algorithm="wcc").labels.tolist()


# As a person types it.


def test_detect_as_typed(graph: driver.Graph, fresh: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    case = str(fresh("typed"))

    def linkage(*words: str) -> tuple[int, str, str]:
        code = run([*words, "--case", case])
        return code, *capsys.readouterr()

    code, out, err = linkage("detect", "--engine", "gds", "--no-publish", "--nulls", "2")
    assert (code, "rings with" in out) == (0, True)
    assert "Warning: leiden by GDS maximises modularity, whose resolution limit" in err
    assert (
        "Warning" not in linkage("detect", "--engine", "gds", "--algorithm", "wcc", "--no-publish", "--nulls", "0")[2]
    )
    assert "Warning" not in linkage("detect", "--no-publish", "--nulls", "0")[2]
    code, out, _ = linkage("runs", "--json")
    parameters = [row["parameters"] for row in json.loads(out)["rows"]]
    assert [(each["engine"], each["algorithm"], each["objective"]) for each in parameters] == [
        ("linkage", "leiden", "cpm"),
        ("gds", "wcc", None),
        ("gds", "leiden", "modularity"),
    ]
    words = " ".join(linkage("runs")[1].split())
    assert "engine gds, algorithm leiden, objective modularity" in words
    assert "None" not in words
    # Runs of before there were engines.
    with store.writing(Path(case)) as con:
        con.execute('UPDATE runs SET parameters = \'{"algorithm": "leiden", "seed": 1}\' WHERE run = 1')
    assert "algorithm leiden, seed 1" in " ".join(linkage("runs")[1].split())
    code, _, err = linkage("detect", "--engine", "gds", "--resolution", "2")
    assert (code, "GDS cannot take a resolution of 2 bits" in err) == (2, True)
