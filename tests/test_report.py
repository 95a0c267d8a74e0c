"""The report: one page that works offline, in a real Chromium, whatever the exports say."""

import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from playwright.sync_api import Dialog, Page, Request

from linkage import decisions, results
from linkage.api import Case
from linkage.commands import run
from linkage.decisions import Decision
from linkage.detect import detect
from linkage.errors import ExitCode, UsageError
from linkage.report import report
from linkage.report.data import facts
from linkage.report.page import page as render
from linkage.report.picture import GROUPS, NAMED, SMALL, VALUES, Picture, Value, picture
from linkage.report.timeline import CELLS, timeline
from linkage.ring_why import ring_why
from linkage.summary import paragraph
from tests.cases import make_case
from tests.chromium import page

# On one worker, so that one Chromium serves all.
pytestmark = pytest.mark.xdist_group("report")

Linkage = Callable[..., tuple[int, str, str]]

# The picture.


def drawn(ties: list[tuple[int, int]], accounts: int, values: int) -> Picture:
    """The picture of accounts a0, a1, … and payment methods v0, v1, …"""
    named = [Value("payment", f"v{at}", 1.0, 0) for at in range(values)]
    columns = np.array(sorted(set(ties)), dtype=np.int64).reshape(-1, 2)
    return picture([f"a{at}" for at in range(accounts)], named, columns[:, 0], columns[:, 1], np.ones(len(columns)))


def test_a_small_ring_is_drawn_as_it_is() -> None:
    shown = drawn([(0, 0), (1, 0), (1, 1), (2, 1)], 4, 2)
    assert shown.accounts == [(1, ["a0"], []), (1, ["a1"], []), (1, ["a2"], [])]
    assert [(kind, n, names, members) for kind, n, names, members, _ in shown.values] == [
        ("payment", 1, ["v0"], 2),
        ("payment", 1, ["v1"], 2),
    ]
    assert shown.edges == [(0, 0, 1), (1, 0, 1), (1, 1, 1), (2, 1, 1)]
    assert (shown.exact, shown.untied) == (True, 1)
    assert drawn([], 3, 0) == Picture(untied=3)


def test_bystanders_that_touch_the_same_are_one_node() -> None:
    ties = np.array([[a, v] for a in range(3) for v in range(2)])
    shown = picture(
        ["a", "b", "c"], [Value("ip", name, 1.0, 2) for name in "xyz"], ties[:, 0], ties[:, 1], np.ones(6),
        {"p": [0], "q": [1, 0], "r": [0], "s": [2]},
    )  # fmt: skip
    # Nobody of the ring has z any more: whoever touches it alone is not drawn.
    assert shown.bystanders == [(2, ["p", "r"], [0]), (1, ["q"], [0, 1])]


