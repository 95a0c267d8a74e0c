"""Faults between the case and a real Neo4j: publish and pull are killed, their connections break, the server dies.

Each time the command says so or ends right, the case holds what it held, and the next publish makes the graph what the
case says. What a fault at one chosen place does is in `tests/test_neo4j_faults.py`; here the places are drawn.
"""

import random
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from linkage import server
from linkage.errors import ExitCode
from linkage.graph import connect, driver
from linkage.graph import publish as publishing
from linkage.server import Server
from tests.faults.lab import Lab, clean
from tests.faults.states import differing, state
from tests.faults.workers import SEED, TIMES, Killer, Worker, finish, say
from tests.graphs import Content, clear, now, target_of
from tests.neo4j_server import begin, home, kill
from tests.relay import ResetError, relay
from tests.reliability import figure

__all__ = ["home"]

pytestmark = [pytest.mark.deep, pytest.mark.xdist_group("neo4j")]


def little_patience() -> None:
    """Many transactions, and no long wait for a server that does not come back."""
    sys.modules[publishing.__module__].BATCH = 100  # type: ignore[attr-defined]
    driver.RETRY_SECONDS = 2.0  # type: ignore[misc]
    driver.CONNECT_SECONDS = 3.0  # type: ignore[misc]


def reached(own: Server, url: str = "") -> dict[str, str]:
    """Settings by which a command finds the server."""
    where = target_of(own)
    return {
        "LINKAGE_NEO4J_URI": url or where.uri,
        "LINKAGE_NEO4J_USER": where.user,
        "LINKAGE_NEO4J_PASSWORD": where.password,
    }


PUBLISH = ("neo4j", "publish", "--how", "bolt")


@dataclass
class Mirror:
    """A lab with two states of one case, the graphs that they make, and the server that holds one of them."""

    lab: Lab
    own: Server
    whole: dict[str, Content]
    at: str = "detected"

    def publish(self, name: str) -> None:
        """Put the case to the state of that name, and the graph with it."""
        self.lab.back(name)
        done = finish([*PUBLISH, "--case", self.lab.case], self.lab.kept / "log", setting=reached(self.own))
        assert done.code == 0, done.err
        self.at = name

    def turn(self) -> str:
        """Put the case to its other state, while the graph is what it was."""
        other = "searched" if self.at == "detected" else "detected"
        self.lab.back(other)
        return other


