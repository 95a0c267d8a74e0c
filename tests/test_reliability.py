"""What runs leave becomes the page."""

from pathlib import Path

import pytest

from tests import reliability
from tests.test_house import script


def test_what_runs_leave_becomes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reliability.figure("faults", command="lost", kills=1, survived=1, seed=1, seconds=1)
    monkeypatch.setattr(reliability, "_OUT", str(tmp_path / "figures"))
    for kills, survived in ((3, 3), (1200, 1199)):
        reliability.figure("faults", command="ingest", kills=kills, survived=survived, seed=kills, seconds=0.5)
    for fault in ("reset", "reset", "no memory"):
        reliability.figure("faults", fault=fault, command="detect", times=2, survived=2)
    reliability.figure("privacy", bytes_searched=10**7, found=0)
    (tmp_path / "figures" / "another.jsonl").write_text(
        '{"part": "fuzz", "target": "csv", "inputs": 5000, "failures": 0}\n'
    )
    made = script("reliability")
    page = made.page(made.read(tmp_path / "figures"))
    assert "1,202 of 1,203 kills (SIGKILL) were survived" in page
    assert "(seed 1200, 3)" in page
    assert "\n| reset | detect | 4 | 4 |\n" in page
    assert "10,000,000 bytes" in page
    assert "\n| csv | 5,000 | 0 |\n" in page
    assert "lost" not in page.partition("## Killed")[2].partition("## Refused")[0]
    assert "## Day after day" not in page
    assert max(len(line) for line in page.splitlines()) <= 120