def test_accounts_and_values_alike_become_one_node_each() -> None:
    # Three groups of 100 accounts, each with two cards of its own, and one card that all have.
    ties = [(a, v) for a in range(300) for v in (2 * (a // 100), 2 * (a // 100) + 1, 6)]
    shown = drawn(ties, 300, 7)
    assert [(n, inside) for n, _, inside in shown.accounts] == [(100, []), (100, []), (100, [])]
    assert shown.accounts[0][1] == [f"a{at}" for at in range(NAMED)]
    assert sorted((n, members) for _, n, _, members, _ in shown.values) == [(1, 300), (2, 100), (2, 100), (2, 100)]
    assert shown.exact


@pytest.mark.parametrize("accounts", [400, 20_000])
def test_a_chain_stays_a_chain(accounts: int) -> None:
    ties = [(a, (a + step) % accounts // 10) for a in range(accounts) for step in (0, 5)]
    shown = drawn(ties, accounts, accounts // 10)
    assert len(shown.accounts) <= GROUPS
    assert sum(n for n, _, _ in shown.accounts) == accounts
    # Each group is tied to the next, and what lies within a group is told with it.
    across = sum(n for _, n, _, _, _ in shown.values)
    assert across + sum(n for *_, inside in shown.accounts for _, n in inside) == accounts // 10
    assert max(n for n, _, _ in shown.accounts) < 5 * accounts / GROUPS
    neighbours = [len({a for a, v, _ in shown.edges if v == at}) for at in range(len(shown.values))]
    assert set(neighbours) <= {2, 3}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 700), st.integers(1, 400), st.floats(1, 6))
def test_no_ring_is_too_large_and_none_loses_an_account(seed: int, accounts: int, values: int, each: float) -> None:
    rng = np.random.default_rng(seed)
    size = int(accounts * each)
    # Some values are shared by very many.
    value = np.minimum(rng.integers(0, values, size), rng.integers(0, values, size))
    ties = list(zip(rng.integers(0, accounts, size).tolist(), value.tolist(), strict=True))
    shown = drawn(ties, accounts, values)
    tied = len({a for a, _ in ties})
    assert sum(n for n, _, _ in shown.accounts) == tied == accounts - shown.untied
    assert len(shown.accounts) <= max(SMALL, GROUPS)
    assert len(shown.values) <= max(SMALL, VALUES + 1)
    inside = sum(n for *_, kinds in shown.accounts for _, n in kinds)
    assert sum(n for _, n, _, _, _ in shown.values) + inside == len({v for _, v in ties})
    having: dict[int, set[int]] = {}
    for a, v in ties:
        having.setdefault(v, set()).add(a)
    for at, (_, n, names, members, _) in enumerate(shown.values):
        assert sum(tie for _, v, tie in shown.edges if v == at) == members
        if n == 1:
            assert members == len(having[int(names[0][1:])])
    assert shown == drawn(ties[::-1], accounts, values)


# The timeline.


def test_a_timeline_keeps_every_exchange_and_joins_hours_where_there_are_too_many() -> None:
    def ints(*numbers: int) -> NDArray[np.int64]:
        return np.array(numbers, dtype=np.int64)

    few = timeline(["a", "b"], ints(0, 0, 1), ints(5, 9, 5), ints(2, 3, 4), (ints(5, 9), ints(6, 3)))
    assert few.width == 1
    assert few.rows == [("a", [5, 4], [2, 3]), ("b", [5], [4])]
    assert few.total == ([5, 4], [6, 3])
    hours = np.arange(3 * CELLS - 2, dtype=np.int64) - 99
    many = timeline(["a"], hours * 0, hours, hours * 0 + 1, (hours, hours * 0 + 2))
    assert many.width == 3
    assert sum(many.rows[0][2]) == 3 * CELLS - 2
    assert sum(many.total[1]) == 6 * CELLS - 4
    assert len(many.rows[0][1]) == CELLS


# The command.


@pytest.fixture
def linkage(capfd: pytest.CaptureFixture[str]) -> Linkage:
    def call(*words: object) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_the_file_is_private_and_nothing_is_overwritten_unasked(
    linkage: Linkage, sample_case: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    at = ("report", "-o", path, "--case", sample_case)
    code, out, _ = linkage(*at)
    assert (code, "8 rings" in out) == (0, True)
    assert path.stat().st_mode & 0o777 == 0o600
    first = path.read_bytes()
    path.chmod(0o644)
    code, out, _ = linkage(*at)
    assert (code, "Nothing changed" in out, path.read_bytes() == first) == (0, True, True)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("mine")
    code, out, err = linkage(*at)
    assert (code, out, path.read_text()) == (ExitCode.USAGE, "", "mine")
    assert "--force" in err
    code, out, _ = linkage(*at, "--force", "--json")
    assert (code, '"rings": 8' in out, path.read_bytes() == first) == (0, True, True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_what_cannot_be_written_is_said(linkage: Linkage, sample_case: Path, tmp_path: Path) -> None:
    case = ("--case", sample_case)
    for words, code, said in (
        (("report", "R-none", "-o", tmp_path / "x.html", *case), ExitCode.NOT_FOUND, "no ring 'R-none'"),
        (("report", "-o", tmp_path / "no" / "x.html", *case), ExitCode.NOT_FOUND, "No such file"),
        (("report", "-o", tmp_path, *case), ExitCode.MACHINE, "is a folder"),
        (("report", *case), ExitCode.USAGE, "--output"),
        (("report", "-o", tmp_path / "x.html", "--case", tmp_path / "no.duckdb"), ExitCode.NOT_FOUND, "no case file"),
    ):
        got, out, err = linkage(*words)
        assert (got, out, said in err) == (code, "", True), err
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_is_cut_off_leaves_the_old_report(sample_case: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-m", "linkage", "report", "-o", str(path), "--force", "--case", str(sample_case)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, path.read_text()) == (ExitCode.MACHINE, "old"), done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


# The page.


def test_its_words_are_those_of_linkage_ring(sample_case: Path) -> None:
    for detail in facts(sample_case).details:
        why = ring_why(sample_case, detail["id"])
        assert detail["summary"] == paragraph(why.summary[1:])
        assert detail["bridge"] == (why.bridge.sentence if why.bridge else "")
        assert (detail["verdict"], detail["doubts"]) == (why.verdict, why.found.ring.doubts)
        assert sum(row[4] for row in detail["by_kind"]) - detail["prior"] == pytest.approx(
            why.found.ring.bits, abs=0.01
        )
        assert len(detail["members"]["account"]) == why.found.ring.accounts


@dataclass
class Looked:
    """A page in Chromium, and what went wrong in it: scripts that failed or were refused, requests that left it."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def open(self, path: Path, ring: str = "") -> Page:
        """The report at `path`, at a ring if one is named."""
        # Another address without its hash, or nothing would be loaded.
        self.page.goto("about:blank")
        self.page.goto(path.resolve().as_uri() + (f"#{ring}" if ring else ""))
        return self.page

    def focused(self) -> str:
        """The text of what has the focus."""
        return str(self.page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel || ''"))


@pytest.fixture(scope="module")
def window() -> Iterator[Looked]:
    """One Chromium for all tests."""
    with page(1300, 1000) as shown:
        looked = Looked(shown)

        def asked(request: Request) -> None:
            if not request.url.startswith(("file:", "data:", "about:")):
                looked.wrong.append(request.url)

        def asking(dialog: Dialog) -> None:
            looked.wrong.append(dialog.message)
            dialog.dismiss()

        shown.on("pageerror", lambda error: looked.wrong.append(str(error)))
        shown.on("console", lambda message: looked.wrong.append(message.text))
        shown.on("dialog", asking)
        shown.on("request", asked)
        shown.route(re.compile(r"^(?!file:|about:|data:)"), lambda route: route.abort())
        yield looked


@pytest.fixture
def looked(window: Looked) -> Looked:
    """Without what went wrong in the page of the test before, which is told late."""
    window.page.goto("about:blank")
    window.wrong.clear()
    return window


@pytest.fixture(scope="module")
def sample_page(sample_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    report(sample_case, path)
    return path


def test_the_page_says_what_the_case_does(looked: Looked, sample_page: Path, sample_case: Path) -> None:
    shown = looked.open(sample_page)
    rings = results.rings(sample_case)
    body = shown.locator("body").inner_text()
    assert "no verdict" in body
    assert f"about {sum(1 - r.score for r in rings if r.status == 'open'):.1f} of the 7 rings" in body
    listed = shown.locator("#rings tbody tr")
    assert listed.locator("th").all_inner_texts() == [ring.ring_id for ring in rings]
    for ring in rings[:3]:
        found = results.ring(sample_case, ring.ring_id)
        shown = looked.open(sample_page, ring.ring_id)
        article = shown.locator("article")
        text = article.inner_text()
        assert f"{ring.accounts} accounts, {ring.exchanges:,} exchanges" in text
        assert ring.doubts or "Nothing in the exports speaks for an innocent explanation." in text
        members = article.get_by_role("table", name=f"Members of ring {ring.ring_id}")
        assert members.locator("tbody th").all_inner_texts() == [m.account_id for m in found.members[:50]]
        values = article.get_by_role("table", name=f"Values that tie ring {ring.ring_id}").locator("tbody tr")
        assert values.count() == min(20, len(found.evidence))
        first = found.evidence[0]
        cells = [values.first.locator("th, td").nth(at).inner_text() for at in range(5)]
        named = f"{first.label} ({first.value})" if first.label else first.value
        assert cells[:4] == [first.kind, named, f"{first.accounts}", f"{first.outsiders}"]
        assert cells[4] == f"{first.bits:+.2f}"
        drawn_nodes = article.locator(".graph .node")
        assert 0 < drawn_nodes.count() < 300
        # Labels that would cover others wait; those that are shown do not.
        assert article.locator(".graph .waiting:visible").count() == 0
        boxes = [box for label in article.locator(".graph .label:visible").all() if (box := label.bounding_box())]
        assert boxes
        for a, b in combinations(boxes, 2):
            beside = a["x"] + a["width"] < b["x"] + 4 or b["x"] + b["width"] < a["x"] + 4
            assert beside or abs(a["y"] - b["y"]) > 9, (a, b)
        strips = article.locator(".timeline g[role=img]")
        assert strips.count() == 1 + min(40, ring.accounts)
        labels = strips.evaluate_all("all => all.slice(1).map((one) => one.getAttribute('aria-label'))")
        sent = [int(re.findall(r": ([\d,]+) exchange", label)[0].replace(",", "")) for label in labels]
        assert sent == sorted((m.exchanges for m in found.members), reverse=True)[:40]
    assert looked.wrong == []


def test_a_ring_that_shares_much_is_drawn_as_a_tree(looked: Looked, sample_case: Path, tmp_path: Path) -> None:
    found = facts(sample_case, ["1"])
    # Up to four of twenty values for each of 100 accounts, none of which more than half of them have.
    steps = enumerate((1, 3, 7, 9))
    dense = drawn([(account, (account * step + at) % 20) for at, step in steps for account in range(100)], 100, 20)
    words = {"payment": ["payment method", "payment methods"]}
    found.details[0]["picture"] = {**vars(dense), "words": words}
    (tmp_path / "dense.html").write_bytes(render(found))
    shown = looked.open(tmp_path / "dense.html", found.rings[0]["id"])
    nodes, lines = shown.locator(".graph .node"), shown.locator(".graph .tie")
    assert lines.count() == len(dense.edges) > 2 * nodes.count()
    dark = shown.locator(".graph .tie:not(.faint, .waits)").evaluate_all(
        "all => all.map((one) => ['x1', 'y1', 'x2', 'y2'].map((name) => one.getAttribute(name)))"
    )
    tree: networkx.Graph[tuple[str, str]] = networkx.Graph([((a, b), (c, d)) for a, b, c, d in dark])
    assert networkx.is_tree(tree) and len(tree) == nodes.count() == 120
    # The strongest value has all its accounts around it, and a node that is chosen shows all its lines.
    x, y = re.findall(r"[\d.]+", nodes.nth(100).get_attribute("transform") or "")
    assert tree.degree[x, y] == sum(value == 0 for _, value, _ in dense.edges)
    nodes.nth(119).click()
    near = shown.locator(".graph .tie.near")
    assert near.count() == sum(value == 19 for _, value, _ in dense.edges)
    assert float(near.first.evaluate("one => getComputedStyle(one).strokeOpacity")) > 0.5
    assert "so it is tied more closely than it looks" in shown.locator("article").inner_text()
    assert looked.wrong == []


def test_from_python(sample_case: Path, tmp_path: Path) -> None:
    case, path = Case(sample_case), tmp_path / "one.html"
    written = case.report(path, rings=["1"])
    assert (written.path, written.rings, written.changed) == (path, 1, True)
    assert path.stat().st_size == written.bytes and path.stat().st_mode & 0o777 == 0o600
    assert not case.report(path, rings=["1"]).changed
    with pytest.raises(UsageError):
        case.report(path)
    assert case.report(path, force=True).rings == len(case.rings())


def test_filters_and_sorting(looked: Looked, sample_page: Path, sample_case: Path) -> None:
    shown = looked.open(sample_page)
    rings = results.rings(sample_case)
    names = shown.locator("#rings tbody tr:visible th")
    shown.get_by_label("Text").fill(rings[1].ring_id)
    assert names.all_inner_texts() == [rings[1].ring_id]
    shown.get_by_role("button", name="Show all").click()
    shown.get_by_text("8 of 8 rings").wait_for()
    shown.get_by_label("open").uncheck()
    assert names.all_inner_texts() == [r.ring_id for r in rings if r.status == "explained"]
    assert shown.get_by_role("status").first.inner_text() == "1 of 8 rings"
    shown.get_by_label("open").check()
    shown.get_by_label("Least score").fill("0.99")
    assert names.all_inner_texts() == [r.ring_id for r in rings if r.score >= 0.99]
    shown.get_by_label("Least score").fill("0")
    shown.get_by_label("api_key").check()
    assert names.all_inner_texts() == [rings[1].ring_id]
    shown.get_by_label("api_key").uncheck()
    heading = shown.get_by_role("columnheader", name="accounts")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    sizes = [r.accounts for r in sorted(rings, key=lambda r: r.accounts)]
    column = shown.locator("#rings tbody tr td:nth-child(7)")
    assert [int(text) for text in column.all_inner_texts()] == sizes
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert [int(text) for text in column.all_inner_texts()] == sizes[::-1]
    assert looked.wrong == []


def test_everything_is_reached_by_keyboard(looked: Looked, sample_page: Path, sample_case: Path) -> None:
    ring = results.rings(sample_case)[2]
    shown = looked.open(sample_page)
    shown.keyboard.press("Tab")
    assert looked.focused() == "To the list of rings"
    for _ in range(60):
        shown.keyboard.press("Tab")
        if looked.focused() == ring.ring_id:
            break
    shown.keyboard.press("Enter")
    shown.locator("article").wait_for()
    assert looked.focused() == f"Ring {ring.ring_id}"
    reached = []
    for _ in range(30):
        shown.keyboard.press("Tab")
        reached.append(looked.focused())
        if reached[-1].startswith("Account "):
            break
    assert {"All rings", "Previous ring", "Next ring", "Print", "Zoom in", "Whole picture"} <= set(reached)
    said = shown.locator(".drawn .told").first
    shown.keyboard.press("ArrowRight")
    second = looked.focused()
    assert second.startswith("Account ")
    assert second != reached[-1]
    shown.keyboard.press("Enter")
    assert said.inner_text() == second
    assert shown.locator(".node[aria-pressed=true]").count() == 1
    shown.keyboard.press("End")
    assert "Shared by 5 members and" in looked.focused()
    shown.keyboard.press("Escape")
    assert said.inner_text() == "Choose a node to see who shares it."
    shown.keyboard.press("Tab")
    assert looked.focused().startswith("Map")
    shown.keyboard.press("Enter")
    grid = shown.get_by_role("table", name=re.compile("What is shared with whom"))
    assert grid.locator("tbody tr").count() == 5
    shown.keyboard.press("Tab")
    assert looked.focused().startswith("What is shared with whom")
    assert looked.wrong == []


def test_a_screen_reader_can_use_it(looked: Looked, sample_page: Path, sample_case: Path) -> None:
    shown = looked.open(sample_page, results.rings(sample_case)[2].ring_id)
    shown.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    found = Axe().run(shown)
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 20
    levels = shown.locator("h1, h2, h3").evaluate_all("all => all.map((one) => Number(one.tagName[1]))")
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_what_is_ticked_is_printed_whole(looked: Looked, sample_page: Path, sample_case: Path) -> None:
    rings = results.rings(sample_case)
    shown = looked.open(sample_page, rings[2].ring_id)
    for at in (0, 3):
        shown.get_by_label(f"Print ring {rings[at].ring_id}").check()
    shown.evaluate("""() => window.addEventListener("beforeprint", () => { window.printed = {
        rings: [...document.querySelectorAll("article h2")].map((one) => one.textContent),
        closed: document.querySelectorAll("article details:not([open], .spare)").length,
        members: [...document.querySelectorAll("article")].map((one) => [...one.querySelectorAll("table")]
            .find((table) => table.caption.textContent.startsWith("Members")).tBodies[0].rows.length) }; })""")
    assert len(shown.pdf()) > 10_000
    printed = shown.evaluate("window.printed")
    assert printed == {
        "rings": [f"Ring {rings[0].ring_id}", f"Ring {rings[3].ring_id}"],
        "closed": 0,
        "members": [rings[0].accounts, rings[3].accounts],
    }
    assert shown.locator("article h2").all_inner_texts() == [f"Ring {rings[2].ring_id}"]
    assert shown.locator("article details[open]").count() == 0
    assert looked.wrong == []


# Hostile exports.

ATTACKS = (
    "<script>window.hit = 1</script>",
    "</script><script>window.hit = 2</script>",
    '"><img src=x onerror="window.hit = 3">',
    "<svg/onload=window.hit=4>",
    "javascript:window.hit=5",
    "{{ 7 * 7 }}{% for a in b %}",
    "<!--<script>",
    "=HYPERLINK(\"http://example.com\")",
    "\u202eexe.account",
    "line\u2028break\x1b[31m",
    "__proto__",
    "' onfocus='window.hit=6' x='",
    "עברית\u0301" * 40,
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A case whose every text is an attack, and its ring."""
    folder = tmp_path_factory.mktemp("hostile")
    at = datetime(2026, 1, 1)
    case = make_case(
        folder / "</title><script>window.hit=7<&.duckdb".replace("/", "∕"),
        accounts=[{"account_id": a, "created_at": at, "banned_at": at, "status": a} for a in ATTACKS],
        payments=[{"account_id": a, "payment_id": ATTACKS[n % 2]} for n, a in enumerate(ATTACKS)]
        + [{"account_id": a, "payment_id": ATTACKS[2]} for a in ATTACKS],
        identifiers=[{"account_id": a, "kind": kind, "value": value, "label": value} for a in ATTACKS
                     for kind, value in zip(("__proto__", "<b>", "constructor", 'x"y'), ATTACKS, strict=False)],
        exchanges=[{"account_id": a, "at": at, "prompt_fingerprint": ATTACKS[0]} for a in ATTACKS],
    )  # fmt: skip
    detect(case, algorithm="wcc", nulls=0)
    (ring,) = results.rings(case, unlisted=True)
    said = ATTACKS[1]
    decisions.record(
        case, [Decision(ring.ring_id, "watch", said, ATTACKS, ATTACKS[2], datetime(2026, 2, 1, tzinfo=UTC), "neo4j")]
    )
    path = folder / "report.html"
    report(case, path, ["1"])
    return path, ring.ring_id


def test_nothing_of_an_export_runs(looked: Looked, hostile: tuple[Path, str]) -> None:
    path, ring = hostile
    text = path.read_text()
    assert "\u2028" not in text
    assert "\u202e" not in text
    scripts = re.findall(r"<script[^>]*>", text)
    assert scripts == ['<script type="application/json" id="data-0">', "<script>", "<script>"]
    shown = looked.open(path, ring)
    article = shown.locator("article")
    article.wait_for()
    shown.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    nodes = shown.locator(".graph .node")
    for at in range(nodes.count()):
        nodes.nth(at).dispatch_event("click")
    members = shown.get_by_role("table", name=f"Members of ring {ring}").locator("tbody th").all_inner_texts()
    assert set(ATTACKS) - {ATTACKS[8], ATTACKS[9]} <= set(members)
    assert {"\\u202eexe.account", "line\\u2028break\\x1b[31m"} <= set(members)
    assert ATTACKS[1] in shown.get_by_role("table", name=f"Decisions on ring {ring}").inner_text()
    assert shown.evaluate("window.hit") is None
    assert shown.locator("script").count() == len(scripts)
    for made in ("img", "iframe", "object", "b", "main svg[onload]", "[onfocus]", "a[href^='javascript']"):
        assert shown.locator(made).count() == 0, made
    # Whatever got in would not be allowed to run, either.
    refused: Any = shown.evaluate("""() => { const made = document.createElement("script");
        try { made.textContent = "window.hit = 8"; document.body.append(made); } catch (error) { return error.name; }
        return window.hit === undefined ? "refused" : "ran"; }""")
    assert refused in ("TypeError", "refused")
    assert shown.evaluate("window.hit") is None
    assert all("Content Security Policy" in said or "TrustedScript" in said for said in looked.wrong)


def test_a_case_without_rings(looked: Looked, linkage: Linkage, tmp_path: Path) -> None:
    case = make_case(tmp_path / "c.duckdb", accounts=[{"account_id": "a"}, {"account_id": "b"}])
    code, _, err = linkage("report", "-o", tmp_path / "r.html", "--case", case)
    assert (code, "no run yet" in err, (tmp_path / "r.html").exists()) == (ExitCode.NOT_FOUND, True, False)
    detect(case)
    code, out, _ = linkage("report", "-o", tmp_path / "r.html", "--case", case)
    assert (code, "0 rings" in out) == (0, True)
    shown = looked.open(tmp_path / "r.html")
    assert "No rings." in shown.locator("main").inner_text()
    assert looked.wrong == []