@pytest.fixture(scope="module")
def mirror(lab: Lab, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    lab.back("grown")
    lab.run("detect", "--no-publish")
    lab.keep("searched")
    found = Mirror(lab, begin(home), {})
    with connect(target_of(found.own)) as graph:
        clear(graph)
    for name in ("searched", "detected"):
        found.publish(name)
        found.whole[name] = now(found.own)
    assert found.whole["searched"] != found.whole["detected"]
    assert len(found.whole["detected"][1]) > 300
    yield found


def test_publish_is_killed(mirror: Mirror) -> None:
    def prepare() -> list[object]:
        return [*PUBLISH, "--case", mirror.lab.case] if mirror.turn() else []

    def check(killed: bool) -> None:
        name = "searched" if mirror.at == "detected" else "detected"
        kept = mirror.lab.kept / name / mirror.lab.case.name
        assert not differing(state(mirror.lab.case), state(kept))
        if killed:
            mirror.publish(name)
        mirror.at = name
        assert now(mirror.own) == mirror.whole[name]
        clean(mirror.lab)

    Killer("neo4j publish", 20, mirror.lab.kept / "killed", reached(mirror.own)).each(prepare, check)


def test_pull_is_killed(mirror: Mirror) -> None:
    mirror.publish("detected")
    lab = mirror.lab
    before = state(lab.case)
    with connect(target_of(mirror.own)) as graph:
        graph.write(
            "MATCH (r:Ring) SET r.review = 'confirm', r.review_note = 'seen', r.review_by = 'ann', "
            "r.review_at = datetime('2026-03-01T12:00:00Z')"
        )
    try:
        pulling = ["neo4j", "pull", "--case", lab.case]
        assert finish(pulling, lab.kept / "log", setting=reached(mirror.own)).code == 0
        after = state(lab.case)
        assert differing(before, after) == ["decisions"]
        wanted = lab.export()

        def prepare() -> list[object]:
            lab.back("detected")
            return pulling

        def check(killed: bool) -> None:
            there = state(lab.case)
            assert there in (before, after)
            if killed:
                assert finish(pulling, lab.kept / "log", setting=reached(mirror.own)).code == 0
            assert state(lab.case) == after
            clean(lab)
            assert lab.export() == wanted

        Killer("neo4j pull", 20, lab.kept / "killed", reached(mirror.own)).each(prepare, check)
    finally:
        with connect(target_of(mirror.own)) as graph:
            graph.write("MATCH (r:Ring) REMOVE r.review, r.review_note, r.review_by, r.review_at")


class Trouble:
    """What befalls the bytes between a command and the server, from a place on that is drawn.

    Attributes:
        kind: `delay`, `cut` (the connection ends), `reset` (it breaks), or `drop` (nothing comes through any more).
    """

    KINDS = ("delay", "cut", "reset", "drop")

    def __init__(self, kind: str, rng: random.Random) -> None:
        self.kind = kind
        self.happened = False
        self._rng = rng
        self._left = rng.randrange(60)
        self._heals = rng.random() < 0.5

    def __call__(self, data: bytes) -> bytes | None:
        if self.kind == "delay":
            self.happened = True
            time.sleep(self._rng.uniform(0, 0.02))
            return data
        self._left -= 1
        if self._left > 0 or (self._left < -1 and self._heals and self.kind != "drop"):
            return data
        first, self.happened = not self.happened, True
        if self.kind == "reset":
            raise ResetError
        if self.kind == "drop":
            return None
        # Half of what came gets through before the end.
        return data[: len(data) // 2] if first else b""


@pytest.mark.parametrize("kind", Trouble.KINDS)
def test_connections_break(mirror: Mirror, kind: str) -> None:
    rng = random.Random(f"{SEED} {kind}")
    log = mirror.lab.kept / "troubled"
    for number in range((3 if kind == "drop" else 6) * TIMES):
        name = mirror.turn()
        before = state(mirror.lab.case)
        sent, answered = Trouble(kind, rng), Trouble(kind, rng)
        with relay(mirror.own.bolt_url, sent=sent, answered=answered) as url:
            there = reached(mirror.own, url)
            done = finish([*PUBLISH, "--case", mirror.lab.case], log, setting=there, before=little_patience)
            say(f"{kind} {number}: publish exits {done.code}")
            assert done.code in (ExitCode.DONE, ExitCode.NEO4J), done.err
            assert kind != "delay" or done.code == ExitCode.DONE
            assert done.code == ExitCode.DONE or ("Error: " in done.err and "Hint: " in done.err)
            if done.code == ExitCode.DONE:
                assert now(mirror.own) == mirror.whole[name]
            done = finish(["neo4j", "pull", "--case", mirror.lab.case], log, setting=there, before=little_patience)
            assert done.code in (ExitCode.DONE, ExitCode.NEO4J), done.err
        assert sent.happened or answered.happened
        assert not differing(state(mirror.lab.case), before)
        mirror.publish(name)
        assert now(mirror.own) == mirror.whole[name]
        clean(mirror.lab)
        figure("faults", fault=f"connection: {kind}", command="neo4j publish, pull", times=1, survived=1)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_the_server_goes(mirror: Mirror, how: str, home: Path) -> None:
    """It is killed, or stopped as its owner would, at an instant of a publish."""
    rng = random.Random(f"{SEED} {how}")
    for number in range(2 * TIMES):
        name = mirror.turn()
        before = state(mirror.lab.case)
        words = [*PUBLISH, "--case", mirror.lab.case]
        worker = Worker(words, mirror.lab.kept / "troubled", setting=reached(mirror.own), before=little_patience)
        time.sleep(rng.uniform(0.1, 1.5))
        going = threading.Thread(target=lambda: kill(mirror.own) if how == "kill" else server.down(home))
        going.start()
        done = worker.wait()
        going.join()
        assert done is not None
        say(f"{how} {number}: publish exits {done.code}")
        assert done.code in (ExitCode.DONE, ExitCode.NEO4J), done.err
        assert "Traceback" not in done.err
        assert not differing(state(mirror.lab.case), before)
        mirror.own = begin(home)
        if done.code == ExitCode.DONE:
            assert now(mirror.own) == mirror.whole[name]
        mirror.publish(name)
        assert now(mirror.own) == mirror.whole[name]
        clean(mirror.lab)
        figure("faults", fault=f"server: {how}", command="neo4j publish", times=1, survived=1)
