"""Write `docs/reliability.md` from the figures that runs left: `make reliability`, or `python docs/reliability.py DIR`.

Each line of the `.jsonl` files in DIR is an object with `part`: what `tests/reliability.py` appended.
"""

import json
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("reliability.md")

Rows = list[dict[str, Any]]

_HEAD = """# Reliability

What was done to `linkage` to make it lose something, and what it lost. All figures on this page were written down by
the runs themselves: `make test-deep` or `make torture`, then `make reliability`.

What it promises:

- A crash at any instant leaves a case as after some whole number of input files (`ingest`), or as before or after the
  command (all others). The same command again completes it, to the same bytes of `linkage export`.
- What people decided is in the case and, as JSON Lines, beside it; after the next decision both say the same.
- A killed process leaves no lock, and no file that the next one does not clear away.
- Whoever writes to a case that another process holds is told which; readers are answered within 10 seconds.
- A machine that refuses (disk, permission, memory) gets a sentence, a hint and exit code 7, and the case is whole.
- A clock that goes back changes neither which decision counts nor what is newer than what.
- A case of an older version is brought up to date at its first use, and kept as it was beside it: `linkage.duckdb.v3`.
  One of a newer version is refused, unchanged.
- Neo4j is a mirror: whatever becomes of it, the case stays as it is, and the next publish makes the graph what the case
  says.
"""


def read(folder: Path) -> dict[str, Rows]:
    """All figures in the folder, by part."""
    found: dict[str, Rows] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            figure = json.loads(line)
            found[figure["part"]].append(figure)
    return found


def page(figures: dict[str, Rows]) -> str:
    """The page; a part that the runs left nothing of is left out."""
    made = {
        "Killed": (_kills, [figure for figure in figures["faults"] if "kills" in figure]),
        "Refused and cut off": (_faults, [figure for figure in figures["faults"] if "fault" in figure]),
        "Readers while `detect` runs": (_readers, figures["readers"]),
        "Day after day": (_soak, figures["soak"]),
        "Searched for what must not be there": (_privacy, figures["privacy"]),
        "Hostile input": (_fuzz, figures["fuzz"]),
    }
    blocks = [_HEAD.strip()]
    for heading, (section, rows) in made.items():
        if rows:
            blocks += [f"## {heading}", *map(_filled, section(rows))]
    return "\n\n".join(blocks) + "\n"


def _kills(rows: Rows) -> list[str]:
    commands = sorted({str(figure["command"]) for figure in rows})
    lines = []
    for command in commands:
        own = [figure for figure in rows if figure["command"] == command]
        within = max(figure["seconds"] for figure in own)
        lines.append((f"`{command}`", f"{_sum(own, 'kills'):,}", f"{_sum(own, 'survived'):,}", f"{within:g}"))
    seeds = ", ".join(sorted({str(figure["seed"]) for figure in rows}))
    return [
        f"{_sum(rows, 'survived'):,} of {_sum(rows, 'kills'):,} kills (SIGKILL) were survived, at instants drawn "
        f"uniformly over the time that the command takes undisturbed (seed {seeds}). After each, the case was opened "
        "and compared, the command repeated, and the export compared byte by byte with that of a history that nobody "
        "disturbed. The case is small, so that writing is a great part of the time.",
        _table(("command", "killed", "survived", "within, s"), lines),
    ]


def _faults(rows: Rows) -> list[str]:
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for figure in rows:
        both = sums[figure["fault"], figure["command"]]
        both[0] += figure["times"]
        both[1] += figure["survived"]
    return [
        "How often a command was refused room or memory, or its server or the connection to it went, at drawn limits, "
        "bytes and instants; and how often it said so or ended right, lost nothing, and worked the next time.",
        _table(
            ("fault", "command", "times", "survived"), [(*key, *both) for key, both in sorted(sums.items()) if both[0]]
        ),
        "Read-only folders and files, a clock that goes back, two writers at once, and cases of older and newer "
        "versions are tests without a figure: `tests/faults/test_machine.py`.",
    ]


def _readers(rows: Rows) -> list[str]:
    return [f"{_sum(rows, 'answers'):,} were answered, the slowest after {max(f['longest'] for f in rows)} s."]


def _soak(rows: Rows) -> list[str]:
    last = rows[-1]
    lines = [("bytes of the case", f"{last['bytes']:,}", last["size_ratio"])]
    for name, ratio in sorted(last["memory_ratio"].items()):
        lines.append((f"memory of `{name}`, MB", last["peak_mb"][name], ratio))
    return [
        f"One case through {last['days']} days of `ingest`, `detect`, `review`, `neo4j publish` and `neo4j pull`: "
        f"{last['rows']:,} rows and {last['nodes']:,} nodes at the end. The ratio compares the last six days with six "
        f"in the middle, relative to the rows ({last['rows_grown']} times as many): 1 grows as the data does, less "
        "grows more slowly.",
        _table(("what", "last day", "ratio"), lines),
        f"{last['drifted']} rings changed their id while their members stayed; {last['kept']} had the same one on each "
        "of the last six days. No file or process was left behind.",
    ]


def _privacy(rows: Rows) -> list[str]:
    return [
        f"{_sum(rows, 'bytes_searched'):,} bytes (the case, its log and temporary files, Neo4j's store, logs, reports) "
        "were searched for planted prompts, addresses, phone numbers, card numbers and secrets: "
        f"{_sum(rows, 'found'):,} found."
    ]


def _fuzz(rows: Rows) -> list[str]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for figure in rows:
        sums[figure["target"]][0] += figure["inputs"]
        sums[figure["target"]][1] += figure["failures"]
    lines = [(target, f"{inputs:,}", failures) for target, (inputs, failures) in sorted(sums.items())]
    return [
        f"{_sum(rows, 'inputs'):,} inputs, made by hypothesis or by atheris guided by coverage, gave an answer or an "
        "error that is meant for a person, or count as a failure. What was found is kept as a regression case "
        "in `tests/test_hostile_files.py`.",
        _table(("target", "inputs tried", "failures"), lines),
    ]


def _sum(rows: Rows, name: str) -> int:
    return sum(int(figure[name]) for figure in rows)


def _filled(block: str) -> str:
    """A paragraph in lines of 120; a table as it is."""
    return block if block.startswith("|") else textwrap.fill(block, 120, break_on_hyphens=False)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    rule = "|".join("--:" if at else "---" for at in range(len(head)))
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {' | '.join(map(str, row))} |" for row in rows)])


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) == 2 else None
    if given is None or not any(given.glob("*.jsonl")):
        sys.exit("It takes the folder in which a run left its figures: make test-deep, or make torture")
    PAGE.write_text(page(read(given)))
