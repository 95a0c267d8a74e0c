"""The user's story to its end: Neo4j Browser, in a real Chromium, on a ring."""

import contextlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from linkage import results, store
from linkage.detect import detect
from linkage.errors import ExitCode, NotFoundError, UsageError
from linkage.graph import Target, publish
from linkage.graph.browser import address, behind, guide, ring_page, write_guide
from linkage.sample import copy_to
from linkage.server import Server
from tests.chromium import chromium, log_in, page, run
from tests.graphs import emptied, target_of
from tests.neo4j_server import guarded

pytestmark = pytest.mark.xdist_group("neo4j")

# Of graph_schema/style.grass: accounts and rings.
BLUE, RED = "#4C8EDA", "#D64545"


def linkage(folder: Path, home: Path, cache: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command as a person types it, in a folder of its own."""
    environment = {**os.environ, "LINKAGE_NEO4J_HOME": str(home), "LINKAGE_NEO4J_CACHE": str(cache)}
    command = [sys.executable, "-m", "linkage", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )  # fmt: skip


def test_from_exports_to_a_ring_in_neo4j_browser(tmp_path: Path, neo4j_cache: Path) -> None:
    chromium()
    copy_to(tmp_path / "exports")
    home = tmp_path / "neo4j home"
    with guarded(home):
        for words in (("ingest", "exports"), ("detect",), ("neo4j", "up")):
            done = linkage(tmp_path, home, neo4j_cache, *words)
            assert done.returncode == 0, done.stderr
        opened = linkage(tmp_path, home, neo4j_cache, "open", "2", "--print")
        assert opened.returncode == 0, opened.stderr
        assert "created, 0 updated" in opened.stderr
        again = linkage(tmp_path, home, neo4j_cache, "open", "2", "--print")
        assert (again.stdout, "created" in again.stderr) == (opened.stdout, False)
        ring = results.ring(tmp_path / "linkage.duckdb", "2")
        password = (home / "password").read_text().strip()
        assert password not in opened.stdout + opened.stderr
        with page() as shown:
            log_in(shown, opened.stdout.strip(), password)
            # The guide comes by itself, and names the ring.
            shown.locator(f"h3:has-text('{ring.ring.ring_id}')").wait_for()
            assert ring.ring.why in shown.locator("body").inner_text()
            drawn = run(shown)
        assert f"Displaying {drawn.nodes} nodes, {drawn.relationships} relationships." in drawn.overview
        assert "ERROR" not in drawn.overview
        assert "Ring (1)" in drawn.overview
        assert f"Account ({ring.ring.accounts + len(ring.bystanders)})" in drawn.overview
        for member in ring.members:
            assert any(caption and member.account_id.startswith(caption.strip("….")) for caption in drawn.captions)
        assert {BLUE, RED} <= drawn.colours


def ring_of_20_000(folder: Path) -> Path:
    """A case with one ring of 20,000 accounts on 2,000 cards, 4,000 devices and one address, among as many others."""
    case = folder / "large.duckdb"
    store.create(case)
    with store.writing(case) as con:
        con.execute(
            """INSERT INTO account_rows (command, account_id, created_at, status)
            SELECT 1, 'ring' || i, TIMESTAMP '2026-01-01' + to_minutes(i), 'active' FROM range(20000) t(i)
            UNION ALL SELECT 1, 'other' || i, TIMESTAMP '2025-01-01' + to_minutes(i), 'active' FROM range(20000) t(i);
            INSERT INTO payments (account_id, payment_id, method, added_at)
                SELECT 'ring' || i, 'card' || (i + step) % 20000 // 10, NULL,
                TIMESTAMP '2026-01-02' + to_minutes(i) FROM range(20000) t(i), range(0, 10, 5) s(step);
            INSERT INTO logins (account_id, ip, ip_net, device_id, user_agent, "at")
                SELECT 'ring' || i, '198.51.100.9', NULL, 'device' || i // 5, NULL,
                TIMESTAMP '2026-01-03' + to_minutes(i) FROM range(20000) t(i);
            INSERT INTO logins (account_id, ip, ip_net, device_id, user_agent, "at")
                SELECT 'other' || i, '203.0.' || i // 200 || '.' || i % 200, NULL, NULL, NULL,
                TIMESTAMP '2026-01-03' + to_minutes(i) FROM range(20000) t(i);"""
        )
    # By connected components, listed by score alone: the default finds one chain of 20,000 in pieces.
    detect(case, algorithm="wcc", nulls=0)
    return case


def test_a_ring_of_20_000_accounts_is_a_readable_picture(neo4j_server: Server, tmp_path: Path) -> None:
    chromium()
    case = ring_of_20_000(tmp_path)
    where = target_of(neo4j_server)
    with emptied(neo4j_server):
        publish(case, where, scope="all")
        ring = results.rings(case)[0]
        assert ring.accounts >= 19_000
        opened = ring_page(where, ring)
        write_guide(where, ring, opened)
        with page() as shown:
            log_in(shown, opened.url, neo4j_server.password)
            drawn = run(shown)
    assert f"Displaying {drawn.nodes} nodes, {drawn.relationships} relationships." in drawn.overview
    assert 30 < drawn.nodes + drawn.relationships < 300
    assert re.search(r"Account \(\d+\)", drawn.overview)
    assert re.search(r"Bundle \(\d\)", drawn.overview)
    assert "ERROR" not in drawn.overview


def test_when_the_graph_is_behind(neo4j_server: Server, tmp_path: Path, sample_case: Path) -> None:
    where = target_of(neo4j_server)
    with emptied(neo4j_server) as graph:
        assert behind(sample_case, where)
        publish(sample_case, where, scope="rings")
        assert not behind(sample_case, where)
        graph.write("MATCH (c:LinkageCase) SET c.complete = false")
        assert behind(sample_case, where)
        publish(sample_case, where, scope="rings")
        graph.write("MATCH (c:LinkageCase) SET c.run = 0")
        assert behind(sample_case, where)


def test_the_address_and_the_guide(sample_case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = results.rings(sample_case)[0]
    plain = Target("bolt://graph.example.com:7687", "a&b", "secret")
    opened = ring_page(plain, ring)
    assert opened.url.startswith(
        "http://graph.example.com:7474/browser/?dbms=bolt://a%2526b@graph.example.com:7687&preselectAuthMethod=NATIVE&"
    )
    assert "secret" not in opened.url
    head, _, query = opened.url.partition("&arg=")
    assert head.endswith("&preselectAuthMethod=NATIVE&cmd=edit")
    assert not set("&#") & set(query)
    assert not write_guide(plain, ring, opened)
    assert address(Target("neo4j+s://x.example.com", database="cases"), "RETURN 1").startswith(
        "https://x.example.com:7473/browser/?dbms=neo4j%2Bs://neo4j@x.example.com&db=cases&"
    )
    monkeypatch.setenv("LINKAGE_NEO4J_BROWSER", "https://browser.example.com/browser/")
    assert address(plain, "RETURN 1").startswith("https://browser.example.com/browser/?dbms=")
    # Text from an export is no HTML.
    hostile = results.RingRow(**{**vars(ring), "why": "<script>alert(1)</script>", "doubts": "<b>&"})
    text = guide(hostile, "RETURN '<i>'")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "&lt;b&gt;&amp;" in text
    (below, *_) = [row for row in results.rings(sample_case, unlisted=True) if not row.listed]
    with pytest.raises(NotFoundError, match="below the line"):
        ring_page(plain, below)


def test_open_asks_before_it_downloads(sample_case: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = linkage(tmp_path, tmp_path / "home", tmp_path / "empty cache", "open", "--case", str(sample_case))
    assert done.returncode == UsageError.exit_code
    assert re.search(r"would have to be downloaded \(1\d\d MB\)", done.stderr)
    assert "linkage open --yes" in done.stderr
    assert not (tmp_path / "home").exists()


def test_open_takes_no_for_an_answer(sample_case: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    environment = {
        **os.environ,
        "LINKAGE_NEO4J_HOME": str(tmp_path / "home"),
        "LINKAGE_NEO4J_CACHE": str(tmp_path / "c"),
    }
    command = [sys.executable, "-m", "linkage", "open", "--case", str(sample_case)]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment) as child:
        os.close(slave)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(master, 1000)
        os.write(master, b"n\n")
        with contextlib.suppress(OSError):
            while more := os.read(master, 1000):
                said += more
    os.close(master)
    assert child.returncode == ExitCode.NEO4J
    assert b"none was downloaded" in said
    assert not (tmp_path / "c").exists()
