"""Neo4j Browser in a real Chromium, driven as a person would: open, log in, run, look."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

# Nothing but this machine is reached: Browser would ask for fonts and telemetry elsewhere.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
)
PATIENCE = 90_000
"""Milliseconds; a loaded machine takes its time."""


def chromium() -> str:
    """The program; skips where there is none, unless this is CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        message = "there is no Chromium to look at Neo4j Browser with (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextmanager
def page(width: int = 1500, height: int = 1000) -> Iterator[Page]:
    """An empty page in a Chromium of its own."""
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            shown = browser.new_page(viewport={"width": width, "height": height})
            shown.set_default_timeout(PATIENCE)
            yield shown
        finally:
            browser.close()


@dataclass(frozen=True)
class Drawn:
    """What the newest frame of Neo4j Browser shows.

    Attributes:
        nodes, relationships: how many are drawn.
        captions: the texts on the nodes.
        overview: the text beside the drawing, with counts by label and type.
        colours: of the nodes' circles.
    """

    nodes: int
    relationships: int
    captions: tuple[str, ...]
    overview: str
    colours: frozenset[str]


def log_in(shown: Page, url: str, password: str) -> None:
    """Open Neo4j Browser at `url` and log in; the rest is filled in already."""
    shown.goto(url)
    field = shown.locator("[data-testid=password]").first
    field.wait_for()
    # The form is drawn anew once Browser has found out that it is not connected, and what was typed is gone.
    for _ in range(PATIENCE // 2_000):
        field.fill(password)
        shown.wait_for_timeout(2_000)
        if field.input_value() == password:
            break
    shown.locator("[data-testid=connect]").first.click()
    shown.locator("[data-testid=password]").first.wait_for(state="hidden")


def run(shown: Page) -> Drawn:
    """Press Run, and read what is drawn when it has come to rest."""
    shown.locator("[data-testid=editor-Run]").first.click()
    # Guide and style come in frames of their own, and may come later.
    frame = shown.locator("[data-testid=frame]:has(svg g.node)").first
    frame.wait_for()
    frame.locator("text=/Displaying \\d+ nodes/").first.wait_for()
    nodes = frame.locator("svg g.node")
    texts = nodes.evaluate_all("all => all.map(one => one.textContent)")
    fills = nodes.locator("circle.b-outline").evaluate_all("all => all.map(one => one.getAttribute('fill'))")
    return Drawn(
        nodes.count(),
        frame.locator("svg g.relationship").count(),
        tuple(re.sub(r"\s+", "", text) for text in texts),
        frame.inner_text(),
        frozenset(str(fill).upper() for fill in fills),
    )


def picture(shown: Page, path: Path) -> None:
    """The newest frame as a PNG, once its nodes have come to rest, over the whole page."""
    shown.locator("[data-testid=frame]").first.locator(
        "[title*=ullscreen], [data-testid=frame-fullscreen]"
    ).first.click()
    shown.wait_for_timeout(4_000)
    shown.locator("[aria-label=zoom-to-fit]").first.click()
    shown.wait_for_timeout(2_000)
    path.parent.mkdir(parents=True, exist_ok=True)
    shown.screenshot(path=path)
