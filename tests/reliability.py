"""Figures that runs leave for `docs/reliability.md`, where they are asked to: `docs/reliability.py` makes the page."""

import json
import os
from pathlib import Path

# Read now: each test has its LINKAGE_ settings taken away.
_OUT = os.environ.get("LINKAGE_RELIABILITY_OUT")


def figure(part: str, **figures: object) -> None:
    """Append one line to the folder `LINKAGE_RELIABILITY_OUT`, if it is set.

    Args:
        part: what the figures are of: `faults`, `soak`, `privacy`, `fuzz`.
        figures: their names and values, as JSON has them.
    """
    if _OUT is None:
        return
    folder = Path(_OUT)
    folder.mkdir(parents=True, exist_ok=True)
    # One write in append mode, since tests run side by side.
    with (folder / f"{part}.jsonl").open("a") as file:
        file.write(json.dumps({"part": part, **figures}) + "\n")
